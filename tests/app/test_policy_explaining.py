"""What the API tells of policies: those in force, and how one decides on a message of a station that is here or not."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.app.foundation import Foundation
from gateway.app.policies import PoliciesInForce
from gateway.app.policy_explaining import PoliciesTold
from gateway.app.routing import Routing
from gateway.bridge.books import Books, Transaction, TransactionState
from gateway.config import Config
from gateway.session.boot import BootGate
from gateway.session.ports import BootStatus
from gateway.session.tally import Tally
from gateway.wire.versions import Version
from policies.words import Kind, Stage

SITE = """
name: site
extends: base.yaml
rules:
- id: no-reset
  threat: "C6: somebody resets"
  stage: from_backend
  match: {action: Reset, group: north}
  deny: {text: "no resets here"}
- id: own-stops
  stage: from_station
  match: {action: StopTransaction}
  fields: [{path: transactionId, not: {owned: true}}]
  mode: observe
  deny: {}
- id: no-words
  stage: from_station
  match: {action: Reset, kind: error}
  transform: [{set: errorDescription, to: ""}]
"""
RESET: dict[str, Any] = {
    "identity": None,
    "policy": None,
    "stage": Stage.FROM_BACKEND,
    "kind": Kind.CALL,
    "protocol": "ocpp1.6",
    "action": "Reset",
    "payload": {"type": "Hard"},
}
STOP: dict[str, Any] = {
    **RESET,
    "identity": "CS1",
    "stage": Stage.FROM_STATION,
    "action": "StopTransaction",
    "payload": {"transactionId": 7, "meterStop": 1, "timestamp": "2026-03-01T12:00:00Z"},
}


class Hall:
    """Policies, stations in a store, and those that are here."""

    def __init__(self, config: Config, foundation: Foundation) -> None:
        self.tally = Tally()
        self.stations = foundation.stations
        self.here: dict[str, Any] = {}
        self.policies = PoliciesInForce(config, self.tally)
        self.told = PoliciesTold(
            self.policies,
            self.tally,
            stations=foundation.stations,
            books=foundation.books,
            routing=Routing(config),
            live=self.here.get,
        )

    async def add(self, identity: str, group: str | None = None) -> None:
        await self.stations.add(identity, profile=2, serial=None, backend=None, password_hash=None, group=group)

    async def connect(self, identity: str, *transactions: Transaction) -> None:
        record = await self.stations.find(identity)
        station = SimpleNamespace(
            record=record,
            version=Version.V16,
            profile=2,
            remote="",
            gate=BootGate(BootStatus.ACCEPTED),
            books=Books({tx.station_tx: tx for tx in transactions}),
            boot=None,
        )
        self.here[identity] = station, "legacy"

    async def explain(self, asked: dict[str, Any], **change: Any) -> Any:
        return await self.told.explain(**asked | change)


@pytest.fixture
async def hall(configured: Callable[..., Config], foundation: Foundation, tmp_path: Path) -> Hall:
    (tmp_path / "base.yaml").write_text("name: base\nrules: []\n")
    (tmp_path / "site.yaml").write_text(SITE)
    return Hall(configured(policy="site.yaml", policies=[{"group": "south", "policy": "base.yaml"}]), foundation)


def outcome(told: Any) -> tuple[str, str]:
    return told["verdict"]["outcome"], told["verdict"]["rule"]


async def test_those_in_force(hall: Hall, tmp_path: Path) -> None:
    hall.tally.policy_decisions["site", "no-reset", "denied", "enforce"] += 3
    hall.tally.policy_decisions["site", "default", "denied", "enforce"] += 1
    site, base = hall.told.listed()

    assert (site["name"], site["key"], site["file"]) == ("site", "policy", str(tmp_path / "site.yaml"))
    assert [each["name"] for each in site["sources"]] == [str(tmp_path / "site.yaml"), str(tmp_path / "base.yaml")]
    assert (site["sha256"], site["is_stale"], site["faults"]) == (site["sources"][0]["sha256"], False, [])
    assert site["rules"][0] == {
        "id": "no-reset",
        "threat": "C6: somebody resets",
        "stages": ["from_backend"],
        "effect": "deny",
        "mode": "enforce",
        "place": f"{tmp_path / 'site.yaml'}:5",
        "counts": [{"outcome": "denied", "mode": "enforce", "count": 3}],
    }
    assert site["default_counts"] == [{"outcome": "denied", "mode": "enforce", "count": 1}]
    assert (base["name"], base["key"]) == ("base", "policies[0].policy")


async def test_a_broken_change_is_told(hall: Hall, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE + "rulez: []\n")
    await hall.policies.look(at_once=True)
    site, _ = hall.told.listed()

    assert (site["is_stale"], len(site["faults"]), site["refused_at"] is not None) == (True, 1, True)
    assert "rulez" in site["faults"][0]


async def test_of_nobody_the_first_policy_decides(hall: Hall) -> None:
    told = await hall.explain(RESET)

    assert (told["policy"], outcome(told)) == ("site", ("passed", "default"))
    step = next(each for each in told["rules"] if each["rule"] == "no-reset")
    assert (step["held"], step["unmet"]) == (False, "match.group")


@pytest.mark.parametrize("is_here", [False, True])
async def test_of_a_station_what_governs_it(hall: Hall, is_here: bool) -> None:
    for identity, group in (("CS1", "north"), ("CS2", "south")):
        await hall.add(identity, group)
        if is_here:
            await hall.connect(identity)
    north, south = await hall.explain(RESET, identity="CS1"), await hall.explain(RESET, identity="CS2")

    assert (north["policy"], outcome(north)) == ("site", ("denied", "no-reset"))
    assert north["verdict"]["error"] == "SecurityError"
    assert (south["policy"], outcome(south)) == ("base", ("passed", "default"))
    assert not hall.tally.policy_decisions


async def test_another_policy_may_be_asked(hall: Hall) -> None:
    await hall.add("CS1", "north")

    assert (await hall.explain(RESET, identity="CS1", policy="base"))["policy"] == "base"


async def test_transactions_are_those_of_the_station(hall: Hall) -> None:
    await hall.add("CS1")

    async def is_foreign() -> bool:
        step = next(each for each in (await hall.explain(STOP))["rules"] if each["rule"] == "own-stops")
        assert step["observed"]
        return bool(step["held"])

    assert await is_foreign()
    await hall.connect("CS1", Transaction("7", TransactionState.OPEN, 7))
    assert not await is_foreign()


async def test_a_message_that_breaks_its_schema_meets_no_policy(hall: Hall) -> None:
    told = await hall.explain(RESET, payload={"type": "Sledgehammer"})

    assert (told["rules"], told["verdict"]) == ([], None)
    assert "type" in told["schema"]
    assert "Sledgehammer" not in told["schema"]


async def test_a_callerror(hall: Hall) -> None:
    error = {**RESET, "stage": Stage.FROM_STATION, "kind": Kind.ERROR}
    said = {"errorCode": "InternalError", "errorDescription": "at 0x0", "errorDetails": {}}
    told = await hall.explain(error, payload=said)
    assert told["verdict"]["payload"] == {**said, "errorDescription": ""}

    for wrong in ({}, {**said, "errorDetails": []}, {**said, "more": 1}):
        with pytest.raises(ValueError, match=r"^payload: "):
            await hall.explain(error, payload=wrong)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"action": "Explode"}, "has no action 'Explode'"),
        ({"action": "TransactionEvent"}, "ocpp1.6 has no action"),
        ({"policy": "strict"}, "no policy 'strict' is in force; there are site, base"),
        ({"identity": "CS9"}, "station 'CS9' is not registered"),
    ],
)
async def test_what_is_not_there(hall: Hall, change: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, LookupError)) as refused:
        await hall.explain(RESET, **change)
    assert words in str(refused.value)
    assert isinstance(refused.value, ValueError) is ("action" in change)
