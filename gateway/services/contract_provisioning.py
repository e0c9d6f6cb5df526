"""A vehicle's request for a contract certificate, from the EXI to the answer (OCPP 2.0.1 M01, M02; ISO 15118 8.4.3.11).

Verified first, whoever provides: nobody is asked for what is forged, replayed or for nobody. What comes back is on the
audit before the station has it.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import structlog

from gateway.services.contract_choice import (
    ContractChoice,
    ContractChoices,
    Contracts,
    ProvidedCertificates,
    WhyRevoked,
    key_of,
)
from gateway.services.contract_providers import Chosen, Providers, VehiclesStation
from gateway.services.contract_replays import SignedRequests
from gateway.services.ev_certificate_words import (
    EvAnswer,
    EvRequest,
    encode_base64,
    exi_of_request,
    schema_of_request,
    told_station,
)
from gateway.services.peer_text import printable
from gateway.services.provisioning_record import Case, ProvisioningRecord
from gateway.session.ports import StoreAway
from pki.iso15118.exi import Schema
from pki.iso15118.messages import Action
from pki.iso15118.provisioning import Provision, ProvisioningRefused, Refusal, VerifiedRequest

log = structlog.get_logger(__name__)

Refused = Callable[[bytes, Schema, Refusal], bytes | None]
"""``refused(exi, schema, refusal)`` returns what the vehicle is told, in EXI; None where its request can't be read."""


class Verifier(Protocol):
    """Looks at requests of vehicles: :class:`pki.iso15118.verification.RequestVerifier`."""

    def verify(self, exi: bytes, schema: Schema, action: Action) -> VerifiedRequest:
        """Return a request whose signature leads to a trusted root. Raises ProvisioningRefused."""


