"""The bridge itself: which handler takes which action, and what the other actions are answered."""

import functools
from collections.abc import Coroutine
from typing import Any, Final

from gateway.bridge.actions_16 import OF_A_CENTRAL_SYSTEM, OF_A_CHARGE_POINT, SECURITY_OF_A_CENTRAL_SYSTEM
from gateway.bridge.actions_201 import OF_A_CSMS
from gateway.bridge.books import SAVED_NOW_AND_THEN, Books, Json, Transaction
from gateway.bridge.offline_authorization import nothing_known
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
    SavePage,
)
from gateway.bridge.refusals import REFUSED, check_known, refuse
from gateway.bridge.v201_v16 import (
    authorization,
    availability,
    boot,
    certificates,
    configuration,
    data_transfer,
    faults,
    firmware,
    inventory,
    local_answers,
    local_list,
    logs,
    metering,
    monitoring,
    remote_control,
    reservation,
    security_events,
    smart_charging,
    transactions,
)
from gateway.bridge.v201_v16.connectors import save_numbers, seed
from gateway.bridge.v201_v16.context import Context, Handler, Settings
from gateway.bridge.v201_v16.device_model import share
from gateway.wire.errors import CallError, ErrorCode


async def _refuse(action: str, context: Context, _: Json) -> Json:
    return refuse(context.report, action)


FROM_STATION: Final[dict[str, Handler]] = {
    **{action: functools.partial(local_answers.answer, action) for action in local_answers.ANSWERS},
    "Authorize": authorization.authorize,
    "DataTransfer": data_transfer.from_station,
    "FirmwareStatusNotification": firmware.firmware_status,
    "Heartbeat": availability.heartbeat,
    "LogStatusNotification": logs.log_status,
    "MeterValues": metering.relay_meter_values,
    "NotifyEvent": monitoring.notify_event,
    "NotifyReport": inventory.notify_report,
    "SecurityEventNotification": security_events.security_event,
    "StatusNotification": availability.status_notification,
    "TransactionEvent": transactions.transaction_event,
}
NOT_FOR_THE_BRIDGE: Final = frozenset({"BootNotification", "GetCertificateStatus", "SignCertificate"})
"""Actions of a station that the session and the gateway's services answer before the bridge is asked."""

FROM_BACKEND: Final[dict[str, Handler]] = {
    **{action: functools.partial(_refuse, action) for action in REFUSED},
    "CancelReservation": reservation.cancel_reservation,
    "ChangeAvailability": availability.change_availability,
    "ChangeConfiguration": configuration.change_configuration,
    "ClearCache": authorization.clear_cache,
    "ClearChargingProfile": smart_charging.clear_charging_profile,
    "DataTransfer": data_transfer.from_backend,
    "ExtendedTriggerMessage": remote_control.extended_trigger_message,
    "GetCompositeSchedule": smart_charging.get_composite_schedule,
    "GetConfiguration": configuration.get_configuration,
    "GetDiagnostics": logs.get_diagnostics,
    "GetInstalledCertificateIds": certificates.get_installed_certificate_ids,
    "GetLocalListVersion": local_list.get_local_list_version,
    "GetLog": logs.get_log,
    "RemoteStartTransaction": remote_control.remote_start,
    "RemoteStopTransaction": remote_control.remote_stop,
    "ReserveNow": reservation.reserve_now,
    "Reset": remote_control.reset,
    "SendLocalList": local_list.send_local_list,
    "SetChargingProfile": smart_charging.set_charging_profile,
    "SignedUpdateFirmware": firmware.signed_update_firmware,
    "TriggerMessage": remote_control.trigger_message,
    "UnlockConnector": remote_control.unlock_connector,
    "UpdateFirmware": firmware.update_firmware,
}


def check_direction(action: str) -> None:
    """Return when a CSMS sends ``action`` to a station. Raises :class:`CallError` NotSupported otherwise."""
    if action not in OF_A_CSMS and action != "DataTransfer":
        raise CallError(ErrorCode.NOT_SUPPORTED, f"{action} is a message of the station, not of a CSMS")


