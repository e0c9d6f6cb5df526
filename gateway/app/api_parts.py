"""What the API of a running gateway stands on."""

from gateway.admin.api import Parts
from gateway.app.commands import Commands
from gateway.app.policies import PoliciesInForce
from gateway.app.policy_explaining import PoliciesTold
from gateway.app.records import registration, routes_shown
from gateway.app.routing import Routing
from gateway.app.station_services import StationServices
from gateway.app.stations import StationFactory
from gateway.config import Config
from gateway.session.tally import Tally
from gateway.store.books import StoredBooks
from gateway.store.contract_certificates import ContractCertificates
from gateway.store.contract_provisionings import ContractProvisionings
from gateway.store.contracts import Contracts
from gateway.store.database import Database
from gateway.store.firmware_campaigns import FirmwareCampaigns
from gateway.store.firmware_publications import FirmwarePublications
from gateway.store.quarantine import Quarantine
from gateway.store.quarantine_decisions import QuarantineDecisions
from gateway.store.stations import Stations


def api_parts(
    config: Config,
    database: Database,
    services: StationServices,
    factory: StationFactory,
    policies: PoliciesInForce,
    tally: Tally,
) -> Parts:
    """Return what the endpoints read and change."""
    return Parts(
        registration=registration(database, config),
        routes=routes_shown(database, config),
        live=factory.directory.get,
        commands=Commands(services.pki.certificates, services.rotation, services.upgrades),
        upgrades=services.upgrades,
        certificates=services.pki.on_file,
        certificate_requests=services.pki.requests,
        revoke=services.pki.revocation.revoke,
        renewals=services.pki.renewals,
        publications=FirmwarePublications(database),
        quarantine=Quarantine(database),
        quarantine_decisions=QuarantineDecisions(database),
        security_events=services.events,
        trust=services.pki.trust,
        policies=PoliciesTold(
            policies,
            tally,
            stations=Stations(database),
            books=StoredBooks(database),
            routing=Routing(config),
            live=factory.live,
        ),
        contracts=Contracts(database),
        contract_certificates=ContractCertificates(database),
        contract_provisionings=ContractProvisionings(database),
        logs=None if services.logs is None else services.logs.for_operators,
        firmware=None if services.firmware is None else services.firmware.catalogue,
        updates=None if services.delivery.updates is None else services.delivery.updates.updates,
        campaigns=None if config.firmware is None else FirmwareCampaigns(database),
    )
