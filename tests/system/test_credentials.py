"""The life of a password, for operator and station: made, replaced, rotated, and the gateway killed meanwhile."""

import asyncio
import base64
import contextlib
import json
import re
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml

from tests.system.stations import VERSIONS, Registered, answers_a_setting, asked_for_a_password, register

pytestmark = pytest.mark.asyncio(loop_scope="module")

both_versions = pytest.mark.parametrize("version", VERSIONS)


class Operator:
    """Who runs the commands, and looks afterwards for what must not be seen."""

    def __init__(self, gateway: Any) -> None:
        self.gateway = gateway
        self.secrets: set[str] = set()
        self._written = ""

    async def runs(self, *words: str, stdin: str = "") -> str:
        """Run `voltgate station ...` beside the gateway and return what it prints."""
        config = self.gateway.folder / "operator.yaml"
        tree = yaml.safe_load(self.gateway.config.read_text())
        tree["admin"]["bind"] = f"127.0.0.1:{self.gateway.port('http')}"
        config.write_text(yaml.safe_dump(tree))
        status, out, err = await self.gateway.run("station", *words, "--config", str(config), stdin=stdin)
        assert status == 0, err
        self._written += err
        return str(out)

    async def registers(self, identity: str, version: str = "ocpp2.0.1") -> Registered:
        station = await register(self.gateway, identity, version)
        self.hides(station.password)
        return station

    def hides(self, password: str) -> str:
        """From now on this may be seen nowhere, in no form in which it travels or is stored."""
        raw = bytes.fromhex(password) if re.fullmatch("[0-9a-f]{40}", password) else password.encode()
        self.secrets |= {password, password.upper(), repr(raw)[2:-1], base64.b64encode(raw).decode()}
        return password

    async def kills_and_starts(self) -> None:
        await self.gateway.stop(signal.SIGKILL)
        self._written += self.gateway.log
        await self.gateway.start()

    def found(self) -> set[str]:
        """Return the secrets that the log or a command's stderr holds: passwords, and hashes with their salts."""
        written = self._written + self.gateway.log
        assert '"event": "admitted"' in written
        return {secret for secret in self.secrets | set(self._hashes()) if secret in written}

    def _hashes(self) -> Iterator[str]:
        path = self.gateway.folder / "voltgate.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT password_hash, next_password_hash FROM stations").fetchall()
        for stored in filter(None, (each for row in rows for each in row)):
            yield from (part for part in stored.split("$") if len(part) > 20)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def operator(new_deployment: Callable[[], AbstractAsyncContextManager[Any]]) -> AsyncIterator[Operator]:
    async with new_deployment() as deployed:
        await deployed.start()
        yield Operator(deployed)


@pytest.fixture(autouse=True)
def nothing_secret_is_seen(operator: Operator) -> Iterator[None]:
    """Attack A6: after every one of these tests, whatever went wrong in it on purpose."""
    yield
    assert operator.found() == set()


def as_sent(station: Registered, password: str) -> str | bytes:
    """A 1.6 station sends its AuthorizationKey as the bytes that the hex digits stand for."""
    return bytes.fromhex(password) if station.is_16 else password


@contextlib.asynccontextmanager
async def rotating(operator: Operator, station: Registered, connection: Any) -> AsyncIterator[tuple[Any, str, Any]]:
    """Begin a rotation by the API: the gateway's CALL, the new password in it, and the API's answer to come."""
    asking = asyncio.create_task(operator.gateway.api("POST", f"stations/{station.identity}/password"))
    frame, new = await asked_for_a_password(connection)
    yield frame, operator.hides(new), asking
    await asyncio.gather(asking, return_exceptions=True)


async def rotation(station: Registered) -> str:
    return str((await station.shown())["password_rotation"])


async def test_add_prints_the_password_once(operator: Operator) -> None:
    out = await operator.runs("add", "ADD", "--profile", "2", "--serial", "SN-ADD")
    (password,) = re.findall(r"password \(shown this once\): (\S+)", out)
    operator.hides(password)
    assert len(password) >= 16
    station = Registered(operator.gateway, "ADD", "ocpp2.0.1", password)
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        told = await operator.runs("show", "ADD", "--json") + await operator.runs("list", "--json")
        told += json.dumps(await station.shown())
    assert password not in told
    assert "scrypt" not in told


@both_versions
async def test_set_password_cuts_the_session_of_the_old_one(operator: Operator, version: str) -> None:
    station = await operator.registers(f"SET-{version}", version)
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        out = await operator.runs("set-password", station.identity)
        new = operator.hides(out.rpartition(" ")[2].strip())
        assert await connection.closed() == 1008
    await operator.gateway.told(event="session_cut", identity=station.identity, reason="the password was changed")
    assert await station.refused() == 401
    async with station.comes(new) as connection:
        assert await station.is_served(connection)


async def test_set_password_reads_one_and_shows_nothing(operator: Operator) -> None:
    station = await operator.registers("STDIN")
    given = operator.hides("chosen-by-a-person")
    out = await operator.runs("set-password", station.identity, "--password-stdin", stdin=f"{given}\n")
    assert given not in out
    async with station.comes(given) as connection:
        assert await station.boots(connection) == "Accepted"


