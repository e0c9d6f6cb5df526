"""What stands in the place of a station's parts once it has left: all that is asked of them fails, as if at a loss.

A station and its parts know each other. Kept together they would be garbage that only a look through the whole heap
finds, some time; parted they are free at once. Whoever still has the station (a campaign, a round of trust, a CALL that
was in hand when it was removed) meets these, which all stations share.
"""

from typing import Final, NoReturn

from gateway.bridge.books import Json, Transaction
from gateway.bridge.ports import NotSent
from gateway.session.peer import TRY_LATER, Unanswerable
from gateway.session.ports import Backend, Bridge, StaleEpoch
from gateway.session.quarantine import QuarantinedMessage
from gateway.session.stages import Inspector
from gateway.session.station_quarantine import StationQuarantine
from policies.words import Kind, Outcome, Stage, Verdict

WHY: Final = "the station has left"


class _NoLeg:
    """The leg is down, and nobody dials."""

    is_up: Final = False

    async def wait_up(self, timeout: float) -> bool:  # noqa: ARG002 - a Backend's form
        return False

    async def begun(self, timeout: float) -> None:
        """Nothing is to be waited for."""

    async def call(self, action: str, payload: Json) -> Json:  # noqa: ARG002 - a Backend's form
        raise NotSent(WHY)


class _NoBridge:
    """Nothing comes across."""

    async def from_station(self, action: str, payload: Json) -> Json:  # noqa: ARG002 - a Bridge's form
        raise NotSent(WHY)

    from_backend = from_station

    async def released(self, action: str, payload: Json, station_tx: str) -> None:  # noqa: ARG002 - a Bridge's form
        raise NotSent(WHY)

    async def booted(self, payload: Json) -> None:  # noqa: ARG002 - a Bridge's form
        raise NotSent(WHY)

    async def settle_in(self, boot: Json | None) -> bool:  # noqa: ARG002 - a Bridge's form
        return True  # nothing is left to be asked

    async def backend_connected(self) -> None:
        raise NotSent(WHY)

    async def started_late(self, tx: Transaction, conf: Json) -> None:  # noqa: ARG002 - a Bridge's form
        raise NotSent(WHY)

    def boot_serial(self, payload: Json) -> NoReturn:  # noqa: ARG002 - a Bridge's form
        raise NotSent(WHY)

    boot_request = boot_response = boot_serial


class _NoInspector:
    """Nothing passes."""

    def inspect(self, stage: Stage, kind: Kind, protocol: str, action: str, payload: Json) -> Verdict:  # noqa: ARG002 - an Inspector's form
        return Verdict(Outcome.DENIED, text=WHY)


class _NoQuarantine(StationQuarantine):
    """Nothing is kept: a CALL of the station isn't answered, and what was released waits for its next runtime."""

    def __init__(self) -> None:
        self.is_releasing = False

    async def keep(self, action: str, payload: Json, verdict: Verdict, answer: Json) -> NoReturn:  # noqa: ARG002 - as above
        raise Unanswerable(TRY_LATER, WHY)

    def follows(self, action: str, payload: Json) -> bool:  # noqa: ARG002 - as above
        return True  # whatever it is: it isn't to go on beside what is kept

    async def follow(self, action: str, payload: Json) -> NoReturn:  # noqa: ARG002 - as above
        raise Unanswerable(TRY_LATER, WHY)

    async def set_aside(self, action: str, payload: Json, reason: str) -> NoReturn:  # noqa: ARG002 - as above
        raise StaleEpoch(WHY)

    async def withhold(self, action: str, payload: Json, verdict: Verdict) -> NoReturn:  # noqa: ARG002 - as above
        raise NotSent(WHY)

    async def deliver(self, message: QuarantinedMessage) -> NoReturn:  # noqa: ARG002 - as above
        raise NotSent(WHY)


LEG: Final[Backend] = _NoLeg()
BRIDGE: Final[Bridge] = _NoBridge()
GUARD: Final[Inspector] = _NoInspector()
QUARANTINE: Final[StationQuarantine] = _NoQuarantine()


def nothing() -> None:
    """Nobody hears of what becomes of a station that has left."""
