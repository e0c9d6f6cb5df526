"""GetVariables and SetVariables in as many messages as the station's own limits want (OCPP 2.0.1 B05, B06)."""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from gateway.bridge.books import Books, Json
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v16.configuration_keys import MESSAGE_LIMITS, Variable, name_of
from gateway.bridge.v201_v16.context import UNSUPPORTED, Context
from gateway.bridge.v201_v16.device_model import value_of
from gateway.wire.errors import CallError, ErrorCode

ITEMS: Final = 16
"""Items of one message to a station whose limit isn't known. One that takes fewer refuses, and is asked for half."""
ITEMS_MAX: Final = 100
"""Items of one message, whatever the station takes."""
ENVELOPE: Final = 100
"""Bytes of a message beside its items: message type, messageId, action, the name of the list."""


async def get_variables(context: Context, variables: Sequence[Variable]) -> dict[str, str]:
    """Return the values that the station gives, by path.

    Raises :class:`CallError` GenericError when it can't be reached.
    """
    found: dict[str, str] = {}
    for some in _messages(context.books, "GetVariables", [variable.addressed() for variable in variables]):
        found.update(await _get(context, some))
    return found


async def set_variables(context: Context, settings: Sequence[tuple[Variable, str]]) -> list[Json]:
    """Set variables in the order given; return the SetVariableResults. Raises PeerUnavailable and CallError."""
    data = [{**variable.addressed(), "attributeValue": text} for variable, text in settings]
    results: list[Json] = []
    for some in _messages(context.books, "SetVariables", data):
        answer = await context.call_station("SetVariables", {"setVariableData": some})
        results += answer["setVariableResult"]
    return results


async def _get(context: Context, data: list[Json]) -> dict[str, str]:
    """Ask for some variables in one message, or in smaller ones when the station refuses so many."""
    try:
        answer = await context.call_station("GetVariables", {"getVariableData": data})
    except PeerUnavailable as away:
        raise CallError(ErrorCode.GENERIC_ERROR, f"the station gave no answer: {away}") from None
    except CallError as error:
        if len(data) == 1 or error.code in UNSUPPORTED:
            return {}
        middle = len(data) // 2
        return {**await _get(context, data[:middle]), **await _get(context, data[middle:])}
    return {
        name_of(result["component"], result["variable"]): result["attributeValue"]
        for result in answer["getVariableResult"]
        if result["attributeStatus"] == "Accepted" and "attributeValue" in result
    }


def _messages(books: Books, action: str, data: list[Json]) -> Iterator[list[Json]]:
    """Split items so that each message is within the station's limits; one item always goes."""
    items, size = (_limit(books, variable) for variable in MESSAGE_LIMITS[action])
    most = min(items or ITEMS, ITEMS_MAX)
    some: list[Json] = []
    taken = ENVELOPE
    for item in data:
        length = len(json.dumps(item)) + 1 if size is not None else 0
        if some and (len(some) >= most or (size is not None and taken + length > size)):
            yield some
            some, taken = [], ENVELOPE
        some.append(item)
        taken += length
    if some:
        yield some


def _limit(books: Books, variable: Variable) -> int | None:
    """Return a limit that the station's inventory tells; None for none, and for one that can't be meant."""
    value = value_of(books, variable.path)
    return int(value) if value is not None and value.isascii() and value.isdigit() and int(value) > 0 else None
