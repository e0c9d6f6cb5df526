"""The admin application over real HTTP, on stand-ins for the parts behind it."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from gateway.admin.api import Parts
from gateway.admin.metrics import Levels, Metrics
from gateway.admin.server import application
from gateway.bridge.ports import PeerUnavailable
from gateway.session.certificate_requests import CertificateRequest, NotWaiting, RequestState, RequestUnknown
from gateway.session.contracts import ContractRecord, Imported, NewContract, ProvisioningRecord
from gateway.session.firmware import PublicationRecord
from gateway.session.ports import Provisional, RegistrationInvalid, RegistrationRefused, StationRecord
from gateway.session.renewals import RenewalRecord
from gateway.session.security import Source
from gateway.session.tally import Tally
from gateway.session.upgrades import UpgradeRecord
from gateway.store.certificates import CertificateAmbiguous, CertificateRecord, CertificateState, Step
from gateway.store.contract_certificates import ContractCertificate
from gateway.wire.versions import Version
from pki.iso15118.identifiers import Emaid, Pcid

TOKEN = "a-token-for-tests"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class LiveStation:
    """A connected station."""

    def __init__(self, version: Version = Version.V201) -> None:
        self.is_connected = True
        self.profile = 3
        self.provisional: Provisional | None = None
        self.version = version
        self.backend = SimpleNamespace(is_up=True)
        self.asked: list[tuple[str, Any]] = []
        self.answer: Any = {"status": "Accepted"}

    async def call_station(self, action: str, payload: Any) -> Any:
        self.asked.append((action, payload))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Registry:
    """The registered stations, and those that wait."""

    def __init__(self) -> None:
        self.records: dict[str, StationRecord] = {}
        self.waiting: dict[str, Any] = {}

    async def add(
        self,
        identity: str,
        *,
        profile: int,
        serial: str | None,
        backend: str | None,
        password: str | None,
        version: Version | None,
        group: str | None,
    ) -> Any:
        if ":" in identity:
            raise RegistrationInvalid("identity: holds a colon")
        if identity in self.records:
            raise RegistrationRefused(f"station {identity!r} is registered already")
        self.records[identity] = StationRecord(
            identity, profile, serial, backend, "scrypt$hash", pinned_version=version, group=group
        )
        return SimpleNamespace(record=self.records[identity], password=password or "generated")

    async def show(self, identity: str) -> StationRecord:
        try:
            return self.records[identity]
        except KeyError:
            raise LookupError("no such station is registered") from None

    async def list(self) -> Sequence[StationRecord]:
        return [*self.records.values()]

    async def remove(self, identity: str, *, force: bool = False) -> None:
        if identity == "BUSY" and not force:
            raise RegistrationRefused("3 messages wait for the backend")
        del self.records[identity]

    async def allow(self, identity: str, *, expired: bool | None = None, downgrade: bool | None = None) -> None:
        was = self.records[identity]
        self.records[identity] = replace(
            was,
            allow_expired=was.allow_expired if expired is None else expired,
            allow_downgrade=was.allow_downgrade if downgrade is None else downgrade,
        )

    async def set_serial(self, identity: str, serial: str | None) -> None:
        if serial == "TAKEN":
            raise RegistrationRefused("a serial number has one station")
        self.records[identity] = replace(self.records[identity], serial=serial)

    async def set_group(self, identity: str, group: str | None) -> None:
        self.records[identity] = replace(self.records[identity], group=group)

    async def set_backend(self, identity: str, backend: str | None) -> None:
        if backend == "nowhere":
            raise RegistrationInvalid("no backend 'nowhere' is configured")
        self.records[identity] = replace(self.records[identity], backend=backend)

    async def pin_version(self, identity: str, version: Version | None) -> None:
        self.records[identity] = replace(self.records[identity], pinned_version=version)

    async def pending(self) -> Sequence[Any]:
        return [*self.waiting.values()]

    async def approve(
        self, identity: str, *, profile: int, serial: str | None, backend: str | None, group: str | None
    ) -> Any:
        await self.dismiss(identity)
        return await self.add(
            identity, profile=profile, serial=serial, backend=backend, password=None, version=None, group=group
        )

    async def dismiss(self, identity: str) -> None:
        if self.waiting.pop(identity, None) is None:
            raise LookupError(f"no station {identity!r} is pending")


class Routes:
    """Every station goes to one backend, and is there."""

    async def of(self, records: Any) -> Sequence[Mapping[str, Any]]:
        route = {"backend": "legacy", "by": "default_backend", "in_use": None, "waits_for": None}
        return [route for _ in records]


class Commands:
    """What connected stations are asked to do: ``fails`` is raised instead."""

    def __init__(self, registry: Registry, upgrades: "Upgrades") -> None:
        self.registry = registry
        self.upgrades = upgrades
        self.fails: Exception | None = None
        self.needs_reboot = False
        self.forced: list[bool] = []

    async def renew_certificate(self, station: Any, usage: str) -> None:
        if self.fails is not None:
            raise self.fails
        await station.call_station("TriggerMessage", {"for": usage})

    async def rotate_password(self, station: Any, *, force: bool) -> None:
        if self.fails is not None:
            raise self.fails
        self.forced.append(force)
        if self.needs_reboot:
            was = self.registry.records["CS1"]
            self.registry.records["CS1"] = replace(was, next_password_hash="scrypt$new", next_password_waits=True)

    async def upgrade(self, station: Any, profile: int, *, interface: str) -> None:
        if self.fails is not None:
            raise self.fails
        self.upgrades.begin("CS1", profile, interface)


class Upgrades:
    """The upgrades: one per station."""

    def __init__(self) -> None:
        self.records: dict[str, UpgradeRecord] = {}

    def begin(self, identity: str, profile: int, interface: str = "Wired0") -> UpgradeRecord:
        data = {"interface": interface}
        self.records[identity] = UpgradeRecord(
            identity, profile, 2, "roots", 1, "installing the root", data, False, NOON, NOON
        )
        return self.records[identity]

    async def status(self, identity: str) -> UpgradeRecord | None:
        return self.records.get(identity)

    def under_way(self) -> Sequence[UpgradeRecord]:
        return [each for each in self.records.values() if not each.is_over]

    async def cancel(self, identity: str) -> bool:
        was = self.records.get(identity)
        if was is None or was.is_over:
            return False
        self.records[identity] = replace(was, is_over=True, detail="cancelled")
        return True


class Renewals:
    """The scheduler: notes what is to be renewed."""

    def __init__(self) -> None:
        self.plans: list[RenewalRecord] = []
        self.asked: list[tuple[str, str | None]] = []

    def of_station(self, identity: str) -> Sequence[RenewalRecord]:
        return [each for each in self.plans if each.identity == identity]

    async def renew_all(self, usage: str, group: str | None) -> int:
        self.asked.append((usage, group))
        return 3


class Inventory:
    """The certificates, by serial number."""

    def __init__(self) -> None:
        self.records: dict[str, CertificateRecord] = {}
        self.problem: str | None = None
        self.reasons: list[str] = []
        self.asked: list[dict[str, Any]] = []

    def issue(self, identity: str, serial: str) -> None:
        state, number = CertificateState.INSTALLED, len(self.records) + 1
        self.records[serial] = CertificateRecord(
            identity,
            serial,
            serial * 32,
            f"CN={identity}",
            NOON,
            NOON,
            state,
            "PEM",
            NOON,
            NOON,
            id=number,
        )

    async def list(self, identity: str | None = None, **wanted: Any) -> Sequence[CertificateRecord]:
        self.asked.append(wanted)
        found = [each for each in self.records.values() if identity in {None, each.identity}]
        return [each for each in found if each.id > wanted["after_id"]][: wanted["limit"]]

    async def find(self, name: str) -> CertificateRecord | None:
        if name == "77":
            raise CertificateAmbiguous(name, ["a" * 64, "b" * 64])
        return self.records.get(format(int(name.replace(":", ""), 16), "x"))

    async def history(self, fingerprint: str) -> Sequence[Step]:
        assert fingerprint[:2] in self.records
        return [Step(CertificateState.ISSUED, NOON, ""), Step(CertificateState.INSTALLED, NOON, "accepted")]

    async def revoke(self, name: str, reason: Any) -> Any:
        serial = name[:2]
        was = self.records[serial]
        self.reasons.append(reason.value)
        if was.state is not CertificateState.REVOKED:
            self.records[serial] = replace(was, state=CertificateState.REVOKED, reason=reason.value)
        return SimpleNamespace(record=self.records[serial], authority_problem=self.problem)


@dataclass(frozen=True)
class Event:
    """An event as it is kept."""

    id: int
    kind: str = "InvalidMessages"
    identity: str | None = "CS1"
    source: Source = Source.GATEWAY
    remote: str | None = "10.0.0.1"
    detail: str = "60 malformed frames"
    presented: Any = None
    count: int = 1
    at: datetime = NOON
    last_at: datetime = NOON


class Events:
    """The security events: notes what was asked for."""

    def __init__(self) -> None:
        self.kept = [Event(3, presented={"version": "ocpp1.6"}), Event(2, presented={}), Event(1, presented={})]
        self.asked: list[dict[str, Any]] = []

    async def list(self, **wanted: Any) -> Sequence[Any]:
        self.asked.append(wanted)
        return self.kept[: wanted["limit"]]


class Requests:
    """The requests for certificates, by number."""

    def __init__(self) -> None:
        self.kept: dict[int, CertificateRequest] = {}

    async def list(
        self, identity: str | None = None, *, states: Collection[RequestState] | None = None
    ) -> list[CertificateRequest]:
        return [
            each
            for each in self.kept.values()
            if identity in {None, each.identity} and (states is None or each.state in states)
        ]

    async def find(self, request_id: int) -> CertificateRequest | None:
        return self.kept.get(request_id)

    async def decide(self, request_id: int, *, approved: bool, detail: str) -> CertificateRequest:
        known = self.kept.get(request_id)
        if known is None:
            raise RequestUnknown(f"there is no certificate request {request_id}")
        if known.state is not RequestState.WAITING:
            raise NotWaiting(f"it is {known.state.value}")
        state = RequestState.REQUESTED if approved else RequestState.REFUSED
        self.kept[request_id] = replace(known, state=state, detail=detail)
        return self.kept[request_id]


class Quarantine:
    """What is kept, and what was said of it."""

    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.asked: list[tuple[str | None, dict[str, Any]]] = []
        self.decided: list[tuple[Any, ...]] = []
        self.problem: Exception | None = None

    async def list(self, identity: str | None = None, **wanted: Any) -> Sequence[Any]:
        self.asked.append((identity, wanted))
        return self.kept[: wanted["limit"]]

    async def find(self, number: int) -> Any:
        return next((each for each in self.kept if each.id == number), None)

    async def release(self, selection: Any, by: str) -> Sequence[int]:
        return self._decided("release", selection, by)

    async def discard(self, selection: Any, by: str, reason: str) -> Sequence[int]:
        return self._decided("discard", selection, by, reason)

    def _decided(self, *what: Any) -> Sequence[int]:
        if self.problem is not None:
            raise self.problem
        self.decided.append(what)
        return [1]


class Trust:
    """Fulfils ``TrustAnchors``."""

    def __init__(self) -> None:
        self.problem: Exception | None = None

    async def declared(self) -> Sequence[Mapping[str, Any]]:
        return [{"subject": "CN=a"}]

    async def of(self, identity: str) -> Mapping[str, Any]:
        return self._told({"identity": identity, "settled": False})

    async def visit_now(self, identity: str) -> Mapping[str, Any]:
        return self._told({"identity": identity, "settled": True})

    async def rotation(self) -> Mapping[str, Any]:
        return self._told({"state": "open"})

    def _told(self, told: Mapping[str, Any]) -> Mapping[str, Any]:
        if self.problem is not None:
            raise self.problem
        return told


class Policies:
    """Fulfils ``admin.policies.Policies``; ``problem`` is raised instead."""

    def __init__(self) -> None:
        self.problem: Exception | None = None
        self.asked: list[dict[str, Any]] = []

    def listed(self) -> Sequence[Mapping[str, Any]]:
        return [{"name": "legacy-1.6"}]

    async def explain(self, **asked: Any) -> Mapping[str, Any]:
        if self.problem is not None:
            raise self.problem
        self.asked.append(asked)
        return {"verdict": None}


class Contracts:
    """The contracts: ``problem`` is raised instead."""

    def __init__(self) -> None:
        self.kept: list[ContractRecord] = []
        self.asked: list[dict[str, Any]] = []
        self.problem: Exception | None = None

    async def list(self, **wanted: Any) -> Sequence[ContractRecord]:
        self.asked.append(wanted)
        return self.kept[: wanted["limit"]]

    async def find(self, pcid: Pcid, emaid: Emaid) -> ContractRecord | None:
        return next((each for each in self.kept if (each.pcid, each.emaid) == (pcid.text, emaid.wire)), None)

    async def add(self, new: NewContract, by: str) -> ContractRecord:
        self._check()
        times = (new.valid_from, new.valid_until, new.is_default, NOON, by, NOON, by)
        self.kept.append(ContractRecord(len(self.kept) + 1, new.pcid.text, new.emaid.wire, *times))
        return self.kept[-1]

    async def add_all(self, lines: Sequence[tuple[int, NewContract]], by: str) -> Imported:
        self._check()
        for _, new in lines:
            await self.add(new, by)
        return Imported(len(lines), 0, 0)

    async def change(self, pcid: Pcid, emaid: Emaid, by: str, changes: Mapping[str, Any]) -> ContractRecord:
        self._check()
        found = await self.find(pcid, emaid)
        assert found is not None
        self.asked.append(dict(changes))
        return replace(found, **changes, changed_by=by)

    async def remove(self, pcid: Pcid, emaid: Emaid) -> None:
        self._check()
        self.kept = [each for each in self.kept if (each.pcid, each.emaid) != (pcid.text, emaid.wire)]

    def _check(self) -> None:
        if self.problem is not None:
            raise self.problem


class ContractCertificates:
    """What vehicles were given; the inventory has the certificates themselves."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.asked: list[dict[str, Any]] = []

    async def list(self, **wanted: Any) -> Sequence[ContractCertificate]:
        self.asked.append(wanted)
        return [self._of(each) for each in self.inventory.records.values()][: wanted["limit"]]

    async def find(self, name: str) -> ContractCertificate | None:
        found = await self.inventory.find(name)
        return None if found is None else self._of(found)

    @staticmethod
    def _of(record: CertificateRecord) -> ContractCertificate:
        return ContractCertificate(record, "DE8EXC12345678", "WVWZZZ1KZAW000123", "CS1", "native", "-2", "CN=MO", None)


