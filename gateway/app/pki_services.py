"""The stations' PKI, put together: who signs, what was signed, who renews and who revokes."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from gateway.app.authorities import AT_DOORS, Authorities
from gateway.app.certificate_requests import RequestDesk
from gateway.app.certificate_upkeep import CertificateUpkeep
from gateway.app.certificates_at_doors import CertificatesAtDoors
from gateway.app.clock import now
from gateway.app.contract_authorization import USES, contracts
from gateway.app.inventory import Inventory
from gateway.app.listeners import roots_of_stations
from gateway.app.own_certificates import OwnCertificates
from gateway.app.plug_and_charge import Vehicles, VehiclesOpening
from gateway.app.renewals import scheduler
from gateway.app.responders import Responders
from gateway.app.revocations import Revocations
from gateway.app.tasks import Tasks
from gateway.app.trust import TrustServices
from gateway.config import Config
from gateway.services.certificate_status import CertificateStatus
from gateway.services.pnc_16 import PlugAndChargeTransfers, Unwrapped
from gateway.services.provisional import ProvisionalRenewal
from gateway.services.revocation import CertificateRevocation
from gateway.session.security import SecurityLog
from gateway.session.station import Service, Station
from gateway.session.tally import Tally
from gateway.store.certificate_uses import CertificateUses
from gateway.store.certificates import CertificateRecord, Certificates
from gateway.store.database import Database
from gateway.wire.versions import Version
from pki.revocation import CrlStore


class PkiServices:
    """What the gateway does for the certificates of its stations, and its own."""

    def __init__(
        self,
        config: Config,
        authorities: Authorities,
        database: Database,
        security: SecurityLog,
        tally: Tally,
        tasks: Tasks,
    ) -> None:
        """Put them together. Raises StartFailed."""
        self._tasks = tasks
        self._opening = VehiclesOpening(config, authorities, database, security, tally, tasks)
        self.authorities = authorities
        self.on_file = Certificates(database)
        self.inventory = Inventory(self.on_file)
        self._doors = CertificatesAtDoors(CertificateUses(database), authorities)
        self.other_owner = self._doors.other_owner
        self.upkeep = CertificateUpkeep(config, database, authorities)
        self._desk = RequestDesk(config, authorities, database, security, tasks)
        self.requests = self._desk.requests
        self.certificates = self._desk.certificates
        crls = CrlStore(issuers=roots_of_stations(config), clock=now)
        self._crls = crls
        self._responders = Responders(config, authorities.known_issuers, delegates=crls)
        self._contracts = contracts(
            config, authorities, database, self._responders, crls, security, tally, told=self.upkeep.notices.soon
        )
        own = authorities.crls(AT_DOORS if self._contracts is None else {*AT_DOORS, *USES})
        self.revocations = Revocations(self.on_file, own, config.revocation.crls, crls, self._responders.source)
        self._status = CertificateStatus(self._responders.client, self._responders, security)
        self._vehicles: Vehicles | None = None
        self.revocation: CertificateRevocation[CertificateRecord] = CertificateRevocation(
            self.on_file, self.upkeep.notices, security
        )
        self.trust = TrustServices(config, database, tasks)
        self._provisional = ProvisionalRenewal(self.certificates, security)
        self.own = OwnCertificates(config, authorities, self.inventory, security)
        self.renewals = scheduler(config, authorities, database, self.certificates, security, tasks)

    @property
    def by_action(self) -> Mapping[tuple[Version, str], Service]:
        """The actions of a station that concern certificates."""
        wrapped: dict[str, Unwrapped] = {
            "SignCertificate": self.certificates.sign_wrapped,
            "GetCertificateStatus": self._status.wrapped,
        }
        by_action = {
            **self._desk.by_action,
            (Version.V201, "GetCertificateStatus"): self._status.get_certificate_status,
        }
        for part in (self._contracts, self._vehicles):
            if part is not None:
                wrapped.update(part.wrapped)
                by_action.update(part.by_action)
        return {**by_action, (Version.V16, "DataTransfer"): PlugAndChargeTransfers(wrapped).data_transfer}

    async def prepare(self, stack: AsyncExitStack) -> None:
        """Have what must be there before a station comes; ``stack`` closes it. Raises StartFailed."""
        await self.own.prepare()
        if self._contracts is not None:
            self._vehicles = await self._opening.open(self._contracts.operators, self._contracts.why_revoked, stack)

    async def load(self) -> None:
        """Take up what an earlier run left. Raises StoreAway."""
        await self._doors.load()
        self._crls.learn(await self._responders.look())
        await self.renewals.load()
        await self.trust.load()

    def start(self) -> None:
        """Begin what goes on beside the stations."""
        self.upkeep.start(self._tasks)
        self._desk.start()
        self._tasks.spawn(self.renewals.run(), "renewals")
        self.own.start(self._tasks)
        self.trust.start()
        if self._contracts is not None:
            self._tasks.spawn(self._contracts.operators.run(), "mobility operators")
        if self._vehicles is not None:
            self._vehicles.start()

    def expiring(self) -> Mapping[str, int]:
        """Return by usage how many certificates end soon and are not renewed."""
        return {**self.renewals.expiring(), **self.own.expiring()}

    def joined(self, station: Station) -> None:
        """A station's WebSocket is open."""
        self.renewals.joined(station)
        self.trust.rounds.welcome(station)

    async def close(self) -> None:
        """End the questions to OCSP responders."""
        await self._responders.close()

    async def welcome(self, station: Station) -> None:
        """A station has connected: note which certificate it uses, go on with what it asked for. Raises StoreAway."""
        if station.proof.path:
            await self._doors.shown(station.identity, *station.proof.path[:2])
        await self.certificates.resume(station)

    def renew_provisional(self, station: Station) -> None:
        """A station that was let in on a certificate that must be replaced is to get a new one now."""
        self._tasks.spawn(self._provisional.renew(station), f"renewal {station.identity}")
