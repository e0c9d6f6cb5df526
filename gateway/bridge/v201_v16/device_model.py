"""What is known of a station's device model (OCPP 2.0.1 block B, reports): kept compactly on a page of its books.

The page, as JSON::

    {"firmware": "1.4.2",                                 of the whole inventory; absent while there is none
     "variables": {"txctrlr.evconnectiontimeout": ["RW", "integer", 1, 600]},
     "values": {"localauthlistctrlr.available": "true"},
     "connectors": [[1, 1], [2, 1]],
     "cut": true,                                         there were more variables than are kept
     "refused": true}                                     no report was given; not asked for again before the next boot

Without a whole inventory ``variables`` and ``values`` hold what other reports happened to tell.
"""

import functools
import json
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from gateway.bridge.books import Books, Json, Page
from gateway.bridge.v201_v16.configuration_keys import VALUES_KEPT, name_of

VARIABLES_MAX: Final = 5_000
"""Variables of one station that are kept, beside those behind a key of 1.6."""
MODEL_BYTES_MAX: Final = 256 * 1024
"""Bytes of JSON that they may take."""
CHOICES_MAX: Final = 200
"""Characters of a valuesList that is kept; the schema allows 1000."""
LIMIT_MAX: Final = 2**53
"""Magnitude of a maxLimit that every JSON reader takes for the same number."""
SHARED_MAX: Final = 10_000
"""Names, and facts, of which one copy serves all stations: those of one make report the same."""
_VALUE_MAX: Final = 50
"""Characters of a value that is kept: numbers and booleans."""

