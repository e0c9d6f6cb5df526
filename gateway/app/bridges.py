"""Makes a station's bridge: which dialects meet, and what the bridge may touch."""

import structlog

from gateway.app.clock import now
from gateway.app.foundation import Foundation
from gateway.bridge.books import Books
from gateway.bridge.ports import FOREIGN_TRANSACTION, Afterwards, Ledger, Note, Report
from gateway.bridge.v16_v16 import V16ToV16
from gateway.bridge.v201_v16 import Settings, V201ToV16
from gateway.bridge.v201_v201 import V201ToV201
from gateway.session.ports import Bridge
from gateway.session.security import SecurityEvent
from gateway.session.station import Station
from gateway.wire.versions import Version

log = structlog.get_logger(__name__)


def bridge_for(
    station: Station,
    on: Foundation,
    *,
    backend: Version,
    books: Books,
    ledger: Ledger,
    settings: Settings,
    afterwards: Afterwards,
) -> Bridge:
    """Return the bridge between the OCPP version that ``station`` speaks and ``backend``, the one of its backend."""
    note, report = _note_once(station.identity), _report(station, on)

    def make_16() -> Bridge:
        return V16ToV16(
            books=books,
            ledger=ledger,
            call_station=station.call_station,
            call_backend=station.call_backend,
            save_connector=lambda connector: on.connectors.save(station.identity, connector),
            note=note,
            report=report,
            clock=now,
            afterwards=afterwards,
            security_extension=settings.security_extension,
        )

    def make_201_to_16() -> Bridge:
        return V201ToV16(
            books=books,
            ledger=ledger,
            call_station=station.call_station,
            call_backend=station.call_backend,
            save_connector=lambda connector: on.connectors.save(station.identity, connector),
            save_page=lambda page, content: on.pages.save(station.identity, page, content),
            note=note,
            report=report,
            clock=now,
            afterwards=afterwards,
            settings=settings,
        )

    def make_201() -> Bridge:
        return V201ToV201(
            books=books,
            ledger=ledger,
            call_station=station.call_station,
            call_backend=station.call_backend,
            save_page=lambda page, content: on.pages.save(station.identity, page, content),
            note=note,
            report=report,
            clock=now,
        )

    pairs = {
        (Version.V16, Version.V16): make_16,
        (Version.V201, Version.V16): make_201_to_16,
        (Version.V201, Version.V201): make_201,
    }
    return pairs[station.version, backend]()


def _note_once(identity: str) -> Note:
    noted: set[str] = set()

    def note(topic: str, text: str) -> None:
        if topic not in noted:
            noted.add(topic)
            log.warning("inexact_mapping", identity=identity, topic=topic, detail=text)

    return note


def _report(station: Station, on: Foundation) -> Report:
    def report(kind: str, detail: str) -> None:
        if kind == FOREIGN_TRANSACTION:
            station.report(kind, detail)
        else:  # what the backend asked for: no address of the station's has to do with it
            on.security.note(SecurityEvent(kind, detail, station.identity))

    return report
