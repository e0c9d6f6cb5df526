"""Attack A11, from behind: a backend, or who has taken it over, lowers the security of a station."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.bridge.actions_16 import SECURITY_OF_A_CENTRAL_SYSTEM
from gateway.bridge.books import Books, Json
from gateway.bridge.v16_v16 import V16ToV16
from gateway.bridge.v201_v16 import Settings, V201ToV16
from gateway.bridge.v201_v201 import V201ToV201
from gateway.session.security import Kind
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.schemas import operation
from gateway.wire.versions import Version

SECRET = "53454352455450415353"
VERSIONS = ["1.6", "2.0.1"]
KEYS = [
    ("SecurityProfile", "0", Kind.DOWNGRADE),
    ("securityprofile", "1", Kind.DOWNGRADE),
    ("SecurityProfile ", "2", Kind.DOWNGRADE),
    ("SecurityProfile", "3", Kind.RECONFIGURATION),
    ("AuthorizationKey", SECRET, Kind.RECONFIGURATION),
    ("AUTHORIZATIONKEY", SECRET, Kind.RECONFIGURATION),
    ("CpoName", "Mallory", Kind.RECONFIGURATION),
    ("AdditionalRootCertificateCheck", "false", Kind.RECONFIGURATION),
]
PSEUDO_KEYS = [
    "SecurityCtrlr.BasicAuthPassword",
    "securityctrlr.securityprofile",
    "OCPPCommCtrlr.NetworkConfigurationPriority",
    "NetworkConfiguration[1].OcppCsmsUrl",
    "NetworkConfiguration[1].SecurityProfile",
]
"""How the 2.0.1 bridge lets a backend name a variable that 1.6 has no key for."""


async def _nothing(*_: Any) -> None: ...


class Station:
    """One station's bridge; a station that would do whatever it is told, and tell whatever it knows."""

    def __init__(self, version: str, *, security_extension: bool = False) -> None:
        self.heard: list[tuple[str, Json]] = []
        self.events: list[tuple[str, str]] = []
        self.follow_ups: list[Any] = []
        parts: dict[str, Any] = {
            "books": Books(),
            "ledger": None,
            "call_station": self._obey,
            "call_backend": None,
            "note": lambda topic, text: None,
            "report": lambda kind, detail: self.events.append((kind, detail)),
            "clock": lambda: datetime(2026, 5, 1, tzinfo=UTC),
            "save_connector": None,
            "afterwards": self.follow_ups.append,
        }
        settings = Settings(security_extension=security_extension)
        self.bridge: V16ToV16 | V201ToV16 | V201ToV201 = (
            V16ToV16(**parts, security_extension=security_extension)
            if version == "1.6"
            else V201ToV16(**parts, save_page=_nothing, settings=settings)
        )

    async def _obey(self, action: str, payload: Json) -> Json:
        self.heard.append((action, payload))
        if action == "GetConfiguration":
            known = {"SecurityProfile": "2", "AuthorizationKey": SECRET, "authorizationKey": SECRET}
            return {"configurationKey": [{"key": k, "readonly": False, "value": v} for k, v in known.items()]}
        return {"status": "Accepted"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("key", "value", "kind"), KEYS)
async def test_a_key_of_the_stations_security_never_reaches_it_and_is_an_event(
    version: str, key: str, value: str, kind: str
) -> None:
    station = Station(version)

    answer = await station.bridge.from_backend("ChangeConfiguration", {"key": key, "value": value})

    assert answer["status"] in {"NotSupported", "Rejected"}
    assert station.heard == []
    ((reported, detail),) = station.events
    assert reported == kind
    assert key.strip() in detail or "SecurityProfile" in detail
    assert SECRET not in detail


@pytest.mark.parametrize("key", PSEUDO_KEYS)
async def test_nor_does_a_variable_of_its_connection(key: str) -> None:
    station = Station("2.0.1")

    answer = await station.bridge.from_backend("ChangeConfiguration", {"key": key, "value": "1"})

    assert answer == {"status": "NotSupported"}
    assert station.heard == []
    assert [kind for kind, _ in station.events] == [Kind.RECONFIGURATION]


@pytest.mark.parametrize("key", ["HeartbeatInterval", "LocalPreAuthorize"])
async def test_an_honest_key_is_no_event(key: str) -> None:
    station = Station("1.6")

    assert await station.bridge.from_backend("ChangeConfiguration", {"key": key, "value": "1"}) == {
        "status": "Accepted"
    }
    assert station.heard
    assert station.events == []


async def test_a_station_that_tells_its_password_tells_no_backend() -> None:
    station = Station("1.6")

    answer = await station.bridge.from_backend("GetConfiguration", {})

    assert SECRET not in str(answer)
    assert {"key": "SecurityProfile", "readonly": False, "value": "2"} in answer["configurationKey"]


