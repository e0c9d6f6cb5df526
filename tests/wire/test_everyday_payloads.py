"""Payloads as stations and backends send them every day: the official schemas, as compiled, let all of them pass."""

from typing import Any

import pytest

from gateway.wire import strict_json
from gateway.wire.schemas import operation
from gateway.wire.versions import Version

NOW = "2026-03-01T12:00:00.000Z"
TOKEN = {"idToken": "044943121F1D80", "type": "ISO14443"}
HASH = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": "8d2a5be1b6a2ff14c3f2c2a9f1f3a2c0",
    "issuerKeyHash": "9e107d9d372bb6826bd81d3542a419d6",
    "serialNumber": "1a2b3c",
}

V201: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "BootNotification",
        {
            "reason": "PowerUp",
            "chargingStation": {
                "model": "AC 22",
                "vendorName": "Example",
                "serialNumber": "SN-0001",
                "firmwareVersion": "1.2.3",
                "modem": {"iccid": "89314404000103475213", "imsi": "204046851234567"},
            },
        },
        {"currentTime": NOW, "interval": 300, "status": "Accepted"},
    ),
    ("Heartbeat", {}, {"currentTime": NOW}),
    (
        "Authorize",
        {"idToken": TOKEN},
        {"idTokenInfo": {"status": "Accepted", "groupIdToken": {"idToken": "G1", "type": "Central"}}},
    ),
    (
        "TransactionEvent",
        {
            "eventType": "Started",
            "timestamp": NOW,
            "triggerReason": "Authorized",
            "seqNo": 0,
            "transactionInfo": {"transactionId": "a1b2c3", "chargingState": "EVConnected"},
            "evse": {"id": 1, "connectorId": 1},
            "idToken": TOKEN,
            "meterValue": [
                {
                    "timestamp": NOW,
                    "sampledValue": [
                        {"value": 12345.6, "context": "Transaction.Begin", "unitOfMeasure": {"unit": "Wh"}},
                        {"value": 7, "measurand": "Current.Import", "phase": "L1"},
                    ],
                }
            ],
        },
        {"idTokenInfo": {"status": "Accepted"}, "updatedPersonalMessage": {"format": "UTF8", "content": "Bonjour"}},
    ),
    (
        "TransactionEvent",
        {
            "eventType": "Ended",
            "timestamp": NOW,
            "triggerReason": "EVCommunicationLost",
            "seqNo": 7,
            "offline": True,
            "transactionInfo": {"transactionId": "a1b2c3", "stoppedReason": "EVDisconnected", "timeSpentCharging": 60},
        },
        {},
    ),
    ("StatusNotification", {"timestamp": NOW, "connectorStatus": "Occupied", "evseId": 1, "connectorId": 2}, {}),
    ("MeterValues", {"evseId": 0, "meterValue": [{"timestamp": NOW, "sampledValue": [{"value": -0.5}]}]}, {}),
    (
        "SignCertificate",
        {"csr": "-----BEGIN CERTIFICATE REQUEST-----\nMII\n", "certificateType": "ChargingStationCertificate"},
        {"status": "Accepted"},
    ),
    ("CertificateSigned", {"certificateChain": "-----BEGIN CERTIFICATE-----\nMII\n"}, {"status": "Accepted"}),
    (
        "InstallCertificate",
        {"certificateType": "CSMSRootCertificate", "certificate": "-----BEGIN CERTIFICATE-----\nMII\n"},
        {"status": "Failed", "statusInfo": {"reasonCode": "NoSpace", "additionalInfo": "3 of 3"}},
    ),
    (
        "GetInstalledCertificateIds",
        {"certificateType": ["V2GRootCertificate", "CSMSRootCertificate"]},
        {
            "status": "Accepted",
            "certificateHashDataChain": [
                {
                    "certificateType": "V2GCertificateChain",
                    "certificateHashData": HASH,
                    "childCertificateHashData": [HASH],
                }
            ],
        },
    ),
    ("DeleteCertificate", {"certificateHashData": HASH}, {"status": "NotFound"}),
    (
        "GetCertificateStatus",
        {"ocspRequestData": {**HASH, "responderURL": "http://ocsp.example.com"}},
        {"status": "Accepted", "ocspResult": "MIIB"},
    ),
    ("SecurityEventNotification", {"type": "InvalidMessages", "timestamp": NOW, "techInfo": "12 of them"}, {}),
    (
        "SetVariables",
        {
            "setVariableData": [
                {
                    "attributeValue": "60",
                    "component": {"name": "OCPPCommCtrlr"},
                    "variable": {"name": "HeartbeatInterval"},
                }
            ]
        },
        {
            "setVariableResult": [
                {
                    "attributeStatus": "RebootRequired",
                    "component": {"name": "OCPPCommCtrlr"},
                    "variable": {"name": "HeartbeatInterval"},
                }
            ]
        },
    ),
    ("RequestStartTransaction", {"idToken": TOKEN, "remoteStartId": 42, "evseId": 1}, {"status": "Accepted"}),
    ("RequestStopTransaction", {"transactionId": "a1b2c3"}, {"status": "Rejected"}),
    ("TriggerMessage", {"requestedMessage": "StatusNotification", "evse": {"id": 1}}, {"status": "Accepted"}),
    ("Reset", {"type": "OnIdle"}, {"status": "Scheduled"}),
    (
        "DataTransfer",
        {"vendorId": "com.example", "messageId": "x", "data": {"any": ["thing", 1, None]}},
        {"status": "Accepted", "data": "text"},
    ),
    (
        "UpdateFirmware",
        {
            "requestId": 1,
            "firmware": {"location": "https://fw.example.com/1.bin", "retrieveDateTime": NOW, "signature": "MEUC"},
        },
        {"status": "InvalidCertificate"},
    ),
    (
        "Heartbeat",
        {"customData": {"vendorId": "com.example", "uptime": 12.5}},
        {"currentTime": "2026-03-01T13:00:00+01:00"},
    ),
]

