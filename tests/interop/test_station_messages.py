"""Every message that OCPP 2.0.1 gives to a station: a strict client takes the answer to each."""

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.interop.child import Json
    from tests.interop.conftest import NewStation
    from tests.interop.peers import Station

NOW: Final = "2026-01-01T12:00:00Z"
HASH: Final = {"hashAlgorithm": "SHA256", "issuerNameHash": "a1", "issuerKeyHash": "b2", "serialNumber": "c3"}
SHORT: Final = "issuerNameHash has 2 hex digits; SHA256 has 64"
METER: Final = [{"timestamp": NOW, "sampledValue": [{"value": 1}]}]
SCHEDULE: Final = {
    "id": 1,
    "chargingRateUnit": "A",
    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}],
}
PROFILE: Final = {
    "id": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": [SCHEDULE],
}
CONNECTOR: Final = {"name": "Connector", "evse": {"id": 1, "connectorId": 1}}
STATE: Final = {"name": "AvailabilityState"}
EVENT: Final = {
    "eventId": 1,
    "timestamp": NOW,
    "trigger": "Delta",
    "actualValue": "Occupied",
    "eventNotificationType": "HardWiredNotification",
    "component": CONNECTOR,
    "variable": STATE,
}
REPORT: Final = {
    "component": CONNECTOR,
    "variable": STATE,
    "variableAttribute": [{"value": "Available"}],
    "variableCharacteristics": {"dataType": "OptionList", "supportsMonitoring": True},
}
MONITOR: Final = {"id": 1, "transaction": False, "value": 1.0, "type": "Delta", "severity": 5}
MONITORED: Final = {"component": CONNECTOR, "variable": STATE, "variableMonitoring": [MONITOR]}
DISPLAYED: Final = {"id": 1, "priority": "NormalCycle", "message": {"format": "UTF8", "content": "welcome"}}
REPORTED: Final = {"requestId": 1, "generatedAt": NOW, "seqNo": 0}

MESSAGES: "Final[list[tuple[str, Json, Json]]]" = [
    # action, request, answer: where 1.6 has nothing to say, Voltgate's own
    ("ClearedChargingLimit", {"chargingLimitSource": "EMS"}, {}),
    ("FirmwareStatusNotification", {"status": "Downloading", "requestId": 1}, {}),
    (
        *("Get15118EVCertificate", {"iso15118SchemaVersion": "urn:x", "action": "Install", "exiRequest": "gA=="}),
        {"status": "Failed", "exiResponse": "", "statusInfo": {"reasonCode": "NotConfigured"}},
    ),
    (
        *("GetCertificateStatus", {"ocspRequestData": {**HASH, "responderURL": "http://ocsp/"}}),
        {"status": "Failed", "statusInfo": {"reasonCode": "InvalidHashData", "additionalInfo": SHORT}},
    ),
    ("LogStatusNotification", {"status": "Uploading", "requestId": 1}, {}),
    ("MeterValues", {"evseId": 0, "meterValue": METER}, {}),
    ("NotifyChargingLimit", {"chargingLimit": {"chargingLimitSource": "EMS"}, "chargingSchedule": [SCHEDULE]}, {}),
    ("NotifyCustomerInformation", {"data": "nothing", **REPORTED}, {}),
    ("NotifyDisplayMessages", {"requestId": 1, "messageInfo": [DISPLAYED]}, {}),
    (
        *("NotifyEVChargingNeeds", {"evseId": 1, "chargingNeeds": {"requestedEnergyTransfer": "DC"}}),
        {"status": "Rejected"},
    ),
    (
        *("NotifyEVChargingSchedule", {"timeBase": NOW, "evseId": 1, "chargingSchedule": SCHEDULE}),
        {"status": "Accepted"},
    ),
    ("NotifyEvent", {"generatedAt": NOW, "seqNo": 0, "eventData": [EVENT]}, {}),
    ("NotifyMonitoringReport", {**REPORTED, "monitor": [MONITORED]}, {}),
    ("NotifyReport", {**REPORTED, "reportData": [REPORT]}, {}),
    ("PublishFirmwareStatusNotification", {"status": "Published", "location": ["http://x/"], "requestId": 1}, {}),
    (
        "ReportChargingProfiles",
        {"requestId": 1, "chargingLimitSource": "CSO", "evseId": 1, "chargingProfile": [PROFILE]},
        {},
    ),
    ("ReservationStatusUpdate", {"reservationId": 1, "reservationUpdateStatus": "Expired"}, {}),
    ("SecurityEventNotification", {"type": "SettingSystemTime", "timestamp": NOW, "techInfo": "ntp"}, {}),
    (
        *("StatusNotification", {"timestamp": NOW, "connectorStatus": "Faulted", "evseId": 1, "connectorId": 1}),
        {},
    ),
]


@pytest.fixture
def station(new_station: "NewStation") -> "Station":
    """A station that is up."""
    station = new_station(2)
    station.come_up()
    return station


def test_every_message(station: "Station") -> None:
    for action, request, answer in MESSAGES:
        assert (action, station.call(action, request)) == (action, answer)


def test_a_message_of_the_csms(station: "Station") -> None:
    """The wrong direction."""
    assert station.refused("Reset", {"type": "Immediate"}).code == "NotSupported"
