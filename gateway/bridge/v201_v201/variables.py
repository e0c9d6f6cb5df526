"""The device model (blocks B05 to B08): what guards the station can't be set, and what is secret isn't told."""

from collections.abc import Iterable, Sequence
from typing import Final

from gateway.bridge.books import Json
from gateway.bridge.guarded_variables import is_guarded, is_secret, report_attempt
from gateway.bridge.v201_v201.context import Context

_NAMED: Final = ("attributeType", "component", "variable")
"""Fields of an item that its result repeats."""


async def set_variables(context: Context, payload: Json) -> Json:
    """SetVariables: guarded items are Rejected here, each with a security event; the others go to the station."""
    items: list[Json] = payload["setVariableData"]
    refused = [is_guarded(item["component"]["name"], item["variable"]["name"]) for item in items]
    if not any(refused):
        return await context.call_station("SetVariables", payload)
    for item in _where(items, refused, wanted=True):
        report_attempt(context.report, item["component"]["name"], item["variable"]["name"], item["attributeValue"])
    passed = _where(items, refused, wanted=False)
    results: list[Json] = []
    if passed:
        answer = await context.call_station("SetVariables", {**payload, "setVariableData": passed})
        results = answer["setVariableResult"]
    return {"setVariableResult": _in_order(items, refused, results, "ReadOnly")}


async def get_variables(context: Context, payload: Json) -> Json:
    """GetVariables: the station isn't asked for secrets, and one that it tells all the same is withheld."""
    items: list[Json] = payload["getVariableData"]
    refused = [is_secret(item["variable"]["name"]) for item in items]
    passed = _where(items, refused, wanted=False)
    results: list[Json] = []
    if passed:
        answer = await context.call_station("GetVariables", {**payload, "getVariableData": passed})
        if not any(refused) and not any(is_secret(each["variable"]["name"]) for each in answer["getVariableResult"]):
            return answer
        results = [_withheld(result) for result in answer["getVariableResult"]]
    return {"getVariableResult": _in_order(items, refused, results, "WriteOnly")}


def shown_report(payload: Json) -> Json:
    """Return NotifyReportRequest without the values of what is secret or WriteOnly."""
    if not any(_hides(data) for data in payload.get("reportData", ())):
        return payload
    return {**payload, "reportData": [_shown(data) for data in payload["reportData"]]}


def shown_events(payload: Json) -> Json:
    """Return NotifyEventRequest without the values of what is secret."""
    if not any(is_secret(data["variable"]["name"]) for data in payload["eventData"]):
        return payload
    events = [
        {**data, "actualValue": ""} if is_secret(data["variable"]["name"]) else data for data in payload["eventData"]
    ]
    return {**payload, "eventData": events}


def _where(items: Sequence[Json], refused: Sequence[bool], *, wanted: bool) -> list[Json]:
    return [item for item, is_refused in zip(items, refused, strict=True) if is_refused is wanted]


def _in_order(items: Sequence[Json], refused: Sequence[bool], results: Iterable[Json], reason: str) -> list[Json]:
    """Return the station's results with our refusals where their items stand (B05, B06: one for each)."""
    theirs = iter(results)
    merged = []
    for item, is_refused in zip(items, refused, strict=True):
        if is_refused:
            merged.append(_rejected(item, reason))
        elif (result := next(theirs, None)) is not None:
            merged.append(result)
    return [*merged, *theirs]


def _rejected(item: Json, reason: str) -> Json:
    named: Json = {name: item[name] for name in _NAMED if name in item}
    return {**named, "attributeStatus": "Rejected", "attributeStatusInfo": {"reasonCode": reason}}


def _withheld(result: Json) -> Json:
    return _rejected(result, "WriteOnly") if is_secret(result["variable"]["name"]) else result


def _hides(data: Json) -> bool:
    secret = is_secret(data["variable"]["name"])
    return any(
        "value" in attribute and (secret or _is_write_only(attribute)) for attribute in data["variableAttribute"]
    )


def _shown(data: Json) -> Json:
    secret = is_secret(data["variable"]["name"])
    attributes = [
        {name: value for name, value in attribute.items() if name != "value"}
        if secret or _is_write_only(attribute)
        else attribute
        for attribute in data["variableAttribute"]
    ]
    return {**data, "variableAttribute": attributes}


def _is_write_only(attribute: Json) -> bool:
    return bool(attribute.get("mutability") == "WriteOnly")