FIRMWARE = {
    "location": "https://evil.example/fw",
    "retrieveDateTime": "2026-05-01T08:00:00Z",
    "signingCertificate": "c",
    "signature": "s",
}
HASHES = {"hashAlgorithm": "SHA256", "issuerNameHash": "n", "issuerKeyHash": "k", "serialNumber": "1"}
TAKEOVERS: list[tuple[str, Json, Json, str]] = [
    ("CertificateSigned", {"certificateChain": "x"}, {"status": "Rejected"}, Kind.RECONFIGURATION),
    ("DeleteCertificate", {"certificateHashData": HASHES}, {"status": "Failed"}, Kind.RECONFIGURATION),
    (
        "ExtendedTriggerMessage",
        {"requestedMessage": "SignChargePointCertificate"},
        {"status": "NotImplemented"},
        Kind.RECONFIGURATION,
    ),
    (
        "InstallCertificate",
        {"certificateType": "CentralSystemRootCertificate", "certificate": "x"},
        {"status": "Rejected"},
        Kind.RECONFIGURATION,
    ),
    (
        "InstallCertificate",
        {"certificateType": "ManufacturerRootCertificate", "certificate": "x"},
        {"status": "Rejected"},
        Kind.RECONFIGURATION,
    ),
    ("SignedUpdateFirmware", {"requestId": 1, "firmware": FIRMWARE}, {"status": "Rejected"}, Kind.UNVERIFIED_FIRMWARE),
]
"""What a backend says that knows the white paper, the answer, and the event."""
UPDATE = {"location": "https://evil.example/fw", "retrieveDate": "2026-05-01T08:00:00Z"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("action", "payload", "answer", "kind"), TAKEOVERS)
async def test_no_backend_says_whom_a_station_trusts_or_what_runs_on_it(
    version: str, action: str, payload: Json, answer: Json, kind: str
) -> None:
    station = Station(version, security_extension=True)
    operation(Version.V16, action).request.check(payload)

    assert await station.bridge.from_backend(action, payload) == answer

    operation(Version.V16, action).response.check(answer)
    assert station.heard == station.follow_ups == []
    assert [reported for reported, _ in station.events] == [kind]
    assert "evil" not in str(station.events)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("action", sorted(SECURITY_OF_A_CENTRAL_SYSTEM))
async def test_one_that_should_not_know_the_white_paper_has_no_use_for_it(version: str, action: str) -> None:
    station = Station(version)

    with pytest.raises(CallError) as refused:
        await station.bridge.from_backend(action, {})

    assert refused.value.code is ErrorCode.NOT_SUPPORTED
    assert station.heard == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("action", "payload", "_", "kind"), TAKEOVERS)
async def test_its_attempts_are_told_all_the_same(version: str, action: str, payload: Json, _: Json, kind: str) -> None:
    station = Station(version)
    with pytest.raises(CallError, match="security_extension"):
        await station.bridge.from_backend(action, payload)
    assert [reported for reported, _ in station.events] == [kind]
    assert station.heard == []


CONNECTION: Json = {
    "ocppVersion": "OCPP20",
    "ocppTransport": "JSON",
    "ocppCsmsUrl": "ws://mallory.example.com",
    "messageTimeout": 30,
    "ocppInterface": "Wired0",
}
OF_2_0_1: list[tuple[str, Json, list[str]]] = [
    ("SetNetworkProfile", {"connectionData": {**CONNECTION, "securityProfile": 1}}, [Kind.DOWNGRADE]),
    ("SetNetworkProfile", {"connectionData": {**CONNECTION, "securityProfile": 3}}, [Kind.RECONFIGURATION]),
    ("InstallCertificate", {"certificateType": "CSMSRootCertificate", "certificate": "PEM"}, [Kind.RECONFIGURATION]),
    ("CertificateSigned", {"certificateChain": "PEM"}, [Kind.RECONFIGURATION]),
    ("DeleteCertificate", {"certificateHashData": {}}, [Kind.RECONFIGURATION]),
    ("UpdateFirmware", {"requestId": 1, "firmware": {"location": "http://mallory.example.com"}}, []),
    ("PublishFirmware", {"requestId": 1, "location": "http://mallory.example.com", "checksum": "0"}, []),
    ("TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"}, [Kind.RECONFIGURATION]),
]


@pytest.mark.parametrize(("action", "payload", "kinds"), OF_2_0_1)
async def test_a_backend_of_2_0_1_reaches_no_further(action: str, payload: Json, kinds: list[str]) -> None:
    station = Station("1.6")
    station.bridge = _of_2_0_1(station)

    assert (await station.bridge.from_backend(action, payload))["status"] in {"Rejected", "Failed"}
    assert station.heard == []
    assert [kind for kind, _ in station.events] == kinds
    assert "mallory" not in str(station.events)


@pytest.mark.parametrize("key", PSEUDO_KEYS)
async def test_nor_by_the_name_of_a_variable(key: str) -> None:
    station = Station("1.6")
    station.bridge = _of_2_0_1(station)
    component, variable = key.replace("[1]", "").split(".")
    item = {"component": {"name": component, "instance": "1"}, "variable": {"name": variable}, "attributeValue": "3"}

    answer = await station.bridge.from_backend("SetVariables", {"setVariableData": [item]})

    assert [result["attributeStatus"] for result in answer["setVariableResult"]] == ["Rejected"]
    assert station.heard == []
    assert [kind for kind, _ in station.events] == [Kind.RECONFIGURATION]


def _of_2_0_1(station: Station) -> V201ToV201:
    return V201ToV201(
        books=Books(),
        ledger=None,  # type: ignore[arg-type]  # it is never asked
        call_station=station._obey,
        call_backend=_nothing,  # type: ignore[arg-type]  # it is never asked
        note=lambda topic, text: None,
        report=lambda kind, detail: station.events.append((kind, detail)),
        clock=lambda: datetime(2026, 5, 1, tzinfo=UTC),
        save_page=_nothing,
        afterwards=lambda follow_up: None,
    )


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("knows", [True, False])
async def test_unsigned_firmware_is_not_passed_on(version: str, knows: bool) -> None:
    station = Station(version, security_extension=knows)

    if knows:
        with pytest.raises(CallError):
            await station.bridge.from_backend("UpdateFirmware", UPDATE)
    else:
        assert await station.bridge.from_backend("UpdateFirmware", UPDATE) == {}

    assert station.heard == []
    ((kind, detail),) = station.events
    assert kind == Kind.UNVERIFIED_FIRMWARE
    assert "evil" not in detail
