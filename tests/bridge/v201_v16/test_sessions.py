"""Whatever a station does that the standard allows, each of its sessions stands once in the 1.6 ledger, as it was.

Sessions of several EVSEs are mixed at random; messages are repeated; the backend comes and goes; the ledger fails now
and then; the gateway is killed and started anew, and the station then repeats what got no answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.bridge.books import Json
from gateway.bridge.v201_v16.tokens import alias_of

if TYPE_CHECKING:
    from tests.bridge.v201_v16.conftest import World

MORNING = datetime(2026, 5, 1, 6, 0, 0, tzinfo=UTC)
SCALES = [(None, None, 0), ("Wh", 0, 0), ("Wh", 3, 3), ("kWh", None, 3), ("kWh", -3, 0), ("kWh", 1, 4)]
"""unit, multiplier, and the power of ten that they stand for."""
LONG = "a-token-of-thirty-six-characters-xxx"


@dataclass
class Session:
    """One session: what the station sends of it, and what the backend is to have of it in the end."""

    events: list[Json]
    evse: int
    id_tag: str
    started_at: str
    ended_at: str
    meter_start: int
    meter_stop: int
    metered: list[str]
    """Timestamps of the MeterValues that fall between start and stop."""


def at(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def register(draw: Any, moment: datetime, wh: int, context: str) -> list[Json]:
    """Return a meterValue with the register in one of its spellings, among other samples."""
    unit, multiplier, exponent = draw(st.sampled_from(SCALES))
    measure = {name: part for name, part in (("unit", unit), ("multiplier", multiplier)) if part is not None}
    sample: Json = {"value": float(Decimal(wh).scaleb(-exponent)), "context": context}
    if measure:
        sample["unitOfMeasure"] = measure
    others = [
        {"value": 230.4, "measurand": "Voltage", "phase": "L1-N"},
        {"value": 7, "measurand": "Energy.Apparent.Net"},
    ]
    samples = draw(st.permutations([sample, *draw(st.lists(st.sampled_from(others), max_size=2, unique_by=str))]))
    return [{"timestamp": at(moment), "sampledValue": samples}]


@st.composite
def sessions(draw: Any, number: int, new_event: Callable[..., Json]) -> Session:
    """Draw one legal session of the EVSE ``number``."""
    clock = MORNING + timedelta(seconds=draw(st.integers(0, 3600)))
    wh = meter_start = draw(st.integers(0, 10**9))
    started_at = clock
    token, id_tag = draw(
        st.sampled_from(
            [
                ({"idToken": f"0000000{number}", "type": "ISO14443"}, f"0000000{number}"),
                ({"idToken": LONG, "type": "Central"}, alias_of(LONG)),
                ({"idToken": "", "type": "NoAuthorization"}, "VOLTGATE"),
                (None, "VOLTGATE"),
            ]
        )
    )
    order = draw(st.sampled_from(["at once", "plug first", "token first"])) if token else "plug first"
    place, known = {"id": number, "connectorId": 1}, {"idToken": token} if token else {}
    begin = {"meterValue": register(draw, clock, wh, "Transaction.Begin")}
    drafts: list[tuple[str, datetime, Json]] = []
    if order == "at once":
        drafts.append(("Started", clock, {**begin, **known, "evse": place, "state": "EVConnected"}))
    elif order == "plug first":
        drafts.append(("Started", clock, {**begin, "evse": place, "trigger": "CablePluggedIn"}))
        clock += timedelta(seconds=20)
        if token:
            drafts.append(("Updated", clock, {**known, "trigger": "Authorized"}))
    else:
        drafts.append(("Started", clock, {**begin, **known, "trigger": "Authorized", "state": "Idle"}))
        clock += timedelta(seconds=20)
        drafts.append(("Updated", clock, {"evse": place, "trigger": "CablePluggedIn", "state": "EVConnected"}))
    metered = []
    for step in draw(st.lists(st.sampled_from(["meter", "Charging", "SuspendedEV", "SuspendedEVSE"]), max_size=5)):
        clock += timedelta(seconds=draw(st.integers(1, 900)))
        if step == "meter":
            wh += draw(st.integers(0, 20000))
            drafts.append(("Updated", clock, {"meterValue": register(draw, clock, wh, "Sample.Periodic")}))
            metered += [at(clock)] if token else []  # without a token, nothing is begun before the end
        else:
            drafts.append(("Updated", clock, {"state": step, "trigger": "ChargingStateChanged"}))
    clock += timedelta(seconds=60)
    wh += draw(st.integers(0 if token else 1, 20000))
    end = {"meterValue": register(draw, clock, wh, "Transaction.End"), "reason": draw(st.sampled_from([None, "Local"]))}
    drafts.append(("Ended", clock, {**end, **(draw(st.sampled_from([{}, known])))}))
    events = [
        new_event(kind, seq_no, tx=f"TX-{number}", at=at(moment), **_named(fields))
        for seq_no, (kind, moment, fields) in enumerate(drafts)
    ]
    return Session(events, number, id_tag, at(started_at), at(clock), meter_start, wh, metered)


def _named(fields: Json) -> Json:
    return {("token" if name == "idToken" else name): value for name, value in fields.items()}


@st.composite
def mixed(draw: Any, new_event: Callable[..., Json]) -> tuple[list[Session], list[tuple[str, Json]]]:
    """Draw some sessions, and what happens: their events in a mixed order, and mishaps between them."""
    all_sessions = [draw(sessions(number, new_event)) for number in range(1, draw(st.integers(1, 3)) + 1)]
    waiting = [list(session.events) for session in all_sessions]
    sent: list[Json] = []
    steps: list[tuple[str, Json]] = []
    mishaps = st.sampled_from(["", "", "", "repeat", "earlier", "fail", "down", "up", "restart"])
    while any(waiting):
        events = draw(st.sampled_from([events for events in waiting if events]))
        event = events.pop(0)
        mishap = draw(mishaps)
        if mishap in {"fail", "down", "up"}:
            steps.append((mishap, {}))
        steps.append(("send", event))
        sent.append(event)
        if mishap == "restart":
            steps += [("restart", {}), ("send", event)]
        elif mishap == "repeat":
            steps += [("send", event)] * draw(st.integers(1, 2))
        elif mishap == "earlier":
            steps.append(("send", draw(st.sampled_from(sent))))
    return all_sessions, steps


async def play(world: "World", steps: list[tuple[str, Json]]) -> None:
    """Let it happen. A station repeats what wasn't answered."""
    for step, payload in steps:
        if step == "fail":
            world.ledger.fails = [OSError("disk full")]
        elif step == "restart":
            world.restart()
        elif step in {"up", "down"}:
            await switch(world, up=step == "up")
        else:
            try:
                await world.from_station("TransactionEvent", payload)
            except OSError:
                await world.from_station("TransactionEvent", payload)
    world.ledger.fails = []
    await switch(world, up=True)


