"""Connectors: a place (evseId, connectorId) in 2.0.1, one flat number in 1.6, 0 being the station itself."""

from dataclasses import replace
from typing import Final

from gateway.bridge.books import Books, Connector
from gateway.bridge.v201_v16.context import Context
from gateway.wire.errors import CallError, ErrorCode

CONNECTORS_MAX: Final = 256
"""Connectors of one station; a station that names more is making them up."""
STATION_ITSELF: Final = (0, 0)
"""The place of the 1.6 connectorId 0."""
UNNUMBERED: Final = -1_000
"""In the store, and below: a connector on its way to another number. Above are the states of a 1.6 station."""


def seed(context: Context) -> None:
    """Enter the operator's table into the books, and note the connectors whose number isn't the store's any more.

    A number that the backend has been told of is kept, and where the table says otherwise, noted. Among the others the
    table wins: who loses a number gets the next free. What the station said of its connectors while it spoke 1.6 has no
    place here.
    """
    books, table = context.books, context.settings.connectors or {}
    for place in [place for place in books.connectors if place[0] < 0]:
        del books.connectors[place]
    stored = {place: connector.number for place, connector in books.connectors.items()}
    fixed = {place: connector.number for place, connector in books.connectors.items() if _is_told_of(books, connector)}
    kept = set(fixed.values())
    wanted = {place: number for place, number in table.items() if place not in fixed and number not in kept}
    taken = kept | set(wanted.values())
    for place, number in table.items():
        if place in wanted:
            books.connectors.setdefault(place, Connector(*place, number)).number = number
        elif fixed.get(place) != number:
            context.note(
                "connector-table", f"connector {_words(place)} can't be number {number}: the backend knows otherwise"
            )
            books.connectors.setdefault(place, Connector(*place, UNNUMBERED))
    for place, connector in books.connectors.items():
        is_free = connector.number > 0 and connector.number not in taken
        if place not in fixed and place not in wanted and place != STATION_ITSELF and not is_free:
            connector.number = _next_free(books)
        taken.add(connector.number)
    changed = [connector for place, connector in books.connectors.items() if stored.get(place) != connector.number]
    lowest = min((UNNUMBERED, *stored.values()))
    context.memory.renumbered = [(connector, lowest - 1 - offset) for offset, connector in enumerate(changed)]


async def save_numbers(context: Context) -> None:
    """Persist what :func:`seed` has changed. In two steps: in the store no two connectors ever share a number."""
    waiting = context.memory.renumbered
    for connector, meanwhile in waiting:
        await context.save_connector(replace(connector, number=meanwhile))
    for connector, _ in waiting:
        await context.save_connector(connector)
    waiting.clear()


def _is_told_of(books: Books, connector: Connector) -> bool:
    """True when the backend may have heard the connector's number: by its status, or in a transaction."""
    number, told = connector.number, connector.reported or {}
    return number > 0 and (
        told.get("connectorId") == number or any(tx.connector_id == number for tx in books.transactions.values())
    )


def _words(place: tuple[int, int]) -> str:
    return f"{place[1]} of EVSE {place[0]}"


def plugs(books: Books) -> list[Connector]:
    """Return the connectors proper, by their 1.6 number."""
    return sorted((c for c in books.connectors.values() if c.number > 0), key=lambda connector: connector.number)


def numbered(books: Books, number: int) -> Connector | None:
    """Return the connector with the 1.6 connectorId ``number`` (> 0), or None."""
    for known in books.connectors.values():
        if known.number == number > 0:
            return known
    return None


def of_evse(books: Books, evse_id: int) -> list[Connector]:
    """Return the known connectors of one EVSE, by their number."""
    found = [connector for connector in books.connectors.values() if connector.evse_id == evse_id > 0]
    if len(found) > 1:
        found.sort(key=lambda connector: connector.number)
    return found


def evse_of(books: Books, number: int) -> int | None:
    """Return the EVSE of the 1.6 connectorId ``number`` (> 0), or None when the station hasn't that connector.

    A station that has reported none yet is taken by its word later: each EVSE's number is that of its first connector.
    """
    connector = numbered(books, number)
    if connector is not None:
        return connector.evse_id
    return None if plugs(books) or number < 1 else number


async def learn(context: Context, evse_id: int, connector_id: int) -> Connector:
    """Return the connector at this place; one not seen before gets its number, for good.

    The first connector of an EVSE gets the EVSE's own number if that is free, so that the order in which a station
    happens to report them doesn't matter where each EVSE has one; any other, and one beside the operator's table, gets
    the next free number.

    Raises :class:`CallError` PropertyConstraintViolation for a place that can't be, or past ``CONNECTORS_MAX``.
    """
    books = context.books
    known = books.connectors.get((evse_id, connector_id))
    if known is not None:
        return known
    if evse_id < 1 or connector_id < 1:
        raise CallError(ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, "EVSEs and their connectors are numbered from 1")
    if len(books.connectors) >= CONNECTORS_MAX:
        raise CallError(ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, f"more than {CONNECTORS_MAX} connectors")
    table = context.settings.connectors
    if table:
        context.note("connector-beside-table", f"connector {_words((evse_id, connector_id))} isn't in the table")
    is_free = not table and connector_id == 1 and numbered(books, evse_id) is None
    return await _enter(context, Connector(evse_id, connector_id, evse_id if is_free else _next_free(books)))


async def locate(context: Context, evse_id: int, connector_id: int | None) -> Connector:
    """Return the connector that an ``evse`` field means; where it names only the EVSE, the one in use, else its first.

    Raises :class:`CallError` as :func:`learn` does.
    """
    if connector_id is not None:
        return await learn(context, evse_id, connector_id)
    known = of_evse(context.books, evse_id)
    if not known:
        return await learn(context, evse_id, 1)
    return next((connector for connector in known if connector.status == "Occupied"), known[0])


def is_one_of_several(books: Books, evse_id: int) -> bool:
    """Return whether the EVSE alone leaves open which connector is meant: it has several, and none is in use."""
    known = of_evse(books, evse_id)
    return len(known) > 1 and not any(connector.status == "Occupied" for connector in known)


async def station_itself(context: Context) -> Connector:
    """Return the entry for the 1.6 connectorId 0."""
    known = context.books.connectors.get(STATION_ITSELF)
    return known if known is not None else await _enter(context, Connector(*STATION_ITSELF, number=0))


async def _enter(context: Context, connector: Connector) -> Connector:
    """Persist a new connector before anything is said under its number."""
    await context.save_connector(connector)
    return context.books.connectors.setdefault((connector.evse_id, connector.connector_id), connector)


def _next_free(books: Books) -> int:
    return max((0, *(connector.number for connector in books.connectors.values()))) + 1
