"""Messages of OCPP 2.0.1 that are relayed, with an answer to each that nobody gives by himself."""

from gateway.bridge.books import Json

AT = "2026-05-01T09:00:00Z"
NAMED = {"component": {"name": "EVSE"}, "variable": {"name": "Power"}}
SCHEDULE = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}]}
EVENT = {
    "eventId": 1,
    "timestamp": AT,
    "trigger": "Delta",
    "actualValue": "1",
    "eventNotificationType": "HardWiredNotification",
    **NAMED,
}
UP: dict[str, tuple[Json, Json]] = {
    "ClearedChargingLimit": ({"chargingLimitSource": "EMS"}, {}),
    "DataTransfer": ({"vendorId": "acme", "data": {"any": ["json"]}}, {"status": "UnknownVendorId"}),
    "FirmwareStatusNotification": ({"status": "Downloading", "requestId": 5}, {}),
    "Get15118EVCertificate": (
        {"iso15118SchemaVersion": "urn:iso:15118:2:2013:MsgDef", "action": "Install", "exiRequest": "x"},
        {"status": "Accepted", "exiResponse": "y"},
    ),
    "LogStatusNotification": ({"status": "Uploaded", "requestId": 5}, {}),
    "MeterValues": ({"evseId": 1, "meterValue": [{"timestamp": AT, "sampledValue": [{"value": 1.5}]}]}, {}),
    "NotifyChargingLimit": ({"chargingLimit": {"chargingLimitSource": "EMS"}}, {}),
    "NotifyCustomerInformation": ({"data": "x", "seqNo": 0, "generatedAt": AT, "requestId": 5}, {}),
    "NotifyDisplayMessages": ({"requestId": 5}, {}),
    "NotifyEVChargingNeeds": (
        {"evseId": 1, "chargingNeeds": {"requestedEnergyTransfer": "DC"}},
        {"status": "Processing"},
    ),
    "NotifyEVChargingSchedule": ({"timeBase": AT, "evseId": 1, "chargingSchedule": SCHEDULE}, {"status": "Rejected"}),
    "NotifyEvent": ({"generatedAt": AT, "seqNo": 0, "eventData": [EVENT]}, {}),
    "NotifyMonitoringReport": ({"requestId": 5, "seqNo": 0, "generatedAt": AT}, {}),
    "NotifyReport": ({"requestId": 5, "seqNo": 0, "generatedAt": AT}, {}),
    "PublishFirmwareStatusNotification": ({"status": "Idle", "requestId": 5}, {}),
    "ReportChargingProfiles": (
        {
            "requestId": 5,
            "chargingLimitSource": "CSO",
            "evseId": 1,
            "chargingProfile": [
                {
                    "id": 1,
                    "stackLevel": 0,
                    "chargingProfilePurpose": "TxProfile",
                    "chargingProfileKind": "Relative",
                    "chargingSchedule": [SCHEDULE],
                }
            ],
        },
        {},
    ),
    "ReservationStatusUpdate": ({"reservationId": 1, "reservationUpdateStatus": "Expired"}, {}),
}
"""Action of a station that the backend hears as it is -> (request, answer)."""

ACCEPTED: Json = {"status": "Accepted"}
TOKEN = {"idToken": "T", "type": "Central"}
PROFILE = {
    "id": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": [SCHEDULE],
}
MONITORED = {"type": "Delta", "severity": 5, **NAMED}
DOWN: dict[str, tuple[Json, Json]] = {
    "CancelReservation": ({"reservationId": 5}, {"status": "Rejected"}),
    "ChangeAvailability": ({"operationalStatus": "Inoperative"}, {"status": "Scheduled"}),
    "ClearCache": ({}, ACCEPTED),
    "ClearChargingProfile": ({"chargingProfileId": 5}, {"status": "Unknown"}),
    "ClearDisplayMessage": ({"id": 5}, {"status": "Unknown"}),
    "ClearVariableMonitoring": ({"id": [5]}, {"clearMonitoringResult": [{"status": "NotFound", "id": 5}]}),
    "CostUpdated": ({"totalCost": 1.5, "transactionId": "TX-1"}, {}),
    "CustomerInformation": ({"requestId": 5, "report": True, "clear": False, "idToken": TOKEN}, ACCEPTED),
    "DataTransfer": ({"vendorId": "acme", "data": [1]}, {"status": "Accepted", "data": {"x": 1}}),
    "GetBaseReport": ({"requestId": 5, "reportBase": "FullInventory"}, {"status": "NotSupported"}),
    "GetChargingProfiles": ({"requestId": 5, "chargingProfile": {"stackLevel": 0}}, {"status": "NoProfiles"}),
    "GetCompositeSchedule": ({"duration": 60, "evseId": 1}, {"status": "Rejected"}),
    "GetDisplayMessages": ({"requestId": 5}, {"status": "Unknown"}),
    "GetInstalledCertificateIds": ({}, {"status": "NotFound"}),
    "GetLocalListVersion": ({}, {"versionNumber": 7}),
    "GetLog": (
        {"log": {"remoteLocation": "https://logs.example.com/"}, "logType": "DiagnosticsLog", "requestId": 5},
        {"status": "Accepted", "filename": "log.zip"},
    ),
    "GetMonitoringReport": ({"requestId": 5}, {"status": "EmptyResultSet"}),
    "GetReport": ({"requestId": 5}, {"status": "EmptyResultSet"}),
    "RequestStartTransaction": (
        {"idToken": TOKEN, "remoteStartId": 7},
        {"status": "Accepted", "transactionId": "TX-9"},
    ),
    "ReserveNow": ({"id": 5, "expiryDateTime": AT, "idToken": TOKEN}, {"status": "Occupied"}),
    "Reset": ({"type": "OnIdle"}, {"status": "Scheduled"}),
    "SendLocalList": (
        {"versionNumber": 8, "updateType": "Full", "localAuthorizationList": [{"idToken": TOKEN}]},
        {"status": "VersionMismatch"},
    ),
    "SetDisplayMessage": (
        {"message": {"id": 5, "priority": "InFront", "message": {"format": "UTF8", "content": "!"}}},
        {"status": "UnknownTransaction"},
    ),
    "SetMonitoringBase": ({"monitoringBase": "All"}, {"status": "NotSupported"}),
    "SetMonitoringLevel": ({"severity": 5}, ACCEPTED),
    "SetVariableMonitoring": (
        {"setMonitoringData": [{"value": 1.5, **MONITORED}]},
        {"setMonitoringResult": [{"status": "Duplicate", **MONITORED}]},
    ),
    "UnlockConnector": ({"evseId": 1, "connectorId": 1}, {"status": "UnknownConnector"}),
}
"""Action that a backend may send and the station hears as it is -> (request, answer)."""
