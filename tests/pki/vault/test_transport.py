"""One node over HTTP: whom it trusts, which connections it keeps, and what it never waits for."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from pki.client_tls import TlsTrust
from pki.vault import transport as transport_module
from pki.vault.failures import NoAnswer, NotSent
from pki.vault.transport import ANSWER_MAX, Answer, Attempt, Transport
from tests.vault_standin import HEALTH, Reply, StandIn, standing_in


@pytest.fixture
def node(standin: StandIn) -> Iterator[Transport]:
    transport = Transport(standin.address, TlsTrust(standin.roots).context)
    yield transport
    transport.drop()


def ask(node: Transport, *, seconds: float = 10, path: str = HEALTH[1], body: bytes | None = None) -> Answer:
    return node.exchange("POST" if body else "GET", path, {"X-A": "b"}, body, Attempt(seconds))


def test_one_connection_serves_one_after_the_other(standin: StandIn, node: Transport) -> None:
    standin.say("POST", "/v1/x", Reply(200, {"a": 1}))

    assert ask(node).json()["initialized"] is True
    answer = ask(node, path="/v1/x", body=b'{"b": 2}')
    assert (answer.ok, answer.status_code, answer.json()) == (True, 200, {"a": 1})
    assert (standin.asked[-1].body, standin.asked[-1].headers["X-A"]) == ({"b": 2}, "b")
    assert standin.asked[-1].headers["Host"] == standin.address.removeprefix("https://")
    assert standin.connections == 1


def test_a_connection_that_was_closed_meanwhile_is_not_used_again(standin: StandIn, node: Transport) -> None:
    ask(node)
    standin.cut()
    with socket.socket(fileno=socket.dup(node._idle[0][1].fileno())) as watched:
        watched.settimeout(10)
        assert watched.recv(1, socket.MSG_PEEK) in {b"", b"\x15", b"\x17"}

    assert ask(node).ok
    assert standin.connections == 2


def test_nor_one_that_has_been_idle_for_long(
    standin: StandIn, node: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(node)
    monkeypatch.setattr(transport_module, "IDLE_MAX", 0.0)

    assert ask(node).ok
    assert standin.connections == 2


def test_nor_one_of_before_a_drop(standin: StandIn, node: Transport) -> None:
    ask(node)
    node.drop()
    ask(node)

    assert standin.connections == 2


def test_what_was_under_way_during_a_drop_is_not_kept(standin: StandIn, node: Transport) -> None:
    gate = threading.Event()
    standin.say("GET", "/v1/slow", Reply(200, {}, gate=gate))
    answers: list[Answer] = []
    asking = threading.Thread(target=lambda: answers.append(ask(node, path="/v1/slow")), name="asking")
    asking.start()
    standin.wait_for("GET", "/v1/slow")
    node.drop()
    gate.set()
    asking.join()

    assert answers[0].ok
    assert not node._idle


def test_a_pinned_root_is_the_only_one(standin: StandIn, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.pem"
    trustme.CA().cert_pem.write_to_path(str(foreign))
    node = Transport(standin.address, TlsTrust(foreign).context)

    with pytest.raises(NotSent, match=r"the certificate of https://127.* isn't trusted \(.*\); set roots"):
        ask(node)
    assert not standin.asked


def test_a_certificate_for_another_name(tmp_path: Path, ca: trustme.CA) -> None:
    with standing_in(tmp_path, ca, name="vault.example.com") as server:
        node = Transport(server.address, TlsTrust(server.roots).context)
        with pytest.raises(NotSent, match=r"isn't trusted .*mismatch"):
            ask(node)
        assert not server.asked


def test_nobody_there() -> None:
    with pytest.raises(NotSent, match=r"http://127\.0\.0\.1:1 can't be reached \(Connection refused\)"):
        ask(Transport("http://127.0.0.1:1", TlsTrust().context))


def test_plain_http(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            peer, _ = listening.accept()
            with peer:
                peer.recv(10_000)
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        serving = threading.Thread(target=serve, name="plain")
        serving.start()
        node = Transport(f"http://127.0.0.1:{listening.getsockname()[1]}", TlsTrust().context)
        assert ask(node).text == "{}"
        serving.join()
        node.drop()


@pytest.mark.parametrize("said", [b"", b"SSH-2.0\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"])
def test_an_answer_that_breaks_off(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            peer, _ = listening.accept()
            with peer:
                peer.recv(10_000)
                peer.sendall(said)

        serving = threading.Thread(target=serve, name="broken")
        serving.start()
        with pytest.raises(NoAnswer, match="broke off"):
            ask(Transport(f"http://127.0.0.1:{listening.getsockname()[1]}", TlsTrust().context))
        serving.join()


def test_an_answer_at_the_limit_and_one_past_it(standin: StandIn, node: Transport) -> None:
    standin.say("GET", "/v1/big", Reply(200, b"x" * ANSWER_MAX), Reply(200, b"x" * (ANSWER_MAX + 1)))

    assert len(ask(node, path="/v1/big").content) == ANSWER_MAX
    with pytest.raises(NoAnswer, match=f"more than {ANSWER_MAX} bytes"):
        ask(node, path="/v1/big")


def test_too_slow(standin: StandIn, node: Transport) -> None:
    gate = threading.Event()
    standin.say("GET", "/v1/slow", Reply(200, {}, gate=gate))

    with pytest.raises(NoAnswer, match=r"hasn't answered within 0\.2 s"):
        ask(node, path="/v1/slow", seconds=0.2)
    gate.set()


def test_no_time_left_is_no_request(standin: StandIn, node: Transport) -> None:
    with pytest.raises(NotSent, match="takes no connection in time"):
        ask(node, seconds=0)
    assert not standin.asked


def test_an_abort_wakes_who_waits(standin: StandIn, node: Transport) -> None:
    gate = threading.Event()
    standin.say("GET", "/v1/slow", Reply(200, {}, gate=gate))
    attempt = Attempt(10)
    caught: list[Exception] = []

    def wait() -> None:
        try:
            node.exchange("GET", "/v1/slow", {}, None, attempt)
        except NoAnswer as error:
            caught.append(error)

    waiting = threading.Thread(target=wait, name="waiting")
    waiting.start()
    standin.wait_for("GET", "/v1/slow")
    attempt.abort()
    waiting.join(5)
    assert not waiting.is_alive()
    assert len(caught) == 1
    gate.set()
    with pytest.raises(NotSent):
        node.exchange(*HEALTH, {}, None, attempt)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/x", {"X-Vault-Token": "t\r\nX-Evil: 1"}),
        ("/v1/x\r\nX-Evil: 1", {}),
        ("/v1/x HTTP/1.1", {}),
        ("/v1/\u20ac", {}),
    ],
)
def test_what_http_can_not_carry_is_not_sent(
    standin: StandIn, node: Transport, path: str, headers: dict[str, str]
) -> None:
    with pytest.raises(NotSent, match="look for line breaks") as caught:
        node.exchange("GET", path, headers, None, Attempt(10))
    assert "Evil" not in str(caught.value)
    assert not standin.asked


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"errors": ["permission denied"]}', "permission denied"),
        (b'{"errors": ["1 error occurred:\\n\\t* a\\n\\n", "b"]}', "1 error occurred: * a ; b"),
        (b'{"errors": []}', ""),
        (b'{"errors": 7}', '{"errors": 7}'),
        (b"[]", "[]"),
        (b"<html>\x1b[31m\xff", "<html>\\x1b[31m\\ufffd"),
    ],
)
def test_the_words_of_an_answer(content: bytes, words: str) -> None:
    answer: Any = Answer(400, {}, content)

    assert answer.words() == words
    assert not answer.ok
