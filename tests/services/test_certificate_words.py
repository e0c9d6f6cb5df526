"""Each command in the words of the request: what is sent, by version and usage."""

from typing import Any

import pytest

from gateway.bridge.ports import PeerUnavailable
from gateway.services.certificate_words import STATION, V2G, Words, deliver_certificate, trigger_csr
from gateway.wire.versions import Version
from tests.services.conftest import ScriptedStation

WRAPPED = {"status": "Accepted", "data": '{"status":"Accepted"}'}
OCA = "org.openchargealliance.iso15118pnc"


@pytest.mark.parametrize(
    ("version", "usage", "sent"),
    [
        (Version.V201, STATION, ("TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"})),
        (Version.V201, V2G, ("TriggerMessage", {"requestedMessage": "SignV2GCertificate"})),
        (Version.V16, STATION, ("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"})),
        (Version.V16, V2G, ("DataTransfer", {"vendorId": OCA, "messageId": "TriggerMessage", "data": "{}"})),
    ],
)
async def test_a_trigger(version: Version, usage: str, sent: tuple[str, Any]) -> None:
    station = ScriptedStation(version=version)
    station.says("DataTransfer", WRAPPED)
    reply = await trigger_csr(station, usage)
    assert (reply.is_accepted, station.calls) == (True, [sent])


@pytest.mark.parametrize("status", ["UnknownVendorId", "UnknownMessageId", "Rejected"])
async def test_a_station_that_does_not_know_the_note(status: str) -> None:
    station = ScriptedStation(version=Version.V16)
    station.says("DataTransfer", {"status": status})
    reply = await trigger_csr(station, V2G)
    assert not reply.is_accepted
    assert status in reply.words


@pytest.mark.parametrize(
    ("version", "words", "action", "payload"),
    [
        (Version.V201, Words("V2GCertificate", "SN1"), "CertificateSigned", {"certificateChain": "PEM"}),
        (
            Version.V201,
            Words("V2GCertificate", "SN1", is_said=True),
            "CertificateSigned",
            {"certificateChain": "PEM", "certificateType": "V2GCertificate"},
        ),
        (Version.V16, Words("ChargingStationCertificate", "SN1"), "CertificateSigned", {"certificateChain": "PEM"}),
        (
            Version.V16,
            Words("V2GCertificate", "SN1", vendor_id="iso15118"),
            "DataTransfer",
            {"vendorId": "iso15118", "messageId": "CertificateSigned", "data": '{"certificateChain":"PEM"}'},
        ),
    ],
)
async def test_a_certificate(version: Version, words: Words, action: str, payload: Any) -> None:
    station = ScriptedStation(version=version)
    station.says("DataTransfer", WRAPPED)
    assert (await deliver_certificate(station, "PEM", words)).is_accepted
    assert station.calls == [(action, payload)]


async def test_a_request_id_is_echoed() -> None:
    sent: list[Any] = []

    class Later(ScriptedStation):
        """A station of OCPP 2.1, for whose words there is no schema here."""

        async def call_station(self, action: str, payload: Any) -> Any:
            sent.append((action, payload))
            return {"status": "Accepted"}

    await deliver_certificate(Later(), "PEM", Words("V2G20Certificate", "SN1", is_said=True, request_id=7))
    assert sent == [
        ("CertificateSigned", {"certificateChain": "PEM", "certificateType": "V2G20Certificate", "requestId": 7})
    ]


async def test_an_answer_that_can_not_be_read_says_nothing_of_what_the_station_did() -> None:
    station = ScriptedStation(version=Version.V16)
    station.says("DataTransfer", {"status": "Accepted", "data": "?"})
    with pytest.raises(PeerUnavailable):
        await deliver_certificate(station, "PEM", Words("V2GCertificate", "SN1", vendor_id=OCA))


def test_words_are_kept_as_they_are() -> None:
    words = Words("V2GCertificate", "SN1", is_said=True, vendor_id="iso15118", request_id=3)
    assert Words(**words.to_json()) == words
