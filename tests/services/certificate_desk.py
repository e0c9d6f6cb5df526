"""The flows from CSR to certificate with a made-up authority, inventory and store, whose time a test moves."""

import asyncio
import hashlib
import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.bridge.books import Json
from gateway.services.certificate_signing import OnFile
from gateway.services.certificate_words import CertificateKind
from gateway.services.certificates import StationCertificates
from gateway.session.certificate_requests import OPEN, CertificateRequest, RequestState
from gateway.session.ports import StationRecord
from gateway.wire.schemas import operation
from gateway.wire.versions import Version
from pki import profiles
from pki.authority import SigningRequest
from tests.services.conftest import KeptEvents, Owned, ScriptedStation, settle

OPERATOR = "Example CPO"
START = datetime(2026, 5, 1, 12, tzinfo=UTC)
NEVER = START + timedelta(days=3650)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def make_csr(
    common_name: str = "SN1", organization: str = OPERATOR, key: ec.EllipticCurvePrivateKey | None = None
) -> str:
    subject = [
        x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
    ]
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    return csr.sign(key or new_key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def station_of(identity: str = "CS1", serial: str = "SN1", version: Version = Version.V201) -> ScriptedStation:
    return ScriptedStation(version=version, record=StationRecord(identity, 2, serial=serial))


class Authority:
    """Gives serial numbers abc1, abc2, ... The next failures are raised first, each once."""

    def __init__(self) -> None:
        self.asked: list[SigningRequest] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failures: list[Exception] = []
        self.issuers: list[x509.Certificate] = []
        self.at_once = self.most_at_once = 0
        self._numbers = itertools.count(1)

    async def chain(self) -> list[x509.Certificate]:
        return self.issuers

    async def sign(self, request: SigningRequest) -> Any:
        self.asked.append(request)
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            await self.gate.wait()
        finally:
            self.at_once -= 1
        if self.failures:
            raise self.failures.pop(0)
        serial = f"abc{next(self._numbers)}"
        key = request.csr.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return SimpleNamespace(
            chain_pem=f"-----CHAIN {serial}-----", serial=serial, key=hashlib.sha256(key).hexdigest()
        )


class Inventory:
    """Fulfils ``CertificateLog``."""

    def __init__(self) -> None:
        self.owners: dict[str, str] = {}
        self.steps: list[tuple[str, str]] = []
        self.files: dict[str, OnFile] = {}
        self.keys: dict[str, tuple[str, str, str]] = {}
        self.failures: list[Exception] = []

    async def claim_key(self, identity: str, fingerprint: str) -> bool:
        return self.owners.setdefault(fingerprint, identity) == identity

    async def add(self, identity: str, issued: Any, *, usage: str, profile: str) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.files[issued.serial] = OnFile(issued.serial, issued.chain_pem, "issued", NEVER)
        self.keys[issued.serial] = identity, usage, issued.key
        self.steps.append((issued.serial, f"{usage} {profile} issued to {identity}"))

    async def mark(self, serial: str, state: str, detail: str = "") -> None:
        if self.files[serial].state != "revoked":
            self.files[serial] = replace(self.files[serial], state=state)
        self.steps.append((serial, state))

    async def on_file(self, serial: str) -> OnFile | None:
        return self.files.get(serial)

    async def undelivered(self, identity: str, usage: str, key_fingerprint: str) -> OnFile | None:
        for serial, found in self.files.items():
            if self.keys[serial] == (identity, usage, key_fingerprint) and found.state == "issued":
                return found
        return None


class Book:
    """Fulfils ``Requests``, as the store does."""

    def __init__(self) -> None:
        self.kept: dict[int, CertificateRequest] = {}
        self.now = START
        self.at = 0
        self.names: dict[str, str | None] = {}
        """By identity: the certificate name, where it isn't SN and the identity's number."""
        self.others: tuple[bool, Sequence[str]] = (False, [])

    def states(self) -> list[str]:
        return [each.state.value for each in self.kept.values()]

    async def add(
        self, identity: str, usage: str, state: RequestState, *, csr: str, key_fingerprint: str, words: Json
    ) -> tuple[CertificateRequest, Sequence[CertificateRequest]]:
        older = [each for each in await self.open_ones(identity) if each.usage == usage]
        for each in older:
            await self.move(each.id, RequestState.REPLACED)
        number = len(self.kept) + 1
        made = CertificateRequest(
            number, identity, usage, state, csr, key_fingerprint, words, None, 0, "", self.now, self.now
        )
        self.kept[number] = made
        return made, older

    async def find(self, request_id: int) -> CertificateRequest | None:
        return self.kept.get(request_id)

    async def open_ones(self, identity: str) -> Sequence[CertificateRequest]:
        return [each for each in self.kept.values() if each.identity == identity and each.state in OPEN]

    async def list(
        self, identity: str | None = None, *, states: Collection[RequestState] | None = None
    ) -> Sequence[CertificateRequest]:
        return [
            each
            for each in self.kept.values()
            if identity in {None, each.identity} and (states is None or each.state in states)
        ]

    async def move(
        self,
        request_id: int,
        state: RequestState,
        *,
        detail: str = "",
        serial: str | None = None,
        was: RequestState | None = None,
    ) -> CertificateRequest | None:
        known = self.kept[request_id]
        if known.state not in OPEN or was not in {None, known.state}:
            return None
        serial = serial or known.serial
        self.kept[request_id] = replace(known, state=state, detail=detail, serial=serial, changed_at=self.now)
        return self.kept[request_id]

    async def overdue(
        self, since: Mapping[RequestState, datetime], *, after: int, at_most: int
    ) -> Sequence[CertificateRequest]:
        found = [
            each
            for each in self.kept.values()
            if each.id > after and each.state in since and each.changed_at <= since[each.state]
        ]
        return found[:at_most]

    async def sending(self, request_id: int) -> int:
        known = self.kept[request_id]
        if known.state not in OPEN:
            return 0
        self.kept[request_id] = replace(known, attempts=known.attempts + 1)
        return known.attempts + 1

    async def decide(self, request_id: int, state: RequestState) -> None:
        await self.move(request_id, state)
        self.at += 1

    async def revision(self) -> int:
        return self.at

    async def name_of(self, identity: str) -> str | None:
        return self.names.get(identity, identity.replace("CS", "SN"))

    async def names_of_others(self, identity: str, name: str, usage: str) -> tuple[bool, Sequence[str]]:
        return self.others


class Desk:
    """The service, and what it stands on; ``restart`` builds it anew on what was kept."""

    def __init__(self, events: KeptEvents, *, v2g: bool = False, approval: bool = False) -> None:
        self.events = events
        self.authority, self.v2g = Authority(), Authority()
        self.inventory = Inventory()
        self.book = Book()
        self.now = 0.0
        self.paused: list[float] = []
        self.pausing = 0
        self.revoked: list[tuple[str, str]] = []
        self.kinds = {
            "ChargingStationCertificate": self._kind("station", profiles.charging_station(), self.authority, approval)
        }
        if v2g:
            self.kinds["V2GCertificate"] = self._kind("v2g", profiles.secc(), self.v2g, approval)
        self.restart()

    @staticmethod
    def _kind(usage: str, profile: profiles.CertificateProfile, authority: Any, approval: bool) -> CertificateKind:
        return CertificateKind(usage, profile, authority, approval)

    def restart(self) -> None:
        self.owned = Owned()
        self.service = StationCertificates(
            self.kinds,
            self.book,
            self.inventory,
            self.events,
            operator=OPERATOR,
            spawn=self.owned.spawn,
            revoke=self._revoke,
            now=lambda: self.book.now,
            clock=lambda: self.now,
            pause=self._pause,
        )

    async def _revoke(self, serial: str, reason: x509.ReasonFlags, why: str) -> None:
        self.inventory.files[serial] = replace(self.inventory.files[serial], state="revoked")
        self.revoked.append((serial, reason.value))

    async def _pause(self, wake: asyncio.Event, seconds: float) -> None:
        self.paused.append(seconds)
        self.pausing += 1
        try:
            await wake.wait()
        finally:
            self.pausing -= 1

    def wake(self) -> None:
        """Time has passed for all flows."""
        for flow in self.service._flows._flows.values():
            flow.wake.set()

    def pass_by(self, time: timedelta) -> None:
        self.book.now += time

    async def sign(self, station: ScriptedStation, csr: str | None = None, **more: str) -> Any:
        answer = await self.service.sign_certificate(station, {"csr": csr or make_csr(), **more})
        operation(station.version, "SignCertificate").response.check(answer)
        return answer

    async def settled(self) -> None:
        """Wait for all that was begun, but for what waits for another time."""
        await settle()
        await self.until(lambda: sum(not task.done() for task in self.owned.tasks) == self.pausing)
        await settle()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something; reviews run in threads."""
        async with asyncio.timeout(10):
            while not is_so():  # noqa: ASYNC110 - there is no event for a thread that has ended
                await asyncio.sleep(0.001)

    async def kill(self) -> None:
        """End the process where it stands, and start it anew."""
        await self.owned.cancel()
        self.restart()
