"""One request and its answer: bounded, followed nowhere, believed only from whom it should be."""

from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from pki.client_tls import TlsTrust
from pki.iso15118.opcp.exchange import ANSWER_MAX, Exchange, Reply
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from tests.opcp_server import OpcpServer, answering, hanging_up, running_opcp


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def roots(ca: trustme.CA, tmp_path: Path) -> Path:
    ca.cert_pem.write_to_path(str(tmp_path / "roots.pem"))
    return tmp_path / "roots.pem"


async def get(exchange: Exchange, url: str, **headers: str) -> Reply:
    try:
        return await exchange.ask("GET", url, headers=headers)
    finally:
        await exchange.close()


async def test_over_tls_to_one_of_the_given_roots_alone(ca: trustme.CA, roots: Path) -> None:
    async with running_opcp(OpcpServer(answer=answering(200, {"a": 1})), ca) as server:
        reply = await get(Exchange(TlsTrust(roots)), server.url)
        assert (reply.status, reply.read_object()) == (200, {"a": 1})
        with pytest.raises(ProvisioningRefused, match=r"certificate isn't trusted .*see opcp\.roots"):
            await get(Exchange(TlsTrust()), server.url)
        other = roots.with_name("other.pem")
        trustme.CA().cert_pem.write_to_path(str(other))
        with pytest.raises(ProvisioningRefused, match="isn't trusted") as caught:
            await get(Exchange(TlsTrust(other)), server.url)
        assert caught.value.refusal is Refusal.PROVIDER_UNAVAILABLE
        # The address in its certificate is another spelling's.
        with pytest.raises(ProvisioningRefused, match="isn't trusted"):
            await get(Exchange(TlsTrust(roots)), server.url.replace("127.0.0.1", "localhost"))
        assert len(server.asked) == 1


async def test_no_redirect_cookie_proxy_or_compression(server: OpcpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server.answer = answering(302, b"", Location=server.url, Set_Cookie="a=b")
    exchange = Exchange(TlsTrust())
    for _ in range(2):
        assert (await exchange.ask("GET", server.url, headers={"X-Api-Key": "k"})).status == 302
    await exchange.close()
    await exchange.close()
    assert len(server.asked) == 2
    for headers in server.headers:
        assert "Cookie" not in headers
        assert (headers["X-Api-Key"], headers["Accept-Encoding"]) == ("k", "identity")


async def test_what_is_too_large_or_compressed(server: OpcpServer) -> None:
    server.answer = answering(200, b"x" * ANSWER_MAX)
    assert len((await get(Exchange(TlsTrust()), server.url)).content) == ANSWER_MAX
    server.answer = answering(200, b"x" * (ANSWER_MAX + 1))
    with pytest.raises(ProvisioningRefused, match="has more than 262144 bytes") as caught:
        await get(Exchange(TlsTrust()), server.url)
    assert caught.value.refusal is Refusal.PROVIDER_ANSWER
    server.answer = answering(200, {}, Content_Encoding="gzip")
    assert not (await get(Exchange(TlsTrust()), server.url)).is_json


async def test_what_breaks_off_or_is_not_there_or_can_not_be_sent(server: OpcpServer, tmp_path: Path) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "100", "Content-Type": "application/json"})
        await answer.prepare(request)
        await answer.write(b"{")
        assert request.transport is not None
        request.transport.close()
        return answer

    exchanges: list[tuple[Any, str, dict[str, str], Path | None, str]] = [
        (hanging_up, server.url, {}, None, "ServerDisconnectedError"),
        (half, server.url, {}, None, "ClientPayloadError"),
        (None, "http://127.0.0.1:1", {}, None, "can't connect to 127.0.0.1:1: "),
        (None, "http://no such host/", {}, None, "InvalidURL|InvalidUrl|ValueError|can't connect"),
        (None, server.url, {"X-Api-Key": "s3cret\r\nX-Evil: 1"}, None, "ValueError"),
        (None, server.url, {}, tmp_path / "none.pem", "can't be read"),
    ]
    for answer, url, headers, roots, words in exchanges:
        server.answer = answer
        with pytest.raises(ProvisioningRefused, match=words) as caught:
            await get(Exchange(TlsTrust(roots)), url, **headers)
        assert caught.value.refusal is Refusal.PROVIDER_UNAVAILABLE
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "isn't valid JSON"),
        (b"{} {}", "isn't valid JSON"),
        (b'{"a": 1, "a": 2}', "isn't valid JSON"),
        (b'{"a": NaN}', "isn't valid JSON"),
        (b'{"a": "\xff"}', "isn't valid JSON"),
        (b'{"a": "\\ud800"}', "isn't valid JSON"),
        (b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}", "isn't valid JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "isn't valid JSON"),
        (b"[]", "isn't a JSON object"),
        (b'"x"', "isn't a JSON object"),
    ],
)
def test_json_that_is_none(content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        Reply(200, is_json=True, content=content).read_object()


def test_what_a_reply_shows_of_itself() -> None:
    assert repr(Reply(200, is_json=True, content=b'{"access_token": "x"}')) == "Reply(200, 21 bytes)"
    with pytest.raises(ValueError, match="isn't application/json"):
        Reply(200, is_json=False, content=b"{}").read_object()
