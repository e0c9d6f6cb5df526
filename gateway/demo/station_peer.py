"""One connection of the station: what it answers to its CSMS (OCPP 2.0.1, on the `ocpp` package)."""

import asyncio
from typing import Any, Final, Protocol

from gateway.demo.charging import RemoteStart
from gateway.demo.device_model import DeviceModel
from gateway.demo.json_lines import Tell
from gateway.demo.station_files import LOG_FILE
from gateway.demo.station_folder import CertificateRefused, StationFolder
from gateway.demo.typed_ocpp import ChargePoint201, after, on, result201

CALL_TIMEOUT: Final = 10.0
"""Seconds that the station waits for an answer (OCPPCommCtrlr.MessageTimeout)."""
FULL_INVENTORY: Final = "FullInventory"
DIAGNOSTICS: Final = "DiagnosticsLog"
SIGN_TRIGGER: Final = "SignChargingStationCertificate"
TRIGGERS: Final = frozenset({SIGN_TRIGGER, "BootNotification", "Heartbeat", "StatusNotification"})
"""What TriggerMessage may ask for."""


class StationSide(Protocol):
    """The station behind the connection."""

    identity: str
    folder: StationFolder
    variables: DeviceModel
    tell: Tell

    def remote_start(self, start: RemoteStart) -> bool:
        """Take a RequestStartTransaction; False: not now."""

    def follow_remote_start(self) -> None:
        """RequestStartTransaction was answered: go on with what was taken."""

    def may_stop(self, transaction_id: str) -> bool:
        """Return whether RequestStopTransaction names the transaction that runs."""

    def follow_remote_stop(self, transaction_id: str) -> None:
        """RequestStopTransaction was answered: stop if that may be."""

    def triggered(self, message: str) -> None:
        """Send the message that was asked for."""

    def report_inventory(self, request_id: int) -> None:
        """GetBaseReport was answered: send the report."""

    def certificate_installed(self) -> None:
        """Come back with the new certificate (A02.FR.08)."""

    def certificate_refused(self, why: str) -> None:
        """Report a certificate that was refused (A02.FR.07)."""

    def signer_refused(self, why: str) -> None:
        """Report a signing certificate that was refused (L01.FR.02)."""

    def update(self, request_id: int, firmware: dict[str, Any]) -> None:
        """UpdateFirmware was agreed to: do it."""

    def upload_log(self, request_id: int, location: str) -> None:
        """GetLog was agreed to: do it."""


