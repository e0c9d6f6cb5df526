"""The bridge itself: what passes as it is, which handler takes the rest, and what is refused."""

import functools
from typing import Final

from gateway.bridge.actions_16 import OF_A_CENTRAL_SYSTEM, OF_A_CHARGE_POINT, SECURITY_OF_A_CENTRAL_SYSTEM
from gateway.bridge.books import Books, Json, Transaction
from gateway.bridge.offline_authorization import AuthorizeOffline, nothing_known
from gateway.bridge.ports import (
    Afterwards,
    Call,
    Clock,
    FirmwareDesk,
    Ledger,
    LogDesk,
    Note,
    Recall,
    Report,
    SaveConnector,
)
from gateway.bridge.refusals import REFUSED, check_known, refuse
from gateway.bridge.v16_v16 import (
    authorization,
    availability,
    boot,
    configuration,
    firmware,
    logs,
    security_extension,
    transactions,
)
from gateway.bridge.v16_v16.context import Context, Handler
from gateway.wire.errors import CallError, ErrorCode


async def _refuse(action: str, context: Context, _: Json) -> Json:
    return refuse(context.report, action)


RELAYED_TO_BACKEND: Final = frozenset({"DataTransfer", "DiagnosticsStatusNotification"})
"""Actions of a station that the backend hears as they are, and whose answer the station gets as it is."""
FROM_STATION: Final[dict[str, Handler]] = {
    "Authorize": authorization.authorize,
    "FirmwareStatusNotification": firmware.firmware_status,
    "Heartbeat": availability.heartbeat,
    "LogStatusNotification": logs.log_status,
    "MeterValues": transactions.meter_values,
    "SecurityEventNotification": security_extension.security_event,
    "SignedFirmwareStatusNotification": firmware.signed_firmware_status,
    "StartTransaction": transactions.start_transaction,
    "StatusNotification": availability.status_notification,
    "StopTransaction": transactions.stop_transaction,
}
NOT_FOR_THE_BRIDGE: Final = frozenset({"BootNotification", "SignCertificate"})
"""Actions of a station that the session and the gateway's services answer before the bridge is asked."""

FROM_BACKEND: Final[dict[str, Handler]] = {
    **{action: functools.partial(_refuse, action) for action in REFUSED},
    "ChangeConfiguration": configuration.change_configuration,
    "DataTransfer": security_extension.data_transfer,
    "ExtendedTriggerMessage": security_extension.extended_trigger_message,
    "GetConfiguration": configuration.get_configuration,
    "GetDiagnostics": logs.get_diagnostics,
    "GetLog": logs.get_log,
    "RemoteStopTransaction": transactions.remote_stop,
    "SetChargingProfile": transactions.set_charging_profile,
    "SignedUpdateFirmware": firmware.signed_update_firmware,
    "UpdateFirmware": firmware.update_firmware,
}
RELAYED_TO_STATION: Final = OF_A_CENTRAL_SYSTEM - FROM_BACKEND.keys()
"""Actions of a backend that the station hears as they are, and whose answer the backend gets as it is."""


def check_direction(action: str) -> None:
    """Return when a central system sends ``action`` to a charge point.

    Raises :class:`CallError` NotSupported otherwise.
    """
    if action not in OF_A_CENTRAL_SYSTEM and action != "DataTransfer":
        raise CallError(ErrorCode.NOT_SUPPORTED, f"{action} is a message of the charge point, not of a central system")


class V16ToV16:
    """The bridge between one 1.6 station and its 1.6 backend.

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
        save_connector: SaveConnector,
        afterwards: Afterwards,
        security_extension: bool = False,
        authorize_offline: AuthorizeOffline = "refuse",
        recall: Recall = nothing_known,
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
            save_connector,
            afterwards=afterwards,
            security_extension=security_extension,
            authorize_offline=authorize_offline,
            recall=recall,
            firmware=firmware,
            logs=logs,
        )

    async def from_station(self, action: str, payload: Json) -> Json:
        """Handle a schema-valid CALL of the station and return the payload of its CALLRESULT.

        Raises :class:`CallError`: the backend's own, NotSupported for what a station has no business to send,
        NotImplemented for what 1.6 doesn't know; and :class:`PeerUnavailable` where the backend alone could answer.
        What the ledger raises passes through: the station must not be answered then.
        """
        handler = FROM_STATION.get(action)
        if handler is not None:
            return await handler(self._context, payload)
        if action in RELAYED_TO_BACKEND:
            return await self._context.call_backend(action, payload)
        if action in OF_A_CENTRAL_SYSTEM:
            raise CallError(ErrorCode.NOT_SUPPORTED, f"{action} is a message of the central system")
        if action in NOT_FOR_THE_BRIDGE:
            raise CallError(ErrorCode.NOT_SUPPORTED, f"{action} is not for the backend")
        raise CallError(ErrorCode.NOT_IMPLEMENTED, "OCPP 1.6 has no such action")

    async def released(self, action: str, payload: Json, station_tx: str) -> None:
        """Handle a schema-valid CALL that a person has let go, some time after the station made it.

        ``station_tx`` of a StartTransaction: the number that the station was given instead of the backend's. Raises as
        :meth:`from_station` does.
        """
        if action == "StartTransaction":
            await transactions.start_transaction(self._context, payload, key=station_tx)
        elif action in {"MeterValues", "StopTransaction"} and "transactionId" in payload:
            await transactions.released(self._context, action, payload)
        else:
            await self.from_station(action, payload)

    async def from_backend(self, action: str, payload: Json) -> Json:
        """Handle a schema-valid CALL of the backend and return the payload of its CALLRESULT.

        Raises :class:`CallError`: the station's own, NotSupported for what isn't passed on or goes the wrong way,
        NotImplemented for what 1.6 doesn't know; and :class:`PeerUnavailable` when the station can't be reached.
        """
        if action in SECURITY_OF_A_CENTRAL_SYSTEM:
            extension = self._context.security_extension
            check_known(self._context.report, action, payload, security_extension=extension)
        if action in RELAYED_TO_STATION:
            return await self._context.call_station(action, payload)
        handler = FROM_BACKEND.get(action)
        if handler is not None:
            return await handler(self._context, payload)
        if action in OF_A_CHARGE_POINT:
            raise CallError(ErrorCode.NOT_SUPPORTED, f"{action} is a message of the charge point")
        raise CallError(ErrorCode.NOT_IMPLEMENTED, "OCPP 1.6 has no such action")

    async def booted(self, payload: Json) -> None:
        """Nothing that is kept here dies with a boot."""

    async def settle_in(self, boot: Json | None) -> bool:  # noqa: ARG002 - the session's Protocol
        """Nothing is asked of a station of 1.6: the backend asks in the same words."""
        return True

    async def backend_connected(self) -> None:
        """The backend's leg came (back) up: tell it the connector states that it has not heard."""
        await availability.backend_connected(self._context)

    async def started_late(self, tx: Transaction, conf: Json) -> None:
        """A start of the time when this station spoke 2.0.1 was delivered late: it can't be stopped by command now."""
        if conf["idTagInfo"]["status"] != "Accepted":
            tx.deauthorized = True
            self._context.note(
                "refused-start", "the backend refused a transaction that the station began while it spoke 2.0.1"
            )
