"""The records of a deployment, for commands beside a running gateway and for its API."""

import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from gateway.admin.campaigns_shown import campaign_shown, campaign_station_shown
from gateway.admin.certificates import STATES
from gateway.admin.contracts_shown import contract_certificate_shown, contract_shown, provisioning_shown
from gateway.admin.shown import (
    certificate_shown,
    event_shown,
    pending_shown,
    quarantined_shown,
    renewal_shown,
    request_shown,
    station_shown,
    step_shown,
    upgrade_shown,
)
from gateway.app.authorities import not_configured, open_authority
from gateway.app.noted import Noted
from gateway.app.problems import StartFailed
from gateway.app.routing import RoutesShown, Routing
from gateway.app.trust_files import TrustFiles
from gateway.app.trust_overview import TrustOverview
from gateway.bridge.pairs import SERVED_BY
from gateway.config import Config
from gateway.config.authorities import AuthorityUse
from gateway.config.secrets import SecretError
from gateway.edge import passwords
from gateway.services.authority_notices import AuthorityNotices
from gateway.services.registration import Passwords, Registration
from gateway.services.revocation import CertificateRevocation
from gateway.session.campaign_windows import read_window
from gateway.session.certificate_requests import OPEN as OPEN_REQUESTS
from gateway.session.certificate_requests import NotWaiting
from gateway.session.contract_lines import new_contract, read_csv
from gateway.session.contracts import BatchRefused, ContractInvalid, ContractRefused
from gateway.session.firmware import CampaignRecord, FirmwareConflict, FirmwareInvalid, NewCampaign
from gateway.session.firmware_campaigns import CampaignStationState
from gateway.session.ports import RegistrationInvalid, RegistrationRefused, StationRecord
from gateway.session.quarantine import UNDECIDED, ReleaseRefused, Selection, State
from gateway.session.trust import RotationUnderWay
from gateway.store.books import StoredBooks
from gateway.store.certificate_outbox import RevocationOutbox
from gateway.store.certificate_records import SEEN
from gateway.store.certificate_requests import CertificateRequests
from gateway.store.certificates import CertificateRecord, Certificates
from gateway.store.contract_certificates import ContractCertificates
from gateway.store.contract_provisionings import ContractProvisionings
from gateway.store.contracts import Contracts
from gateway.store.database import Database
from gateway.store.firmware_campaigns import OPEN as OPEN_CAMPAIGNS
from gateway.store.firmware_campaigns import FirmwareCampaigns
from gateway.store.pending_stations import PendingStations
from gateway.store.quarantine import Quarantine
from gateway.store.quarantine_decisions import QuarantineDecisions
from gateway.store.renewals import Renewals
from gateway.store.security_events import SecurityEvents
from gateway.store.stations import Stations
from gateway.store.unavailable import StoreUnavailable
from gateway.store.upgrades import Upgrades
from gateway.wire.versions import Version
from pki.anchors import RotationRefused
from pki.authority import AuthorityUnavailable

__all__ = [
    "EVERY_STATE",
    "OPEN_CAMPAIGNS",
    "OPEN_REQUESTS",
    "STATES",
    "UNDECIDED",
    "BatchRefused",
    "CampaignRecord",
    "CampaignStationState",
    "ContractInvalid",
    "ContractRefused",
    "FirmwareConflict",
    "FirmwareInvalid",
    "NewCampaign",
    "NotWaiting",
    "Records",
    "Registration",
    "RegistrationRefused",
    "ReleaseRefused",
    "RotationRefused",
    "RotationUnderWay",
    "Selection",
    "Version",
    "campaign_shown",
    "campaign_station_shown",
    "certificate_shown",
    "contract_certificate_shown",
    "contract_shown",
    "event_shown",
    "new_contract",
    "password_rules",
    "pending_shown",
    "provisioning_shown",
    "quarantined_shown",
    "read_csv",
    "read_window",
    "records",
    "registration",
    "renewal_shown",
    "request_shown",
    "station_shown",
    "step_shown",
    "upgrade_shown",
]

EVERY_STATE = frozenset(State)
"""Of messages in the quarantine."""


