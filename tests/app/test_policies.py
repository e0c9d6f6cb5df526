"""The policies in force: which one meets which station, from when on, and what is remembered."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from structlog.testing import capture_logs

from gateway.app import policies
from gateway.app.policies import PoliciesInForce, load_all
from gateway.app.policy_schemas import OfficialSchemas
from gateway.app.problems import StartFailed
from gateway.bridge.books import Books
from gateway.config import Config
from gateway.services.policy_decisions import PolicyDecisions
from gateway.session.boot import BootGate
from gateway.session.ports import BootStatus, StationRecord
from gateway.session.security import SecurityEvent
from gateway.session.tally import Tally
from gateway.wire.versions import Version
from policies.engine import Guard, Policy, load
from policies.words import PASSED, Kind, Outcome, Stage

if TYPE_CHECKING:
    from gateway.session.station import Station

Configured = Callable[..., Config]


def policy(name: str, *denied: str, when: str = "") -> str:
    rules = "".join(
        f"- {{id: no-{action.lower()}, stage: from_backend, match: {{action: {action}{when}}}, deny: {{text: no}}}}\n"
        for action in denied
    )
    return f"name: {name}\nrules:\n{rules or '  []'}\n"


class Hall:
    """Policies in force, and stations that they meet."""

    def __init__(self, config: Config) -> None:
        self.tally = Tally()
        self.events: list[SecurityEvent] = []
        self.policies = PoliciesInForce(config, self.tally)
        self.decisions = PolicyDecisions(self.tally, self)

    def note(self, event: SecurityEvent) -> None:
        self.events.append(event)

    def meets(self, identity: str, group: str | None = None, backend: str = "legacy") -> tuple[Guard, Any]:
        station = SimpleNamespace(
            identity=identity,
            record=StationRecord(identity, 2, group=group),
            version=Version.V16,
            profile=2,
            remote="192.0.2.7",
            gate=BootGate(BootStatus.ACCEPTED),
            books=Books(),
            boot=None,
            when_regrouped=None,
        )
        return self.policies.guard(cast("Station", station), backend, self.decisions), station

    async def look(self) -> None:
        await self.policies.look()
        await self.policies.look()


def denies(guard: Guard, action: str = "Reset") -> bool:
    payload = {"type": "Hard"} if action == "Reset" else {}
    verdict = guard.inspect(Stage.FROM_BACKEND, Kind.CALL, "ocpp1.6", action, payload)
    assert verdict is PASSED or verdict.outcome is Outcome.DENIED
    return verdict is not PASSED


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., None]:
    """Writes policy files beside the configuration: ``files(strict="...")``."""

    def write(**content: str) -> None:
        for name, text in content.items():
            (tmp_path / f"{name}.yaml").write_text(text)

    write(open=policy("open"))
    return write


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: own\nrulez: []\n", r"^policy: .*own\.yaml:2: .*rulez"),
        ("name: own\nrules: []\nx: 1\ny: 2\nz: 3\n", r"^policy: .*own\.yaml:3: .*x.* \(and 2 more: voltgate check\)$"),
    ],
)
def test_a_broken_policy_never_starts_the_gateway(
    configured: Configured, files: Callable[..., None], text: str, words: str
) -> None:
    files(own=text)
    with pytest.raises(StartFailed, match=words):
        PoliciesInForce(configured(policy="own.yaml"), Tally())


def test_two_policies_with_one_name_never_start_the_gateway(configured: Configured, files: Callable[..., None]) -> None:
    files(a=policy("site"), b=policy("site"))
    with pytest.raises(StartFailed, match=r"^policies\[0\]\.policy: .*b\.yaml: is called site, and so is .*a\.yaml"):
        PoliciesInForce(configured(policy="a.yaml", policies=[{"group": "g", "policy": "b.yaml"}]), Tally())


def test_each_is_loaded_once_and_all_that_is_wrong_is_told(
    configured: Configured, files: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    files(good=policy("good"), bad="rules: [")
    seen: list[str] = []

    def counted(source: str | Path, schemas: OfficialSchemas) -> Policy:
        seen.append(str(source))
        return load(source, schemas)

    monkeypatch.setattr(policies, "load", counted)
    groups = [{"group": f"g{number}", "policy": name} for number, name in enumerate(["good.yaml", "bad.yaml"] * 2)]

    loaded, problems = load_all(configured(policy="good.yaml", policies=groups), OfficialSchemas())

    assert [Path(source).name for source in seen] == ["good.yaml", "bad.yaml"]
    assert [key for key, _ in loaded.values()] == ["policy"]
    assert [problem.key for problem in problems] == ["policies[1].policy"]


def test_a_warning_is_told_and_keeps_nobody_from_starting(configured: Configured, files: Callable[..., None]) -> None:
    files(site=policy("site") + "values: {nobody: asks}\n")
    config = configured(policy="site.yaml")
    (problem,) = load_all(config, OfficialSchemas())[1]

    assert (problem.key, problem.is_error) == ("policy", False)
    assert "nobody" in problem.text
    assert [each.name for each in PoliciesInForce(config, Tally())] == ["site"]


def test_what_no_rule_concerns_passes(configured: Configured, files: Callable[..., None]) -> None:
    files(site=policy("site", "Reset"))
    guard, _ = Hall(configured(policy="site.yaml")).meets("CS1")

    assert guard.inspect(Stage.FROM_STATION, Kind.CALL, "ocpp1.6", "Heartbeat", {}) is PASSED


def test_which_one_governs_a_station_and_what_it_decides_is_heard(
    configured: Configured, files: Callable[..., None]
) -> None:
    files(strict=policy("strict", "Reset"), new=policy("new", "ClearCache"))
    backends = {
        "legacy": {"url": "wss://a.example.com/{identity}"},
        "new": {"url": "wss://b.example.com/{identity}", "policy": "new.yaml"},
    }
    strict = [{"group": "north", "policy": "strict.yaml"}]
    hall = Hall(configured(backends=backends, default_backend="legacy", policy="open.yaml", policies=strict))

    guards = [hall.meets("CS1")[0], hall.meets("CS2", "north", "new")[0], hall.meets("CS3", backend="new")[0]]

    assert [(denies(guard), denies(guard, "ClearCache")) for guard in guards] == [
        (False, False),
        (True, False),
        (False, True),
    ]
    assert hall.tally.policy_decisions == {
        ("strict", "no-reset", "denied", "enforce"): 1,
        ("new", "no-clearcache", "denied", "enforce"): 1,
    }
    assert [(event.identity, event.kind) for event in hall.events] == [("CS2", "PolicyDenial"), ("CS3", "PolicyDenial")]


def test_a_station_in_another_group_has_another_policy_without_a_reconnect(
    configured: Configured, files: Callable[..., None]
) -> None:
    files(strict=policy("strict", "Reset"))
    hall = Hall(configured(policy="open.yaml", policies=[{"group": "north", "policy": "strict.yaml"}]))
    guard, station = hall.meets("CS1")
    assert not denies(guard)

    station.record = StationRecord("CS1", 2, group="north")
    station.when_regrouped()
    assert denies(guard)

    station.record = StationRecord("CS1", 2)
    station.when_regrouped()
    assert not denies(guard)


def test_rules_for_a_group_follow_the_station_too(configured: Configured, files: Callable[..., None]) -> None:
    files(site=policy("site", "Reset", when=", group: north"))
    guard, station = Hall(configured(policy="site.yaml")).meets("CS1")
    assert not denies(guard)

    station.record = StationRecord("CS1", 2, group="north")
    station.when_regrouped()
    assert denies(guard)


async def test_a_new_one_is_in_force_for_all_from_the_next_message_on(
    configured: Configured, files: Callable[..., None]
) -> None:
    files(site=policy("site"))
    hall = Hall(configured(policy="site.yaml"))
    guards = [hall.meets(identity)[0] for identity in ("CS1", "CS2")]
    assert [denies(guard) for guard in guards] == [False, False]

    files(site=policy("site", "Reset"))
    await hall.look()
    assert [denies(guard) for guard in guards] == [True, True]

    files(site="rules: [")
    await hall.look()
    assert [denies(guard) for guard in guards] == [True, True]
    assert [each.is_stale for each in hall.policies] == [True]


async def test_they_are_followed_from_what_is_in_force_on(
    configured: Configured, files: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    files(site=policy("site"))
    hall = Hall(configured(policy="site.yaml", policies=[{"group": "g", "policy": "open.yaml"}]))
    guard, _ = hall.meets("CS1")
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 1:
            files(site=policy("site", "Reset"))
        elif len(waits) == 2:
            assert not denies(guard)
        else:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", wait)
    with capture_logs() as lines, pytest.raises(asyncio.CancelledError):
        await hall.policies.follow()

    assert denies(guard)
    told = [(line["event"], line["policy"]) for line in lines]
    assert told == [("policy_in_force", "site"), ("policy_in_force", "open"), ("policy_reloaded", "site")]


async def test_one_that_takes_anothers_name_is_kept_out(configured: Configured, files: Callable[..., None]) -> None:
    files(a=policy("a"), b=policy("b"))
    hall = Hall(configured(policy="a.yaml", policies=[{"group": "g", "policy": "b.yaml"}]))
    files(b=policy("a", "Reset"))
    await hall.look()

    assert [(each.key, each.name, each.is_stale) for each in hall.policies] == [
        ("policy", "a", False),
        ("policies[0].policy", "b", True),
    ]


async def test_a_look_that_fails_is_not_the_last(
    configured: Configured, files: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    files(a=policy("a"), b=policy("b"))
    hall = Hall(configured(policy="a.yaml", policies=[{"group": "g", "policy": "b.yaml"}]))
    first, _ = hall.policies

    async def fail(*, at_once: bool) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(first, "look", fail)
    guard, _ = hall.meets("CS1", "g")
    files(b=policy("b", "Reset"))
    await hall.look()
    assert denies(guard)


LIMIT = """
name: site
rules:
- id: few-resets
  stage: from_backend
  match: {action: Reset}
  limit: {by: BY, rate: 2/hour, burst: 2}
"""


@pytest.mark.parametrize(("by", "second"), [("station", [False, False, True]), ("global", [True, True, True])])
def test_what_rules_count_outlives_the_connection_and_is_each_stations_own(
    configured: Configured, files: Callable[..., None], by: str, second: list[bool]
) -> None:
    files(site=LIMIT.replace("BY", by))
    hall = Hall(configured(policy="site.yaml"))
    assert [denies(hall.meets("CS1")[0]) for _ in range(3)] == [False, False, True]
    assert [denies(hall.meets("CS2")[0]) for _ in range(3)] == second


def test_stations_that_were_not_here_for_long_are_forgotten(
    configured: Configured, files: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "MEMORIES_MAX", 2)
    files(site=LIMIT.replace("BY", "station"))
    hall = Hall(configured(policy="site.yaml"))
    for _ in range(3):
        denies(hall.meets("CS1")[0])
    for identity in ("CS2", "CS1", "CS3"):
        hall.meets(identity)
    assert denies(hall.meets("CS1")[0])

    for identity in ("CS2", "CS3"):
        hall.meets(identity)
    assert not denies(hall.meets("CS1")[0])
