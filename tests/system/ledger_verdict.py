"""The verdict on a backend's ledger: is each session in it, how often, with what energy, and is anything else?"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.system.backend_process import Row
from tests.system.charging_sessions import Session


@dataclass(slots=True)
class Verdict:
    """What a ledger lacks and has too much of. Every list is of sentences for a person."""

    sessions: int = 0
    lost: list[str] = field(default_factory=list)
    """Sessions, and meter values of sessions, that aren't there."""
    duplicated: list[str] = field(default_factory=list)
    """Rows of StartTransaction and StopTransaction that repeat one before them identically."""
    meter_values_repeated: int = 0
    """Rows of MeterValues that repeat one before them identically."""
    wrong: list[str] = field(default_factory=list)
    """Rows that say something else than the station, in another order, or of no session at all."""
    planned_wh: int = 0
    booked_wh: int = 0

    @property
    def difference_wh(self) -> int:
        """What the backend has booked beyond what was charged: each session once."""
        return self.booked_wh - self.planned_wh

    def told(self, kills: str) -> str:
        """Return all of it in one line."""
        return (
            f"{self.sessions} sessions run, {kills}, {len(self.lost)} lost, {len(self.duplicated)} duplicated, "
            f"energy difference {self.difference_wh} of {self.planned_wh} Wh; {self.meter_values_repeated} MeterValues "
            f"repeated identically, {len(self.wrong)} rows wrong"
        )


def judge(sessions: Iterable[Session], rows: Sequence[Row]) -> Verdict:
    """Compare a ledger with the sessions that took place."""
    verdict = Verdict()
    unexplained = set(range(len(rows)))
    by_station: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        by_station[row.identity].append(index)
    for session in sessions:
        indexes = by_station[session.identity]
        numbers = {rows[index].number for index in indexes if _starts(session, rows[index])}
        own = [index for index in indexes if _starts(session, rows[index]) or _names(rows[index], numbers)]
        unexplained.difference_update(own)
        _judge_session(verdict, session, [rows[index] for index in own])
    verdict.wrong += [f"of no session: {rows[index]}" for index in sorted(unexplained)]
    return verdict


def _starts(session: Session, row: Row) -> bool:
    return row.action == "StartTransaction" and row.payload == session.start


def _names(row: Row, numbers: set[int | None]) -> bool:
    return row.action != "StartTransaction" and row.payload.get("transactionId") in numbers


def _judge_session(verdict: Verdict, session: Session, rows: list[Row]) -> None:
    verdict.sessions += 1
    verdict.planned_wh += session.wh
    first: dict[str, Row] = {}
    for row in rows:
        said = json.dumps([row.action, row.payload], sort_keys=True)
        if said not in first:
            first[said] = row
        elif row.action == "MeterValues":
            verdict.meter_values_repeated += 1
        else:
            verdict.duplicated.append(f"{session.name}: {row.action}")
    starts, stops, meters = (
        [row for row in first.values() if row.action == action]
        for action in ("StartTransaction", "StopTransaction", "MeterValues")
    )
    if not starts or not stops:
        verdict.lost.append(f"{session.name}: {'no StopTransaction' if starts else 'no StartTransaction'}")
        return
    verdict.booked_wh += sum(stop.payload["meterStop"] - session.begin.wh for stop in stops)
    _judge_rows(verdict, session, list(first.values()), stops, meters)


def _judge_rows(verdict: Verdict, session: Session, rows: list[Row], stops: list[Row], meters: list[Row]) -> None:
    """``rows`` is what was said first, without what repeats it."""
    verdict.wrong += [f"{session.name}: {stop}" for stop in stops if not session.is_stop(stop.payload)]
    verdict.wrong += [f"{session.name}: {meter}" for meter in meters if not session.is_meter(meter.payload)]
    if len(stops) > 1:
        verdict.wrong.append(f"{session.name}: stopped {len(stops)} times, not identically")
    if len({row.payload["transactionId"] for row in (*meters, *stops)}) > 1:
        verdict.wrong.append(f"{session.name}: goes under several transactionIds")
    times = [meter.payload["meterValue"][0]["timestamp"] for meter in meters]
    missing = {reading.time for reading in session.meters} - set(times)
    verdict.lost += [f"{session.name}: no MeterValues of {time}" for time in sorted(missing)]
    if [row.action for row in rows] != ["StartTransaction", *["MeterValues"] * len(meters), "StopTransaction"]:
        verdict.wrong.append(f"{session.name}: in the order {[row.action for row in rows]}")
    elif times != sorted(times):
        verdict.wrong.append(f"{session.name}: its meter values are not in order")