class StationPeer(ChargePoint201):  # type: ignore[misc]  # `ocpp` ships no types: its class is Any
    """Answers the CSMS. Handlers return fast: what takes a CALL of our own is begun after the answer."""

    def __init__(self, station: StationSide, connection: Any) -> None:
        super().__init__(station.identity, connection, response_timeout=CALL_TIMEOUT)
        self._station = station
        self._refused: str | None = None

    @on("TriggerMessage")
    def answer_trigger(self, requested_message: str, **_: object) -> Any:
        """Agree to what the station can send."""
        status = "Accepted" if requested_message in TRIGGERS else "NotImplemented"
        self._station.tell("trigger", message=requested_message, status=status)
        return result201.TriggerMessage(status=status)

    @after("TriggerMessage")
    def follow_trigger(self, requested_message: str, **_: object) -> None:
        """Send it."""
        if requested_message in TRIGGERS:
            self._station.triggered(requested_message)

    @on("CertificateSigned")
    async def check_certificate(self, certificate_chain: str, **_: object) -> Any:
        """Take the certificate, or say why not (A02.FR.06, FR.07)."""
        try:
            leaf = await asyncio.to_thread(self._station.folder.install, certificate_chain)
        except CertificateRefused as refused:
            self._refused = str(refused)
            self._station.tell("certificate", status="Rejected", why=self._refused)
            info = {"reason_code": refused.reason_code, "additional_info": self._refused[:512]}
            return result201.CertificateSigned(status="Rejected", status_info=info)
        self._refused = None
        self._station.tell(
            "certificate",
            status="Accepted",
            subject=leaf.subject.rfc4514_string(),
            not_after=leaf.not_valid_after_utc.isoformat(),
        )
        return result201.CertificateSigned(status="Accepted")

    @after("CertificateSigned")
    def use_certificate(self, **_: object) -> None:
        """Reconnect with it, or report it."""
        if self._refused is None:
            self._station.certificate_installed()
        else:
            self._station.certificate_refused(self._refused)

    @on("UpdateFirmware")
    async def answer_update(self, firmware: dict[str, Any], **_: object) -> Any:
        """Agree where the manufacturer lets this signer sign (L01.FR.01, FR.21); what it has signed is seen later."""
        try:
            await asyncio.to_thread(self._station.folder.firmware_signer, firmware.get("signing_certificate", ""))
        except CertificateRefused as refused:
            self._refused = str(refused)
            self._station.tell("update_firmware", status="InvalidCertificate", why=self._refused)
            return result201.UpdateFirmware(status="InvalidCertificate")
        self._refused = None
        self._station.tell("update_firmware", status="Accepted")
        return result201.UpdateFirmware(status="Accepted")

    @after("UpdateFirmware")
    def follow_update(self, request_id: int, firmware: dict[str, Any], **_: object) -> None:
        """Do it, or report the signer."""
        if self._refused is None:
            self._station.update(request_id, firmware)
        else:
            self._station.signer_refused(self._refused)

    @on("GetLog")
    def answer_get_log(self, log_type: str, **_: object) -> Any:
        """Agree to hand out the diagnostics (N01); there is no security log."""
        status = "Accepted" if log_type == DIAGNOSTICS else "Rejected"
        return result201.GetLog(status=status, filename=LOG_FILE if status == "Accepted" else None)

    @after("GetLog")
    def follow_get_log(self, log_type: str, request_id: int, log: dict[str, Any], **_: object) -> None:
        """Upload them."""
        if log_type == DIAGNOSTICS:
            self._station.upload_log(request_id, log["remote_location"])

    @on("RequestStartTransaction")
    def answer_remote_start(self, id_token: dict[str, Any], remote_start_id: int, **_: object) -> Any:
        """Hold the start for the car that is to come (F02)."""
        accepted = self._station.remote_start(RemoteStart(id_token, remote_start_id))
        status = "Accepted" if accepted else "Rejected"
        self._station.tell("remote_start", status=status, id_token=id_token, remote_start_id=remote_start_id)
        return result201.RequestStartTransaction(status=status)

    @after("RequestStartTransaction")
    def go_on_with_remote_start(self, **_: object) -> None:
        """Ask whether the token may charge."""
        self._station.follow_remote_start()

    @on("RequestStopTransaction")
    def answer_remote_stop(self, transaction_id: str, **_: object) -> Any:
        """Agree to end the session from afar (F03)."""
        status = "Accepted" if self._station.may_stop(transaction_id) else "Rejected"
        return result201.RequestStopTransaction(status=status)

    @after("RequestStopTransaction")
    def go_on_with_remote_stop(self, transaction_id: str, **_: object) -> None:
        """End it."""
        self._station.follow_remote_stop(transaction_id)

    @on("GetVariables")
    def answer_get_variables(self, get_variable_data: list[dict[str, Any]], **_: object) -> Any:
        """Read the device model (B06)."""
        return result201.GetVariables(get_variable_result=self._station.variables.get(get_variable_data))

    @on("SetVariables")
    def answer_set_variables(self, set_variable_data: list[dict[str, Any]], **_: object) -> Any:
        """Write the device model (B05)."""
        return result201.SetVariables(set_variable_result=self._station.variables.set(set_variable_data))

    @on("GetBaseReport")
    def answer_base_report(self, report_base: str, **_: object) -> Any:
        """Promise the whole inventory (B07); there is no other report."""
        return result201.GetBaseReport(status="Accepted" if report_base == FULL_INVENTORY else "NotSupported")

    @after("GetBaseReport")
    def follow_base_report(self, request_id: int, report_base: str, **_: object) -> None:
        """Send it."""
        if report_base == FULL_INVENTORY:
            self._station.report_inventory(request_id)
