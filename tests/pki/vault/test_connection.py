"""A cluster that isn't at its best: what is asked again, of whom, and what is never asked twice."""

import asyncio
import itertools
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pki.client_tls import TlsTrust
from pki.vault import connection as connection_module
from pki.vault.adapter import VaultAdapter
from pki.vault.connection import IN_FLIGHT_MAX, VaultConnection
from pki.vault.failures import VaultRefused, VaultUnavailable
from pki.vault.logins import TokenLogin
from tests.vault_standin import HEALTH, LOOKUP, Reply, StandIn, failed

READ, SIGN = ("GET", "/v1/pki/ca"), ("POST", "/v1/pki/sign/x")
DONE = Reply(200, {"data": {"answer": 42}})
DENIED = failed(403, "permission denied")
Connect = Callable[..., VaultConnection]


def read(adapter: VaultAdapter) -> Any:
    return adapter.get("/v1/pki/ca")["data"]["answer"]


def sign(adapter: VaultAdapter) -> Any:
    return adapter.post("/v1/pki/sign/x", json={"csr": "x"})["data"]["answer"]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "PAUSE", 0.0)


async def test_it_asks_as_the_holder_of_the_token(standin: StandIn, connect: Connect) -> None:
    standin.say(*SIGN, DONE)
    connection = connect(standin, namespace="team")

    assert await connection.call(sign, is_repeatable=False) == 42
    health, lookup, signing = standin.asked
    assert (health.method, health.path) == HEALTH
    assert ("X-Vault-Namespace" in health.headers, health.token) == (False, "")
    assert (lookup.method, lookup.path, lookup.token) == (*LOOKUP, "t")
    assert (signing.token, signing.headers["X-Vault-Namespace"], signing.body) == ("t", "team", {"csr": "x"})


@pytest.mark.parametrize(
    "reply",
    [
        failed(503, "Vault is sealed"),
        failed(472),
        failed(473),
        failed(500, "local node not active but active cluster node not found"),
        failed(307, Location="https://127.0.0.1:1/v1/pki/sign/x"),
        failed(429, "quota exceeded", Retry_After="0"),
    ],
    ids=lambda reply: str(reply.status),
)
async def test_what_was_surely_not_done_is_asked_again(standin: StandIn, connect: Connect, reply: Reply) -> None:
    standin.say(*SIGN, reply, DONE)

    assert await connect(standin).call(sign, is_repeatable=False) == 42
    assert standin.count(*SIGN) == 2


@pytest.mark.parametrize(
    "reply",
    [
        failed(500, "internal error"),
        failed(502),
        failed(503, "no healthy upstream"),
        failed(504),
        Reply(0),
        Reply(200, b"{", {"Content-Type": "application/json"}),
    ],
    ids=lambda reply: f"{reply.status} {reply.content[:20]!r}",
)
async def test_a_sign_that_may_have_been_done_is_never_repeated(
    standin: StandIn, connect: Connect, reply: Reply
) -> None:
    standin.say(*SIGN, reply, DONE)
    standin.say(*READ, reply, DONE)
    connection = connect(standin)

    with pytest.raises(VaultUnavailable) as caught:
        await connection.call(sign, is_repeatable=False)
    assert caught.value.is_outcome_unknown
    assert standin.count(*SIGN) == 1
    assert await connection.call(read) == 42
    assert standin.count(*READ) == 2


async def test_reads_are_not_repeated_without_end(standin: StandIn, connect: Connect) -> None:
    standin.say(*READ, failed(500, "disk on fire"))

    with pytest.raises(VaultUnavailable, match=r"Vault failed at pki/ca \(HTTP 500: disk on fire\)"):
        await connect(standin).call(read)
    assert standin.count(*READ) == connection_module.TRIES


async def test_a_limit_that_lasts_longer_than_the_call(standin: StandIn, connect: Connect) -> None:
    standin.say(*SIGN, failed(429, "quota exceeded", Retry_After="60"))

    with pytest.raises(VaultUnavailable, match="limits its requests"):
        await connect(standin).call(sign, is_repeatable=False)
    assert standin.count(*SIGN) == 1


@pytest.mark.parametrize("status", [429, 472, 473, 501, 503])
async def test_the_next_node_takes_over(standin: StandIn, other: StandIn, connect: Connect, status: int) -> None:
    standin.say(*HEALTH, Reply(status, {"sealed": True}))
    other.say(*SIGN, DONE)
    connection = connect(standin, other)

    assert await connection.call(sign, is_repeatable=False) == 42
    assert await connection.call(sign, is_repeatable=False) == 42
    assert (standin.count(*HEALTH), other.count(*HEALTH), other.count(*SIGN)) == (1, 1, 2)


async def test_a_node_that_is_sealed_in_the_middle(standin: StandIn, other: StandIn, connect: Connect) -> None:
    standin.say(*SIGN, DONE, failed(503, "Vault is sealed"))
    other.say(*SIGN, DONE)
    connection = connect(standin, other)

    for _ in range(3):
        assert await connection.call(sign, is_repeatable=False) == 42
    assert (standin.count(*SIGN), other.count(*SIGN), standin.count(*HEALTH)) == (2, 2, 1)


async def test_a_redirect_takes_the_token_nowhere(standin: StandIn, other: StandIn, connect: Connect) -> None:
    standin.say(*SIGN, failed(307, Location=f"{other.address}/v1/pki/sign/x"))

    with pytest.raises(VaultUnavailable, match=r"a redirect \(307\), which isn't followed"):
        await connect(standin).call(sign, is_repeatable=False)
    assert other.asked == []


