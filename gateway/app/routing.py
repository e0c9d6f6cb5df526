"""Which backend a station has, and when it may have another one than its books belong to (docs/backends.md)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from gateway.bridge.books import Books, Json, Page
from gateway.bridge.pairs import SERVED_BY
from gateway.config import Config
from gateway.session.ports import StationRecord
from gateway.store.books import Standing, StoredBooks
from gateway.wire.versions import Version

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """Where a station should go, and which key of the configuration or of its own says so."""

    backend: str
    by: str


class Routing:
    """What the configuration says of stations by their identity and group."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def route(self, record: StationRecord) -> Route:
        """Return the station's route. A backend of its own that isn't configured counts as none."""
        config = self._config
        if record.backend is not None and record.backend in config.backends:
            return Route(record.backend, "its own")
        for index, route in enumerate(config.routes):
            if route.matches(record.identity, record.group):
                return Route(route.backend, f"routes[{index}]")
        return Route(config.default_backend, "default_backend")

    def connectors(self, record: StationRecord) -> Mapping[tuple[int, int], int] | None:
        """Return the station's connector table, (evseId, connectorId) -> 1.6 connectorId, or None."""
        tables = self._config.connector_tables
        return next((table.places for table in tables if table.matches(record.identity, record.group)), None)

    def holder(self, record: StationRecord, page: Json) -> str:
        """Return the backend to which the books belong whose page ``Page.BACKEND`` is ``page``.

        One that isn't configured any more is found again by its URL: it was renamed. Without either its old name is
        returned. Books of the time before there was such a page belong to whom the station had then.
        """
        backends = self._config.backends
        if not page:
            own = record.backend
            return own if own is not None and own in backends else self._config.default_backend
        name, url = str(page["name"]), page["url"]
        if name in backends:
            return name
        return next((other for other, backend in backends.items() if backend.url == url), name)

    def version(self, name: str, page: Json) -> Version:
        """Return the OCPP version of a backend; of one that isn't configured any more what ``page`` says of it."""
        backend = self._config.backends.get(name)
        return Version(page.get("protocol", "ocpp1.6") if backend is None else backend.protocol)

    def missing(self, *names: str | None) -> list[str]:
        """Return those of the names that aren't configured."""
        return [name for name in names if name is not None and name not in self._config.backends]

    def page(self, backend: str) -> Json:
        """Return the page of books that belong to a configured backend; one of 1.6 says no protocol."""
        section = self._config.backends[backend]
        page = {"name": backend, "url": section.url}
        return page if section.protocol == "ocpp1.6" else {**page, "protocol": section.protocol}


class Belonging:
    """Decides to which backend a station's books belong while its runtime is built."""

    def __init__(self, routing: Routing, stored: StoredBooks) -> None:
        self._routing = routing
        self._stored = stored

    async def foreseen(self, record: StationRecord) -> Version:
        """Return the OCPP version of the backend that a station without a runtime will have. Raises StoreAway."""
        standing = (await self._stored.standings(record.identity)).get(record.identity, Standing())
        holder, wanted = self._routing.holder(record, standing.page), self._routing.route(record).backend
        stays = _in_words(standing.messages, standing.sessions) is not None
        return self._routing.version(holder if stays else wanted, standing.page)

    async def settle(
        self, record: StationRecord, books: Books, depth: int, version: Version
    ) -> tuple[StationRecord, str]:
        """Return the backend that a station speaking ``version`` has now, and its record as that is to be told of it.

        It is the one of its route, unless another must still hear of its transactions; or, for this connection, unless
        it has just become free to move to where its version isn't served. What is new is in the store
        when this returns. Raises StoreAway.
        """
        holder = self._routing.holder(record, books.page(Page.BACKEND))
        wanted = self._routing.route(record).backend
        for name in self._routing.missing(record.backend, holder):
            log.error("backend_not_configured", identity=record.identity, backend=name)
        why = unfinished(books, depth)
        if why is None and version not in SERVED_BY[self._routing.version(wanted, books.page(Page.BACKEND))]:
            why = "a version that is served there"
        if holder == wanted:
            why = None
        backend = wanted if why is None else holder
        await self._write_down(record, books, backend, is_new=backend != holder)
        if why is not None:
            log.info("move_waits", identity=record.identity, backend=holder, wanted=wanted, waits_for=why)
        if backend == holder:
            return record, backend
        log.info("moved", identity=record.identity, before=holder, backend=wanted)
        for connector in books.connectors.values():
            if connector.evse_id >= 0 and connector.reported is not None:
                connector.reported = {}  # it was spoken of, but not to this backend
        return replace(record, boot_reported=record.boot_payload is None), wanted

    async def _write_down(self, record: StationRecord, books: Books, backend: str, *, is_new: bool) -> None:
        if self._routing.missing(backend):
            return
        page = self._routing.page(backend)
        if books.page(Page.BACKEND) != page:
            beside = _left_behind(books, self._routing.version(backend, page)) if is_new else {}
            await self._stored.belong(record.identity, page, is_new=is_new, beside=beside)
            books.pages |= {Page.BACKEND: page, **beside}


def _left_behind(books: Books, version: Version) -> dict[Page, Json]:
    """Return the pages that change when a station moves to a backend that speaks ``version``.

    What it says of these transactions from now on isn't for its new backend, which may know others by their numbers.
    States that nobody of 2.0.1 has heard are out of date when the next one of 2.0.1 comes after one of 1.6.
    """
    pages: dict[Page, Json] = {Page.BEFORE: {tx.station_tx: tx.started_at for tx in books.transactions.values()}}
    return pages if version is Version.V201 else {**pages, Page.STATUSES: {}}


def unfinished(books: Books, depth: int) -> str | None:
    """Return what the backend of these books must still hear, in words; None when it has heard everything."""
    return _in_words(depth, books.running)


def _in_words(messages: int, sessions: int) -> str | None:
    counts = ((messages, "message"), (sessions, "session"))
    words = [f"{count} {name}{'s' if count > 1 else ''}" for count, name in counts if count]
    return " and ".join(words) or None


class RoutesShown:
    """What the commands and the API tell of the stations' routes, out of the store."""

    def __init__(self, routing: Routing, stored: StoredBooks) -> None:
        self._routing = routing
        self._stored = stored

    async def of(self, records: Iterable[StationRecord]) -> list[dict[str, Any]]:
        """Return for each station where it should go and where it is. Raises StoreAway."""
        listed = list(records)
        standings = await self._stored.standings(listed[0].identity if len(listed) == 1 else None)
        return [self._shown(record, standings.get(record.identity, Standing())) for record in listed]

    def _shown(self, record: StationRecord, standing: Standing) -> dict[str, Any]:
        route = self._routing.route(record)
        page = standing.page
        in_use = self._routing.holder(record, page) if page else None
        waits = in_use not in {None, route.backend}
        return {
            "backend": route.backend,
            "by": route.by,
            "in_use": in_use,
            "waits_for": _in_words(standing.messages, standing.sessions) if waits else None,
        }
