"""Who sends which action of OCPP 1.6 and of its security white paper. DataTransfer goes both ways."""

from typing import Final

OF_A_CHARGE_POINT: Final = frozenset(
    {
        "Authorize",
        "BootNotification",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "SecurityEventNotification",
        "SignCertificate",
        "SignedFirmwareStatusNotification",
        "StartTransaction",
        "StatusNotification",
        "StopTransaction",
    }
)
"""Actions that only a charge point sends: from a backend they go the wrong way."""
SECURITY_OF_A_CENTRAL_SYSTEM: Final = frozenset(
    {
        "CertificateSigned",
        "DeleteCertificate",
        "ExtendedTriggerMessage",
        "GetInstalledCertificateIds",
        "GetLog",
        "InstallCertificate",
        "SignedUpdateFirmware",
    }
)
"""What the white paper "Improved security for OCPP 1.6-J" gives a central system."""
OF_A_CENTRAL_SYSTEM: Final = SECURITY_OF_A_CENTRAL_SYSTEM | {
    "CancelReservation",
    "ChangeAvailability",
    "ChangeConfiguration",
    "ClearCache",
    "ClearChargingProfile",
    "GetCompositeSchedule",
    "GetConfiguration",
    "GetDiagnostics",
    "GetLocalListVersion",
    "RemoteStartTransaction",
    "RemoteStopTransaction",
    "ReserveNow",
    "Reset",
    "SendLocalList",
    "SetChargingProfile",
    "TriggerMessage",
    "UnlockConnector",
    "UpdateFirmware",
}
"""Actions that only a central system sends: from a charge point they go the wrong way."""
