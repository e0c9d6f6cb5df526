"""SignCertificate as dialogues: what the station asks, what it is answered, what it is given afterwards."""

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.bridge.ports import PeerUnavailable
from gateway.services.certificates import StationCertificates, TriggerRefused
from gateway.session.ports import StationRecord
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.schemas import operation
from gateway.wire.versions import Version
from pki.authority import AuthorityUnavailable, SigningRequest

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


class Station:
    """A station as the service sees it: its record, and a way to call it."""

    def __init__(self, identity: str = "CS1", serial: str = "SN1") -> None:
        self.identity = identity
        self.record = StationRecord(identity, 2, serial=serial)
        self.calls: list[tuple[str, Any]] = []
        self.answer: Any = {"status": "Accepted"}

    async def call_station(self, action: str, payload: Any) -> Any:
        operation(Version.V201, action).request.check(payload)
        self.calls.append((action, payload))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Desk:
    def __init__(self) -> None:
        self.authority = Authority()
        self.inventory = Inventory()
        self.tasks: list[asyncio.Task[None]] = []
        self.now = 0.0
        self.service = StationCertificates(
            self.authority,  # type: ignore[arg-type]  # only sign is asked
            self.inventory,
            operator=OPERATOR,
            spawn=self._spawn,
            clock=lambda: self.now,
        )

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.append(task)
        return task

    async def sign(self, station: Any, csr: str | None = None, **more: str) -> Any:
        answer = await self.service.sign_certificate(station, {"csr": csr or make_csr(), **more})
        operation(Version.V201, "SignCertificate").response.check(answer)
        return answer

    async def settled(self) -> None:
        await asyncio.gather(*self.tasks)


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_answer_first_then_the_certificate(desk: Desk) -> None:
    station = Station()
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
    station = Station()
    await desk.sign(station, certificateType="ChargingStationCertificate")
    await desk.settled()
    assert station.calls[0][1]["certificateType"] == "ChargingStationCertificate"


async def test_a_type_without_an_authority_is_rejected(desk: Desk) -> None:
    answer = await desk.sign(Station(), certificateType="V2GCertificate")
    assert answer["status"] == "Rejected"
    assert desk.tasks == []


@pytest.mark.parametrize(
    "csr", [make_csr("SN2"), make_csr("SN1", "Another CPO"), "garbage", "-----BEGIN CERTIFICATE REQUEST-----\n"]
)
async def test_a_csr_that_fails_review_never_reaches_the_authority(desk: Desk, csr: str) -> None:
    answer = await desk.sign(Station(), csr)
    assert answer["status"] == "Rejected"
    assert answer["statusInfo"]["reasonCode"] == "InvalidCSR"
    assert desk.authority.asked == []


async def test_a_key_that_another_station_has_is_rejected(desk: Desk) -> None:
    csr = make_csr("SN1")
    await desk.sign(Station("CS1", "SN1"), csr)
    await desk.settled()
    answer = await desk.sign(Station("CS2", "SN1"), csr)
    assert answer["statusInfo"]["additionalInfo"] == "the key was seen with another station"
    assert len(desk.authority.asked) == 1


async def test_one_request_at_a_time(desk: Desk) -> None:
    station = Station()
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
    station = Station()
    desk.authority.failure, station.answer = failure, answer
    await desk.sign(station)
    await desk.settled()
    desk.authority.failure, station.answer = None, {"status": "Accepted"}
    assert (await desk.sign(station))["status"] == "Accepted"
    await desk.settled()
    assert desk.inventory.states[-1] == ("abc123", "installed")


async def test_a_refused_certificate_is_recorded(desk: Desk) -> None:
    station = Station()
    station.answer = {"status": "Rejected"}
    await desk.sign(station)
    await desk.settled()
    assert desk.inventory.states[-1] == ("abc123", "rejected")


async def test_renewal_triggers_and_reports_a_refusal(desk: Desk) -> None:
    station = Station()
    await desk.service.renew(station)  # type: ignore[arg-type]  # a stand-in
    assert station.calls == [("TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"})]
    station.answer = {"status": "NotImplemented"}
    with pytest.raises(TriggerRefused, match="NotImplemented"):
        await desk.service.renew(station)  # type: ignore[arg-type]  # a stand-in


async def test_a_flood_of_requests_is_refused_for_that_station_alone(desk: Desk) -> None:
    station = Station()
    for _ in range(10):
        assert (await desk.sign(station))["status"] == "Accepted"
        await desk.settled()
    assert (await desk.sign(station))["statusInfo"]["reasonCode"] == "RateLimitExceeded"
    assert len(desk.authority.asked) == 10
    assert (await desk.sign(Station("CS2", "SN2"), make_csr("SN2")))["status"] == "Accepted"
    await desk.settled()
    desk.now = 3600.0
    assert (await desk.sign(station))["status"] == "Accepted"
    await desk.settled()
