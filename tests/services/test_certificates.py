"""SignCertificate as dialogues: what the station asks, what it is answered, what it is given afterwards."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.bridge.ports import PeerUnavailable
from gateway.services.certificates import NotRenewed, StationCertificates, TriggerRefused
from gateway.session.ports import StationRecord
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.schemas import operation
from gateway.wire.versions import Version
from pki.authority import AuthorityUnavailable, SigningRequest
from tests.services.conftest import KeptEvents, Owned, ScriptedStation, settle

OPERATOR = "Example CPO"


def make_csr(common_name: str = "SN1", organization: str = OPERATOR) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = [
        x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
    ]
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject)).sign(key, hashes.SHA256())
    return csr.public_bytes(serialization.Encoding.PEM).decode()


class Authority:
    def __init__(self) -> None:
        self.asked: list[SigningRequest] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None

    async def sign(self, request: SigningRequest) -> Any:
        self.asked.append(request)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return SimpleNamespace(chain_pem="-----CHAIN-----", serial="abc123")


class Inventory:
    def __init__(self) -> None:
        self.owners: dict[str, str] = {}
        self.states: list[tuple[str, str]] = []

    async def key_owner(self, fingerprint: str) -> str | None:
        return self.owners.get(fingerprint)

    async def issued(self, identity: str, issued: Any, key_fingerprint: str) -> None:
        self.owners[key_fingerprint] = identity
        self.states.append((issued.serial, f"issued to {identity}"))

    async def mark(self, serial: str, state: str) -> None:
        self.states.append((serial, state))


def station_of(identity: str = "CS1", serial: str = "SN1", version: Version = Version.V201) -> ScriptedStation:
    return ScriptedStation(version=version, record=StationRecord(identity, 2, serial=serial))


class Desk:
    def __init__(self, events: KeptEvents) -> None:
        self.authority = Authority()
        self.inventory = Inventory()
        self.owned = Owned()
        self.now = 0.0
        self.service = StationCertificates(
            self.authority,  # type: ignore[arg-type]  # only sign is asked
            self.inventory,
            events,
            operator=OPERATOR,
            spawn=self.owned.spawn,
            clock=lambda: self.now,
        )

    async def sign(self, station: ScriptedStation, csr: str | None = None, **more: str) -> Any:
        answer = await self.service.sign_certificate(station, {"csr": csr or make_csr(), **more})
        operation(station.version, "SignCertificate").response.check(answer)
        return answer

    async def settled(self) -> None:
        await self.owned.finished()


@pytest.fixture
def desk(events: KeptEvents) -> Desk:
    return Desk(events)


async def test_answer_first_then_the_certificate(desk: Desk) -> None:
    station = station_of()
    desk.authority.gate.clear()
    assert await desk.sign(station) == {"status": "Accepted"}
    assert station.calls == []
    desk.authority.gate.set()
    await desk.settled()
    assert station.calls == [("CertificateSigned", {"certificateChain": "-----CHAIN-----"})]
    assert desk.inventory.states == [("abc123", "issued to CS1"), ("abc123", "installed")]
    asked = desk.authority.asked[0]
    assert (asked.common_name, asked.organization) == ("SN1", OPERATOR)


async def test_the_certificate_type_is_echoed(desk: Desk) -> None:
    station = station_of()
    await desk.sign(station, certificateType="ChargingStationCertificate")
    await desk.settled()
    assert station.calls[0][1]["certificateType"] == "ChargingStationCertificate"


async def test_a_type_without_an_authority_is_rejected(desk: Desk) -> None:
    answer = await desk.sign(station_of(), certificateType="V2GCertificate")
    assert answer["status"] == "Rejected"
    assert desk.owned.tasks == []


@pytest.mark.parametrize(
    "csr", [make_csr("SN2"), make_csr("SN1", "Another CPO"), "garbage", "-----BEGIN CERTIFICATE REQUEST-----\n"]
)
async def test_a_csr_that_fails_review_never_reaches_the_authority(desk: Desk, csr: str) -> None:
    answer = await desk.sign(station_of(), csr)
    assert answer["status"] == "Rejected"
    assert answer["statusInfo"]["reasonCode"] == "InvalidCSR"
    assert desk.authority.asked == []


async def test_a_key_that_another_station_has_is_rejected(desk: Desk) -> None:
    csr = make_csr("SN1")
    await desk.sign(station_of("CS1", "SN1"), csr)
    await desk.settled()
    answer = await desk.sign(station_of("CS2", "SN1"), csr)
    assert answer["statusInfo"]["additionalInfo"] == "the key was seen with another station"
    assert len(desk.authority.asked) == 1


async def test_one_request_at_a_time(desk: Desk) -> None:
    station = station_of()
    desk.authority.gate.clear()
    await desk.sign(station)
    assert (await desk.sign(station))["statusInfo"]["reasonCode"] == "Busy"
    desk.authority.gate.set()
    await desk.settled()
    assert (await desk.sign(station))["status"] == "Accepted"
    await desk.settled()


@pytest.mark.parametrize(
    ("failure", "answer"),
    [
        (AuthorityUnavailable("sealed"), {"status": "Accepted"}),
        (RuntimeError("a defect"), {"status": "Accepted"}),
        (None, PeerUnavailable("gone")),
        (None, CallError(ErrorCode.INTERNAL_ERROR)),
    ],
)
async def test_whatever_fails_the_station_may_ask_again(desk: Desk, failure: Exception | None, answer: Any) -> None:
    station = station_of()
    desk.authority.failure = failure
    station.says("CertificateSigned", answer)
    await desk.sign(station)
    await desk.settled()
    desk.authority.failure = None
    station.says("CertificateSigned", {"status": "Accepted"})
    assert (await desk.sign(station))["status"] == "Accepted"
    await desk.settled()
    assert desk.inventory.states[-1] == ("abc123", "installed")


@pytest.mark.parametrize("answer", [{"status": "Rejected"}, CallError(ErrorCode.INTERNAL_ERROR)])
async def test_a_refused_certificate_is_recorded(desk: Desk, events: KeptEvents, answer: Any) -> None:
    station = station_of()
    station.says("CertificateSigned", answer)
    await desk.sign(station)
    await desk.settled()
    assert desk.inventory.states[-1] == ("abc123", "rejected")
    (event,) = events.noted
    assert (event.kind, event.identity) == ("InvalidChargingStationCertificate", "CS1")
    assert event.presented == {"issued_serial": "abc123"}


async def test_renewal_triggers_and_reports_a_refusal(desk: Desk) -> None:
    station = station_of()
    await desk.service.renew(station)
    assert station.calls == [("TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"})]
    station.says("TriggerMessage", {"status": "NotImplemented"})
    with pytest.raises(TriggerRefused, match="NotImplemented"):
        await desk.service.renew(station)
    station.says("TriggerMessage", CallError(ErrorCode.NOT_SUPPORTED))
    with pytest.raises(TriggerRefused, match="CALLERROR NotSupported"):
        await desk.service.renew(station)
    station.says("TriggerMessage", PeerUnavailable("gone"))
    with pytest.raises(PeerUnavailable):
        await desk.service.renew(station)


async def test_a_16_station_speaks_its_own_words(desk: Desk) -> None:
    station = station_of(version=Version.V16)
    await desk.service.renew(station)
    assert await desk.sign(station, make_csr("SN2")) == {"status": "Rejected"}
    assert await desk.sign(station) == {"status": "Accepted"}
    await desk.settled()
    assert station.calls == [
        ("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}),
        ("CertificateSigned", {"certificateChain": "-----CHAIN-----"}),
    ]
    assert desk.inventory.states[-1] == ("abc123", "installed")


# --- to be renewed, and to know when it is


async def test_whoever_waits_hears_when_the_station_has_accepted(desk: Desk) -> None:
    station = station_of()
    renewed = asyncio.ensure_future(desk.service.renew_and_wait(station, 60))
    await settle()
    assert station.actions == ["TriggerMessage"]
    await desk.sign(station)
    assert not renewed.done()
    assert await renewed == "abc123"
    assert station.actions == ["TriggerMessage", "CertificateSigned"]


async def test_two_may_wait_and_another_station_is_none_of_theirs(desk: Desk) -> None:
    station = station_of()
    waiting = [asyncio.ensure_future(desk.service.renew_and_wait(station, 60)) for _ in range(2)]
    await settle()
    await desk.sign(station_of("CS2", "SN2"), make_csr("SN2"))
    await desk.settled()
    assert not any(each.done() for each in waiting)
    await desk.sign(station)
    assert await asyncio.gather(*waiting) == ["abc123", "abc123"]


@pytest.mark.parametrize(
    ("csr", "failure", "answer", "reason"),
    [
        (make_csr("SN2"), None, {"status": "Accepted"}, "the CN isn't this station's"),
        (None, AuthorityUnavailable("sealed"), {"status": "Accepted"}, "signing it failed: sealed"),
        (None, RuntimeError("a defect"), {"status": "Accepted"}, "the log says why"),
        (None, None, PeerUnavailable("gone"), "could not be delivered: gone"),
        (None, None, {"status": "Rejected"}, "CertificateSigned: Rejected"),
    ],
)
async def test_whoever_waits_hears_why_nothing_comes(
    desk: Desk, csr: str | None, failure: Exception | None, answer: Any, reason: str
) -> None:
    station = station_of()
    desk.authority.failure = failure
    station.says("CertificateSigned", answer)
    renewed = asyncio.ensure_future(desk.service.renew_and_wait(station, 60))
    await settle()
    await desk.sign(station, csr)
    with pytest.raises(NotRenewed, match=reason):
        await renewed


async def test_a_flood_ends_the_waiting_too(desk: Desk) -> None:
    station = station_of()
    for _ in range(10):
        await desk.sign(station, "rubbish")
    renewed = asyncio.ensure_future(desk.service.renew_and_wait(station, 60))
    await settle()
    await desk.sign(station)
    with pytest.raises(NotRenewed, match="more than 10 requests"):
        await renewed


async def test_waiting_ends(desk: Desk) -> None:
    station = station_of()
    with pytest.raises(NotRenewed, match="within 0 s"):
        await desk.service.renew_and_wait(station, 0.0)
    station.says("TriggerMessage", {"status": "Rejected"})
    with pytest.raises(TriggerRefused):
        await desk.service.renew_and_wait(station, 60)
    renewed = asyncio.ensure_future(desk.service.renew_and_wait(station_of(), 60))
    await settle()
    renewed.cancel()
    await asyncio.wait([renewed])
    assert desk.service._waiting == {}


async def test_a_flood_of_requests_is_refused_for_that_station_alone(desk: Desk) -> None:
    station = station_of()
    for _ in range(10):
        assert (await desk.sign(station))["status"] == "Accepted"
        await desk.settled()
    assert (await desk.sign(station))["statusInfo"]["reasonCode"] == "RateLimitExceeded"
    assert len(desk.authority.asked) == 10
    assert (await desk.sign(station_of("CS2", "SN2"), make_csr("SN2")))["status"] == "Accepted"
    await desk.settled()
    desk.now = 3600.0
    assert (await desk.sign(station))["status"] == "Accepted"
    await desk.settled()
