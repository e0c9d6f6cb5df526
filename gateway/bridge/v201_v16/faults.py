"""What is wrong with a station, as its problems tell it: kept on a page, newest last, until they are taken back.

It dies with a boot: a station that has booted reports anew what is still wrong.
"""

from dataclasses import dataclass
from typing import Any, Final

from gateway.bridge.books import Books, Connector, Json, Page

FAULTS_MAX: Final = 256
"""Problems of one station that are remembered; the oldest is forgotten."""
_PROBLEMS: Final = "problems"
_VENDOR: Final = "vendor"
_WITHOUT_REBOOT: Final = "Triggered"
"""reason of a BootNotification that somebody asked for: nothing has booted, and nothing is reported anew."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a connector is Faulted, in the words of 1.6."""

    error_code: str
    info: str | None = None
    vendor_error_code: str | None = None


UNEXPLAINED: Final = Fault("OtherError")


def enter(books: Books, evse_id: int, connector_id: int, component: str, fault: Fault | None) -> None:
    """A problem has come, or with None, gone; 0 stands for the whole EVSE or station.

    One that is repeated changes nothing, so that a periodic monitor costs no write.
    """
    problems = _problems(books)
    place = [evse_id, connector_id, component]
    known = next((each for each in problems if each[:3] == place), None)
    row = None if fault is None else [*place, fault.error_code, fault.info, fault.vendor_error_code]
    if known == row:
        return
    if known is not None:
        problems.remove(known)
    if row is not None:
        del problems[: max(0, len(problems) - FAULTS_MAX + 1)]
        problems.append(row)
    books.changed(Page.FAULTS)


def nearest(books: Books, connector: Connector) -> Fault:
    """Return the problem nearest to the connector, the newest of them: its own, its EVSE's, the station's."""
    newest_first = _problems(books)[::-1]
    for place in ([connector.evse_id, connector.connector_id], [connector.evse_id, 0], [0, 0]):
        for row in newest_first:
            if row[:2] == place:
                return Fault(*row[3:])
    return UNEXPLAINED


def booted(books: Books, boot: Json) -> None:
    """The station has sent BootNotification: every problem is forgotten, unless it was only asked to send it.

    Its vendorName is kept: it is whose vendorErrorCodes are.
    """
    name = boot["chargingStation"]["vendorName"]
    if vendor(books) != name:
        books.page(Page.FAULTS)[_VENDOR] = name
        books.changed(Page.FAULTS)
    if boot["reason"] != _WITHOUT_REBOOT and books.page(Page.FAULTS).pop(_PROBLEMS, None):
        books.changed(Page.FAULTS)


def vendor(books: Books) -> str | None:
    """Return the vendorName of the last BootNotification; None before the first."""
    name: str | None = books.page(Page.FAULTS).get(_VENDOR)
    return name


def _problems(books: Books) -> list[list[Any]]:
    problems: list[list[Any]] = books.page(Page.FAULTS).setdefault(_PROBLEMS, [])
    return problems