@dataclass(frozen=True, slots=True)
class Records:
    """What the commands read and change."""

    stations: Registration
    routes: RoutesShown
    upgrades: Upgrades
    certificates: Certificates
    certificate_requests: CertificateRequests
    renewals: Renewals
    quarantine: Quarantine
    quarantine_decisions: QuarantineDecisions
    revocation: CertificateRevocation[CertificateRecord]
    security_events: SecurityEvents
    trust: TrustOverview
    contracts: Contracts
    contract_certificates: ContractCertificates
    contract_provisionings: ContractProvisionings
    campaigns: FirmwareCampaigns


@asynccontextmanager
async def records(config: Config) -> AsyncIterator[Records]:
    """Open the store beside a gateway that may be running.

    Raises :class:`StartFailed` with one clear line, when the store fails while it is used too.
    """
    try:
        database = await Database.open(config.store.connect_url(), exclusive=False)
        try:
            certificates, events, noted = Certificates(database), SecurityEvents(database), Noted()
            notices = AuthorityNotices(RevocationOutbox(database), _Authorities(config))
            try:
                yield Records(
                    stations=registration(database, config),
                    routes=routes_shown(database, config),
                    upgrades=Upgrades(database),
                    certificates=certificates,
                    certificate_requests=CertificateRequests(database),
                    renewals=Renewals(database),
                    quarantine=Quarantine(database),
                    quarantine_decisions=QuarantineDecisions(database),
                    revocation=CertificateRevocation(certificates, notices, noted),
                    security_events=events,
                    trust=TrustOverview(functools.cache(lambda: TrustFiles(config)), database),
                    contracts=Contracts(database),
                    contract_certificates=ContractCertificates(database),
                    contract_provisionings=ContractProvisionings(database),
                    campaigns=FirmwareCampaigns(database),
                )
            finally:
                await events.add_many(noted.rows)
        finally:
            await database.close()
    except (StoreUnavailable, SecretError) as error:
        raise StartFailed(f"store.url: {error}") from None


def registration(database: Database, config: Config) -> Registration:
    """Return the registration of stations on an open store."""
    return Registration(
        Stations(database),
        PendingStations(database),
        password_rules(),
        backends=list(config.backends),
        check_pin=functools.partial(_check_pin, config),
    )


def _check_pin(config: Config, record: StationRecord) -> None:
    """Return when the station isn't pinned, or to what its backend serves. Raises :class:`RegistrationInvalid`."""
    name = Routing(config).route(record).backend
    spoken = Version(config.backends[name].protocol)
    if record.pinned_version is not None and record.pinned_version not in SERVED_BY[spoken]:
        served = ", ".join(sorted(each.value for each in SERVED_BY[spoken]))
        raise RegistrationInvalid(
            f"station {record.identity[:60]!a} can't be pinned to {record.pinned_version.value}: its backend {name!r} "
            f"speaks {spoken.value}, which serves stations of {served} only; pin it to that, or give it another backend"
        )


def routes_shown(database: Database, config: Config) -> RoutesShown:
    """Return what is told of the stations' routes, on an open store."""
    return RoutesShown(Routing(config), StoredBooks(database))


def password_rules() -> Passwords:
    """Return how passwords are made, judged and hashed."""
    return Passwords(
        generate=passwords.generate,
        check=passwords.check,
        hash=passwords.hash_password,
        generate_key=passwords.generate_authorization_key,
    )


class _Authorities:
    """The authorities, each opened when it is needed; where there is no embedded CA, none is made."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def revoking(self, usage: str) -> "_Authority | None":
        if usage == SEEN:
            return None
        use = dict(self._config.authority.uses()).get(usage)
        if use is None:
            raise not_configured(usage)
        return _Authority(usage, use, self._config)


class _Authority:
    def __init__(self, name: str, use: AuthorityUse, config: Config) -> None:
        self._name = name
        self._use = use
        self._config = config

    async def revoke(self, serial: str, reason: x509.ReasonFlags) -> None:
        if self._use.local is not None:
            await asyncio.to_thread(_must_be_there, self._use.local.dir, serial)
        async with AsyncExitStack() as stack:
            try:
                authority = await open_authority(self._name, self._use, self._config, stack)
            except StartFailed as error:
                raise AuthorityUnavailable(str(error)) from error
            await authority.revoke(serial, reason)


def _must_be_there(folder: Path, serial: str) -> None:
    try:
        is_there = (folder / "root.pem").exists()
    except OSError as error:
        raise AuthorityUnavailable(f"{folder}: {error.strerror}") from error
    if not is_there:
        raise AuthorityUnavailable(f"{folder} holds no CA; its list, wherever it is, doesn't name {serial}")
