"""The API under ``/api/v1``: one file per aggregate, joined here."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from gateway.admin.certificate_requests import CertificateRequestEndpoints
from gateway.admin.certificates import CertificateEndpoints, Revoke
from gateway.admin.contract_certificates import (
    ContractCertificateEndpoints,
    ContractCertificates,
    ContractProvisionings,
)
from gateway.admin.contracts import ContractEndpoints, Contracts
from gateway.admin.firmware import Catalogue, FirmwareEndpoints
from gateway.admin.firmware_campaigns import Campaigns, FirmwareCampaignEndpoints
from gateway.admin.firmware_updates import FirmwareUpdateEndpoints, Updates
from gateway.admin.logs import LogEndpoints, StationLogs
from gateway.admin.pending_stations import PendingStationEndpoints
from gateway.admin.policies import Policies, PolicyEndpoints
from gateway.admin.ports import (
    CertificateRequests,
    Certificates,
    Quarantine,
    QuarantineDecisions,
    Registration,
    Renewals,
    Routes,
    SecurityEvents,
    StationCommands,
    TrustAnchors,
    Upgrades,
)
from gateway.admin.publications import PublicationEndpoints, Publications
from gateway.admin.quarantine import QuarantineEndpoints
from gateway.admin.renewals import RenewalEndpoints
from gateway.admin.roster import Roster
from gateway.admin.security_events import SecurityEventEndpoints
from gateway.admin.station_commands import StationCommandEndpoints
from gateway.admin.stations import StationEndpoints
from gateway.admin.trust_anchors import TrustAnchorEndpoints
from gateway.session.station import Station


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the API stands on."""

    registration: Registration
    routes: Routes
    live: Callable[[str], Station | None]
    """Returns the runtime of a station, or None."""
    commands: StationCommands
    upgrades: Upgrades
    certificates: Certificates
    certificate_requests: CertificateRequests
    revoke: Revoke
    renewals: Renewals
    publications: Publications
    quarantine: Quarantine
    quarantine_decisions: QuarantineDecisions
    security_events: SecurityEvents
    trust: TrustAnchors
    policies: Policies
    contracts: Contracts
    contract_certificates: ContractCertificates
    contract_provisionings: ContractProvisionings
    firmware: Catalogue | None = None
    """None: the configuration has no ``firmware``."""
    updates: Updates | None = None
    """None: no station is updated."""
    logs: StationLogs | None = None
    """None: the configuration has no ``logs``."""
    campaigns: Campaigns | None = None
    """None: the configuration has no ``firmware``."""


def add_api(router: web.UrlDispatcher, parts: Parts) -> None:
    """Add the endpoints of all aggregates."""
    roster = Roster(parts.registration, parts.routes, parts.live, parts.upgrades, parts.renewals)
    StationEndpoints(parts.registration, roster).add_routes(router)
    StationCommandEndpoints(
        roster, parts.commands, parts.upgrades, verifies_firmware=parts.firmware is not None
    ).add_routes(router)
    CertificateEndpoints(parts.certificates, parts.revoke).add_routes(router)
    CertificateRequestEndpoints(parts.certificate_requests).add_routes(router)
    RenewalEndpoints(parts.renewals).add_routes(router)
    PublicationEndpoints(parts.publications, roster).add_routes(router)
    QuarantineEndpoints(parts.quarantine, parts.quarantine_decisions).add_routes(router)
    SecurityEventEndpoints(parts.security_events).add_routes(router)
    TrustAnchorEndpoints(parts.trust).add_routes(router)
    PolicyEndpoints(parts.policies).add_routes(router)
    ContractEndpoints(parts.contracts).add_routes(router)
    ContractCertificateEndpoints(parts.contract_certificates, parts.contract_provisionings, parts.revoke).add_routes(
        router
    )
    FirmwareEndpoints(parts.firmware).add_routes(router)
    FirmwareUpdateEndpoints(roster, parts.updates).add_routes(router)
    LogEndpoints(parts.logs, roster).add_routes(router)
    FirmwareCampaignEndpoints(parts.campaigns).add_routes(router)
    PendingStationEndpoints(parts.registration, roster).add_routes(router)
