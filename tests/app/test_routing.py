"""Which backend a station has: the order of what says so, and when it may have another one."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.app.foundation import Foundation
from gateway.app.routing import Belonging, Route, RoutesShown, Routing, unfinished
from gateway.bridge.books import Books, Connector, Page, Transaction, TransactionState
from gateway.session.ports import BootStatus, StationRecord
from gateway.store.books import Standing
from gateway.wire.versions import Version

BACKENDS = {name: {"url": f"wss://{name}.example.com/{{identity}}"} for name in ("legacy", "north", "south")}
ROUTES = [
    {"identity": "ABB-*", "group": "depot", "backend": "south"},
    {"identity": "ABB-*", "backend": "north"},
    {"group": "depot", "backend": "south"},
]
TABLES = [
    {"identity": "ABB-*", "connectors": {"1.1": 1, "1.2": 2}},
    {"group": "depot", "connectors": {"2.1": 1}},
]


@pytest.fixture
def routing(configured: Callable[..., Any]) -> Routing:
    return Routing(configured(backends=BACKENDS, default_backend="legacy", routes=ROUTES, connector_tables=TABLES))


@pytest.mark.parametrize(
    ("identity", "group", "own", "backend", "by"),
    [
        ("CS1", None, None, "legacy", "default_backend"),
        ("ABB-1", None, None, "north", "routes[1]"),
        ("ABB-1", "depot", None, "south", "routes[0]"),
        ("ABB-1", "other", None, "north", "routes[1]"),
        ("CS1", "depot", None, "south", "routes[2]"),
        ("CS1", "depot", "north", "north", "its own"),
        ("CS1", "depot", "gone", "south", "routes[2]"),
        ("CS1", None, "gone", "legacy", "default_backend"),
    ],
)
def test_the_first_that_says_so(
    routing: Routing, identity: str, group: str | None, own: str | None, backend: str, by: str
) -> None:
    record = StationRecord(identity, 2, backend=own, group=group)
    assert routing.route(record) == Route(backend, by)


@pytest.mark.parametrize(
    ("identity", "group", "table"),
    [("ABB-1", "depot", {(1, 1): 1, (1, 2): 2}), ("CS1", "depot", {(2, 1): 1}), ("CS1", None, None)],
)
def test_the_first_table_that_fits(routing: Routing, identity: str, group: str | None, table: Any) -> None:
    assert routing.connectors(StationRecord(identity, 2, group=group)) == table


@pytest.mark.parametrize(
    ("page", "own", "holder"),
    [
        ({}, None, "legacy"),
        ({}, "south", "south"),
        ({}, "gone", "legacy"),
        ({"name": "north", "url": "wss://elsewhere/{identity}"}, None, "north"),
        ({"name": "old", "url": BACKENDS["north"]["url"]}, None, "north"),
        ({"name": "old", "url": "wss://elsewhere/{identity}"}, None, "old"),
    ],
)
def test_whose_the_books_are(routing: Routing, page: Any, own: str | None, holder: str) -> None:
    assert routing.holder(StationRecord("CS1", 2, backend=own), page) == holder


@pytest.mark.parametrize(
    ("states", "depth", "words"),
    [
        ([], 0, None),
        ([TransactionState.ENDED], 0, None),
        ([TransactionState.OPEN], 0, "1 session"),
        ([TransactionState.HELD, TransactionState.UNSTARTED], 1, "1 message and 2 sessions"),
        ([TransactionState.ENDED], 2, "2 messages"),
        ([TransactionState.STOPPING], 0, "1 session"),
        ([TransactionState.STARTING], 0, "1 session"),
    ],
)
def test_what_a_backend_must_still_hear(states: list[TransactionState], depth: int, words: str | None) -> None:
    books = Books({f"tx-{number}": Transaction(f"tx-{number}", state) for number, state in enumerate(states)})
    assert unfinished(books, depth) == words


class Stored:
    """The stored books: what was written, and what is read."""

    def __init__(self, **standings: Standing) -> None:
        self.written: list[tuple[str, Any, bool]] = []
        self.standings_kept = standings
        self.asked: list[str | None] = []

    async def belong(self, identity: str, page: Any, *, is_new: bool, beside: Any) -> None:
        self.written.append((identity, page, is_new))
        self.beside = beside

    async def standings(self, identity: str | None = None) -> dict[str, Standing]:
        self.asked.append(identity)
        return self.standings_kept


NORTH = {"name": "north", "url": BACKENDS["north"]["url"]}
LEGACY = {"name": "legacy", "url": BACKENDS["legacy"]["url"]}
BOOTED = StationRecord("ABB-1", 2, boot_status=BootStatus.ACCEPTED, boot_payload={"reason": "PowerUp"})


def belonging(routing: Routing) -> tuple[Belonging, Stored]:
    stored = Stored()
    return Belonging(routing, stored), stored  # type: ignore[arg-type]  # what is asked of it is here


async def test_one_that_is_where_it_should_be_costs_nothing(routing: Routing) -> None:
    place, stored = belonging(routing)
    books = Books({"t": Transaction("t", TransactionState.OPEN)}, pages={Page.BACKEND: NORTH})
    assert await place.settle(BOOTED, books, 3, Version.V201) == (BOOTED, "north")
    assert stored.written == []


async def test_a_new_one_is_written_down_before_anything_is_sent(routing: Routing) -> None:
    place, stored = belonging(routing)
    books = Books()
    record = StationRecord("CS1", 2)
    assert await place.settle(record, books, 0, Version.V201) == (record, "legacy")
    assert stored.written == [("CS1", LEGACY, False)]
    assert books.page(Page.BACKEND) == LEGACY
    assert Page.BACKEND not in books.unsaved


async def test_one_moves_when_nothing_is_left_and_its_new_backend_has_heard_nothing(routing: Routing) -> None:
    place, stored = belonging(routing)
    connectors = {
        (1, 1): Connector(1, 1, 1, "Available", {"status": "Available"}),
        (2, 1): Connector(2, 1, 2, "Available", None),
        (-1, 1): Connector(-1, 1, -2, "Untold", {"status": "Charging"}),
    }
    ended = Transaction("t", TransactionState.ENDED, started_at="2026-01-01T00:00:00Z")
    books = Books({"t": ended}, connectors, {Page.BACKEND: LEGACY})
    record, backend = await place.settle(BOOTED, books, 0, Version.V201)
    assert (record, backend) == (replace(BOOTED, boot_reported=False), "north")
    assert stored.written == [("ABB-1", NORTH, True)]
    assert stored.beside == {Page.BEFORE: {"t": "2026-01-01T00:00:00Z"}, Page.STATUSES: {}}
    assert books.belongs_before(ended)
    assert [each.reported for each in connectors.values()] == [{}, None, {"status": "Charging"}]


async def test_what_no_backend_of_2_0_1_has_heard_is_told_to_the_next_but_not_after_one_of_1_6(
    routing: Routing, mixed: Routing
) -> None:
    untold: Any
    for to, untold in ((routing, {}), (mixed, {"1.1": {}})):
        place, _ = belonging(to)
        books = Books(pages={Page.BACKEND: LEGACY, Page.STATUSES: {"1.1": {}}})
        await place.settle(BOOTED, books, 0, Version.V201)
        assert books.page(Page.STATUSES) == untold


async def test_one_that_never_booted_has_no_boot_to_report(routing: Routing) -> None:
    place, _ = belonging(routing)
    record, backend = await place.settle(StationRecord("ABB-1", 2), Books(), 0, Version.V201)
    assert (record.boot_reported, backend) == (True, "north")


@pytest.mark.parametrize(("state", "depth"), [(TransactionState.OPEN, 0), (TransactionState.ENDED, 1)])
async def test_one_stays_while_anything_is_left(routing: Routing, state: TransactionState, depth: int) -> None:
    place, stored = belonging(routing)
    books = Books({"t": Transaction("t", state)}, pages={Page.BACKEND: LEGACY})
    with capture_logs() as logs:
        assert await place.settle(BOOTED, books, depth, Version.V201) == (BOOTED, "legacy")
    assert [(entry["event"], entry["wanted"]) for entry in logs] == [("move_waits", "north")]
    assert stored.written == []


async def test_books_of_the_time_before_belong_to_whom_the_station_had(routing: Routing) -> None:
    place, stored = belonging(routing)
    books = Books({"t": Transaction("t", TransactionState.OPEN)})
    assert await place.settle(BOOTED, books, 0, Version.V201) == (BOOTED, "legacy")
    assert stored.written == [("ABB-1", LEGACY, False)]
    assert (await place.settle(replace(BOOTED, backend="south"), books, 0, Version.V201))[1] == "legacy"


async def test_a_backend_that_was_renamed_is_the_same_one(routing: Routing) -> None:
    place, stored = belonging(routing)
    books = Books({"t": Transaction("t", TransactionState.OPEN)}, pages={Page.BACKEND: NORTH | {"name": "old"}})
    assert await place.settle(BOOTED, books, 1, Version.V201) == (BOOTED, "north")
    assert stored.written == [("ABB-1", NORTH, False)]


async def test_what_belongs_to_a_backend_that_is_gone_goes_to_no_other(routing: Routing) -> None:
    place, stored = belonging(routing)
    gone = {"name": "gone", "url": "wss://gone/{identity}"}
    with capture_logs() as logs:
        assert (await place.settle(BOOTED, Books(pages={Page.BACKEND: gone}), 1, Version.V201))[1] == "gone"
    assert ("backend_not_configured", "gone") in [(entry["event"], entry["backend"]) for entry in logs]
    assert (await place.settle(BOOTED, Books(pages={Page.BACKEND: gone}), 0, Version.V201))[1] == "north"
    assert stored.written == [("ABB-1", NORTH, True)]


STEPS = st.lists(
    st.one_of(
        st.sampled_from(["begin", "end", "write", "deliver", "come back"]),
        st.sampled_from([None, "legacy", "north", "south", "gone"]).map(lambda own: ("set-backend", own)),
    ),
    max_size=40,
)


@given(steps=STEPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_ever_reaches_another_backend_than_the_one_it_is_for(routing: Routing, steps: list[Any]) -> None:
    """Whatever happens in whatever order: what is owed to one backend keeps the station there, and only that does."""
    stored = Stored()
    place = Belonging(routing, stored)  # type: ignore[arg-type]  # what is asked of it is here
    record, books, journal = BOOTED, Books(), list[str]()
    opened: dict[str, str] = {}
    _, backend = asyncio.run(place.settle(record, books, 0, Version.V201))
    for step in [*steps, "come back"]:
        if step == "begin":
            name = f"tx-{len(opened)}"
            books.transactions[name], opened[name] = Transaction(name, TransactionState.OPEN), backend
        elif step == "end" and (running := [tx for tx in books.transactions.values() if not tx.is_over]):
            running[0].state = TransactionState.ENDED
        elif step == "write" and opened:
            journal.append(backend)
        elif step == "deliver" and journal:
            assert journal.pop(0) == backend
        elif step == "come back":
            pages = {Page.BACKEND: stored.written[-1][1]}  # all that a restart leaves
            books = Books(books.transactions, pages=pages)
            _, backend = asyncio.run(place.settle(record, books, len(journal), Version.V201))
            owed = {opened[tx.station_tx] for tx in books.transactions.values() if not tx.is_over} | {*journal}
            assert owed <= {backend}
            assert owed or backend == routing.route(record).backend
        elif isinstance(step, tuple):
            record = replace(record, backend=step[1])


@pytest.mark.parametrize(
    ("standing", "in_use", "waits_for"),
    [
        (Standing(), None, None),
        (Standing(NORTH, 2, 1), "north", None),
        (Standing(LEGACY, 2, 1), "legacy", "2 messages and 1 session"),
        (Standing(LEGACY, 0, 0), "legacy", None),
    ],
)
async def test_what_is_told_of_it(routing: Routing, standing: Standing, in_use: str | None, waits_for: Any) -> None:
    stored = Stored(**{"ABB-1": standing})
    shown = RoutesShown(routing, stored)  # type: ignore[arg-type]  # what is asked of it is here
    assert await shown.of([BOOTED]) == [
        {"backend": "north", "by": "routes[1]", "in_use": in_use, "waits_for": waits_for}
    ]
    assert [each["backend"] for each in await shown.of([BOOTED, StationRecord("CS9", 2)])] == ["north", "legacy"]
    assert stored.asked == ["ABB-1", None]


async def test_it_is_so_in_a_real_store(foundation: Foundation, configured: Callable[..., Any]) -> None:
    """What was written is read back by the next runtime, and by those who look at it."""
    routing = Routing(configured(backends=BACKENDS, default_backend="north"))
    record = await foundation.stations.add("CS1", profile=2, serial=None, backend=None, password_hash=None)
    place = Belonging(routing, foundation.books)
    books, depth = await foundation.books.load("CS1")
    await place.settle(record, books, depth, Version.V201)
    books, _ = await foundation.books.load("CS1")
    assert books.page(Page.BACKEND) == NORTH
    (shown,) = await RoutesShown(routing, foundation.books).of([record])
    assert shown["in_use"] == "north"


MIXED = {**BACKENDS, "north": {**BACKENDS["north"], "protocol": "ocpp2.0.1"}}
MODERN = {**NORTH, "protocol": "ocpp2.0.1"}
"""The page of books that belong to it."""


@pytest.fixture
def mixed(configured: Callable[..., Any]) -> Routing:
    """The same routes; the station's leads to a backend of 2.0.1."""
    return Routing(configured(backends=MIXED, default_backend="legacy", routes=ROUTES))