async def test_nobody_there(connect: Connect, standin: StandIn) -> None:
    class Nowhere:
        address = "https://127.0.0.1:1"

    standin.say(*HEALTH, failed(503))
    with pytest.raises(VaultUnavailable, match=r"https://127\.0\.0\.1:1 can't be reached .*; .* is sealed; unseal it"):
        await connect(Nowhere, standin, trust=TlsTrust(standin.roots)).call(read)


async def test_something_else_answers(standin: StandIn, connect: Connect) -> None:
    standin.say(*HEALTH, Reply(200, b"<html>"))

    with pytest.raises(VaultUnavailable, match="isn't a Vault"):
        await connect(standin).call(read)


async def test_a_revoked_token_is_replaced_once(standin: StandIn, connect: Connect) -> None:
    standin.say(*SIGN, DENIED, DONE)
    standin.say(*LOOKUP, Reply(200, {"data": {"ttl": 3600}}), DENIED, Reply(200, {"data": {"ttl": 3600}}))
    tokens = iter(["old", "new"])
    connection = connect(standin, login=TokenLogin(lambda: next(tokens)))

    assert await connection.call(sign, is_repeatable=False) == 42
    assert [(asked.path.rpartition("/")[2], asked.token) for asked in standin.asked[1:]] == [
        ("lookup-self", "old"),
        ("x", "old"),
        ("lookup-self", "old"),
        ("lookup-self", "new"),
        ("x", "new"),
    ]


async def test_a_policy_that_forbids_costs_no_login(standin: StandIn, connect: Connect) -> None:
    standin.say(*SIGN, DENIED)
    logins = itertools.count(1)
    connection = connect(standin, login=TokenLogin(lambda: f"t{next(logins)}"))

    for _ in range(3):
        with pytest.raises(VaultRefused, match=r'add path "pki/sign/x" \{ capabilities = \["update"\] \}'):
            await connection.call(sign, is_repeatable=False)
    assert next(logins) == 2


async def test_never_a_loop_of_logins(standin: StandIn, connect: Connect) -> None:
    """A token that may neither sign nor look itself up looks like one that is over, again and again."""
    good = Reply(200, {"data": {"ttl": 3600}})
    standin.say(*SIGN, DENIED)
    standin.say(*LOOKUP, good, DENIED, good, DENIED)
    logins = itertools.count(1)
    connection = connect(standin, login=TokenLogin(lambda: f"t{next(logins)}"))

    for _ in range(5):
        with pytest.raises(VaultRefused):
            await connection.call(sign, is_repeatable=False)
    assert next(logins) == 3


async def test_many_callers_make_one_login(standin: StandIn, connect: Connect) -> None:
    standin.say(*READ, DONE)
    connection = connect(standin)

    assert await asyncio.gather(*(connection.call(read) for _ in range(100))) == [42] * 100
    assert (standin.count(*HEALTH), standin.count(*LOOKUP), standin.count(*READ)) == (1, 1, 100)
    assert standin.connections <= IN_FLIGHT_MAX + 1


async def test_many_callers_hear_of_one_search(standin: StandIn, connect: Connect) -> None:
    standin.say(*HEALTH, failed(503))
    connection = connect(standin)

    heard = await asyncio.gather(*(connection.call(read) for _ in range(100)), return_exceptions=True)
    assert {str(each) for each in heard} == {f"{standin.address} is sealed; unseal it"}
    assert standin.count(*HEALTH) == 1


async def test_as_many_in_flight_as_promised(standin: StandIn, connect: Connect) -> None:
    gate = threading.Event()
    standin.say(*READ, Reply(200, DONE.body, gate=gate))
    connection = connect(standin)
    calls = [asyncio.create_task(connection.call(read)) for _ in range(IN_FLIGHT_MAX + 1)]

    await asyncio.to_thread(standin.wait_for, *READ, IN_FLIGHT_MAX)
    gate.set()
    assert await asyncio.gather(*calls) == [42] * (IN_FLIGHT_MAX + 1)


async def test_a_slow_server_holds_nobody_longer_than_the_timeout(standin: StandIn, connect: Connect) -> None:
    gate = threading.Event()
    standin.say(*SIGN, Reply(200, DONE.body, gate=gate), DONE)
    connection = connect(standin, timeout=0.5)

    with pytest.raises(VaultUnavailable, match=r"within 0\.5 s") as caught:
        await connection.call(sign, is_repeatable=False)
    gate.set()
    assert caught.value.is_outcome_unknown
    assert standin.count(*SIGN) == 1


async def test_a_caller_that_goes_away_frees_its_thread(standin: StandIn, connect: Connect) -> None:
    gate = threading.Event()
    standin.say(*READ, Reply(200, DONE.body, gate=gate))
    connection = connect(standin)
    call = asyncio.create_task(connection.call(read))
    await asyncio.to_thread(standin.wait_for, *READ)

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    gate.set()
    assert await connection.call(read) == 42


async def test_nothing_secret_is_said(standin: StandIn, connect: Connect) -> None:
    standin.say(*LOOKUP, DENIED)
    connection = connect(standin, login=TokenLogin(lambda: "s.hunter2"))

    with pytest.raises(VaultUnavailable) as caught:
        await connection.call(read)
    assert "the login (token) is refused" in str(caught.value)
    assert "hunter2" not in f"{caught.value!r} {connection!r} {connection._tokens!r} {vars(caught.value)}"
