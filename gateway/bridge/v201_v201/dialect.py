"""The bridge itself: what passes as it is, which handler takes the rest, and what is refused."""

import functools
from typing import Final

from gateway.bridge.actions_201 import OF_A_CSMS, OF_A_STATION
from gateway.bridge.books import Books, Json, Transaction
from gateway.bridge.ports import Afterwards, Call, Clock, FirmwareDesk, Ledger, LogDesk, Note, Report, SavePage
from gateway.bridge.v201_v201 import (
    authorization,
    availability,
    boot,
    commands,
    firmware,
    logs,
    publishing,
    relaying,
    station_security,
    transactions,
    variables,
)
from gateway.bridge.v201_v201.context import Context, Handler
from gateway.wire.errors import CallError, ErrorCode


async def _notify_report(context: Context, payload: Json) -> Json:
    return await relaying.to_backend("NotifyReport", context, variables.shown_report(payload))


FROM_STATION: Final[dict[str, Handler]] = {
    **{action: functools.partial(relaying.to_backend, action) for action in relaying.WHILE_AWAY},
    "Authorize": authorization.authorize,
    "FirmwareStatusNotification": firmware.firmware_status,
    "Heartbeat": availability.heartbeat,
    "NotifyEvent": availability.notify_event,
    "NotifyReport": _notify_report,
    "SecurityEventNotification": relaying.security_event,
    "StatusNotification": availability.status_notification,
    "TransactionEvent": transactions.transaction_event,
}
NOT_FOR_THE_BRIDGE: Final = frozenset({"BootNotification", "GetCertificateStatus", "SignCertificate"})
"""Actions of a station that the session and the gateway's services answer before the bridge is asked."""

FROM_BACKEND: Final[dict[str, Handler]] = {
    **{action: functools.partial(relaying.to_station, action) for action in sorted(OF_A_CSMS)},
    **{action: functools.partial(station_security.refuse, action) for action in station_security.REFUSALS},
    "DataTransfer": station_security.data_transfer,
    "GetLog": logs.get_log,
    "GetTransactionStatus": commands.get_transaction_status,
    "GetVariables": variables.get_variables,
    "PublishFirmware": publishing.publish_firmware,
    "RequestStartTransaction": commands.request_start,
    "RequestStopTransaction": commands.request_stop,
    "SetChargingProfile": commands.set_charging_profile,
    "SetNetworkProfile": station_security.set_network_profile,
    "SetVariables": variables.set_variables,
    "TriggerMessage": publishing.trigger_message,
    "UnpublishFirmware": publishing.unpublish_firmware,
    "UpdateFirmware": firmware.update_firmware,
}


class V201ToV201:
    """The bridge between one 2.0.1 station and its 2.0.1 backend.

    The CALLs of either side are handed over one at a time, in order; the two sides may interleave.
    """

    boot_serial = staticmethod(boot.boot_serial)
    boot_request = staticmethod(boot.boot_request)
    boot_response = staticmethod(boot.boot_response)

    def __init__(  # noqa: PLR0913 - a composition root's seam: all that the bridge may touch
        self,
        *,
        books: Books,
        ledger: Ledger,
        call_station: Call,
        call_backend: Call,
        note: Note,
        report: Report,
        clock: Clock,
        save_page: SavePage,
        afterwards: Afterwards,
        firmware: FirmwareDesk | None = None,
        logs: LogDesk | None = None,
    ) -> None:
        self._context = Context(
            books,
            ledger,
            call_station,
            call_backend,
            note,
            report,
            clock,
            save_page,
            afterwards,
            firmware=firmware,
            logs=logs,
        )

    async def from_station(self, action: str, payload: Json) -> Json:
        """Handle a schema-valid CALL of the station and return the payload of its CALLRESULT.

        Raises :class:`CallError`: the backend's own, NotSupported for what a station has no business to send,
        NotImplemented for what 2.0.1 doesn't know. What the ledger raises passes through: the station must not be
        answered then.
        """
        handler = FROM_STATION.get(action)
        if handler is not None:
            answer = await handler(self._context, payload)
            await self._save()
            return answer
        if action in OF_A_CSMS:
            raise CallError(ErrorCode.NOT_SUPPORTED, f"{action} is a message of the CSMS")
        if action in NOT_FOR_THE_BRIDGE:
            raise CallError(ErrorCode.NOT_SUPPORTED, f"{action} is not for the backend")
        raise CallError(ErrorCode.NOT_IMPLEMENTED, "OCPP 2.0.1 has no such action")

    async def released(self, action: str, payload: Json, station_tx: str) -> None:  # noqa: ARG002 - in 2.0.1 it is in there
        """Handle a schema-valid CALL that a person has let go, some time after the station made it.

        Raises as :meth:`from_station` does.
        """
        if action == "TransactionEvent":
            await transactions.released_event(self._context, payload)
            await self._save()
        else:
            await self.from_station(action, payload)

    async def from_backend(self, action: str, payload: Json) -> Json:
        """Handle a schema-valid CALL of the backend and return the payload of its CALLRESULT.

        Raises :class:`CallError`: the station's own, NotSupported for what goes the wrong way, NotImplemented for what
        2.0.1 doesn't know; and PeerUnavailable when the station can't be reached.
        """
        handler = FROM_BACKEND.get(action)
        if handler is not None:
            return await handler(self._context, payload)
        if action in OF_A_STATION:
            raise CallError(ErrorCode.NOT_SUPPORTED, f"{action} is a message of the station")
        raise CallError(ErrorCode.NOT_IMPLEMENTED, "OCPP 2.0.1 has no such action")

    async def booted(self, payload: Json) -> None:
        """Nothing that is kept here dies with a boot."""

    async def settle_in(self, boot: Json | None) -> bool:  # noqa: ARG002 - the session's Protocol
        """Nothing is asked of the station: the backend asks in the same words."""
        return True

    async def backend_connected(self) -> None:
        """The backend's leg came (back) up: tell it the connector states that it has not heard."""
        await availability.backend_connected(self._context)
        await self._save()

    async def started_late(self, tx: Transaction, conf: Json) -> None:
        """The ledger got an answer about a token after it had returned None: what it refuses is stopped by command."""
        await transactions.answered_late(self._context, tx, conf)

    async def _save(self) -> None:
        """What a message changes in the books is on disk before its sender hears of it."""
        if self._context.books.unsaved:
            await self._context.save_changes()