@pytest.mark.parametrize(
    ("name", "page", "version"),
    [
        ("north", {}, Version.V201),
        ("legacy", MODERN, Version.V16),
        ("gone", {"name": "gone", "url": "wss://gone/{identity}"}, Version.V16),
        ("gone", {**MODERN, "name": "gone"}, Version.V201),
    ],
)
def test_what_a_backend_speaks(mixed: Routing, name: str, page: Any, version: Version) -> None:
    assert mixed.version(name, page) is version


def test_a_page_says_what_can_not_be_looked_up_later(mixed: Routing) -> None:
    assert mixed.page("north") == MODERN
    assert mixed.page("legacy") == LEGACY


@pytest.mark.parametrize(
    ("standing", "version"),
    [
        (Standing(), Version.V201),
        (Standing(LEGACY, 1, 0), Version.V16),
        (Standing(LEGACY, 0, 1), Version.V16),
        (Standing(LEGACY, 0, 0), Version.V201),
        (Standing(MODERN, 1, 1), Version.V201),
    ],
)
async def test_what_a_station_that_comes_in_may_speak(mixed: Routing, standing: Standing, version: Version) -> None:
    place = Belonging(mixed, Stored(**{"ABB-1": standing}))  # type: ignore[arg-type]  # what is asked of it is here
    assert await place.foreseen(BOOTED) is version
    assert await Belonging(mixed, Stored()).foreseen(BOOTED) is Version.V201  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize(("version", "backend"), [(Version.V16, "legacy"), (Version.V201, "north")])
async def test_nobody_is_moved_to_where_he_is_not_understood(mixed: Routing, version: Version, backend: str) -> None:
    place, _ = belonging(mixed)
    assert (await place.settle(BOOTED, Books(pages={Page.BACKEND: LEGACY}), 0, version))[1] == backend
