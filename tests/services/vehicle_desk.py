"""Vehicles and all that a request of theirs meets, made up: what is tested is who asks whom, and what is kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from gateway.bridge.books import Books, Json
from gateway.services.contract_providers import Offer, Providers
from gateway.services.contract_provisioning import ContractProvisioning
from gateway.services.ev_certificate_words import EvAnswer, EvRequest, encode_base64
from gateway.services.provisioning_record import ProvisioningRecord
from gateway.session.ports import StoreAway
from gateway.session.provisionings import ProvidedCertificate, ProvisioningEntry
from gateway.session.tally import Tally
from gateway.wire.versions import Version
from pki.iso15118.exi import Schema
from pki.iso15118.messages import (
    Action,
    CertificateChain,
    CertificateInstallationReq,
    CertificateInstallationReq20,
    CertificateUpdateReq,
    Header,
    Request,
    Signature,
    SignedInfo,
)
from pki.iso15118.provisioning import Contract, Provision, ProvisioningRefused, VerifiedRequest
from tests.services.conftest import FakeTime, KeptEvents, ScriptedStation

if TYPE_CHECKING:
    import asyncio

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PCID = "WVWZZZ1KZAW000123"
EMAID = "DE8EXC12345678O"
OTHER = "FR1ABC999999999"
SIGNED = SignedInfo("c14n", "ecdsa", ())


@cache
def certificate(name: str) -> x509.Certificate:
    """Return a certificate of this CN, which signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    return builder.not_valid_before(NOW).not_valid_after(NOW + timedelta(days=365)).sign(key, SHA256())


class Stand(ScriptedStation):
    """A station with a backend that answers by a script."""

    def __init__(self, identity: str = "CS1", *, version: Version = Version.V201) -> None:
        super().__init__(identity, version=version)
        self.remote = "192.0.2.7"
        self.books = Books()
        self.to_backend: list[tuple[str, Json]] = []
        self.backend_says: Json | Exception = {"status": "Failed", "exiResponse": ""}

    async def call_backend(self, action: str, payload: Json) -> Json:
        self.to_backend.append((action, payload))
        if isinstance(self.backend_says, Exception):
            raise self.backend_says
        return self.backend_says


def installation(session: bytes = b"session1", r: bytes = b"r") -> CertificateInstallationReq:
    """Return a request; ``r`` is the half of its signature that tells it apart."""
    header = Header(session, Signature(SIGNED, r.ljust(32) + bytes(32)))
    return CertificateInstallationReq(header, "id1", b"oem", ())


def installation_20(
    session: bytes = b"session1", r: bytes = b"r", most: int = 10, first: tuple[str, ...] = ()
) -> CertificateInstallationReq20:
    header = Header(session, Signature(SIGNED, r.ljust(66) + bytes(66)), timestamp=1)
    return CertificateInstallationReq20(header, CertificateChain(b"oem", (), "id1"), (), most, first)


def update(session: bytes = b"session1", r: bytes = b"r") -> CertificateUpdateReq:
    header = Header(session, Signature(SIGNED, r.ljust(32) + bytes(32)))
    return CertificateUpdateReq(header, "id1", CertificateChain(b"old"), EMAID, ())


def verified(message: Request, exi: bytes = b"exi", leaf: str = "vehicle") -> VerifiedRequest:
    found = certificate(leaf)
    key = found.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    is_update = isinstance(message, CertificateUpdateReq)
    return VerifiedRequest(
        message,
        Schema.ISO_20 if isinstance(message, CertificateInstallationReq20) else Schema.ISO_2,
        Action.UPDATE if is_update else Action.INSTALL,
        exi,
        (found,),
        key,
        pcid=None if is_update else PCID,
        emaid=EMAID if is_update else None,
    )


def ev_request(exi: bytes, **changes: Any) -> EvRequest:
    asked = EvRequest(Schema.ISO_2.value, Action.INSTALL, encode_base64(exi), 7500)
    return replace(asked, **changes)


@dataclass
class Verifier:
    """Knows requests by their octets."""

    known: dict[bytes, VerifiedRequest | ProvisioningRefused | Exception] = field(default_factory=dict)
    asked: list[tuple[bytes, Schema, Action]] = field(default_factory=list)

    def verify(self, exi: bytes, schema: Schema, action: Action) -> VerifiedRequest:
        self.asked.append((exi, schema, action))
        found = self.known[exi]
        if isinstance(found, Exception):
            raise found
        return found


