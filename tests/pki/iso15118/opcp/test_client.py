"""A provider that is asked: who we are, what its answers mean, and that no vehicle waits for nothing."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from pki.client_tls import CredentialMissing, TlsTrust
from pki.iso15118.exi import Schema
from pki.iso15118.opcp import client as module
from pki.iso15118.opcp.circuit import FAILURES_MAX, PAUSE
from pki.iso15118.opcp.client import TOO_SLOW, WORDS_MAX, OpcpClient
from pki.iso15118.opcp.exchange import ANSWER_MAX, CONNECTIONS_MAX
from pki.iso15118.opcp.messages import contract_request
from pki.iso15118.opcp.token import OAuthClient
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from tests.opcp_server import OpcpServer, answering, hanging_up, offer

PATH = "/v1/ccp/signedContractData"
TOKEN = "/oauth/token"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def asking(server: OpcpServer, **named: Any) -> AsyncIterator[OpcpClient]:
    client = OpcpClient(f"{server.url}/", TlsTrust(), **named)
    try:
        yield client
    finally:
        await client.close()


async def refused(client: OpcpClient) -> ProvisioningRefused:
    with pytest.raises(ProvisioningRefused) as caught:
        await client.ask("POST", PATH, {})
    return caught.value


async def test_a_question_with_token_and_headers(server: OpcpServer, oauth: OAuthClient) -> None:
    server.answer = answering(200, {"a": 1})
    async with asking(server, oauth=oauth, headers=lambda: {"X-Api-Key": "k3y"}) as client:
        for _ in range(2):
            reply = await client.ask("POST", PATH, {"b": 2}, headers={"alwaysReturnEXI": "true"})
            assert reply.read_object() == {"a": 1}
        assert repr(client) == f"OpcpClient({server.url})"
    assert server.asked == [("POST", TOKEN), ("POST", PATH), ("POST", PATH)]
    headers = server.headers[-1]
    assert headers["Authorization"] == f"Bearer {server.tokens[0]}"
    assert headers["Content-Type"] == "application/json"
    assert (headers["X-Api-Key"], headers["alwaysReturnEXI"]) == ("k3y", "true")


async def test_a_token_that_is_over_is_replaced_once(server: OpcpServer, oauth: OAuthClient) -> None:
    server.offers = [offer(b"\x80")]
    async with asking(server, oauth=oauth) as client:
        await client.ask("POST", PATH, contract_request(b"\x80", Schema.ISO_2))
        server.expire()
        await client.ask("POST", PATH, contract_request(b"\x80", Schema.ISO_2))
        assert [path for _, path in server.asked].count(TOKEN) == 2
        assert len(server.asked) == 5


@pytest.mark.parametrize("status", [401, 403])
async def test_who_is_not_let_in_with_a_new_token_either_is_refused(
    server: OpcpServer, oauth: OAuthClient, status: int
) -> None:
    keys = iter(["old", "new", "never"])
    server.answer = answering(status, {"errorMessages": ["Bearer token.0 is no good"]})
    async with asking(server, oauth=oauth, headers=lambda: {"X-Api-Key": next(keys)}) as client:
        error = await refused(client)
    assert error.refusal is Refusal.PROVIDER_REFUSED
    assert str(error) == (
        f"{server.url}{PATH} doesn't let us in ({status}); "
        "see opcp.token and opcp.headers, and which role we have there"
    )
    assert [path for _, path in server.asked] == [TOKEN, PATH, TOKEN, PATH]
    assert [each.get("X-Api-Key") for each in server.headers] == [None, "old", None, "new"]


async def test_nothing_is_tried_again_that_would_be_the_same(server: OpcpServer) -> None:
    server.answer = answering(401)
    async with asking(server) as client:
        assert (await refused(client)).refusal is Refusal.PROVIDER_REFUSED
    assert len(server.asked) == 1


async def test_a_second_try_that_does_not_fit_is_not_begun(
    server: OpcpServer, oauth: OAuthClient, clock: Clock
) -> None:
    async def slow(_: web.Request) -> web.Response:
        clock.now += 2.1
        return web.Response(status=401)

    server.answer = slow
    async with asking(server, oauth=oauth, clock=clock, timeout=4.0) as client:
        assert (await refused(client)).refusal is Refusal.PROVIDER_REFUSED
    assert [path for _, path in server.asked] == [TOKEN, PATH]


@pytest.mark.parametrize(
    ("status", "body", "refusal", "words"),
    [
        (404, {"errorMessages": ["No\x1bcontract"]}, Refusal.NO_CONTRACT, r"knows no such .* \(404\): No contract$"),
        (404, {"CCPResponse": {}}, Refusal.NO_CONTRACT, r"knows no such contract or vehicle \(404\)$"),
        (404, b"<html>", Refusal.PROVIDER_ANSWER, r"isn't served \(404\); see opcp\.url$"),
        (405, b"", Refusal.PROVIDER_ANSWER, r"isn't served \(405\)"),
        (302, b"", Refusal.PROVIDER_ANSWER, r"redirect \(302\), which isn't followed; name its target in opcp\.url$"),
        (400, {"errorMessages": ["EXI format is invalid!"]}, Refusal.PROVIDER_REFUSED, r"\(400\): EXI format is inv"),
        (400, {"errorMessages": "x"}, Refusal.PROVIDER_REFUSED, r"refuses it \(400\)$"),
        (400, {"errorMessages": [{}, "a", "b"]}, Refusal.PROVIDER_REFUSED, r"refuses it \(400\): a; b$"),
        (422, b"{", Refusal.PROVIDER_REFUSED, r"refuses it \(422\)$"),
        (429, b"", Refusal.PROVIDER_UNAVAILABLE, r"can't do it now \(429\)$"),
        (500, b"", Refusal.PROVIDER_UNAVAILABLE, r"can't do it now \(500\)$"),
        (503, {"errorMessages": ["sorry"]}, Refusal.PROVIDER_UNAVAILABLE, r"can't do it now \(503\): sorry$"),
        (206, {}, Refusal.PROVIDER_ANSWER, r"answers with 206, which OPCP doesn't know$"),
    ],
)
async def test_what_an_answer_means(server: OpcpServer, status: int, body: Any, refusal: Refusal, words: str) -> None:
    server.answer = answering(status, body, Location="/elsewhere")
    async with asking(server) as client:
        with pytest.raises(ProvisioningRefused, match=words) as caught:
            await client.ask("POST", PATH, {})
    assert caught.value.refusal is refusal
    assert str(caught.value).startswith(f"{server.url}{PATH} ")
    assert len(server.asked) == 1


async def test_a_providers_words_are_bounded(server: OpcpServer) -> None:
    server.answer = answering(400, {"errorMessages": ["x" * 10_000] * 20})
    async with asking(server) as client:
        assert str(await refused(client)) == f"{server.url}{PATH} refuses it (400): {'x' * WORDS_MAX}"


async def test_one_that_is_slow_is_not_waited_for_by_everybody(
    server: OpcpServer, oauth: OAuthClient, clock: Clock
) -> None:
    server.gate = asyncio.Event()
    async with asking(server, oauth=oauth, clock=clock, timeout=0.05) as client:
        for _ in range(FAILURES_MAX):
            error = await refused(client)
            assert error.refusal is Refusal.PROVIDER_TIMEOUT
            assert str(error) == f"{server.url}{PATH}: no answer within 0.05 s"
        asked = len(server.asked)
        error = await refused(client)
        assert error.refusal is Refusal.PROVIDER_UNAVAILABLE
        assert str(error).startswith(f"{server.url} hasn't answered {FAILURES_MAX} times in a row (")
        assert len(server.asked) == asked
        clock.now += PAUSE
        server.gate.set()
        server.answer = answering(200, {})
        client._timeout = 10.0
        for _ in range(2):
            await client.ask("POST", PATH, {})


@pytest.mark.parametrize(("share", "is_waited_for"), [(TOO_SLOW - 0.1, True), (TOO_SLOW, False)])
async def test_who_is_not_waited_for_to_the_end_was_too_slow(
    server: OpcpServer, clock: Clock, share: float, *, is_waited_for: bool
) -> None:
    """Who asks has had to wait for an authority before: its own time ends sooner than the provider's."""
    server.gate = asyncio.Event()
    async with asking(server, clock=clock, timeout=1000.0) as client:
        for _ in range(FAILURES_MAX):
            server.came.clear()
            given_up = asyncio.create_task(client.ask("POST", PATH, {}))
            await server.came.wait()
            clock.now += share * 1000.0
            given_up.cancel()
            with pytest.raises(asyncio.CancelledError):
                await given_up
        server.gate.set()
        server.answer = answering(200, {})
        if is_waited_for:
            await client.ask("POST", PATH, {})
        else:
            assert f"hasn't answered {FAILURES_MAX} times in a row" in str(await refused(client))