class Provisionings:
    """The audit."""

    def __init__(self) -> None:
        self.kept: list[ProvisioningRecord] = []
        self.asked: list[dict[str, Any]] = []

    async def list(self, **wanted: Any) -> Sequence[ProvisioningRecord]:
        self.asked.append(wanted)
        return self.kept[: wanted["limit"]]


class Publications:
    """What is on file, by station."""

    def __init__(self) -> None:
        self.records: dict[str, list[PublicationRecord]] = {}

    async def list(self, identity: str) -> Sequence[PublicationRecord]:
        return self.records.get(identity, [])


class Office:
    """Everything behind the API."""

    def __init__(self) -> None:
        self.contracts = Contracts()
        self.provisionings = Provisionings()
        self.trust = Trust()
        self.policies = Policies()
        self.registry = Registry()
        self.upgrades = Upgrades()
        self.commands = Commands(self.registry, self.upgrades)
        self.inventory = Inventory()
        self.contract_certificates = ContractCertificates(self.inventory)
        self.requests = Requests()
        self.quarantine = Quarantine()
        self.renewals = Renewals()
        self.publications = Publications()
        self.events = Events()
        self.updates: Any = None
        self.campaigns: Any = None
        self.live: dict[str, LiveStation] = {}
        self.checks: dict[str, bool] = {"store": True, "listeners": True}
        self.tally = Tally()
        self.firmware: Any = None
        self.logs: Any = None

    async def readiness(self) -> Mapping[str, bool]:
        return self.checks

    def connect(self, identity: str, version: Version = Version.V201) -> LiveStation:
        self.live[identity] = LiveStation(version)
        return self.live[identity]

    def client(self, token: str | None = TOKEN) -> TestClient[Any, Any]:
        live: Any = self.live.get
        parts = Parts(
            registration=self.registry,
            routes=Routes(),
            live=live,
            commands=self.commands,
            upgrades=self.upgrades,
            certificates=self.inventory,
            certificate_requests=self.requests,
            revoke=self.inventory.revoke,
            renewals=self.renewals,
            publications=self.publications,
            quarantine=self.quarantine,
            quarantine_decisions=self.quarantine,
            security_events=self.events,
            trust=self.trust,
            policies=self.policies,
            contracts=self.contracts,
            contract_certificates=self.contract_certificates,
            contract_provisionings=self.provisionings,
            firmware=self.firmware,
            updates=self.updates,
            logs=self.logs,
            campaigns=self.campaigns,
        )
        metrics = Metrics(self.tally, lambda: Levels(len(self.live), 0, 1, 2))
        app = application(token=token, parts=parts, metrics=metrics, readiness=self.readiness)
        return TestClient(TestServer(app), headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
async def client(office: Office) -> AsyncIterator[TestClient[Any, Any]]:
    async with office.client() as made:
        yield made


@pytest.fixture
async def station(client: Any, office: Office) -> LiveStation:
    """A registered station that is connected."""
    await client.post("/api/v1/stations", json={"identity": "CS1", "profile": 2})
    return office.connect("CS1")


@pytest.fixture
def no_answer() -> Exception:
    return PeerUnavailable("no answer to Reset in time")
