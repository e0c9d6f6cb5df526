"""What the books keep of the device model: read, found again, replaced, bounded in each of its parts."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.books import Books, Json, Page
from gateway.bridge.v201_v16 import device_model
from gateway.bridge.v201_v16.device_model import (
    CHOICES_MAX,
    Facts,
    connectors_of,
    enter_facts,
    enter_inventory,
    facts_of,
    forget_refusal,
    is_known,
    is_missing,
    is_wanted,
    read_entry,
    refused,
    share,
    size_of,
    value_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    NewEntry = Callable[..., Json]

AVAILABLE = "LocalAuthListCtrlr.Available"


@pytest.mark.parametrize(
    ("attributes", "characteristics", "expected"),
    [
        ([{}], None, Facts("RW", "string", False)),
        ([{"value": "5"}], {"dataType": "integer", "maxLimit": 600.0}, Facts("RW", "integer", True, 600)),
        ([{"mutability": "ReadOnly", "value": ""}], {"dataType": "boolean"}, Facts("R", "boolean", True)),
        (
            [{"mutability": "WriteOnly"}],
            {"dataType": "string", "valuesList": "a,b"},
            Facts("W", "string", choices="a,b"),
        ),
        (
            [{"type": "MaxSet", "mutability": "ReadOnly"}, {"type": "Actual", "value": "1"}],
            {"dataType": "decimal", "maxLimit": 0.5},
            Facts("RW", "decimal", True, 0.5),
        ),
        ([{"type": "Target", "mutability": "ReadOnly"}], {"dataType": "decimal"}, Facts("R", "decimal")),
        (
            [{}],
            {"dataType": "OptionList", "valuesList": "x" * CHOICES_MAX},
            Facts("RW", "OptionList", choices="x" * 200),
        ),
        ([{}], {"dataType": "OptionList", "valuesList": "x" * (CHOICES_MAX + 1)}, Facts("RW", "OptionList")),
        ([{}], {"dataType": "integer", "maxLimit": 1e300}, Facts("RW", "integer")),
        ([{}], {"dataType": "integer", "maxLimit": -7}, Facts("RW", "integer", limit=-7)),
    ],
)
def test_what_is_read_of_a_variable(attributes: list[Json], characteristics: Json | None, expected: Facts) -> None:
    datum: Json = {"component": {"name": "C"}, "variable": {"name": "V"}, "variableAttribute": attributes}
    if characteristics is not None:
        datum["variableCharacteristics"] = {"supportsMonitoring": False, **characteristics}

    entry = read_entry(datum)

    assert (entry.path, entry.facts) == ("c.v", expected)
    assert isinstance(entry.facts.limit, int) is (expected.limit is not None and expected.limit == int(expected.limit))
    books = Books()
    enter_facts(books, [entry])
    assert facts_of(books, "c.v") == expected


@pytest.mark.parametrize(
    ("path", "value", "more", "kept"),
    [
        (AVAILABLE, "true", {}, "true"),
        ("DeviceDataCtrlr.ItemsPerMessage[GetVariables]", "4", {}, "4"),
        ("DeviceDataCtrlr.ItemsPerMessage[GetReport]", "4", {}, None),
        ("TxCtrlr.EVConnectionTimeOut", "60", {}, None),
        (AVAILABLE, None, {}, None),
        (AVAILABLE, "t" * 51, {}, None),
        (AVAILABLE, "true", {"mutability": "WriteOnly"}, None),
    ],
)
def test_which_values_are_kept(
    new_entry: "NewEntry", path: str, value: str | None, more: Any, kept: str | None
) -> None:
    assert read_entry(new_entry(path, value, **more)).value == kept


@pytest.mark.parametrize(
    ("component", "evse", "connector", "expected"),
    [
        ("Connector", 1, 2, (1, 2)),
        ("connector", 1, 2, (1, 2)),
        ("Connector", 1, None, None),
        ("Connector", None, None, None),
        ("Connector", 0, 1, None),
        ("EVSE", 1, 2, None),
    ],
)
def test_which_component_is_a_connector(
    new_entry: "NewEntry", component: str, evse: int | None, connector: int | None, expected: tuple[int, int] | None
) -> None:
    assert read_entry(new_entry(f"{component}.Available", evse=evse, connector=connector)).connector == expected


def inventory(books: Books, firmware: str = "1.0", **more: Any) -> None:
    enter_inventory(
        books,
        firmware,
        variables={"a.b": ["R", "integer", 1]},
        values={},
        connectors=[(1, 1), (1, 2)],
        is_cut=more.get("is_cut", False),
    )


def test_a_whole_inventory_replaces_what_was_known(new_entry: "NewEntry") -> None:
    books = Books()
    enter_facts(books, [read_entry(new_entry(AVAILABLE, "true"))])
    assert (is_known(books), is_missing(books, "x.y"), value_of(books, AVAILABLE.casefold())) == (False, False, "true")

    inventory(books)

    assert (is_known(books), is_missing(books, "x.y"), is_missing(books, "a.b")) == (True, True, False)
    assert value_of(books, AVAILABLE.casefold()) is None
    assert facts_of(books, "a.b") == Facts("R", "integer", True)
    assert facts_of(books, "x.y") is None
    assert connectors_of(books) == [(1, 1), (1, 2)]
    assert books.unsaved == {Page.DEVICE_MODEL}


def test_of_an_inventory_that_was_cut_nothing_is_missing() -> None:
    books = Books()

    inventory(books, is_cut=True)

    assert (is_known(books), is_missing(books, "x.y")) == (True, False)


def test_what_is_known_already_is_not_written_again(new_entry: "NewEntry", monkeypatch: pytest.MonkeyPatch) -> None:
    books = Books()
    entries = [read_entry(new_entry(AVAILABLE, "true", maxLimit=4))]
    enter_facts(books, entries)
    books.unsaved.clear()
    monkeypatch.setattr(device_model, "_common", lambda _: pytest.fail("looked for, and nothing is new"))

    enter_facts(books, entries)
    assert books.unsaved == set()
    enter_facts(books, [read_entry(new_entry(AVAILABLE, "false", maxLimit=4))])
    assert books.unsaved == {Page.DEVICE_MODEL}, "of the value"


def test_when_an_inventory_is_wanted() -> None:
    books = Books()
    assert is_wanted(books, "1.0")

    refused(books)
    assert not is_wanted(books, "1.0")
    assert not is_wanted(books, "2.0")

    forget_refusal(books, "1.0")
    assert is_wanted(books, "1.0")

    inventory(books, "1.0")
    assert (is_wanted(books, "1.0"), is_wanted(books, "2.0")) == (False, True)

    forget_refusal(books, "1.0")
    assert not is_wanted(books, "1.0")

    forget_refusal(books, "2.0")
    assert is_wanted(books, "2.0")
    assert (is_known(books), facts_of(books, "a.b")) == (False, Facts("R", "integer", True))


def test_a_boot_that_changes_nothing_is_not_written() -> None:
    books = Books()
    inventory(books)
    books.unsaved.clear()

    forget_refusal(books, "1.0")

    assert books.unsaved == set()


@pytest.mark.parametrize("facts", [Facts(), Facts("W", "OptionList", True, 0.5, 'ä"b'), Facts(limit=3)])
def test_the_size_is_that_of_the_page(facts: Facts) -> None:
    path = "c[\N{SNOWMAN}].v"
    kept = {path: facts.to_json()}

    written = json.dumps(kept, separators=(",", ":"))

    assert len(written) - 2 <= size_of(path, facts) <= len(json.dumps(kept)) + 2


def test_what_two_stations_say_alike_is_kept_once(new_entry: "NewEntry") -> None:
    books = [Books(), Books()]
    for each in books:
        enter_facts(each, [read_entry(new_entry(AVAILABLE))])

    _same(*books)


def test_what_the_store_had_of_two_stations_is_kept_once() -> None:
    text = '{"variables": {"ctrlr.interval": ["RW", "integer", 1, 600], "ctrlr.name": ["R", "string", 0]}}'
    books = [Books(pages={Page.DEVICE_MODEL: json.loads(text)}) for _ in range(2)]
    for each in books:
        share(each)

    assert books[0].page(Page.DEVICE_MODEL) == json.loads(text)
    _same(*books)


def test_what_one_of_two_alike_says_anew_is_its_own(new_entry: "NewEntry") -> None:
    one, other = Books(), Books()
    for each in (one, other):
        enter_facts(each, [read_entry(new_entry(AVAILABLE))])
    variables = one.page(Page.DEVICE_MODEL)["variables"]
    assert variables is other.page(Page.DEVICE_MODEL)["variables"]
    before = dict(variables)

    enter_facts(one, [read_entry(new_entry(AVAILABLE, maxLimit=9))])
    assert one.page(Page.DEVICE_MODEL)["variables"] != before
    assert other.page(Page.DEVICE_MODEL)["variables"] == before


def test_books_without_a_device_model_stay_empty() -> None:
    books = Books()
    share(books)

    assert not books.pages


def _same(first: Books, second: Books) -> None:
    ours, theirs = (books.page(Page.DEVICE_MODEL)["variables"] for books in (first, second))
    assert ours is theirs
