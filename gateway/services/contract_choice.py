"""Which contract a vehicle's request is for: that of an update, the default one, or of several the next (-20)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from cryptography import x509

from gateway.services.ev_certificate_words import EvRequest
from gateway.session.provisionings import ContractStatus, ProvidedCertificate
from pki.iso15118.identifiers import Emaid
from pki.iso15118.messages import Action, CertificateInstallationReq20
from pki.iso15118.provisioning import Contract, ProvisioningRefused, Refusal, VerifiedRequest
from pki.iso15118.trust import Path

LOOP_WITHIN: Final = 300.0
"""Seconds between two requests of a vehicle that fetches several contracts."""
LOOPS_MAX: Final = 10_000
"""Vehicles that fetch several contracts at once; of more, those that asked longest ago begin anew."""
CONTRACTS_MAX: Final = 255
"""Of one vehicle (-20 RemainingContractCertificateChains is an unsignedByte)."""

Session = tuple[str, str, bytes]
"""Station, PCID and SessionID of a vehicle that fetches its contracts."""


class Contracts(Protocol):
    """Who has which contract. Both methods raise :class:`gateway.session.ports.StoreAway`."""

    async def for_vehicle(self, pcid: str, at: datetime) -> Sequence[Contract]:
        """Return a vehicle's contracts that are valid at a moment, the default one first."""

    async def by_emaid(self, emaid: str, at: datetime) -> Contract | None:
        """Return the contract of an eMAID in any of its forms, if it is valid at a moment."""


class ProvidedCertificates(Protocol):
    """The contract certificates that were provided here."""

    async def provided(self, certificate: x509.Certificate) -> ProvidedCertificate | None:
        """Return how one stands; None where it was provided elsewhere. Raises StoreAway."""


WhyRevoked = Callable[[Path], str]
"""``why_revoked(path)`` returns why one of a path is known as revoked; empty: none is known to be."""


@dataclass(frozen=True, slots=True)
class ContractChoice:
    """The contract that is to be provided; None where none is known here, which a provider may know."""

    contract: Contract | None
    remaining: int = 0
    """Contracts that come after it."""
    session: Session | None = None
    """Of -20, what :meth:`ContractChoices.provided` goes on from."""
    waiting: tuple[Contract, ...] = ()
    predecessor: x509.Certificate | None = None
    """Of an update: the certificate that it replaces."""
    is_predecessor_ours: bool = False
    """It was provided here, so that it is known whose the contract is."""


@dataclass(frozen=True, slots=True)
class _Loop:
    waiting: tuple[Contract, ...]
    """Empty where the provider knows the contracts."""
    left: int
    """How many are still to come; more than none."""
    ends: float


