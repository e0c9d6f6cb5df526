"""Makes a station's bridge: which dialects meet, and what the bridge may touch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from gateway.app.clock import now
from gateway.app.foundation import Foundation
from gateway.bridge.books import Connector, Json, Page
from gateway.bridge.ports import FOREIGN_TRANSACTION, Afterwards, Call, Ledger
from gateway.bridge.v16_v16 import V16ToV16
from gateway.bridge.v201_v16 import Settings, V201ToV16
from gateway.bridge.v201_v201 import V201ToV201
from gateway.session.ports import Bridge
from gateway.session.security import SecurityEvent
from gateway.session.station import Station
from gateway.wire.versions import Version

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Parts:
    """What the bridge of one station may touch. Methods, since a station's closures would take twice as much."""

    station: Station
    on: Foundation
    backend: str
    """The name of its backend."""
    ledger: Ledger
    settings: Settings
    afterwards: Afterwards
    noted: frozenset[str] = frozenset()
    """The topics of :meth:`note`."""

    @property
    def call_backend(self) -> Call:
        """Calls the backend; what it says of idTags is remembered, where that is wanted."""
        return self.on.authorizations.listening(self.backend, self.station.call_backend)

    async def recall(self, id_tag: str) -> Json | None:
        return await self.on.authorizations.recall(self.backend, id_tag)

    async def save_connector(self, connector: Connector) -> None:
        await self.on.connectors.save(self.station.identity, connector)

    async def save_page(self, page: Page, content: Json) -> None:
        await self.on.pages.save(self.station.identity, page, content)

    def note(self, topic: str, text: str) -> None:
        """Say it once."""
        if topic not in self.noted:
            self.noted |= {topic}
            log.warning("inexact_mapping", identity=self.station.identity, topic=topic, detail=text)

    def report(self, kind: str, detail: str) -> None:
        """Raise a security event."""
        if kind == FOREIGN_TRANSACTION:
            self.station.report(kind, detail)
        else:  # what the backend asked for: no address of the station's has to do with it
            self.on.security.note(SecurityEvent(kind, detail, self.station.identity))


def bridge_for(
    station: Station,
    on: Foundation,
    *,
    backend: Version,
    backend_name: str,
    ledger: Ledger,
    settings: Settings,
    afterwards: Afterwards,
) -> Bridge:
    """Return the bridge between the OCPP version that ``station`` speaks and ``backend``, the one of its backend."""
    parts = _Parts(station, on, backend_name, ledger, settings, afterwards)
    return _PAIRS[station.version, backend](parts)


def _v16_v16(parts: _Parts) -> Bridge:
    return V16ToV16(
        books=parts.station.books,
        ledger=parts.ledger,
        call_station=parts.station.call_station,
        call_backend=parts.call_backend,
        save_connector=parts.save_connector,
        note=parts.note,
        report=parts.report,
        clock=now,
        afterwards=parts.afterwards,
        security_extension=parts.settings.security_extension,
        authorize_offline=parts.settings.authorize_offline,
        recall=parts.recall,
        firmware=parts.on.firmware(parts.station, parts.backend),
        logs=parts.on.logs(parts.station),
    )


def _v201_v16(parts: _Parts) -> Bridge:
    return V201ToV16(
        books=parts.station.books,
        ledger=parts.ledger,
        call_station=parts.station.call_station,
        call_backend=parts.call_backend,
        save_connector=parts.save_connector,
        save_page=parts.save_page,
        note=parts.note,
        report=parts.report,
        clock=now,
        afterwards=parts.afterwards,
        settings=parts.settings,
        recall=parts.recall,
        firmware=parts.on.firmware(parts.station, parts.backend),
        logs=parts.on.logs(parts.station),
    )


def _v201_v201(parts: _Parts) -> Bridge:
    return V201ToV201(
        books=parts.station.books,
        ledger=parts.ledger,
        call_station=parts.station.call_station,
        call_backend=parts.station.call_backend,
        save_page=parts.save_page,
        note=parts.note,
        report=parts.report,
        clock=now,
        afterwards=parts.afterwards,
        firmware=parts.on.firmware(parts.station, parts.backend),
        logs=parts.on.logs(parts.station),
    )


_PAIRS: Final[Mapping[tuple[Version, Version], Callable[[_Parts], Bridge]]] = {
    (Version.V16, Version.V16): _v16_v16,
    (Version.V201, Version.V16): _v201_v16,
    (Version.V201, Version.V201): _v201_v201,
}
"""The versions of (station, backend) -> what makes their bridge."""
