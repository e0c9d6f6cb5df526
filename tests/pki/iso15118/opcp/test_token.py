"""A provider's token: fetched once for all, kept while it serves, renewed before anybody has to wait."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from pki.client_tls import CredentialMissing, TlsTrust
from pki.iso15118.opcp import token as module
from pki.iso15118.opcp.exchange import Exchange
from pki.iso15118.opcp.token import (
    LIFETIME_MAX,
    LIFETIME_UNSAID,
    REFUSED_PAUSE,
    TOKEN_MAX,
    AccessToken,
    AccessTokens,
    OAuthClient,
    read_token,
)
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from tests.opcp_server import AUDIENCE, CLIENT_SECRET, OpcpServer, answering, hanging_up

TOKEN = "/oauth/token"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def tokens(oauth: OAuthClient, trust: TlsTrust, clock: Clock) -> AsyncIterator[AccessTokens]:
    async with holding(oauth, trust, clock) as held:
        yield held


@asynccontextmanager
async def holding(oauth: OAuthClient, trust: TlsTrust, clock: Clock) -> AsyncIterator[AccessTokens]:
    exchange = Exchange(trust)
    held = AccessTokens(oauth, exchange, clock)
    try:
        yield held
    finally:
        await held.close()
        await exchange.close()


async def ended(tokens: AccessTokens) -> None:
    """Wait for the fetch that is under way, whatever becomes of it."""
    if tokens._fetching is not None:
        await asyncio.wait([tokens._fetching])


async def refused(tokens: AccessTokens) -> ProvisioningRefused:
    with pytest.raises(ProvisioningRefused) as caught:
        await tokens.current()
    assert CLIENT_SECRET not in str(caught.value)
    return caught.value


async def test_what_is_sent(server: OpcpServer, oauth: OAuthClient, trust: TlsTrust, clock: Clock) -> None:
    async with holding(dataclasses.replace(oauth, scope="ccpservice cpservice"), trust, clock) as tokens:
        token = await tokens.current()
    assert token.value == server.tokens[0]
    assert token.value not in repr(token)
    assert server.forms == [
        {
            "grant_type": "client_credentials",
            "client_id": "voltgate",
            "client_secret": CLIENT_SECRET,
            "scope": "ccpservice cpservice",
            "audience": AUDIENCE,
        }
    ]
    assert server.headers[0]["Content-Type"] == "application/x-www-form-urlencoded"
    assert CLIENT_SECRET not in repr(tokens)


async def test_it_is_kept_renewed_in_the_background_and_over(
    server: OpcpServer, tokens: AccessTokens, clock: Clock
) -> None:
    server.token_lifetime = 1000
    first = await tokens.current()
    clock.now += 799
    assert await tokens.current() is first
    assert server.count(TOKEN) == 1

    clock.now += 1
    server.came.clear()
    server.token_gate = asyncio.Event()
    assert await tokens.current() is first
    assert await tokens.current() is first
    await server.came.wait()
    waiting = asyncio.create_task(tokens.current())
    server.token_gate.set()
    assert await waiting is first
    await ended(tokens)
    second = await tokens.current()
    assert second is not first
    assert server.count(TOKEN) == 2

    clock.now += 970
    assert await tokens.current() is not second
    assert server.count(TOKEN) == 3


async def test_all_who_wait_share_one_fetch_and_one_who_gives_up_ends_nothing(
    server: OpcpServer, tokens: AccessTokens
) -> None:
    server.token_gate = asyncio.Event()
    waiting = [asyncio.create_task(tokens.current()) for _ in range(5)]
    await server.came.wait()
    waiting[0].cancel()
    await asyncio.wait([waiting[0]])
    server.token_gate.set()
    got = await asyncio.gather(*waiting[1:])
    assert {each.value for each in got} == {server.tokens[0]}
    assert server.count(TOKEN) == 1


async def test_when_all_give_up_the_token_is_there_for_the_next(server: OpcpServer, tokens: AccessTokens) -> None:
    server.token_gate = asyncio.Event()
    waiting = asyncio.create_task(tokens.current())
    await server.came.wait()
    waiting.cancel()
    await asyncio.wait([waiting])
    server.token_gate.set()
    assert (await tokens.current()).value == server.tokens[0]
    assert server.count(TOKEN) == 1


async def test_one_that_is_not_taken_is_forgotten_once(server: OpcpServer, tokens: AccessTokens) -> None:
    first = await tokens.current()
    tokens.forget(first)
    second = await tokens.current()
    tokens.forget(first)
    assert await tokens.current() is second
    assert server.tokens == [first.value, second.value]


async def test_refused_credentials_are_left_alone_for_a_while(
    server: OpcpServer, oauth: OAuthClient, trust: TlsTrust, clock: Clock
) -> None:
    async with holding(dataclasses.replace(oauth, secret=lambda: "wrong"), trust, clock) as tokens:
        for _ in range(2):
            error = await refused(tokens)
            assert error.refusal is Refusal.PROVIDER_REFUSED
            assert str(error) == (
                f"{server.url}/oauth/token refuses our client (401 invalid_client); see token.client_id, "
                "token.client_secret, token.scope and token.audience"
            )
        assert server.count(TOKEN) == 1
        clock.now += REFUSED_PAUSE
        await refused(tokens)
        assert server.count(TOKEN) == 2


async def test_a_renewal_that_is_refused_is_told_and_tried_again_later(
    server: OpcpServer, tokens: AccessTokens, clock: Clock
) -> None:
    server.token_lifetime = 1000
    first = await tokens.current()
    server.token_answer = answering(401, {"error": "no\nword"})
    clock.now += 850
    with capture_logs() as logs:
        assert await tokens.current() is first
        await ended(tokens)
    assert [line["event"] for line in logs] == ["opcp_token_not_fetched"]
    assert await tokens.current() is first
    assert server.count(TOKEN) == 2
    assert tokens._fetching is None


@pytest.mark.parametrize(
    ("status", "body", "headers", "refusal", "words"),
    [
        (301, b"", {"Location": "/elsewhere"}, Refusal.PROVIDER_UNAVAILABLE, r"redirect \(301\), which isn't followed"),
        (400, {"error": "invalid_scope"}, {}, Refusal.PROVIDER_REFUSED, r"\(400 invalid_scope\)"),
        (400, {"error": ["x"]}, {}, Refusal.PROVIDER_REFUSED, r"\(400\)"),
        (403, b"<html>", {}, Refusal.PROVIDER_REFUSED, r"\(403\)"),
        (404, b"", {}, Refusal.PROVIDER_UNAVAILABLE, r"isn't served \(404\); see token\.url"),
        (429, b"", {}, Refusal.PROVIDER_UNAVAILABLE, r"gives no token now \(429\)"),
        (503, b"", {}, Refusal.PROVIDER_UNAVAILABLE, r"gives no token now \(503\)"),
        (200, b"{", {}, Refusal.PROVIDER_ANSWER, r"isn't valid JSON"),
        (200, b"[]", {}, Refusal.PROVIDER_ANSWER, r"isn't a JSON object"),
        (200, {}, {"Content_Type": "text/html"}, Refusal.PROVIDER_ANSWER, r"isn't application/json"),
        (200, {}, {}, Refusal.PROVIDER_ANSWER, r"no access_token"),
    ],
)
async def test_answers_that_hold_no_token(
    server: OpcpServer,
    tokens: AccessTokens,
    status: int,
    body: Any,
    headers: dict[str, str],
    refusal: Refusal,
    words: str,
) -> None:
    server.token_answer = answering(status, body, **headers)
    with pytest.raises(ProvisioningRefused, match=words) as caught:
        await tokens.current()
    assert caught.value.refusal is refusal
    server.token_answer = None
    if refusal is not Refusal.PROVIDER_REFUSED:
        assert (await tokens.current()).value == server.tokens[0]


async def test_an_endpoint_that_is_away_or_slow_and_a_secret_that_is_gone(
    server: OpcpServer, oauth: OAuthClient, trust: TlsTrust, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.token_answer = hanging_up
    async with holding(oauth, trust, clock) as tokens:
        assert (await refused(tokens)).refusal is Refusal.PROVIDER_UNAVAILABLE
        monkeypatch.setattr(module, "FETCH_TIMEOUT", 0.05)
        server.token_gate = asyncio.Event()
        error = await refused(tokens)
        assert error.refusal is Refusal.PROVIDER_TIMEOUT
        assert str(error).endswith("no token within 0.05 s")
        server.token_gate.set()

    def gone() -> str:
        raise CredentialMissing("env:OPCP_SECRET is unset")

    async with holding(dataclasses.replace(oauth, secret=gone), trust, clock) as tokens:
        error = await refused(tokens)
        assert error.refusal is Refusal.PROVIDER_UNAVAILABLE
        assert str(error).endswith("env:OPCP_SECRET is unset")


async def test_a_defect_is_logged_whole(oauth: OAuthClient, trust: TlsTrust, clock: Clock) -> None:
    def broken() -> str:
        raise RuntimeError("a defect")

    async with holding(dataclasses.replace(oauth, secret=broken), trust, clock) as tokens:
        with capture_logs() as logs, pytest.raises(RuntimeError):
            await tokens.current()
    (line,) = logs
    assert (line["event"], line["task"]) == ("task_failed", f"token of {oauth.url}")
    assert isinstance(line["exc_info"], RuntimeError)


async def test_closing_ends_a_fetch(server: OpcpServer, tokens: AccessTokens) -> None:
    server.token_gate = asyncio.Event()
    waiting = asyncio.create_task(tokens.current())
    await server.came.wait()
    await tokens.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    server.token_gate.set()


@pytest.mark.parametrize(
    ("lifetime", "due", "ends"),
    [(86_400.0, 69_120.0, 86_370.0), (10.0, 8.0, 9.0), (10 * LIFETIME_MAX, 69_120.0, 86_370.0)],
)
def test_how_long_one_serves(lifetime: float, due: float, ends: float) -> None:
    assert AccessToken.of("x", lifetime, 0.0) == AccessToken("x", due, ends)


GOOD = {"access_token": "ey.J-_~+/=", "token_type": "bearer", "expires_in": 60}


@pytest.mark.parametrize(
    ("answer", "lifetime"),
    [
        (GOOD, 60.0),
        (GOOD | {"token_type": "Bearer", "expires_in": 0.5}, 0.5),
        (GOOD | {"expires_in": 10**30}, LIFETIME_MAX),
        ({"access_token": "ey.J-_~+/=", "token_type": "BEARER"}, LIFETIME_UNSAID),
    ],
)
def test_tokens_that_are_taken(answer: dict[str, Any], lifetime: float) -> None:
    assert read_token(answer) == ("ey.J-_~+/=", lifetime)


@pytest.mark.parametrize(
    "answer",
    [
        GOOD | {"access_token": ""},
        GOOD | {"access_token": 7},
        GOOD | {"access_token": "a\r\nX-Evil: 1"},
        GOOD | {"access_token": "a b"},
        GOOD | {"access_token": "a" * (TOKEN_MAX + 1)},
        GOOD | {"token_type": "mac"},
        GOOD | {"token_type": None},
        GOOD | {"expires_in": "60"},
        GOOD | {"expires_in": True},
        GOOD | {"expires_in": 0},
        GOOD | {"expires_in": -1},
        GOOD | {"expires_in": float("inf")},
    ],
)
def test_tokens_that_are_not(answer: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="has "):
        read_token(answer)