class ContractChoices:
    """Chooses, and remembers of a -20 vehicle what it has still to get."""

    def __init__(self, contracts: Contracts, certificates: ProvidedCertificates, why_revoked: WhyRevoked) -> None:
        """``why_revoked`` speaks for the authorities: what they revoke needn't be revoked here."""
        self._contracts = contracts
        self._certificates = certificates
        self._why_revoked = why_revoked
        self._loops: dict[Session, _Loop] = {}

    async def choose(
        self, station: str, asked: EvRequest, request: VerifiedRequest, *, at: datetime, now: float
    ) -> ContractChoice:
        """Return what is to be provided. Raises ProvisioningRefused and StoreAway."""
        if request.action is Action.UPDATE:
            return await self._update(request, at)
        if request.pcid is None:  # the verifier gives one to every installation
            raise ProvisioningRefused(Refusal.CERTIFICATE_PROFILE, "the vehicle's certificate names no PCID")
        message = request.message
        if not isinstance(message, CertificateInstallationReq20):
            found = await self._contracts.for_vehicle(request.pcid, at)
            return ContractChoice(found[0] if found else None)
        session = (station, request.pcid, message.header.session_id)
        valid = await self._contracts.for_vehicle(request.pcid, at)
        loop = self._going_on(session, now)
        if loop is not None and loop.waiting:
            waiting = self._still(session, loop.waiting, valid)
        else:
            waiting = in_order(valid, asked, message)
        if not waiting:
            return ContractChoice(None, session=session)
        return ContractChoice(waiting[0], len(waiting) - 1, session, waiting[1:])

    def is_going_on(self, station: str, request: VerifiedRequest, now: float) -> bool:
        """Return whether the vehicle is fetching several contracts and has some to come: it asks in the same words."""
        message = request.message
        if not isinstance(message, CertificateInstallationReq20) or request.pcid is None:
            return False
        return self._going_on((station, request.pcid, message.header.session_id), now) is not None

    def provided(self, choice: ContractChoice, remaining: int, now: float) -> None:
        """The chosen contract was provided: the next request of the vehicle is for the one after it.

        ``remaining``: how many are to come by the answer. What a provider says of its own must become less each time.
        """
        if choice.session is None:
            return
        before = self._loops.pop(choice.session, None)
        left = remaining if before is None or choice.waiting else min(remaining, before.left - 1)
        if left > 0:
            while len(self._loops) >= LOOPS_MAX:
                del self._loops[next(iter(self._loops))]
            self._loops[choice.session] = _Loop(choice.waiting, left, now + LOOP_WITHIN)

    def _going_on(self, session: Session, now: float) -> _Loop | None:
        """Return what is left of a loop; what nobody came for in time is forgotten, the oldest first."""
        while self._loops and (oldest := next(iter(self._loops.items())))[1].ends <= now:
            del self._loops[oldest[0]]
        return self._loops.get(session)

    def _still(
        self, session: Session, promised: tuple[Contract, ...], valid: Sequence[Contract]
    ) -> tuple[Contract, ...]:
        """Return what a vehicle may still have of what it was promised, as it is by now. Raises ProvisioningRefused."""
        by_key = {key_of(each.emaid): each for each in valid}
        still = tuple(by_key[key] for each in promised if (key := key_of(each.emaid)) in by_key)
        if not still:
            del self._loops[session]
            raise ProvisioningRefused(Refusal.NO_CONTRACT, "the vehicle's further contracts have ended meanwhile")
        return still

    async def _update(self, request: VerifiedRequest, at: datetime) -> ContractChoice:
        """The eMAID must be a contract that is valid now, and of the vehicle that had the certificate before."""
        predecessor = request.path[0]
        before = await self._certificates.provided(predecessor)
        why = self._why_revoked(request.path)
        if why or (before is not None and before.status is ContractStatus.REVOKED):
            text = why or "the contract certificate is revoked"
            text += "; the vehicle asks anew with its OEM provisioning certificate"
            raise ProvisioningRefused(Refusal.CERTIFICATE_REVOKED, text)
        if request.emaid is None:  # the verifier gives one to every update
            raise ProvisioningRefused(Refusal.CERTIFICATE_PROFILE, "the contract certificate names no eMAID")
        contract = await self._contracts.by_emaid(request.emaid, at)
        if contract is not None and before is not None and before.pcid:
            contract = await self._of_vehicle(before.pcid, contract, at)
        if contract is not None:
            # The vehicle's own spelling: with the check digit or without it.
            contract = replace(contract, emaid=request.emaid)
        return ContractChoice(contract, predecessor=predecessor, is_predecessor_ours=before is not None)

    async def _of_vehicle(self, pcid: str, contract: Contract, at: datetime) -> Contract:
        """Return the vehicle's own contract of this eMAID, which several may have, each for its time."""
        for own in await self._contracts.for_vehicle(pcid, at):
            if key_of(own.emaid) == key_of(contract.emaid):
                return own
        raise ProvisioningRefused(Refusal.NO_CONTRACT, "the contract belongs to another vehicle by now")


def in_order(
    contracts: Sequence[Contract], asked: EvRequest, message: CertificateInstallationReq20
) -> tuple[Contract, ...]:
    """Return the contracts that the vehicle gets, in turn: those that it prioritizes first, as many as it takes.

    What 2.1's own fields say goes before the message's. A vehicle that asks takes one at least.
    """
    wanted = asked.prioritized_emaids or message.prioritized_emaids
    places = {key_of(emaid): place for place, emaid in reversed([*enumerate(wanted)])}
    ordered = sorted(contracts, key=lambda each: places.get(key_of(each.emaid), len(wanted)))
    most = message.maximum_contract_certificate_chains if asked.maximum_chains is None else asked.maximum_chains
    return tuple(ordered[: min(max(most, 1), CONTRACTS_MAX)])


def key_of(emaid: str) -> str:
    """Return what two spellings of an eMAID have in common; of what is none, itself."""
    try:
        return Emaid.of_peer(emaid).key
    except ValueError:
        return emaid
