"""Who sends which action: a station's question never comes from a backend, and its answer never from a station."""

from typing import Final

from policies.words import Kind, Stage, Target

OF_A_STATION: Final = frozenset(
    {
        "Authorize",
        "BootNotification",
        "ClearedChargingLimit",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Get15118EVCertificate",
        "GetCertificateStatus",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "NotifyChargingLimit",
        "NotifyCustomerInformation",
        "NotifyDisplayMessages",
        "NotifyEVChargingNeeds",
        "NotifyEVChargingSchedule",
        "NotifyEvent",
        "NotifyMonitoringReport",
        "NotifyReport",
        "PublishFirmwareStatusNotification",
        "ReportChargingProfiles",
        "ReservationStatusUpdate",
        "SecurityEventNotification",
        "SignCertificate",
        "SignedFirmwareStatusNotification",
        "StartTransaction",
        "StatusNotification",
        "StopTransaction",
        "TransactionEvent",
    }
)
"""Actions of 1.6 and 2.0.1 that only a station sends; but for :data:`BOTH_WAYS`, a CSMS sends the others."""
BOTH_WAYS: Final = frozenset({"DataTransfer"})

_TOWARDS_THE_BACKEND: Final = frozenset({Stage.FROM_STATION, Stage.TO_BACKEND})


def can_come(target: Target) -> bool:
    """Return whether there are such messages at such a stage."""
    if target.action in BOTH_WAYS:
        return True
    is_towards_backend = target.stage in _TOWARDS_THE_BACKEND
    is_question = target.kind is Kind.CALL
    return (target.action in OF_A_STATION) == (is_towards_backend == is_question)
