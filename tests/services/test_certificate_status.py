"""GetCertificateStatus (M06): what a station is told, and when it is told that nothing could be had."""

import base64
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography import x509

from gateway.services.certificate_status import REQUESTS_MAX, REQUESTS_WINDOW, RESULT_MAX, CertificateStatus
from gateway.session.security import Kind, SecurityEvent
from gateway.wire.schemas import operation
from gateway.wire.versions import Version
from pki.certificate_hash import CertificateHash
from pki.ocsp.client import Cause, OcspUnavailable
from pki.ocsp.response import Answer
from pki.revocation import Status
from tests.pki.conftest import NOW
from tests.services.conftest import ScriptedStation

URL = "http://ocsp.example.com/v2g"
ISSUER: Any = object()
FIELDS = {"hashAlgorithm": "SHA256", "issuerNameHash": "AB" * 32, "issuerKeyHash": "cd" * 32, "serialNumber": "0F1"}


@dataclass
class World:
    """Responders and CA certificates, as far as the service asks for them."""

    status: Status = Status.GOOD
    der: bytes = b"\x30\x03der"
    failure: OcspUnavailable | None = None
    issuer: Any = ISSUER
    asked: list[tuple[str, CertificateHash]] = field(default_factory=list)
    events: list[SecurityEvent] = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.service = CertificateStatus(self, self, self, clock=lambda: self.now)

    async def ask(self, url: str, certificate: CertificateHash, issuer: x509.Certificate) -> Answer:
        assert issuer is ISSUER
        self.asked.append((url, certificate))
        if self.failure is not None:
            raise self.failure
        return Answer(self.status, "", NOW, NOW, None, self.der)

    async def find(self, certificate: CertificateHash) -> Any:
        return self.issuer

    def note(self, event: SecurityEvent) -> None:
        self.events.append(event)

    async def get(self, station: ScriptedStation | None = None, /, **fields: str) -> Any:
        request = {"ocspRequestData": {**FIELDS, "responderURL": URL, **fields}}
        schemas = operation(Version.V201, "GetCertificateStatus")
        schemas.request.check(request)
        answer = await self.service.get_certificate_status(station or ScriptedStation(), request)
        schemas.response.check(answer)
        return answer


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("status", list(Status))
async def test_what_the_responder_said_goes_to_the_station_as_it_was_signed(world: World, status: Status) -> None:
    """M06.FR.04: Accepted is retrieved, not good."""
    world.status = status
    assert await world.get() == {"status": "Accepted", "ocspResult": base64.b64encode(world.der).decode()}
    ((url, certificate),) = world.asked
    assert (url, certificate.serial, certificate.issuer_name) == (URL, "f1", "ab" * 32)
    assert world.events == []


@pytest.mark.parametrize("cause", list(Cause))
async def test_nothing_could_be_had(world: World, cause: Cause) -> None:
    world.failure = OcspUnavailable(cause, "why " + "x" * 600)
    answer = await world.get()
    assert answer["status"] == "Failed"
    assert answer["statusInfo"]["reasonCode"] == cause.value
    assert answer["statusInfo"]["additionalInfo"].startswith("why xxx")
    assert [event.kind for event in world.events] == ([Kind.UNSAFE_LOCATION] if cause is Cause.NOT_ALLOWED else [])


async def test_the_issuer_must_be_known(world: World) -> None:
    world.issuer = None
    assert (await world.get())["statusInfo"]["reasonCode"] == "UnknownIssuer"
    assert world.asked == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("issuerNameHash", "a1"), ("issuerKeyHash", "zz" * 32), ("serialNumber", "0x12"), ("serialNumber", "-1")],
)
async def test_hashes_that_are_none(world: World, field: str, value: str) -> None:
    answer = await world.get(None, **{field: value})
    assert answer["statusInfo"]["reasonCode"] == "InvalidHashData"
    assert field in answer["statusInfo"]["additionalInfo"]
    assert world.asked == []


async def test_the_longest_response(world: World) -> None:
    world.der = bytes(RESULT_MAX * 3 // 4)
    assert len((await world.get())["ocspResult"]) == RESULT_MAX
    world.der += b"\0"
    assert (await world.get())["statusInfo"]["reasonCode"] == "ResponseTooLarge"


async def test_a_station_that_asks_without_end(world: World) -> None:
    one, other = ScriptedStation("CS1"), ScriptedStation("CS2")
    for _ in range(REQUESTS_MAX):
        assert (await world.get(one))["status"] == "Accepted"
    assert (await world.get(one))["statusInfo"]["reasonCode"] == "RateLimitExceeded"
    assert (await world.get(other))["status"] == "Accepted"
    world.now = REQUESTS_WINDOW + 1
    assert (await world.get(one))["status"] == "Accepted"


async def test_a_1_6_station_hears_the_same_but_for_the_reason(world: World) -> None:
    station = ScriptedStation(version=Version.V16)
    request = {"ocspRequestData": {**FIELDS, "responderURL": URL}}
    result = base64.b64encode(world.der).decode()
    assert await world.service.wrapped(station, request, "x") == {"status": "Accepted", "ocspResult": result}
    world.issuer = None
    assert await world.service.wrapped(station, request, "x") == {"status": "Failed"}
