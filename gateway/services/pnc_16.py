"""Plug & Charge with 1.6 stations: messages of the OCA application note, unwrapped from DataTransfer and wrapped in it.

The payloads within are those of 2.0.1, whose schemas hold them; only TriggerMessage has no fields.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import structlog

from gateway.bridge.books import Json
from gateway.bridge.plug_and_charge_16 import VENDOR_ID, VENDOR_IDS, vendor_of
from gateway.bridge.ports import Call
from gateway.services import note_words
from gateway.services.station_commands import ConnectedStation
from gateway.session.stages import InvalidAnswer
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.schemas import operation
from gateway.wire.strict_json import JsonRejected, dumps, loads
from gateway.wire.versions import Version

FOR_THE_BACKEND: Final = frozenset({"authorize", "get15118evcertificate"})
"""Messages of the note that a backend may know and the gateway need not: passed on unless somebody serves them.

Casefolded, as messageIds are compared: they are a CiString in 1.6.
"""

log = structlog.get_logger(__name__)


class BridgedStation(ConnectedStation, Protocol):
    """A connected station with the road to its backend."""

    @property
    def bridge(self) -> "ToBackend":
        """The way of what isn't the gateway's own."""


class ToBackend(Protocol):
    """The station's bridge, as far as it is used here."""

    async def from_station(self, action: str, payload: Json) -> Json:
        """Hand a CALL of the station on, and return the answer's payload. Raises CallError and PeerUnavailable."""


Unwrapped = Callable[[Any, Json, str], Awaitable[Json]]
"""``await serve(station, payload, vendor_id)`` returns the payload of the answer, in 2.0.1's fields.

``vendor_id`` is the one that the station used: what follows is said under the same (``ask_wrapped``).
"""


class UnknownVendor(CallError):
    """The peer doesn't know the vendorId that was used."""


class PlugAndChargeTransfers:
    """DataTransfer of 1.6 stations: what is of the note and served here is answered, all else goes to the backend."""

    def __init__(self, served: Mapping[str, Unwrapped]) -> None:
        """``served``: by messageId, such as SignCertificate or GetCertificateStatus."""
        self._served = {action.casefold(): (action, serve) for action, serve in served.items()}

    async def data_transfer(self, station: BridgedStation, payload: Json) -> Json:
        """Answer DataTransfer.req of a 1.6 station. Raises what the service or the bridge raises."""
        vendor_id = vendor_of(payload)
        message_id = payload.get("messageId", "").strip().casefold()
        known = self._served.get(message_id)
        if vendor_id is None or (known is None and message_id in FOR_THE_BACKEND):
            return await station.bridge.from_station("DataTransfer", payload)
        station.note_vendor = vendor_id
        if known is None:
            return {"status": "UnknownMessageId"}
        action, serve = known
        try:
            wrapped = _read(payload.get("data"))
            fields = note_words.from_station(action, wrapped)
            operation(Version.V201, action).request.check(fields)
        except (JsonRejected, CallError) as error:
            log.warning("pnc_message_rejected", identity=station.identity, message_id=action, reason=str(error))
            return {"status": "Rejected"}
        answer = await serve(station, fields, vendor_id)
        is_of_extension = note_words.is_of_the_extension(action, wrapped)
        return {
            "status": "Accepted",
            "data": dumps(note_words.for_station(answer, is_of_extension=is_of_extension)).decode(),
        }


async def ask_wrapped(station: ConnectedStation, action: str, payload: Json, vendor_id: str | None = None) -> Json:
    """Send ``action`` to a 1.6 station in DataTransfer and return the payload within its answer, as 2.0.1 has it.

    Without ``vendor_id`` it is said under the one that the station used last; one that it doesn't know is followed by
    the other. Raises as :func:`transfer`.
    """
    if vendor_id is not None:
        return await transfer(station.call_station, action, payload, vendor_id)
    known = station.note_vendor or VENDOR_ID
    try:
        return await transfer(station.call_station, action, payload, known)
    except UnknownVendor:
        (other,) = VENDOR_IDS - {known.strip().casefold()}
        answer = await transfer(station.call_station, action, payload, other)
        station.note_vendor = other
        return answer


async def transfer(call: Call, action: str, payload: Json, vendor_id: str = VENDOR_ID) -> Json:
    """Send ``action`` in DataTransfer by ``call``, to a 1.6 station or backend; return the payload within its answer.

    Raises CallError, NotSupported where the peer doesn't know the note or this message of it; InvalidAnswer for data
    that can't be read; PeerUnavailable.
    """
    request = {"vendorId": vendor_id, "messageId": action, "data": dumps(payload).decode()}
    answer = await call("DataTransfer", request)
    status = answer["status"]
    if status == "UnknownVendorId":
        raise UnknownVendor(ErrorCode.NOT_SUPPORTED, f"DataTransfer: {status}")
    if status != "Accepted":
        code = ErrorCode.GENERIC_ERROR if status == "Rejected" else ErrorCode.NOT_SUPPORTED
        raise CallError(code, f"DataTransfer: {status}")
    try:
        wrapped = _read(answer.get("data"))
        operation(Version.V201, action).response.check(wrapped)
    except (JsonRejected, CallError) as error:
        raise InvalidAnswer(
            ErrorCode.FORMAT_VIOLATION, f"invalid answer to {action} in DataTransfer: {error}"
        ) from None
    return wrapped


def _read(data: str | None) -> Json:
    """Return the JSON object in ``data``. Raises JsonRejected."""
    value = None if data is None else loads(data.encode())
    if not isinstance(value, dict):
        raise JsonRejected("data isn't a JSON object")
    return value