class ContractProvisioning:
    """Answers requests of vehicles, each by itself."""

    def __init__(  # noqa: PLR0913 - a seam of the composition root: all that a request may touch
        self,
        verifier: Verifier,
        contracts: Contracts,
        certificates: ProvidedCertificates,
        providers: Providers,
        record: ProvisioningRecord,
        *,
        refused: Refused,
        why_revoked: WhyRevoked,
        timeout: float,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``timeout``: seconds for one request."""
        self._verifier = verifier
        self._choices = ContractChoices(contracts, certificates, why_revoked)
        self._providers = providers
        self._record = record
        self._refused = refused
        self._timeout = timeout
        self._now = now
        self._clock = clock
        self._signed = SignedRequests()

    async def answer(self, station: VehiclesStation, asked: EvRequest) -> EvAnswer:
        """Return the answer to one request, whatever happens; it is on the audit."""
        begun = self._clock()
        case = self._case(station, asked)
        try:
            answer = await self._accepted(case)
        except ProvisioningRefused as refused:
            answer = self._no(case, refused)
            await self._record.refused(case, refused)
        self._record.counted(case, answer.refusal, self._clock() - begun)
        return answer

    async def refuse(
        self, station: VehiclesStation, asked: EvRequest, refused: ProvisioningRefused, *, is_kept: bool
    ) -> EvAnswer:
        """Return the answer to a request that isn't looked at; ``is_kept``: audit and security log hear of it."""
        case = self._case(station, asked)
        if is_kept:
            await self._record.refused(case, refused)
        self._record.counted(case, refused.refusal)
        return self._no(case, refused)

    def _case(self, station: VehiclesStation, asked: EvRequest) -> Case:
        return Case(station, asked, self._now(), hashlib.sha256(asked.exi_request.encode()).hexdigest())

    async def _accepted(self, case: Case) -> EvAnswer:
        """Return the answer that brings a certificate. Raises ProvisioningRefused alone."""
        try:
            case.exi, case.schema = exi_of_request(case.asked), schema_of_request(case.asked)
            case.digest = hashlib.sha256(case.exi).hexdigest()
            case.verified = self._verifier.verify(case.exi, case.schema, case.asked.action)
            return await self._once(case, case.verified)
        except StoreAway as away:
            raise ProvisioningRefused(Refusal.PROVIDER_UNAVAILABLE, f"the store is away: {away}") from None
        except ProvisioningRefused:
            raise
        except Exception:
            # A defect, or a provider that raises what it shouldn't: the vehicle is answered, the log has it whole.
            log.exception("provisioning_failed", identity=case.station.identity, digest=case.digest)
            raise ProvisioningRefused(Refusal.PROVIDER_UNAVAILABLE, "an internal error; see the log") from None

    async def _once(self, case: Case, request: VerifiedRequest) -> EvAnswer:
        """Provide, unless the signed request has had effect before."""
        now, identity = self._clock(), case.station.identity
        if self._choices.is_going_on(identity, request, now):
            return await self._provided(case, request)
        name = self._signed.use(request, now)
        try:
            await self._record.check_new(case)
            return await self._provided(case, request)
        except BaseException:
            self._signed.give_back(name)
            raise

    async def _provided(self, case: Case, request: VerifiedRequest) -> EvAnswer:
        try:
            async with asyncio.timeout(self._timeout):
                at, now = case.at, self._clock()
                choice = await self._choices.choose(case.station.identity, case.asked, request, at=at, now=now)
                case.contract = choice.contract
                case.chosen = chosen = self._chosen(request, choice)
                provider = chosen.offer.at(case.station, case.asked.vendor_id)
                provision = await provider.provide(request, choice.contract, remaining=choice.remaining)
                case.provision = provision
        except TimeoutError:
            text = f"nobody had provided a certificate after {self._timeout:g} s (plug_and_charge.timeout)"
            raise ProvisioningRefused(Refusal.PROVIDER_TIMEOUT, text) from None
        try:
            exi_response = _fitting(provision, choice, case.asked)
            await self._record.issued(case, provision, choice.predecessor)
        except BaseException:
            chosen.offer.withdraw(provision.certificate)
            raise
        remaining = choice.remaining if choice.contract is not None else provision.remaining
        self._choices.provided(choice, remaining or 0, self._clock())
        return EvAnswer(exi_response, remaining=remaining)

    def _chosen(self, request: VerifiedRequest, choice: ContractChoice) -> Chosen:
        contract = choice.contract
        chosen = self._providers.choose(request.emaid if contract is None else contract.emaid)
        if contract is None and not chosen.offer.knows_contracts:
            whose = f"eMAID {request.emaid}" if request.pcid is None else f"PCID {request.pcid}"
            text = f"{whose} has no contract that is valid now; `voltgate contract add` makes one"
            raise ProvisioningRefused(Refusal.NO_CONTRACT, text)
        if chosen.offer.is_ours and choice.predecessor is not None and not choice.is_predecessor_ours:
            # Any root of plug_and_charge.mo_roots can certify any eMAID: it has no say in whom we certify for it.
            text = (
                "the contract certificate wasn't provided here, so that it proves no claim to a contract of ours; "
                "the vehicle asks anew with its OEM provisioning certificate"
            )
            raise ProvisioningRefused(Refusal.NO_CONTRACT, text)
        return chosen

    def _no(self, case: Case, refused: ProvisioningRefused) -> EvAnswer:
        """Return the refusal in the station's words, and in the vehicle's where one can be made."""
        exi_response = ""
        if case.schema is not None and refused.refusal is not Refusal.TOO_LARGE:
            try:
                said = self._refused(case.exi, case.schema, refused.refusal)
            except Exception:
                log.exception("refusal_without_exi", identity=case.station.identity, refusal=refused.refusal.value)
                said = None
            exi_response = encode_base64(said) if said is not None else ""
        if len(exi_response) > case.asked.response_max:
            exi_response = ""
        return EvAnswer(exi_response, refused.refusal, told_station(refused))


def _fitting(provision: Provision, choice: ContractChoice, asked: EvRequest) -> str:
    """Return exiResponse, where the answer is for the contract that was asked for and the station can take it.

    Raises ProvisioningRefused.
    """
    wanted = choice.contract
    if wanted is not None and key_of(provision.emaid) != key_of(wanted.emaid):
        text = f"a certificate for {printable(provision.emaid, 20)} was provided, and {wanted.emaid} was asked for"
        raise ProvisioningRefused(Refusal.PROVIDER_ANSWER, text)
    exi_response = encode_base64(provision.exi)
    if len(exi_response) > asked.response_max:
        text = f"the answer has {len(exi_response)} characters, and the station takes {asked.response_max}"
        raise ProvisioningRefused(Refusal.PROVIDER_ANSWER, text)
    return exi_response
