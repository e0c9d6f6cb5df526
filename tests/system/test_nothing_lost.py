"""Nothing is lost: ``kill -9`` of the gateway, of the backend and of the network between, at every phase of a session.

Half of the stations have a backend that compares StartTransaction and StopTransaction with what it has booked, as 1.6
backends do: each session must be in its ledger exactly once. The other one books whatever it hears: there, repeats must
be identical, and are counted. What was found stands in the summary at the end of the test run.
"""

import asyncio
import enum
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.system.charging_sessions import Phase, Session
from tests.system.crews import Crew, Moment
from tests.system.cutter import Way, of
from tests.system.failing_site import FailingSite, failing_site
from tests.system.queueing_station import Pace

Record = Callable[[str, str], None]
SEED: Final = int(os.environ.get("NOTHING_LOST_SEED", "4"))
PATIENT: Final = 15.0
"""Seconds that the gateway waits for an answer which is held: nobody runs out of time while all are brought there."""
IMPATIENT: Final = 2.0
"""Seconds that it waits at random: some answers are too late."""
LAG: Final = 0.2
"""Seconds that the backends take, so that something is always on its way when an accident happens."""
ALL_OVER: Final = 90.0
"""Seconds in which all sessions are over and delivered when nothing fails any more, on a busy machine."""

pytestmark = pytest.mark.timeout(180)  # hundreds of sessions, and a gateway that is started anew


class Victim(enum.Enum):
    """What is killed."""

    GATEWAY = "gateway"
    BACKENDS = "backends"
    NETWORK = "network"
    ANSWERS = "answers"
    """They are lost on their way, and so is the network then."""
    ALL = "all at once"


async def strike(site: FailingSite, victim: Victim, crews: list[Crew]) -> None:
    """Kill, and bring back."""
    if victim in {Victim.GATEWAY, Victim.ALL}:
        await site.kill_gateway()
    if victim in {Victim.BACKENDS, Victim.ALL}:
        await site.kill_backends()
    if victim is Victim.ANSWERS:
        await lose_what_is_held(site, [crew for crew in crews if crew.is_held])
    if victim in {Victim.NETWORK, Victim.ANSWERS, Victim.ALL}:
        site.cut()
    for crew in crews:
        crew.is_struck()
    if victim in {Victim.GATEWAY, Victim.ALL}:
        await site.gateway.start()
    if victim in {Victim.BACKENDS, Victim.ALL}:
        await site.start_backends()


async def lose_what_is_held(site: FailingSite, crews: list[Crew]) -> None:
    """Let the backends book and answer what they hold, to nobody."""
    site.lose_answers()
    for crew in crews:
        crew.release()
    for backend in site.backends:
        awaited = [identity for crew in crews for identity in crew.of(backend)]
        await backend.network.swallows(Way.BACK, len(awaited), of(awaited))


async def test_killed_at_every_phase(deployment: Any, tmp_path: Path, record_property: Record) -> None:
    async with failing_site(deployment, tmp_path, seed=SEED, call_timeout=PATIENT) as site:
        teams, repeats = {}, 0
        for moment in Moment:
            teams[moment] = await site.populate("ocpp2.0.1", f"{moment.name}-2", 1, connectors=2)
            teams[moment] += await site.populate("ocpp1.6", f"{moment.name}-1", 1)
        for round_, victim in enumerate(Victim):
            await site.all_up()
            crews = [Crew(site, moment, teams[moment], round_) for moment in Moment]
            await asyncio.gather(*(crew.bring() for crew in crews))
            await strike(site, victim, crews)
            await site.finished(ALL_OVER)
            if site.overdue:
                break
            for crew in crews:
                crew.is_over()
            repeats += sum(len(crew.of(site.backends[1])) for crew in crews if is_repeated(crew.moment, victim))
        check(site, "killed at every phase", record_property)
        # What had an answer isn't sent again, though nobody but this backend would see it.
        assert len(repeated := site.verdict(site.backends[1]).duplicated) == repeats, repeated


