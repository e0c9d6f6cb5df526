"""Authorize with a charging contract, put together: whose contracts are taken, and who says that they hold."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import structlog
from cryptography import x509

from gateway.app.authorities import Authorities
from gateway.app.clock import now
from gateway.app.problems import StartFailed
from gateway.app.responders import Responders
from gateway.config import Config
from gateway.config.plug_and_charge import PlugAndCharge
from gateway.services.contract_authorization import ContractAuthorization
from gateway.services.pnc_16 import Unwrapped
from gateway.session.provisionings import ProvidedCertificate
from gateway.session.security import SecurityLog
from gateway.session.station import Service
from gateway.session.tally import Tally
from gateway.store.contract_certificates import ContractCertificates
from gateway.store.database import Database
from gateway.wire.versions import Version
from pki.iso15118.contract_authorities import ContractAuthorities
from pki.iso15118.contract_status import ContractStatus
from pki.paths import load_roots
from pki.revocation import CrlStore

USES: Final = ("contract", "contract_20")
"""Our own authorities for contracts: theirs are taken without being named."""
LOOKED_AT_EVERY: Final = 60.0
"""Seconds between two looks at whom contracts may come from: files are replaced, and authorities come back."""

log = structlog.get_logger(__name__)


class StoredContracts(Protocol):
    """The contract certificates in the store."""

    async def named(self, serial: int, issuer: x509.Name) -> ProvidedCertificate | None:
        """Return how the one of this number stands; None: no vehicle was given it here. Raises StoreAway."""

    async def end_superseded(self, number: int) -> bool:
        """Revoke a certificate if it is superseded; True: now. Raises StoreAway."""


class MobilityOperators:
    """Whom contracts may come from: the roots of ``plug_and_charge.mo_roots``, and our own authorities.

    Sub-CAs that a station doesn't send are those of ``ocsp.issuers``, and of our authorities.
    """

    def __init__(self, plug_and_charge: PlugAndCharge, authorities: Authorities, responders: Responders) -> None:
        """Raises StartFailed for roots that can't be read."""
        self._roots_file = plug_and_charge.mo_roots
        self._authorities = authorities
        self._responders = responders
        self._known: ContractAuthorities | None = None
        self._from_file: list[x509.Certificate] = []
        try:
            self._read()
        except (OSError, ValueError) as error:
            raise StartFailed(f"plug_and_charge.mo_roots: {self._roots_file}: {error}") from None

    @property
    def is_any_named(self) -> bool:
        """True where contracts can be verified here."""
        return self._roots_file is not None or any(use in self._authorities.by_use for use in USES)

    async def current(self) -> ContractAuthorities | None:
        """Return whom they may come from now; None where nobody is named at all."""
        if self._known is None and self.is_any_named:
            await self.look()
        return self._known

    async def look(self) -> None:
        """Look again. What can't be read or asked now is known as before."""
        try:
            await asyncio.to_thread(self._read)
        except (OSError, ValueError) as error:
            log.error("mo_roots_unreadable", path=str(self._roots_file), reason=str(error))  # noqa: TRY400 - it says it
        own = await self._authorities.known_issuers(USES)
        further = await self._responders.look()  # who may be asked follows from the same CAs
        roots = [*self._from_file, *_topmost(own)]
        self._known = await asyncio.to_thread(ContractAuthorities, roots, [*own, *further], own)

    async def run(self) -> None:
        """Look again and again. Never returns; to be cancelled."""
        while True:
            if self.is_any_named:
                await self.look()
            await asyncio.sleep(LOOKED_AT_EVERY)

    def _read(self) -> None:
        if self._roots_file is not None:
            self._from_file = load_roots(self._roots_file.read_bytes())


class ContractsOnRecord:
    """Fulfils :class:`gateway.services.contract_authorization.ContractRecords`."""

    def __init__(self, certificates: StoredContracts, told: Callable[[], None]) -> None:
        """``told()`` hears that a certificate was revoked, of which its authority is to be told."""
        self._certificates = certificates
        self._told = told

    async def find(self, serial: int, issuer: x509.Certificate) -> ProvidedCertificate | None:
        """Return what is on record of the certificate that ``issuer`` gave this number. Raises StoreAway."""
        return await self._certificates.named(serial, issuer.subject)

    async def taken(self, record: ProvidedCertificate) -> None:
        """A vehicle has been seen with it: the one that it replaced is revoked. Raises StoreAway."""
        if record.predecessor is not None and await self._certificates.end_superseded(record.predecessor):
            self._told()


class Contracts:
    """What is answered about contracts, for as long as the gateway runs."""

    def __init__(self, operators: MobilityOperators, status: ContractStatus, service: ContractAuthorization) -> None:
        self.operators = operators
        self.why_revoked = status.why_revoked
        self._service = service

    @property
    def by_action(self) -> Mapping[tuple[Version, str], Service]:
        """The action of 2.0.1 stations that is answered here."""
        return {(Version.V201, "Authorize"): self._service.authorize}

    @property
    def wrapped(self) -> Mapping[str, Unwrapped]:
        """That of 1.6 stations, which comes in DataTransfer."""
        return {"Authorize": self._service.wrapped}


def contracts(  # noqa: PLR0913 - a seam of the composition root: all that it may touch
    config: Config,
    authorities: Authorities,
    database: Database,
    responders: Responders,
    crls: CrlStore,
    security: SecurityLog,
    tally: Tally,
    *,
    told: Callable[[], None],
) -> Contracts | None:
    """Return it where the operator wants Plug & Charge; ``told()`` hears of revocations. Raises StartFailed."""
    section = config.plug_and_charge
    if section is None:
        return None
    operators = MobilityOperators(section, authorities, responders)
    status = ContractStatus(
        responders.client,
        crls,
        is_strict=section.revocation == "strict",
        enforce_profiles=section.certificate_profiles == "enforce",
        clock=now,
    )
    records = ContractsOnRecord(ContractCertificates(database), told)
    return Contracts(operators, status, ContractAuthorization(status, operators.current, records, security, tally))


def _topmost(own: list[x509.Certificate]) -> list[x509.Certificate]:
    """Return our authorities' roots; where one doesn't say its root, the highest CA that it does say."""
    names = {each.subject for each in own}
    return [each for each in own if each.issuer == each.subject or each.issuer not in names]
