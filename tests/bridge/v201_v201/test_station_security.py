"""What no backend may do at a station: refused in the message's own words, and the station hears nothing."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Json
from gateway.bridge.ports import DOWNGRADE, RECONFIGURATION
from gateway.bridge.v201_v201.station_security import REFUSALS

if TYPE_CHECKING:
    from tests.bridge.v201_v201.conftest import World

HASH = {"hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "c"}
INFO = {"statusInfo": {"reasonCode": "UnsupportedRequest"}}
REFUSED: dict[str, tuple[Json, Json]] = {
    "CertificateSigned": ({"certificateChain": "PEM"}, {"status": "Rejected", **INFO}),
    "DeleteCertificate": ({"certificateHashData": HASH}, {"status": "Failed", **INFO}),
    "InstallCertificate": (
        {"certificateType": "CSMSRootCertificate", "certificate": "PEM"},
        {"status": "Rejected", **INFO},
    ),
    "PublishFirmware": ({"location": "https://x", "checksum": "0", "requestId": 1}, {"status": "Rejected", **INFO}),
    "UnpublishFirmware": ({"checksum": "0"}, {"status": "NoFirmware"}),
    "UpdateFirmware": (
        {"requestId": 1, "firmware": {"location": "https://x", "retrieveDateTime": "2026-05-01T12:00:00Z"}},
        {"status": "Rejected", **INFO},
    ),
}


def test_the_table_is_whole() -> None:
    assert REFUSED.keys() == REFUSALS.keys()


@pytest.mark.parametrize("action", sorted(REFUSED))
async def test_what_is_refused(world: "World", action: str) -> None:
    request, answer = REFUSED[action]
    assert await world.from_backend(action, request) == answer
    assert world.dialogue == []
    assert any(action in text for text in world.notes.values()) is ("Firmware" in action)
    assert [kind for kind, detail in world.reports if action in detail] == [RECONFIGURATION] * ("Certificate" in action)


@pytest.mark.parametrize(
    ("profile", "kind", "told"),
    [
        (0, DOWNGRADE, "profile 0 "),
        (2, DOWNGRADE, "profile 2 "),
        (3, RECONFIGURATION, "connection"),
        (99, DOWNGRADE, "profile "),
    ],
)
async def test_a_network_profile(world: "World", profile: int, kind: str, told: str) -> None:
    connection = {
        "ocppVersion": "OCPP20",
        "ocppTransport": "JSON",
        "ocppCsmsUrl": "ws://evil.example.com",
        "messageTimeout": 30,
        "securityProfile": profile,
        "ocppInterface": "Wired0",
    }
    request = {"configurationSlot": 1, "connectionData": connection}
    assert await world.from_backend("SetNetworkProfile", request) == {"status": "Rejected", **INFO}
    assert world.dialogue == []
    ((reported, detail),) = world.reports
    assert reported == kind
    assert told in detail
    assert "evil" not in detail


@pytest.mark.parametrize(
    ("asked_for", "passes"),
    [
        ("SignChargingStationCertificate", False),
        ("SignV2GCertificate", False),
        ("SignCombinedCertificate", False),
        ("StatusNotification", True),
        ("TransactionEvent", True),
    ],
)
async def test_a_backend_triggers_no_csr(world: "World", asked_for: str, passes: bool) -> None:
    answer = await world.from_backend("TriggerMessage", {"requestedMessage": asked_for})
    assert answer["status"] == ("Accepted" if passes else "Rejected")
    assert bool(world.dialogue) is passes
    assert [kind for kind, _ in world.reports] == ([] if passes else [RECONFIGURATION])


async def test_certificates_in_a_data_transfer(world: "World") -> None:
    wrapped = {"vendorId": "org.openchargealliance.iso15118pnc", "messageId": "DeleteCertificate", "data": {}}
    answer = await world.from_backend("DataTransfer", wrapped)
    assert answer == {"status": "Accepted", "data": '{"status":"Failed"}'}
    assert [kind for kind, _ in world.reports] == [RECONFIGURATION]
    assert world.dialogue == []
