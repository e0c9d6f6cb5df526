"""Problems: kept in order, bounded, nearest first, and gone after a boot."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Books, Connector, Json, Page
from gateway.bridge.v201_v16 import faults
from gateway.bridge.v201_v16.faults import UNEXPLAINED, Fault, booted, enter, nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bridge.v201_v16.conftest import World

LEAK = Fault("GroundFailure", "leak", "E17")
HOT = Fault("HighTemperature")
WEAK = Fault("WeakSignal")
PLUG = Connector(1, 2, 7)
AT = "2026-05-01T08:00:00Z"


@pytest.mark.parametrize(
    ("entered", "expected"),
    [
        ([], UNEXPLAINED),
        ([(1, 2, "rcd", LEAK)], LEAK),
        ([(1, 0, "rcd", LEAK)], LEAK),
        ([(0, 0, "rcd", LEAK)], LEAK),
        ([(2, 0, "rcd", LEAK), (1, 1, "rcd", LEAK)], UNEXPLAINED),
        ([(1, 2, "rcd", LEAK), (1, 0, "a", HOT), (0, 0, "b", WEAK)], LEAK),
        ([(0, 0, "b", WEAK), (1, 0, "a", HOT)], HOT),
        ([(1, 2, "rcd", LEAK), (1, 2, "a", HOT)], HOT),
        ([(1, 2, "rcd", LEAK), (1, 2, "a", HOT), (1, 2, "rcd", LEAK)], HOT),
        ([(1, 2, "rcd", LEAK), (1, 2, "a", HOT), (1, 2, "rcd", WEAK)], WEAK),
        ([(1, 2, "rcd", LEAK), (1, 2, "a", HOT), (1, 2, "a", None)], LEAK),
        ([(1, 2, "rcd", None)], UNEXPLAINED),
    ],
)
def test_the_nearest_and_newest_problem_explains_best(
    entered: list[tuple[int, int, str, Fault | None]], expected: Fault
) -> None:
    books = Books()

    for problem in entered:
        enter(books, *problem)

    assert nearest(books, PLUG) == expected


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (HOT, {"errorCode": "HighTemperature"}),
        (LEAK, {"errorCode": "GroundFailure", "info": "leak", "vendorErrorCode": "E17"}),
    ],
)
async def test_a_known_problem_is_told_with_the_status(world: "World", fault: Fault, expected: Json) -> None:
    enter(world.books, 1, 0, "x", fault)

    await world.status(1, "Faulted")

    assert world.heard() == [
        ("StatusNotification", {"connectorId": 1, "status": "Faulted", "timestamp": AT, **expected})
    ]


def test_problems_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "FAULTS_MAX", 2)
    books = Books()

    for number in range(4):
        enter(books, 0, 0, f"part{number}", HOT)

    assert [row[2] for row in books.page(Page.FAULTS)["problems"]] == ["part2", "part3"]


def test_only_a_change_is_written() -> None:
    books = Books()
    enter(books, 0, 0, "x", HOT)
    books.unsaved.clear()

    enter(books, 0, 0, "x", HOT)
    enter(books, 0, 0, "y", None)
    assert books.unsaved == set()

    enter(books, 0, 0, "x", None)
    assert books.unsaved == {Page.FAULTS}


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("PowerUp", UNEXPLAINED), ("RemoteReset", UNEXPLAINED), ("Unknown", UNEXPLAINED), ("Triggered", HOT)],
)
async def test_a_boot_is_the_end_of_every_problem(
    world: "World", new_boot: "Callable[..., Json]", reason: str, expected: Fault
) -> None:
    enter(world.books, 0, 0, "x", HOT)
    await world.context.save_changes()

    await world.bridge.booted(new_boot(reason=reason))
    world.restart()

    assert nearest(world.books, PLUG) == expected


@pytest.mark.parametrize(("fault", "expected"), [(LEAK, "V"), (HOT, None)])
async def test_a_vendor_error_code_is_the_vendors(
    world: "World", new_boot: "Callable[..., Json]", fault: Fault, expected: str | None
) -> None:
    await world.bridge.booted(new_boot())
    world.restart()
    enter(world.books, 1, 0, "x", fault)

    await world.status(1, "Faulted")

    ((_, told),) = world.heard()
    assert told.get("vendorId") == expected


def test_a_boot_without_problems_is_not_written(new_boot: "Callable[..., Json]") -> None:
    books = Books()
    booted(books, new_boot())
    books.unsaved.clear()

    booted(books, new_boot())

    assert books.unsaved == set()