async def test_who_says_no_has_answered(server: OpcpServer) -> None:
    async with asking(server) as client:
        for answer in (hanging_up, hanging_up, answering(404, {}), hanging_up, hanging_up, answering(400)):
            server.answer = answer
            await refused(client)
        for answer in (hanging_up, answering(500), hanging_up):
            server.answer = answer
            await refused(client)
        asked = len(server.asked)
        assert "hasn't answered 3 times" in str(await refused(client))
        assert len(server.asked) == asked


async def test_an_answer_that_is_too_large_is_one(server: OpcpServer, clock: Clock) -> None:
    async with asking(server, clock=clock) as client:
        server.answer = hanging_up
        for _ in range(FAILURES_MAX):
            await refused(client)
        clock.now += PAUSE
        server.answer = answering(200, b"x" * (ANSWER_MAX + 1))
        for _ in range(2):
            assert (await refused(client)).refusal is Refusal.PROVIDER_ANSWER


async def test_a_token_that_does_not_come_counts_and_its_time_too(
    server: OpcpServer, oauth: OAuthClient, clock: Clock
) -> None:
    server.token_gate = asyncio.Event()
    async with asking(server, oauth=oauth, clock=clock, timeout=0.05) as client:
        for _ in range(FAILURES_MAX):
            assert (await refused(client)).refusal is Refusal.PROVIDER_TIMEOUT
        assert (await refused(client)).refusal is Refusal.PROVIDER_UNAVAILABLE
        assert server.asked in ([], [("POST", TOKEN)])  # one fetch for all; on a busy machine it comes later still
        server.token_gate.set()


