"""A provider that keeps signed contracts: the vehicle's request goes to its contract certificate pool (OPCP 1.0.0)."""

import dataclasses
import enum
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from pki.iso15118.exi import ExiError
from pki.iso15118.identifiers import Emaid
from pki.iso15118.messages import (
    CertificateInstallationReq20,
    CertificateInstallationRes,
    CertificateInstallationRes20,
    CertificateUpdateReq,
)
from pki.iso15118.opcp.client import OpcpClient
from pki.iso15118.opcp.loops import Loops
from pki.iso15118.opcp.messages import Offer, check_success, contract_request, read_offers
from pki.iso15118.provisioning import Contract, Provision, ProvisioningRefused, Refusal, VerifiedRequest
from pki.iso15118.reading import read_message
from pki.iso15118.writing import write_message

CONTRACTS_PATH: Final = "/v1/ccp/signedContractData"


class AnswerCheck(Protocol):
    """Checks what a provider gave (:class:`pki.iso15118.answers.AnswerVerifier`)."""

    def check(self, exi: bytes, request: VerifiedRequest, *, emaid: str | None = None) -> Provision:
        """Return it under the request's SessionID; for ``emaid``, if it is given. Raises ProvisioningRefused."""


class OpcpProvider:
    """Fulfils ContractProvider."""

    def __init__(
        self,
        client: OpcpClient,
        answers: AnswerCheck,
        *,
        always_return_exi: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``client`` is closed with this. ``always_return_exi``: refusals as EXI, too, not in words."""
        self._client = client
        self._answers = answers
        self._headers = {"alwaysReturnEXI": "true" if always_return_exi else "false"}
        self._loops = Loops(clock)

    def __repr__(self) -> str:
        return f"OpcpProvider({self._client.base})"

    async def close(self) -> None:
        """End what is under way."""
        await self._client.close()

    async def provide(self, request: VerifiedRequest, contract: Contract | None, *, remaining: int) -> Provision:
        """Return the provider's message for ``contract``; None: its default one, or of -20 one after the other.

        OPCP 1.0.0 has installations alone: an update isn't sent, for the provider would take it for one.
        """
        if isinstance(request.message, CertificateUpdateReq):
            raise ProvisioningRefused(
                Refusal.NOT_CONFIGURED,
                "OPCP knows no CertificateUpdateReq: the vehicle gets its next certificate by an installation",
            )
        if contract is not None:
            offer = _of_contract(await self._offers(request), contract)
            return self._provision(request, offer, contract, remaining)
        begun = self._loops.next(request)
        offers = begun or await self._offers(request)
        first, *rest = begun or _in_order(offers, request)
        # A provider that gives one message leads the loop itself, if there is one.
        is_ours = bool(begun) or len(offers) > 1
        provision = self._provision(request, first, None, len(rest) if is_ours else None)
        self._loops.keep(request, rest)
        return provision

    async def _offers(self, request: VerifiedRequest) -> tuple[Offer, ...]:
        body = contract_request(request.exi, request.schema)
        reply = await self._client.ask("POST", CONTRACTS_PATH, body, headers=self._headers)
        try:
            return read_offers(reply.read_object())
        except ValueError as error:
            raise self._misanswered(f"the answer {error}") from None

    def _provision(
        self, request: VerifiedRequest, offer: Offer, contract: Contract | None, remaining: int | None
    ) -> Provision:
        """Check an offer. ``remaining``: of -20, where the provider can't know how many are still to come."""
        try:
            message = read_message(offer.exi, request.schema)
        except ExiError as error:
            # Refusals in EXI that providers have published aren't valid: their eMAID is a single character.
            hint = "" if offer.emaid else " (it may be a refusal: with opcp.always_return_exi: false it comes in words)"
            raise self._misanswered(f"the message isn't one of {request.schema.value}: {error}{hint}") from None
        if not isinstance(message, CertificateInstallationRes | CertificateInstallationRes20):
            raise self._misanswered(f"the message is a {type(message).__name__}")
        check_success(message)
        exi = offer.exi
        if isinstance(message, CertificateInstallationRes20) and remaining is not None:
            # It isn't signed: whoever leads the loop says it.
            exi = write_message(dataclasses.replace(message, remaining_contract_certificate_chains=remaining))
        return self._answers.check(exi, request, emaid=None if contract is None else contract.emaid)

    def _misanswered(self, what: str) -> ProvisioningRefused:
        return ProvisioningRefused(Refusal.PROVIDER_ANSWER, f"{self._client.base}{CONTRACTS_PATH}: {what}")


class Fit(enum.IntEnum):
    """How well an offer's eMAID fits the one that is looked for, the best first."""

    SAME = 0
    SAME_BUT_CHECK_DIGIT = 1
    """OPCP leaves the fifteenth character out, though not all operators mean it as a check digit."""
    NOT_SAID = 2
    ANOTHER = 3


def fit(offered: Emaid | None, wanted: str) -> Fit:
    """Compare what a provider says with an eMAID in any of its forms; hyphens and check digit may be there or not."""
    if offered is None:
        return Fit.NOT_SAID
    try:
        emaid = Emaid.of_peer(wanted)
    except ValueError:
        return Fit.ANOTHER
    if offered.key == emaid.key:
        return Fit.SAME
    is_cut = offered.stem == emaid.stem and None in {offered.check_digit, emaid.check_digit}
    return Fit.SAME_BUT_CHECK_DIGIT if is_cut else Fit.ANOTHER


def _of_contract(offers: Sequence[Offer], contract: Contract) -> Offer:
    """Choose the message for a contract; what is in it the check says."""
    best = min(offers, key=lambda each: fit(each.emaid, contract.emaid))
    if fit(best.emaid, contract.emaid) is Fit.ANOTHER:
        text = f"the provider has {len(offers)} contracts for this vehicle, and {contract.emaid} isn't one of them"
        raise ProvisioningRefused(Refusal.NO_CONTRACT, text)
    return best


def _in_order(offers: Sequence[Offer], request: VerifiedRequest) -> Sequence[Offer]:
    """Return what the vehicle gets: of -2 the default contract; of -20 what it prefers first, and what it has room for.

    OPCP 1.0.0 gives the default contract alone for -2; where several come all the same, it is the first.
    """
    message = request.message
    if not isinstance(message, CertificateInstallationReq20):
        return offers[:1]
    wanted = message.prioritized_emaids

    def place(offer: Offer) -> int:
        return next((index for index, each in enumerate(wanted) if fit(offer.emaid, each) < Fit.NOT_SAID), len(wanted))

    return sorted(offers, key=place)[: max(1, message.maximum_contract_certificate_chains)]