async def switch(world: "World", *, up: bool) -> None:
    world.backend.up = up
    if up:
        for tx, conf in await world.ledger.drain():
            await world.bridge.started_late(tx, conf)
        await world.bridge.backend_connected()


@settings(max_examples=75, deadline=None)
@given(st.data())
async def test_every_session_is_there_once(
    new_world: Callable[..., "World"], new_event: Callable[..., Json], data: st.DataObject
) -> None:
    all_sessions, steps = data.draw(mixed(new_event))
    world = new_world()
    for session in all_sessions:
        await world.status(session.evse, "Available")
    world.dialogue.clear()

    await play(world, steps)

    heard = world.heard()
    starts = [payload for action, payload in heard if action == "StartTransaction"]
    stops = [payload for action, payload in heard if action == "StopTransaction"]
    assert len(starts) == len(stops) == len(all_sessions)
    for session in all_sessions:
        tx = world.books.transactions[f"TX-{session.evse}"]
        (start,) = (payload for payload in starts if payload["connectorId"] == session.evse)
        assert start == {
            "connectorId": session.evse,
            "idTag": session.id_tag,
            "meterStart": session.meter_start,
            "timestamp": session.started_at,
        }
        mine = [(action, p) for action, p in heard if p.get("transactionId") == tx.backend_tx]
        metered = [p["meterValue"][0]["timestamp"] for action, p in mine if action == "MeterValues"]
        assert metered == session.metered
        assert [action for action, _ in mine] == ["MeterValues"] * len(metered) + ["StopTransaction"]
        stop = mine[-1][1]
        assert (stop["meterStop"], stop["timestamp"]) == (session.meter_stop, session.ended_at)


@pytest.mark.parametrize("times", [1, 2])
async def test_the_same_session_many_times_is_one(world: "World", new_event: Callable[..., Json], times: int) -> None:
    events = [
        new_event("Started", 0, evse=1, token="04A2B3C4", wh=1000, context="Transaction.Begin"),
        new_event("Updated", 1, wh=1500),
        new_event("Ended", 2, wh=2000, context="Transaction.End"),
    ]

    for _ in range(times):
        await play(world, [("send", event) for event in events])

    money = [action for action, _ in world.heard() if action != "StatusNotification"]
    assert money == ["StartTransaction", "MeterValues", "StopTransaction"]
