"""DataTransfer (block P), both ways. Its data is any JSON in 2.0.1, a string in 1.6."""

import contextlib
from typing import Any

from gateway.bridge import plug_and_charge_16
from gateway.bridge.books import Json
from gateway.bridge.v201_v16.context import Context
from gateway.wire.strict_json import JsonRejected, dumps, loads


async def from_station(context: Context, payload: Json) -> Json:
    """DataTransfer of the station; Rejected when the backend has no answer."""
    conf = await context.ask_backend("DataTransfer", for_backend(payload))
    return {"status": "Rejected"} if conf is None else for_station(conf)


async def from_backend(context: Context, payload: Json) -> Json:
    """DataTransfer of the backend; Rejected when the station has no answer.

    What reaches for the station's certificates in it is refused.
    """
    refusal = plug_and_charge_16.refusal(context.report, payload)
    if refusal is not None:
        return refusal
    answer = await context.ask_station("DataTransfer", for_station(payload))
    return {"status": "Rejected"} if answer is None else for_backend(answer)


def for_backend(payload: Json) -> Json:
    """Translate a request or an answer to 1.6: a string stays as it is, anything else is written as JSON text."""
    data = payload.get("data")
    if data is not None and not isinstance(data, str):
        data = dumps(data).decode()
    return _with_data(payload, data)


def for_station(payload: Json) -> Json:
    """Translate a request or an answer to 2.0.1: the JSON text of an object or a list is read, any other stays text."""
    data = payload.get("data")
    if isinstance(data, str) and data.lstrip().startswith(("{", "[")):
        # What isn't JSON, or none that an honest peer writes, goes on as the text that it is.
        with contextlib.suppress(JsonRejected):
            data = loads(data.encode())
    return _with_data(payload, data)


def _with_data(payload: Json, data: Any) -> Json:
    fields: Json = {name: payload[name] for name in ("vendorId", "messageId", "status") if name in payload}
    return fields if data is None else {**fields, "data": data}
