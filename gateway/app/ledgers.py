"""Makes a station's ledger, and says what it may touch of the station and its leg."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from gateway.app.foundation import Foundation
from gateway.app.legs import Legs
from gateway.bridge.books import Json, Transaction
from gateway.bridge.ports import PeerUnavailable
from gateway.session.station import Station
from gateway.upstream.journal import JournaledLedger
from gateway.wire.errors import CallError
from gateway.wire.versions import Version

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Ground:
    """What the ledger of one station touches. Methods, since as many closures would take twice as much."""

    station: Station
    legs: Legs

    def is_up(self) -> bool:
        """Return whether the backend may hear of money: its leg is open, and the station's boot was accepted."""
        return self.legs.backend.is_up and self.station.record.boot_reported and not self.station.is_refused

    def epoch(self) -> int:
        return self.station.epoch

    async def late_answer(self, tx: Transaction, conf: Json) -> None:
        try:
            await self.station.bridge.started_late(tx, conf)
        except (PeerUnavailable, CallError) as error:
            log.warning("late_refusal_not_enforced", identity=self.station.identity, reason=str(error))

    async def set_aside(self, action: str, payload: Json, reason: str) -> None:
        await self.station.quarantine.set_aside(action, payload, reason)


def ledger_for(
    station: Station,
    on: Foundation,
    legs: Legs,
    *,
    depth: int,
    backend: str,
    version: Version,
    emptied: Callable[[], None],
) -> JournaledLedger:
    """Make the ledger of a station whose backend is ``backend`` and speaks ``version``."""
    ground = _Ground(station, legs)
    return JournaledLedger(
        station.identity,
        on.journal,
        station.books.transactions,
        call=on.authorizations.listening(backend, station.call_backend),
        is_up=ground.is_up,
        epoch=ground.epoch,
        late_answer=ground.late_answer,
        depth=depth,
        backend=version,
        emptied=emptied,
        set_aside=ground.set_aside,
        kept=on.tally.kept,
        withheld=station.books.withheld,
    )