async def test_how_many_are_under_way_at_once(server: OpcpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    begun_max = CONNECTIONS_MAX + 3
    monkeypatch.setattr(module, "WAITING_MAX", begun_max)
    now = peak = 0
    full = asyncio.Event()

    async def counting(_: web.Request) -> web.Response:
        nonlocal now, peak
        now += 1
        peak = max(peak, now)
        if now == CONNECTIONS_MAX:
            full.set()
        await full.wait()
        now -= 1
        return web.json_response({})

    server.answer = counting
    async with asking(server, timeout=10.0) as client:
        begun = [asyncio.create_task(client.ask("POST", PATH, {})) for _ in range(begun_max)]
        await full.wait()
        error = await refused(client)
        assert error.refusal is Refusal.PROVIDER_UNAVAILABLE
        assert str(error) == f"{server.url}{PATH}: {begun_max} requests are under way already"
        await asyncio.gather(*begun)
        assert peak == CONNECTIONS_MAX
        await client.ask("POST", PATH, {})


async def test_a_token_does_not_wait_behind_those_that_wait_for_the_provider(
    server: OpcpServer, oauth: OAuthClient
) -> None:
    all_there, gate = asyncio.Event(), asyncio.Event()

    async def waiting(_: web.Request) -> web.Response:
        if server.count(PATH) == CONNECTIONS_MAX:
            all_there.set()
        await gate.wait()
        return web.json_response({})

    server.answer = waiting
    async with asking(server, oauth=oauth, timeout=10.0) as client:
        begun = [asyncio.create_task(client.ask("POST", PATH, {})) for _ in range(CONNECTIONS_MAX + 1)]
        await all_there.wait()
        tokens = client._tokens
        assert tokens is not None
        tokens.forget(await tokens.current())
        async with asyncio.timeout(5.0):
            await tokens.current()
        assert server.count(PATH) == CONNECTIONS_MAX
        gate.set()
        await asyncio.gather(*begun)


async def test_a_vehicle_that_gives_up_ends_its_request(server: OpcpServer) -> None:
    server.gate = asyncio.Event()
    async with asking(server) as client:
        asking_ = asyncio.create_task(client.ask("POST", PATH, {}))
        await server.came.wait()
        asking_.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking_
        server.gate.set()
        server.answer = answering(200, {})
        await client.ask("POST", PATH, {})


async def test_credentials_that_are_gone(server: OpcpServer, oauth: OAuthClient) -> None:
    def gone() -> Mapping[str, str]:
        raise CredentialMissing("file:key is gone")

    async with asking(server, headers=gone) as client:
        assert str(await refused(client)).endswith("file:key is gone")
    wrong = dataclasses.replace(oauth, client_id="another")
    async with asking(server, oauth=wrong) as client:
        assert (await refused(client)).refusal is Refusal.PROVIDER_REFUSED
    assert server.asked == [("POST", TOKEN)]
