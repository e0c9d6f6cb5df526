"""A token's life: renewed in time, replaced when it is over, and told of before it ends. With a clock of our own."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hvac.api.auth_methods import Token as TokenApi
from structlog.testing import capture_logs

from pki.vault.connection import VaultConnection
from pki.vault.failures import VaultError, VaultRefused, VaultUnavailable
from pki.vault.logins import AppRoleLogin, Grant
from pki.vault.tokens import RETRY_MAX, Token, Tokens
from tests.bao import Bao

NO = VaultRefused("the login (approle) is refused: no", status=400, words="no")
AWAY = VaultUnavailable("https://a:8200 is sealed; unseal it")


class Life:
    """Tokens t1, t2, ...; what the next login and renewal give."""

    def __init__(self, lease: float = 90, *, is_renewable: bool = True, is_static: bool = False) -> None:
        self.now = 1000.0
        self.logins = 0
        self.said: list[str] = []
        self.login: Grant | VaultError = Grant("t", lease, is_renewable)
        self.renewal: Grant | VaultError = Grant("t", lease, is_renewable)
        self.tokens = Tokens(self._log_in, self._renew, is_static=is_static, clock=lambda: self.now)

    async def _log_in(self) -> Grant:
        await asyncio.sleep(0)
        self.said.append("login")
        self.logins += 1
        if isinstance(self.login, VaultError):
            raise self.login
        return Grant(f"t{self.logins}", self.login.lease, self.login.is_renewable)

    async def _renew(self, token: Token) -> Grant:
        self.said.append(f"renew {token.value}")
        if isinstance(self.renewal, VaultError):
            raise self.renewal
        return Grant(token.value, self.renewal.lease, self.renewal.is_renewable)

    async def current(self) -> str:
        return (await self.tokens.current()).value

    async def later(self, seconds: float) -> list[str]:
        """Let time pass, do what is due, and return what was said."""
        self.said.clear()
        self.now += seconds
        await self.tokens.tend()
        return list(self.said)


async def test_one_login_for_as_long_as_the_token_lasts() -> None:
    life = Life()

    assert [await life.current() for _ in range(3)] == ["t1", "t1", "t1"]
    life.now += 90
    assert await life.current() == "t2"


async def test_renewed_at_two_thirds_of_its_lease() -> None:
    life = Life(90)
    await life.current()

    assert await life.later(59) == []
    assert await life.later(1) == ["renew t1"]
    assert await life.later(59) == []
    assert await life.later(1) == ["renew t1"]


async def test_one_that_never_ends_is_left_alone() -> None:
    life = Life(0, is_renewable=False)
    await life.current()

    assert await life.later(10 * 365 * 86_400) == []


async def test_one_that_can_not_be_renewed_is_replaced() -> None:
    life = Life(90, is_renewable=False)
    await life.current()

    assert await life.later(60) == ["login"]
    assert await life.current() == "t2"


async def test_near_its_max_ttl_it_is_replaced() -> None:
    life = Life(90)
    await life.current()
    life.renewal = Grant("t", 44, is_renewable=True)

    assert await life.later(60) == ["renew t1", "login"]
    assert await life.current() == "t2"


async def test_a_renewal_that_is_refused_is_a_login() -> None:
    life = Life(90)
    await life.current()
    life.renewal = NO

    assert await life.later(60) == ["renew t1", "login"]


async def test_a_renewal_while_vault_is_away_is_tried_again_and_the_token_kept() -> None:
    life = Life(90)
    await life.current()
    life.renewal = AWAY

    with capture_logs() as lines:
        assert await life.later(60) == ["renew t1"]
    assert [(line["event"], line["reason"]) for line in lines] == [("vault_token_not_renewed", str(AWAY))]
    assert await life.later(8) == []
    assert await life.current() == "t1"
    life.renewal = Grant("t", 90, is_renewable=True)
    assert await life.later(1) == ["renew t1"]


async def test_a_refused_login_is_not_repeated_at_once() -> None:
    life = Life()
    life.login = NO

    for _ in range(3):
        with pytest.raises(VaultUnavailable, match="is refused: no"):
            await life.current()
    assert life.said == ["login"]
    life.now += 1
    with pytest.raises(VaultUnavailable):
        await life.current()
    life.now += 1.9
    with pytest.raises(VaultUnavailable, match=r"is refused: no; tried again in 0 s"):
        await life.current()
    assert life.said == ["login"] * 2
    life.login = Grant("t", 90, is_renewable=True)
    life.now += 0.1
    assert await life.current() == "t3"


async def test_a_vault_that_is_away_is_asked_as_soon_as_somebody_asks() -> None:
    life = Life()
    life.login = AWAY
    with pytest.raises(VaultUnavailable):
        await life.current()
    life.login = Grant("t", 90, is_renewable=True)
    life.now += 0.001

    assert await life.current() == "t2"


async def test_however_many_ask_there_is_one_login() -> None:
    life = Life()
    assert set(await asyncio.gather(*(life.current() for _ in range(50)))) == {"t1"}
    dead = await life.tokens.current()
    replaced = await asyncio.gather(*(life.tokens.replace(dead) for _ in range(50)))
    assert {token.value for token in replaced} == {"t2"}

    life.login = AWAY
    dead = await life.tokens.current()
    life.said.clear()
    heard = await asyncio.gather(*(life.tokens.replace(dead) for _ in range(50)), return_exceptions=True)
    assert {str(each) for each in heard} == {str(AWAY)}
    assert life.said == ["login"]


async def test_a_static_token_that_ends_is_told_of_well_before() -> None:
    life = Life(900, is_renewable=False, is_static=True)
    with capture_logs() as lines:
        await life.current()
        life.login = Grant("t", 300, is_renewable=False)
        assert await life.later(600) == ["login"]
    assert [(line["event"], line["seconds"]) for line in lines] == [
        ("vault_token_ends", 900),
        ("vault_token_ends", 300),
    ]
    assert "put a new one in its place" in lines[0]["reason"]
    assert await life.later(199) == []
    assert await life.later(1) == ["login"]


async def test_a_static_token_is_used_to_its_end() -> None:
    life = Life(900, is_renewable=False, is_static=True)
    assert await life.current() == "t1"
    life.login = NO
    await life.later(899)
    assert await life.current() == "t1"
    life.now += 1
    with pytest.raises(VaultUnavailable):
        await life.current()


async def test_a_static_token_near_its_max_ttl_is_told_of() -> None:
    life = Life(900, is_static=True)
    await life.current()
    life.renewal = Grant("t", 300, is_renewable=True)

    with capture_logs() as lines:
        assert await life.later(600) == ["renew t1"]
    assert [(line["event"], line["seconds"]) for line in lines] == [("vault_token_ends", 300)]


async def test_the_keeper_logs_in_where_nobody_has() -> None:
    life = Life()
    assert await life.later(0) == ["login"]
    assert RETRY_MAX < 60


def test_nothing_secret_is_shown() -> None:
    token = Token.of(Grant("s.hunter2", 90, is_renewable=True), 0)

    assert "hunter2" not in repr(token)
    assert "hunter2" not in repr(Life().tokens)


async def test_on_a_real_server_a_token_of_one_second(bao: Bao, connect: Callable[..., VaultConnection]) -> None:
    """Its max TTL ends it, too: renewed, then replaced, and never is anybody without one."""
    bao.ask("POST", "sys/auth/brief", {"type": "approle"})
    rule = {"token_policies": ["gateway"], "token_ttl": "1s", "token_max_ttl": "2s"}
    bao.ask("POST", "auth/brief/role/gateway", rule)
    role_id = bao.ask("GET", "auth/brief/role/gateway/role-id")["data"]["role_id"]
    secret = bao.ask("POST", "auth/brief/role/gateway/secret-id")["data"]["secret_id"]
    connection = connect(bao, login=AppRoleLogin(role_id, lambda: secret, "brief"))
    keeping = asyncio.create_task(connection.keep_alive())
    accessors: list[str] = []

    def look(adapter: Any) -> None:
        accessors.append(TokenApi(adapter).lookup_self()["data"]["accessor"])

    async with asyncio.timeout(20):
        while len(set(accessors)) < 2:
            await connection.call(look)
            await asyncio.sleep(0.05)
    keeping.cancel()
    await asyncio.wait([keeping])


@pytest.mark.parametrize("steps", range(6))
async def test_who_ends_it_just_after_a_login_waits_for_nothing(steps: int) -> None:
    """A command that logs in, asks once and closes: it waited until the token was due, 40 minutes of an hour's."""
    life = Life(lease=3600)
    keeping = asyncio.create_task(life.tokens.keep())
    for _ in range(3):
        await asyncio.sleep(0)
    await life.current()
    for _ in range(steps):
        await asyncio.sleep(0)

    keeping.cancel()
    ended, _ = await asyncio.wait([keeping], timeout=1)

    keeping.cancel()
    assert ended == {keeping}
