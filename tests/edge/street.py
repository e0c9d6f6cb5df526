"""The door and everything around it, with stand-ins: who knocks, what they hear, what is written down."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace, TracebackType
from typing import TYPE_CHECKING, Any, Self
from unittest.mock import patch

from gateway.edge import passwords
from gateway.edge.door import Door, EntryRules
from gateway.edge.failures import FailureLimits, Failures
from gateway.edge.refusals import CertificateRejected
from gateway.session.directory import Entry
from gateway.session.ports import Proof, Provisional, RecordChanged, StationRecord
from gateway.session.security import SecurityEvent
from gateway.session.tally import Tally
from gateway.transport import Headers, TlsPeer, UpgradeRequest
from gateway.wire.versions import Version

if TYPE_CHECKING:
    import asyncio

PASSWORD = "correct horse battery"
CHEAP = 2**4
"""scrypt's cost in tests: what is compared counts here, not how long it takes."""
TLS = TlsPeer(version="TLSv1.3", cipher="x", certificate=None, chain=(), resumed=False, server_name=None)


def cheap_hash(password: str) -> str:
    with patch.object(passwords, "N", CHEAP):
        return passwords.hash_password(password)


STORED = cheap_hash(PASSWORD)
PROFILE_2 = StationRecord("CS1", minimum_profile=2, serial="SN1", password_hash=STORED)
PROFILE_3 = StationRecord("CS3", minimum_profile=3, serial="SN3", password_hash=STORED)
NO_PASSWORD = StationRecord("CS4", minimum_profile=1, serial="SN4")


def basic(user: str, password: str | bytes = PASSWORD) -> dict[str, str]:
    sent = password.encode() if isinstance(password, str) else password
    return {"Authorization": "Basic " + base64.b64encode(user.encode() + b":" + sent).decode()}


async def certificates(
    certificate: bytes, chain: Sequence[bytes], record: StationRecord
) -> tuple[tuple[Any, ...], Provisional | None]:
    """A certificate is the name that it bears, and perhaps why it is provisional."""
    name, _, provisional = certificate.decode().partition("/")
    if name != record.certificate_name:
        raise CertificateRejected("the CN is another")
    return (certificate, *chain), Provisional[provisional] if provisional else None


RULES = EntryRules("port", "/ocpp/{identity}", frozenset({2, 3}), certificates=certificates)
LIMITS = FailureLimits(connections_per_address=100, passwords_per_address=10, passwords_per_identity=5)


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Registry:
    def __init__(self) -> None:
        self.records = {each.identity: each for each in (PROFILE_2, PROFILE_3, NO_PASSWORD)}
        self.asked = 0
        self.settled: list[tuple[str, str]] = []
        self.failure: Exception | None = None
        self.settling: asyncio.Future[None] | None = None
        """Where there is one, what settling a password waits for."""

    async def find(self, identity: str) -> StationRecord | None:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return self.records.get(identity)

    async def password_used(self, identity: str, password_hash: str) -> None:
        if self.settling is not None:
            await self.settling
        self.settled.append((identity, password_hash))


class Directory:
    """Lets in by what the registry says when it is asked; ``lag`` is what happens before, one thing for each asking."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.entered: list[tuple[str, Proof, Version]] = []
        self.withdrawn: list[str] = []
        self.refusal: Exception | None = None
        self.lag: list[Callable[[], object]] = []

    async def enter(self, record: StationRecord, proof: Proof, version: Version, remote: str = "") -> Entry:
        if self.refusal is not None:
            raise self.refusal
        if self.lag:
            self.lag.pop(0)()
        if (now := self._registry.records.get(record.identity)) is None or not now.admits_like(record):
            raise RecordChanged
        self.entered.append((record.identity, proof, version))
        return Entry(SimpleNamespace(identity=record.identity), 1, proof, remote)  # type: ignore[arg-type]  # a stand-in

    def withdraw(self, entry: Entry) -> None:
        self.withdrawn.append(entry.station.identity)


class Street:
    """Everything stands in for itself but the door, its counting and its comparing. A context manager."""

    def __init__(self, limits: FailureLimits = LIMITS, *, note: bool = True) -> None:
        self.clock = Clock()
        self.registry = Registry()
        self.directory = Directory(self.registry)
        self.tally = Tally()
        self.events: list[SecurityEvent] = []
        self.pending: list[tuple[str, dict[str, str], str]] = []
        self.bridged: tuple[Version, ...] = tuple(Version)
        """What can be bridged to the stations' backend."""
        self.remembered: dict[str, StationRecord] = {}
        """What stations were let in by before."""
        self.failures = Failures(limits, clock=self.clock)
        with patch.object(passwords, "N", CHEAP):
            self.passwords = passwords.PasswordChecker(clock=self.clock)
        self.scrypts: list[bytes] = []
        self._patch = patch.object(passwords, "_derive", self._derive)
        self._real_derive = passwords._derive
        self.door = Door(
            registry=self.registry,  # type: ignore[arg-type]  # no more is asked
            directory=self.directory,  # type: ignore[arg-type]  # no more is asked
            passwords=self.passwords,
            make_sink=lambda entry: entry.station.identity,  # type: ignore[arg-type,return-value]  # a stand-in
            tally=self.tally,
            security=self,
            failures=self.failures,
            may_speak=self._may_speak,
            pending=self if note else None,
            remembered=self.remembered.get,
        )

    def __enter__(self) -> Self:
        self._patch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._patch.stop()
        self.passwords.close()

    def _derive(self, password: bytes, salt: bytes, n: int, r: int, p: int) -> bytes:
        self.scrypts.append(password)
        return self._real_derive(password, salt, n, r, p)

    async def _may_speak(self, _: StationRecord) -> tuple[Version, ...]:
        return self.bridged

    def note(self, event: SecurityEvent) -> None:
        self.events.append(event)

    def note_pending(self, identity: str, presented: Any, remote: str) -> None:
        self.pending.append((identity, dict(presented), remote))

    def change(self, identity: str, **fields: Any) -> None:
        self.registry.records[identity] = replace(self.registry.records[identity], **fields)

    async def knock(
        self,
        target: str = "/ocpp/CS1",
        headers: dict[str, str] | None = None,
        *,
        rules: EntryRules = RULES,
        certificate: bytes | None = None,
        offered: str | None = "ocpp2.0.1",
        remote: str = "10.1.2.3",
        server_name: str | None = None,
    ) -> Any:
        sent = Headers({"Host": "csms.example.com"} | (headers or {}))
        if offered is not None:
            sent["Sec-WebSocket-Protocol"] = offered
        shown = () if certificate is None else (certificate, b"its issuer")
        tls = replace(TLS, certificate=certificate, chain=shown, server_name=server_name)
        over = None if rules.profiles == {1} else tls
        return await self.door.admit(rules, UpgradeRequest(target, sent, (remote, 4711), over))
