"""Every message of either version and what becomes of it: what docs/translation.md shows, and what the tests hold to.

``becomes`` names the actions that the *other* side may hear because of a message, ``asks`` those that its own side may
be asked in turn. The tests refuse a handler that says anything else.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Row:
    """One message."""

    how: str
    becomes: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()


_KEPT: Final = "answered here"
_STATUS: Final = "StatusNotification"

FROM_STATION: Final[dict[str, Row]] = {
    "Authorize": Row(
        "idToken to idTag; a longer one goes under an alias. With a contract certificate: once that is verified, the "
        "eMAID as idTag; wrapped with the certificate for a backend that knows the Plug & Charge note",
        ("Authorize", "DataTransfer"),
    ),
    "BootNotification": Row(
        "both admit the station: Voltgate first, then the backend, which doesn't hear the reason", ("BootNotification",)
    ),
    "ClearedChargingLimit": Row(_KEPT),
    "DataTransfer": Row("data that isn't a string is written as JSON text", ("DataTransfer",)),
    "FirmwareStatusNotification": Row(
        "fourteen states to seven; all fourteen to a backend that asked in the white paper's words",
        ("FirmwareStatusNotification", "SignedFirmwareStatusNotification"),
    ),
    "Get15118EVCertificate": Row(
        "answered by Voltgate, or by whom it asks, where `plug_and_charge` says so; else answered Failed"
    ),
    "GetCertificateStatus": Row("the certificate's OCSP responder is asked by Voltgate; the backend has no part in it"),
    "Heartbeat": Row("the backend's time; without it, Voltgate's", ("Heartbeat",)),
    "LogStatusNotification": Row(
        "of a log that the backend asked for, under its own requestId, or whose status it triggered",
        ("DiagnosticsStatusNotification", "LogStatusNotification"),
    ),
    "MeterValues": Row("without transactionId; evseId 0 is connectorId 0", ("MeterValues",)),
    "NotifyChargingLimit": Row(_KEPT),
    "NotifyCustomerInformation": Row(_KEPT),
    "NotifyDisplayMessages": Row(_KEPT),
    "NotifyEVChargingNeeds": Row("answered Rejected: the station goes by its own limits"),
    "NotifyEVChargingSchedule": Row("answered Accepted"),
    "NotifyEvent": Row("AvailabilityState, and problems that explain a Faulted connector", (_STATUS,)),
    "NotifyMonitoringReport": Row(_KEPT),
    "NotifyReport": Row("kept: connectors, limits, the device model"),
    "PublishFirmwareStatusNotification": Row(_KEPT),
    "ReportChargingProfiles": Row(_KEPT),
    "ReservationStatusUpdate": Row("answered here: the connector's own status tells"),
    "SecurityEventNotification": Row(
        "kept in Voltgate's security log; told to a backend with `security_extension: true`",
        ("SecurityEventNotification",),
    ),
    "SignCertificate": Row("signed by Voltgate's authority; the backend has no part in it"),
    "StatusNotification": Row("five states and the transaction to nine states", (_STATUS,)),
    "TransactionEvent": Row(
        "Started, once token and EVSE are known, Updated, Ended; each message once, journalled. The fields offline, "
        "numberOfPhasesUsed, cableMaxCurrent and timeSpentCharging aren't told",
        ("Authorize", "MeterValues", "StartTransaction", "StopTransaction", _STATUS),
        ("RequestStopTransaction",),
    ),
}
"""By action of a 2.0.1 station."""

FROM_BACKEND: Final[dict[str, Row]] = {
    "CancelReservation": Row("the same", ("CancelReservation",)),
    "CertificateSigned": Row("answered Rejected, and a security event: nobody asked the backend for one"),
    "ChangeAvailability": Row("connectorId 0 is the whole station", ("ChangeAvailability",)),
    "ChangeConfiguration": Row("a key is a variable; those of the station's own security never are", ("SetVariables",)),
    "ClearCache": Row("the same", ("ClearCache",)),
    "ClearChargingProfile": Row(
        "without a purpose each is cleared, but the station's own constraints", ("ClearChargingProfile",)
    ),
    "DataTransfer": Row("the JSON text of an object or a list is read", ("DataTransfer",)),
    "DeleteCertificate": Row("answered Failed, and a security event: whom a station trusts is Voltgate's business"),
    "ExtendedTriggerMessage": Row(
        "SignChargePointCertificate: answered NotImplemented, and a security event", ("TriggerMessage",)
    ),
    "GetCompositeSchedule": Row("connectorId 0 is the whole station", ("GetCompositeSchedule",)),
    "GetConfiguration": Row("keys are variables", ("GetVariables",)),
    "GetDiagnostics": Row(
        "the diagnostics log under a requestId of Voltgate's; to an unfit location: no file, then UploadFailed",
        ("GetLog",),
        ("DiagnosticsStatusNotification",),
    ),
    "GetInstalledCertificateIds": Row("the roots, without what is below them", ("GetInstalledCertificateIds",)),
    "GetLocalListVersion": Row("in the backend's own numbers", ("GetLocalListVersion",)),
    "GetLog": Row("under a requestId of Voltgate's; to an unfit location: answered Rejected", ("GetLog",)),
    "InstallCertificate": Row("answered Rejected, and a security event: whom a station trusts is Voltgate's business"),
    "RemoteStartTransaction": Row("the type of the token is guessed from its form", ("RequestStartTransaction",)),
    "RemoteStopTransaction": Row("only a running transaction of this very station", ("RequestStopTransaction",)),
    "ReserveNow": Row("connectorId 0 is any EVSE, a connector its EVSE", ("ReserveNow",)),
    "Reset": Row("Hard is Immediate, Soft is OnIdle", ("Reset",)),
    "SendLocalList": Row(
        "in as many parts as the station asks for; an entry without idTagInfo is deleted",
        ("GetVariables", "SendLocalList"),
    ),
    "SetChargingProfile": Row(
        "what 1.6 replaces, by stack level, purpose and connector, is cleared first",
        ("ClearChargingProfile", "SetChargingProfile"),
    ),
    "SignedUpdateFirmware": Row(
        "with the sections `firmware` and `files` Voltgate verifies the image and orders the update itself; else "
        "answered Rejected, and a security event"
    ),
    "TriggerMessage": Row("StatusNotification without a connector: each connector in turn", ("TriggerMessage",)),
    "UnlockConnector": Row(
        "a transaction that keeps it locked is stopped first", ("UnlockConnector", "RequestStopTransaction")
    ),
    "UpdateFirmware": Row(
        "the same, where the catalogue knows the location; else never passed on, and a security event: DownloadFailed "
        "follows the answer; with `security_extension: true` answered with the CALLERROR NotSupported",
        asks=("FirmwareStatusNotification",),
    ),
}
"""By action of a 1.6 backend."""