_ACCESS: Final = {"ReadOnly": "R", "WriteOnly": "W", "ReadWrite": "RW"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a report says of one variable, its value aside."""

    access: str = "RW"
    """``R``, ``W`` or ``RW``: the mutability of the Actual value; ReadWrite where the report says nothing of it."""
    data_type: str = "string"
    """DataEnumType, as it is."""
    has_value: bool = False
    limit: float | None = None
    """maxLimit."""
    choices: str | None = None
    """valuesList, where it is short."""

    def to_json(self) -> list[Any]:
        """Return it as it is kept: without what is absent at the end."""
        fields: list[Any] = [self.access, self.data_type, int(self.has_value), self.limit, self.choices]
        while fields[-1] is None:
            fields.pop()
        return fields


@functools.lru_cache(maxsize=SHARED_MAX)
def _kept(facts: Facts) -> list[Any]:
    """Return facts as they are kept: one and the same list for equal ones, which nobody writes in."""
    return facts.to_json()


_shared: Final = functools.lru_cache(maxsize=SHARED_MAX)(str)
"""Returns one and the same string for equal ones."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One element of NotifyReport.reportData, read."""

    path: str
    """:attr:`Variable.path`."""
    facts: Facts
    value: str | None
    """The Actual value, where it is one of those that are kept."""
    connector: tuple[int, int] | None
    """(evseId, connectorId) of a Connector component."""


def read_entry(datum: Json) -> Entry:
    """Read one element of NotifyReport.reportData, which fits the schema."""
    component: Json = datum["component"]
    path = name_of(component, datum["variable"])
    attributes: list[Json] = datum["variableAttribute"]
    actual = next((each for each in attributes if each.get("type", "Actual") == "Actual"), attributes[0])
    characteristics: Json = datum.get("variableCharacteristics", {})
    limit = characteristics.get("maxLimit")
    choices = characteristics.get("valuesList")
    facts = Facts(
        access=_ACCESS[actual.get("mutability", "ReadWrite")],
        data_type=characteristics.get("dataType", "string"),
        has_value="value" in actual,
        limit=_tidy(limit) if limit is not None and abs(limit) <= LIMIT_MAX else None,
        choices=choices if choices is not None and len(choices) <= CHOICES_MAX else None,
    )
    value = actual.get("value") if path in VALUES_KEPT and facts.access != "W" else None
    return Entry(path, facts, value if value is not None and len(value) <= _VALUE_MAX else None, _connector(component))


def size_of(path: str, facts: Facts) -> int:
    """Return the bytes that a variable takes on the page."""
    return len(json.dumps(path)) + len(json.dumps(facts.to_json())) + 2


def facts_of(books: Books, path: str) -> Facts | None:
    """Return what is known of a variable, or None."""
    kept = _page(books).get("variables", {}).get(path)
    return None if kept is None else _facts(kept)


def _facts(kept: list[Any]) -> Facts:
    access, data_type, has_value, *rest = kept
    limit, choices = (*rest, None, None)[:2]
    return Facts(access, data_type, bool(has_value), limit, choices)


def enter_variable(variables: Json, path: str, facts: Facts) -> bool:
    """Enter a variable among those of a page, or of one to be; return whether it says something new."""
    kept = _kept(facts)
    if variables.get(path) == kept:
        return False
    variables[_shared(path)] = kept
    return True


class _Variables(dict[str, Any]):
    """What all stations of one make have, nearly always: nobody writes in it. It goes with the last of them."""

    __slots__ = ("__weakref__",)


_makes: Final[weakref.WeakValueDictionary[tuple[Any, ...], _Variables]] = weakref.WeakValueDictionary()
"""By what they say."""


def _common(variables: Json) -> Json:
    """Return one and the same object for equal variables."""
    key = tuple((path, *kept) for path, kept in variables.items())
    found = _makes.get(key)
    if found is None:
        found = _Variables((_shared(path), _kept(_facts(kept))) for path, kept in variables.items())
        _makes[key] = found
    return found


def share(books: Books) -> None:
    """What the store had of the variables is had in common with the other stations from here on."""
    page = books.pages.get(Page.DEVICE_MODEL, {})
    if "variables" in page:
        page["variables"] = _common(page["variables"])


def is_missing(books: Books, path: str) -> bool:
    """True when the station's whole inventory is known and the variable isn't in it."""
    page = _page(books)
    return "firmware" in page and "cut" not in page and path not in page["variables"]


def is_known(books: Books) -> bool:
    """True when the station's inventory is known."""
    return "firmware" in _page(books)


def value_of(books: Books, path: str) -> str | None:
    """Return the value that a report told of a variable of ``VALUES_KEPT``, or None."""
    value: str | None = _page(books).get("values", {}).get(path)
    return value


def connectors_of(books: Books) -> list[tuple[int, int]]:
    """Return the places of the Connector components in the inventory, in order; empty without one."""
    return [(evse_id, connector_id) for evse_id, connector_id in _page(books).get("connectors", ())]


def enter_inventory(
    books: Books,
    firmware: str,
    *,
    variables: Json,
    values: Json,
    connectors: Iterable[tuple[int, int]],
    is_cut: bool,
) -> None:
    """Replace all that was known by a whole inventory of a station with this ``firmware`` ("" where it names none)."""
    page = _page(books)
    page.clear()
    places = [list(each) for each in connectors]
    page.update(firmware=firmware, variables=_common(variables), values=values, connectors=places)
    if is_cut:
        page["cut"] = True
    books.changed(Page.DEVICE_MODEL)


def enter_facts(books: Books, entries: Iterable[Entry]) -> None:
    """Enter what a report that isn't the whole inventory tells of some variables."""
    page = _page(books)
    variables, values = dict(page.get("variables", {})), page.setdefault("values", {})
    is_new = False
    for entry in entries:
        is_new |= enter_variable(variables, entry.path, entry.facts)
        if entry.value is not None and values.get(entry.path) != entry.value:
            values[entry.path] = entry.value
            books.changed(Page.DEVICE_MODEL)
    if is_new:  # to find what equal ones have takes a millisecond for 5,000
        page["variables"] = _common(variables)
        books.changed(Page.DEVICE_MODEL)


def is_wanted(books: Books, firmware: str) -> bool:
    """True when the inventory of this firmware isn't known and the station hasn't refused it since its last boot."""
    page = _page(books)
    return page.get("firmware") != firmware and "refused" not in page


def refused(books: Books) -> None:
    """The station gives no inventory: it is asked again when it has booted."""
    _page(books)["refused"] = True
    books.changed(Page.DEVICE_MODEL)


def forget_refusal(books: Books, firmware: str) -> None:
    """The station has booted: what it refused may be asked for again, and with another firmware, the whole anew."""
    page = _page(books)
    gone = [name for name in ("refused", "firmware") if name in page and (name == "refused" or page[name] != firmware)]
    for name in gone:
        del page[name]
    if gone:
        books.changed(Page.DEVICE_MODEL)


def _page(books: Books) -> Json:
    return books.page(Page.DEVICE_MODEL)


def _tidy(limit: float) -> float:
    """Return a whole number as such: 40.0 is 40 to 1.6."""
    return int(limit) if limit == int(limit) else limit


def _connector(component: Json) -> tuple[int, int] | None:
    evse: Json = component.get("evse", {})
    place = evse.get("id", 0), evse.get("connectorId", 0)
    return place if component["name"].casefold() == "connector" and min(place) > 0 else None
