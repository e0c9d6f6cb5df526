"""Trust anchors put together: files, visits, a rotation that a command began, on a real store."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.admin.ports import Refused
from gateway.app.tasks import Tasks
from gateway.app.trust import TrustServices
from gateway.config import Config
from gateway.session.ports import Proof
from gateway.session.trust import RotationState
from gateway.store.database import Database
from tests.roots import Authority, RootStation

YESTERDAY = datetime.now(UTC) - timedelta(days=1)
V2G, OLD, NEW = (Authority(name, since=YESTERDAY) for name in ("v2g", "old", "new"))
OLD_CHAIN, NEW_CHAIN = OLD.chain(), NEW.chain()


class House:
    def __init__(self, config: Config, database: Database) -> None:
        self.tasks = Tasks()
        self.database = database
        self.config = config
        self.trust = self.made()

    def made(self) -> TrustServices:
        self.trust = TrustServices(self.config, self.database, self.tasks)
        self.trust.chains = lambda: [OLD_CHAIN]
        return self.trust

    async def begin(self) -> None:
        await self.trust.overview.begin(OLD.pem.encode(), NEW.pem.encode(), None, identity=None, group=None)
        await self.trust.look(count=True)


@pytest.fixture
async def house(configured: Callable[..., Config], tmp_path: Path) -> AsyncIterator[House]:
    (tmp_path / "v2g.pem").write_text(V2G.pem)
    config = configured(trust_anchors=[{"type": "V2GRootCertificate", "file": "v2g.pem", "group": "north"}])
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/voltgate.db", exclusive=True)
    house = House(config, database)
    await house.trust.overview.stations.add("CS1", profile=2, serial=None, backend=None, password_hash=None)
    yield house
    await house.tasks.close()
    await database.close()


async def test_a_station_gets_what_its_group_should_have(house: House) -> None:
    trust, station = house.trust, RootStation()
    trust.rounds.welcome(station)
    assert (await trust.visit_now("CS1"))["settled"]
    assert station.calls == []
    await trust.overview.stations.set_group("CS1", "north")
    shown = await trust.visit_now("CS1")
    assert [each["subject"] for each in shown["installed"]] == ["CN=v2g"]
    assert await trust.of("CS1") == shown
    assert (await trust.declared())[0]["stations"] == {"has": 1, "missing": 0, "refused": 0, "unknown": 0}
    await trust.look(count=True)
    assert trust.levels == {"settled": 1, "unsettled": 0, "locked_out": 0}


async def test_who_cannot_be_visited_now(house: House) -> None:
    with pytest.raises(Refused, match="not connected"):
        await house.trust.visit_now("CS1")
    with pytest.raises(LookupError):
        await house.trust.visit_now("CS2")
    house.trust.rounds.welcome(RootStation())
    house.trust.is_upgrading = lambda identity: identity == "CS1"
    with pytest.raises(Refused, match="being upgraded"):
        await house.trust.visit_now("CS1")


async def test_a_rotation_is_noticed_and_survives_a_restart(house: House) -> None:
    station = RootStation().has(OLD.certificate)
    await house.begin()
    restarted = house.made()
    await restarted.load()
    restarted.rounds.welcome(station)
    await restarted.visit_now("CS1")
    assert station.held() == [OLD.certificate, NEW.certificate]
    assert (await restarted.rotation())["safe_to_switch"]


async def test_whom_a_switch_too_early_locks_out_is_said_and_counted(house: House) -> None:
    await house.begin()
    house.trust.chains = lambda: [NEW_CHAIN]
    with capture_logs() as logged:
        await house.trust.look(count=True)
        await house.trust.look(count=True)
    warnings = [each for each in logged if each["event"] == "stations_without_the_root_in_force"]
    assert [(each["count"], each["stations"]) for each in warnings] == [(1, ["CS1"])]
    assert house.trust.levels["locked_out"] == 1


async def test_it_is_done_when_no_station_has_the_old_root_any_more(
    house: House,
) -> None:
    await house.begin()
    restarted = house.made()
    restarted.chains = lambda: [NEW_CHAIN]
    await restarted.load()
    await restarted.look(count=True)
    station = RootStation(proof=Proof(3)).has(OLD.certificate, NEW.certificate)
    restarted.rounds.welcome(station)
    await restarted.visit_now("CS1")
    assert station.held() == [NEW.certificate]
    await restarted.look(count=True)
    last = await restarted.overview.rotations.last()
    assert last is not None
    assert last.state is RotationState.DONE
    await restarted.look(count=True)
    assert restarted.locked_out == 0


async def test_a_changed_file_is_followed(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[None] = []
    monkeypatch.setattr(house.trust.rounds, "everybody", lambda: asked.append(None))
    await house.trust.look(count=False)
    asked.clear()
    await house.trust.look(count=False)
    assert asked == []
    (tmp_path / "v2g.pem").write_text(OLD.pem)
    await house.trust.look(count=False)
    assert asked == [], "it may be half written"
    await house.trust.look(count=False)
    assert len(asked) == 1


async def test_what_goes_wrong_is_not_the_last_look(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = asyncio.Event()

    async def fails(*, count: bool) -> None:
        looked.set()
        raise ValueError("a fault of ours")

    monkeypatch.setattr(house.trust, "look", fails)
    with capture_logs() as logged:
        house.trust.start()
        await asyncio.wait_for(looked.wait(), 5)
        await asyncio.sleep(0)
    assert any(each["event"] == "trust_not_followed" for each in logged)
    names: Any = {task.get_name() for task in house.tasks._running}
    assert names == {"trust anchors", "trust anchors' files"}