class V201ToV16:
    """The bridge between one 2.0.1 station and its 1.6 backend.

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
        clock: Clock,
        settings: Settings,
        save_connector: SaveConnector,
        save_page: SavePage,
        afterwards: Afterwards,
        report: Report = lambda _kind, _detail: None,
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
            clock,
            settings,
            save_connector=save_connector,
            save_page=save_page,
            afterwards=afterwards,
            report=report,
            carried=FROM_BACKEND.keys(),
            recall=recall,
            firmware=firmware,
            logs=logs,
        )
        seed(self._context)
        availability.restore(self._context)
        metering.restore(books)
        share(books)

    def from_station(self, action: str, payload: Json) -> Coroutine[Any, Any, Json]:
        """Handle a schema-valid CALL of the station and return the payload of its CALLRESULT, when awaited.

        Raises :class:`CallError`: NotSupported for what a station has no business to send, NotImplemented for what
        2.0.1 doesn't know, others by the handler. What the ledger raises passes through: the station must not be
        answered then.
        """
        handler = FROM_STATION.get(action)
        if handler is not None:
            return self._handle(handler, payload)
        if action in OF_A_CSMS:
            raise CallError(ErrorCode.NOT_SUPPORTED, f"{action} is a message of the CSMS")
        if action in NOT_FOR_THE_BRIDGE:
            raise CallError(ErrorCode.NOT_SUPPORTED, f"{action} has no counterpart at this backend")
        raise CallError(ErrorCode.NOT_IMPLEMENTED, "OCPP 2.0.1 has no such action")

    async def released(self, action: str, payload: Json, station_tx: str) -> None:  # noqa: ARG002 - in 2.0.1 it is in there
        """Handle a schema-valid CALL that a person has let go, some time after the station made it.

        Raises as :meth:`from_station` does.
        """
        if action == "TransactionEvent":
            await self._handle(transactions.released_event, payload)
        else:
            await self.from_station(action, payload)

    async def from_backend(self, action: str, payload: Json) -> Json:
        """Handle a schema-valid CALL of the backend and return the payload of its CALLRESULT.

        A station that can't be reached, or answers with CALLERROR, gives the message's own word of refusal where 1.6
        has one. Raises :class:`CallError` otherwise, NotSupported for what isn't bridged or goes the wrong way, and
        NotImplemented for what 1.6 doesn't know.
        """
        if action in SECURITY_OF_A_CENTRAL_SYSTEM:
            extension = self._context.settings.security_extension
            check_known(self._context.report, action, payload, security_extension=extension)
        handler = FROM_BACKEND.get(action)
        if handler is not None:
            return await self._handle(handler, payload)
        if action in OF_A_CENTRAL_SYSTEM:
            raise CallError(ErrorCode.NOT_SUPPORTED, f"{action} is not bridged to a 2.0.1 station")
        if action in OF_A_CHARGE_POINT:
            raise CallError(ErrorCode.NOT_SUPPORTED, f"{action} is a message of the charge point")
        raise CallError(ErrorCode.NOT_IMPLEMENTED, "OCPP 1.6 has no such action")

    async def _handle(self, handler: Handler, payload: Json) -> Json:
        """What a message changes in the books is on disk before its sender hears of it."""
        context = self._context
        if context.memory.renumbered:
            await save_numbers(context)
        answer = await handler(context, payload)
        if not context.books.unsaved <= SAVED_NOW_AND_THEN:
            await context.save_changes()
        return answer

    async def booted(self, payload: Json) -> None:
        """The station has sent this BootNotificationRequest: what doesn't outlive a boot is forgotten."""
        boot.note_boot(payload, self._context.note)
        faults.booted(self._context.books, payload)
        inventory.booted(self._context, payload)
        await self._context.save_changes()

    async def settle_in(self, boot: Json | None) -> bool:
        """The station has been quiet for a while: ask what isn't known of it, in one CALL at most.

        ``boot`` is the BootNotificationRequest that was accepted last. False: ask again in a while.
        """
        return await inventory.settle_in(self._context, boot)

    async def backend_connected(self) -> None:
        """The backend's leg came (back) up: tell it the connector states that it doesn't know."""
        if self._context.memory.renumbered:
            await save_numbers(self._context)
        await availability.backend_connected(self._context)

    async def started_late(self, tx: Transaction, conf: Json) -> None:
        """The ledger got a StartTransaction.conf after it had returned None: what it refuses is stopped by command."""
        await transactions.started_late(self._context, tx, conf)