V16: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "BootNotification",
        {"chargePointVendor": "Example", "chargePointModel": "AC 22", "chargePointSerialNumber": "SN-0001"},
        {"currentTime": NOW, "interval": 300, "status": "Pending"},
    ),
    ("Heartbeat", {}, {"currentTime": "2026-03-01T12:00:00"}),
    ("Authorize", {"idTag": "044943121F1D80"}, {"idTagInfo": {"status": "Accepted", "expiryDate": NOW}}),
    (
        "StartTransaction",
        {"connectorId": 1, "idTag": "044943121F1D80", "meterStart": 12345, "timestamp": NOW},
        {"transactionId": 7, "idTagInfo": {"status": "Accepted"}},
    ),
    (
        "MeterValues",
        {
            "connectorId": 1,
            "transactionId": 7,
            "meterValue": [{"timestamp": NOW, "sampledValue": [{"value": "12345", "unit": "Wh"}]}],
        },
        {},
    ),
    ("StopTransaction", {"transactionId": 7, "meterStop": 20000, "timestamp": NOW}, {}),
    (
        "StopTransaction",
        {"transactionId": -1, "meterStop": 0, "timestamp": NOW, "reason": "EVDisconnected"},
        {"idTagInfo": {"status": "Invalid"}},
    ),
    ("StatusNotification", {"connectorId": 0, "errorCode": "NoError", "status": "Available"}, {}),
    ("RemoteStartTransaction", {"idTag": "044943121F1D80", "connectorId": 1}, {"status": "Accepted"}),
    ("RemoteStopTransaction", {"transactionId": 7}, {"status": "Rejected"}),
    (
        "GetConfiguration",
        {"key": ["HeartbeatInterval"]},
        {"configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "300"}], "unknownKey": ["X"]},
    ),
    ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"}, {"status": "RebootRequired"}),
    ("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1}, {"status": "NotImplemented"}),
    ("GetDiagnostics", {"location": "ftp://files.example.com/in"}, {"fileName": "diag.zip"}),
    ("DataTransfer", {"vendorId": "com.example", "data": "text"}, {"status": "UnknownVendorId"}),
    ("SecurityEventNotification", {"type": "InvalidMessages", "timestamp": NOW}, {}),
]


@pytest.mark.parametrize(
    ("version", "action", "request_payload", "response_payload"),
    [(Version.V201, *each) for each in V201] + [(Version.V16, *each) for each in V16],
)
def test_an_everyday_exchange_passes(
    version: Version, action: str, request_payload: dict[str, Any], response_payload: dict[str, Any]
) -> None:
    known = operation(version, action)
    for schema, payload in ((known.request, request_payload), (known.response, response_payload)):
        schema.check(strict_json.loads(strict_json.dumps(payload)))


@pytest.mark.parametrize("version", list(Version))
def test_an_integer_with_a_point_passes_in_either_version(version: Version) -> None:
    """Some peers write every number with a point; only the decoder makes it the integer that draft 4 wants."""
    known = operation(version, "BootNotification")
    answer = strict_json.loads(b'{"currentTime":"2026-03-01T12:00:00Z","interval":300.0,"status":"Accepted"}')

    known.response.check(answer)
    assert repr(answer["interval"]) == "300"