@dataclass
class Book:
    """Fulfils what the services ask of the store."""

    contracts: dict[str, list[Contract]] = field(default_factory=dict)
    known: dict[int, ProvidedCertificate] = field(default_factory=dict)
    entries: list[ProvisioningEntry] = field(default_factory=list)
    issued_ones: list[tuple[x509.Certificate, str, x509.Certificate | None]] = field(default_factory=list)
    is_away: bool = False
    audit_is_away: bool = False

    async def for_vehicle(self, pcid: str, at: datetime) -> Sequence[Contract]:
        self._there()
        assert at == NOW
        return self.contracts.get(pcid, [])

    async def by_emaid(self, emaid: str, at: datetime) -> Contract | None:
        self._there()
        every = [each for contracts in self.contracts.values() for each in contracts]
        found = [each for each in every if each.emaid[:14] == emaid[:14]]
        return replace(found[0], pcid=None, valid_until=None) if len(found) > 1 else next(iter(found), None)

    async def provided(self, certificate: x509.Certificate) -> ProvidedCertificate | None:
        self._there()
        return self.known.get(certificate.serial_number)

    async def was_issued(self, digest: str) -> bool:
        self._there()
        return any(each.digest == digest and each.refusal is None for each in self.entries)

    async def note(self, entry: ProvisioningEntry) -> None:
        self._there(is_audit=True)
        self.entries.append(entry)

    async def issued(
        self,
        entry: ProvisioningEntry,
        certificate: x509.Certificate,
        *,
        usage: str,
        predecessor: x509.Certificate | None = None,
    ) -> None:
        await self.note(entry)
        self.issued_ones.append((certificate, usage, predecessor))

    def _there(self, *, is_audit: bool = False) -> None:
        if self.is_away or (is_audit and self.audit_is_away):
            raise StoreAway("no disk")


class Provider:
    """Provides what it is asked for, or what a test says."""

    def __init__(self) -> None:
        self.asked: list[tuple[VerifiedRequest, Contract | None, int]] = []
        self.says: Callable[[VerifiedRequest, Contract | None], Provision] | Exception | None = None
        self.gate: asyncio.Event | None = None
        """While it is there and not set, nobody is answered."""

    async def provide(self, request: VerifiedRequest, contract: Contract | None, *, remaining: int) -> Provision:
        self.asked.append((request, contract, remaining))
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.says, Exception):
            raise self.says
        if self.says is not None:
            return self.says(request, contract)
        emaid = EMAID if contract is None else contract.emaid
        return Provision(b"answer", emaid, certificate(f"contract {len(self.asked)}"), certificate("cps"), remaining)

    async def close(self) -> None:
        pass


class VehicleDesk:
    """All parts put together: ``native`` provides, and ``roaming`` for eMSP FR1AB."""

    def __init__(self, time: FakeTime, events: KeptEvents, *, timeout: float = 4.0) -> None:
        self.time = time
        self.events = events
        self.verifier = Verifier()
        self.book = Book({PCID: [Contract(EMAID, PCID)]})
        self.native, self.roaming = Provider(), Provider()
        self.tally = Tally()
        self.withdrawn: list[x509.Certificate] = []
        self.revoked: dict[int, str] = {}
        """Why, by serial number."""
        self.failures: list[tuple[bytes, Schema, object]] = []
        self.station = Stand()
        offers = {
            "native": Offer(lambda *_: self.native, is_ours=True, withdraw=self.withdrawn.append),
            "roaming": Offer(lambda *_: self.roaming, knows_contracts=True),
        }
        self.provisioning = ContractProvisioning(
            self.verifier,
            self.book,
            self.book,
            Providers(offers, default="native", emsps={"FR1AB": "roaming"}),
            ProvisioningRecord(self.book, events, self.tally),
            refused=self._refused,
            why_revoked=lambda path: self.revoked.get(path[0].serial_number, ""),
            timeout=timeout,
            now=lambda: NOW,
            clock=time,
        )

    def _refused(self, exi: bytes, schema: Schema, refusal: object) -> bytes | None:
        self.failures.append((exi, schema, refusal))
        return b"no" if exi.startswith(b"exi") else None

    def knows(self, message: Request, exi: bytes = b"exi", leaf: str = "vehicle") -> EvRequest:
        """The verifier finds this in order; return how a station asks for it."""
        found = verified(message, exi, leaf)
        self.verifier.known[exi] = found
        return ev_request(exi, schema_version=found.schema.value, action=found.action)

    async def asks(self, asked: EvRequest, station: Stand | None = None) -> EvAnswer:
        return await self.provisioning.answer(station or self.station, asked)