def is_repeated(moment: Moment, victim: Victim) -> bool:
    """Return whether a start or a stop was booked, and the gateway has no answer: it can't but send it again."""
    return moment in {Moment.START_BOOKED, Moment.STOP_BOOKED} or (moment, victim) == (
        Moment.STOP_UNBOOKED,
        Victim.ANSWERS,
    )


class Accident(enum.Enum):
    """What happens at any moment."""

    GATEWAY = "the gateway is killed"
    BACKENDS = "the backends are killed, and stay away for a while"
    NETWORK = "the network is cut"
    HALF = "half of the connections are cut"
    ANSWERS = "half of the connections say nothing back any more, and are cut later"
    FREEZE = "a backend hangs, and answers late"
    REBOOT = "a third of the stations boot anew, in the middle of their sessions"
    RESTART = "the gateway is stopped and started, as for an update"


TWICE: Final = (Accident.GATEWAY, Accident.BACKENDS, Accident.ANSWERS)


async def test_killed_at_random(deployment: Any, tmp_path: Path, record_property: Record) -> None:
    dice = random.Random(SEED)  # noqa: S311 - moments of accidents, no secret
    async with failing_site(deployment, tmp_path, seed=SEED, call_timeout=IMPATIENT, lag=LAG) as site:
        stations = await site.populate("ocpp2.0.1", "CS2", 30, connectors=3) + await site.populate("ocpp1.6", "CS1", 15)
        await asyncio.gather(*(station.accepted() for station in stations))
        site.charge(stations, at_leisure(dice), round_=0)
        accidents = [*Accident, *TWICE]
        dice.shuffle(accidents)
        for accident in accidents:
            await asyncio.sleep(dice.uniform(0.0, 0.8))
            print(f"{accident.value}, while {await site.level('journal_entries')} entries are in the journal")
            await happen(site, accident, dice)
        await site.finished(ALL_OVER)
        check(site, f"killed at random (seed {SEED})", record_property)


def at_leisure(dice: random.Random) -> Pace:
    """Return the pace of sessions that are spread over the accidents, each with a rhythm of its own."""

    async def pace(_session: Session, phase: Phase) -> None:
        await asyncio.sleep(dice.uniform(0.0, 0.2 if phase is Phase.GOING else 3.0))

    return pace


async def happen(site: FailingSite, accident: Accident, dice: random.Random) -> None:
    """Let an accident happen, and be over."""
    half = {line for network in site.networks for line in network.lines if dice.random() < 0.5}
    match accident:
        case Accident.GATEWAY:
            await site.kill_gateway()
            await site.gateway.start()
        case Accident.BACKENDS:
            await site.kill_backends()
            await asyncio.sleep(dice.uniform(0.0, 1.0))
            await site.start_backends()
        case Accident.NETWORK:
            site.cut()
        case Accident.HALF:
            site.cut(half.__contains__)
        case Accident.ANSWERS:
            site.lose_answers(half.__contains__)
            await asyncio.sleep(dice.uniform(0.0, 1.5 * IMPATIENT))
            site.cut(half.__contains__)
        case Accident.FREEZE:
            frozen = dice.choice(site.backends).process
            frozen.freeze()
            await asyncio.sleep(dice.uniform(0.0, 1.5 * IMPATIENT))
            frozen.thaw()
        case Accident.REBOOT:
            site.reboot([station for station in site.stations if dice.random() < 0.33])
        case Accident.RESTART:
            assert await site.gateway.stop() == 0
            await site.gateway.start()


def check(site: FailingSite, how: str, record_property: Record) -> None:
    """Tell what was found, and fail unless it is nothing."""
    verdicts = [(backend.process, site.verdict(backend)) for backend in site.backends]
    for process, verdict in verdicts:
        told = verdict.told(site.kills)
        record_property("summary", f"nothing lost, {how}, backend that {process.name}: {told}")
    for process, verdict in verdicts:
        assert not verdict.lost
        assert not verdict.wrong
        assert not verdict.difference_wh
        assert not (process.compares and verdict.duplicated)
    assert not site.overdue
    assert not [message for station in site.stations for message in station.dropped]