async def test_a_1_6_station_sends_its_key_as_bytes_or_as_hex_of_either_case(operator: Operator) -> None:
    station = await operator.registers("KEY16", "ocpp1.6")
    assert re.fullmatch("[0-9a-f]{40}", station.password)
    for sent in (bytes.fromhex(station.password), station.password, station.password.upper()):
        async with station.comes(sent) as connection:
            assert await station.boots(connection) == "Accepted"
    for wrong in (bytes.fromhex(station.password)[:-1], b"\x00" * 20, station.password[:-2]):
        assert await station.refused(wrong) == 401


@both_versions
async def test_the_old_password_dies_exactly_when_the_station_accepts(operator: Operator, version: str) -> None:
    station = await operator.registers(f"ROT-{version}", version)
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        asking = asyncio.create_task(operator.runs("rotate-password", station.identity))
        frame, new = await asked_for_a_password(connection)
        operator.hides(new)
        # Both are right by now: what keeps a second connection out is that the first one lives (409).
        assert await station.refused() == 409
        assert await station.refused(as_sent(station, new)) == 409
        await answers_a_setting(connection, frame, "Accepted")
        assert "has taken its new password" in await asking
        assert await station.refused() == 401
        assert await station.refused(as_sent(station, new)) == 409
    async with station.comes(as_sent(station, new)) as connection:
        assert await station.is_served(connection)


@pytest.mark.parametrize("answer", ["Rejected", "NotSupported"])
@both_versions
async def test_a_station_that_refuses_keeps_its_password(operator: Operator, version: str, answer: str) -> None:
    station = await operator.registers(f"NO-{answer}-{version[-3:]}", version)
    # 2.0.1 has no such status: it says that it doesn't know the variable.
    status = {"NotSupported": "UnknownVariable"}.get(answer, answer) if version == "ocpp2.0.1" else answer
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        async with rotating(operator, station, connection) as (frame, new, asking):
            await answers_a_setting(connection, frame, status)
            code, problem = await asking
        assert (code, problem["error"]["code"]) == (409, "station_refused")
        assert status in problem["error"]["message"]
    assert await station.refused(as_sent(station, new)) == 401
    assert await rotation(station) == "settled"
    async with station.comes() as connection:
        assert await station.is_served(connection)


@both_versions
async def test_a_reboot_is_waited_for_with_both(operator: Operator, version: str) -> None:
    station = await operator.registers(f"REBOOT-{version}", version)
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        async with rotating(operator, station, connection) as (frame, new, asking):
            await answers_a_setting(connection, frame, "RebootRequired")
            code, answer = await asking
        assert (code, answer["password_rotation"]) == (202, "awaiting reboot")
    async with station.comes() as connection:  # it has lost its connection, and not rebooted yet
        assert await station.is_served(connection)
        assert await rotation(station) == "awaiting reboot"
    async with station.comes(as_sent(station, new)) as connection:
        assert await station.is_served(connection)
        assert await rotation(station) == "settled"
    assert await station.refused() == 401


@pytest.mark.parametrize("goes_on_with", ["old", "new"])
async def test_a_station_that_leaves_without_an_answer_settles_it_when_it_comes(
    operator: Operator, goes_on_with: str
) -> None:
    station = await operator.registers(f"LEFT-{goes_on_with}")
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        async with rotating(operator, station, connection) as (_, new, asking):
            connection.connection.transport.abort()
            code, problem = await asking
        assert code == 504, problem
        assert await rotation(station) == "unknown"
    used, other = (station.password, new) if goes_on_with == "old" else (new, station.password)
    async with station.comes(used) as connection:
        assert await rotation(station) == "settled"
        assert await station.is_served(connection)
    assert await station.refused(other) == 401


async def test_kill_9_before_the_answer_leaves_both_until_one_is_used(operator: Operator) -> None:
    stations = [
        (await operator.registers(f"KILL-{goes_on_with}-{version}", version), goes_on_with)
        for version in VERSIONS
        for goes_on_with in ("old", "new")
    ]
    sent: list[str] = []
    asking = []
    async with contextlib.AsyncExitStack() as stack:
        for station, _ in stations:
            connection = await stack.enter_async_context(station.comes())
            assert await station.boots(connection) == "Accepted"
            path = f"stations/{station.identity}/password"
            asking.append(asyncio.create_task(operator.gateway.api("POST", path)))
            sent.append(operator.hides((await asked_for_a_password(connection))[1]))
        await operator.kills_and_starts()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(outcome, aiohttp.ClientError) for outcome in outcomes), outcomes
    for (station, goes_on_with), new in zip(stations, sent, strict=True):
        assert await rotation(station) == "unknown"
        used, other = (station.password, new) if goes_on_with == "old" else (new, station.password)
        async with station.comes(as_sent(station, used)) as connection:
            assert await station.is_served(connection)
        assert await rotation(station) == "settled"
        for form in {other, as_sent(station, other)}:
            assert await station.refused(form) == 401
