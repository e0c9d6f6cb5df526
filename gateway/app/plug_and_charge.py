"""Plug & Charge, put together: who is trusted, who provides, and what stations may ask for their vehicles."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final

from gateway.app.authorities import Authorities
from gateway.app.clock import now
from gateway.app.contract_authorization import MobilityOperators
from gateway.app.contract_offers import open_offers
from gateway.app.contract_trust import ContractTrust
from gateway.app.tasks import Tasks
from gateway.config import Config
from gateway.services.contract_choice import WhyRevoked
from gateway.services.contract_providers import Providers
from gateway.services.contract_provisioning import ContractProvisioning
from gateway.services.plug_and_charge import PlugAndCharge
from gateway.services.pnc_16 import Unwrapped
from gateway.services.provisioning_record import ProvisioningRecord
from gateway.session.security import SecurityLog
from gateway.session.station import Service
from gateway.session.tally import Tally
from gateway.store.contract_certificates import ContractCertificates
from gateway.store.contract_provisionings import ContractProvisionings
from gateway.store.contracts import Contracts
from gateway.store.database import Database
from gateway.wire.versions import Version
from pki.iso15118.failures import refused_response

ACTION: Final = "Get15118EVCertificate"


class VehiclesOpening:
    """What it takes to open what ``plug_and_charge`` says."""

    def __init__(
        self,
        config: Config,
        authorities: Authorities,
        database: Database,
        security: SecurityLog,
        tally: Tally,
        tasks: Tasks,
    ) -> None:
        self._config = config
        self._authorities = authorities
        self._database = database
        self._record = ProvisioningRecord(ContractProvisionings(database), security, tally)
        self._tasks = tasks

    async def open(
        self,
        operators: MobilityOperators,
        why_revoked: WhyRevoked,
        stack: AsyncExitStack,
    ) -> "Vehicles | None":
        """Return what stations may ask for their vehicles; None where nobody is configured who provides it.

        ``operators``: whom contracts may come from; ``why_revoked``: which of theirs are known as revoked.
        Raises StartFailed.
        """
        section, database = self._config.plug_and_charge, self._database
        if section is None or not section.providers:
            return None
        trust = ContractTrust(section, operators)
        await trust.open()
        offers = await open_offers(self._config, section, self._authorities, trust, stack)
        provisioning = ContractProvisioning(
            trust,
            Contracts(database),
            ContractCertificates(database),
            Providers(offers, default=section.provider, emsps=section.emsps),
            self._record,
            refused=refused_response,
            why_revoked=why_revoked,
            timeout=section.timeout,
            now=now,
        )
        certificates = PlugAndCharge(
            provisioning,
            spawn=self._tasks.spawn,
            requests_per_hour=section.requests_per_hour,
            timeout=section.timeout,
        )
        return Vehicles(certificates, trust, self._tasks)


class Vehicles:
    """What stations may ask for their vehicles."""

    def __init__(self, certificates: PlugAndCharge, trust: ContractTrust, tasks: Tasks) -> None:
        self._certificates = certificates
        self._trust = trust
        self._tasks = tasks

    @property
    def by_action(self) -> Mapping[tuple[Version, str], Service]:
        """The actions of a 2.0.1 station."""
        return {(Version.V201, ACTION): self._certificates.get_15118_ev_certificate}

    @property
    def wrapped(self) -> Mapping[str, Unwrapped]:
        """The messages of the note for 1.6."""
        return {ACTION: self._certificates.wrapped}

    def start(self) -> None:
        """Begin to follow files and authorities."""
        self._tasks.spawn(self._trust.run(), "contract trust")
