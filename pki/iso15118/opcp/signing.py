"""We issue and encrypt, and a provider's certificate provisioning service signs under the V2G root (OPCP 1.0.0 cps.v1).

For an operator with contracts of his own and no CPS that vehicles trust. The service sees the encrypted key, never the
key; what it returns must be what was sent, and its signature right for the bytes that the vehicle gets.
"""

import dataclasses
from typing import Final, Protocol

from cryptography import x509

from pki.iso15118.contract_issuing import IssuedContract
from pki.iso15118.exi import ExiError, Schema
from pki.iso15118.messages import CertificateInstallationRes, CertificateUpdateReq, CertificateUpdateRes
from pki.iso15118.opcp.client import OpcpClient
from pki.iso15118.opcp.messages import check_success, read_signed, signing_request
from pki.iso15118.opcp.provider import AnswerCheck
from pki.iso15118.opcp.signed_xml import to_exi
from pki.iso15118.provisioning import Contract, Provision, ProvisioningRefused, Refusal, VerifiedRequest
from pki.iso15118.reading import read_message
from pki.iso15118.writing import write_message

SIGNING_PATH: Final = "/v1/cps/contractData/signed"

_SIGNED: Final = frozenset({200, 201})


class Issuer(Protocol):
    """Issues and encrypts (:class:`pki.iso15118.contract_issuing.ContractIssuer`)."""

    async def issue(self, request: VerifiedRequest, contract: Contract) -> IssuedContract:
        """Return the contract's certificate and its sealed key. Raises ProvisioningRefused."""

    def unwind(self, certificate: x509.Certificate) -> None:
        """Have revoked what isn't delivered."""


class NativeWithOpcpCps:
    """Fulfils ContractProvider, for ISO 15118-2: OPCP 1.0.0 signs nothing of -20."""

    def __init__(
        self, issuer: Issuer, client: OpcpClient, answers: AnswerCheck, *, v2g_root: str | None = None
    ) -> None:
        """``client`` is closed with this, ``issuer`` isn't. ``v2g_root``: under which the service is to sign."""
        self._issuer = issuer
        self._client = client
        self._answers = answers
        self._v2g_root = v2g_root

    def __repr__(self) -> str:
        return f"NativeWithOpcpCps({self._client.base})"

    async def close(self) -> None:
        """End what is under way."""
        await self._client.close()

    async def provide(self, request: VerifiedRequest, contract: Contract | None, *, remaining: int) -> Provision:  # noqa: ARG002 - the Protocol's: -2 has one contract
        """Return the answer with a new contract certificate; what was issued and isn't delivered is revoked."""
        if request.schema is not Schema.ISO_2:
            raise ProvisioningRefused(Refusal.NOT_CONFIGURED, "OPCP 1.0.0 signs nothing of ISO 15118-20")
        if contract is None:
            raise ProvisioningRefused(Refusal.NO_CONTRACT, "no contract is known for this vehicle")
        self._client.check()
        issued = await self._issuer.issue(request, contract)
        try:
            return self._answers.check(await self._signed(request, issued), request, emaid=contract.emaid)
        except BaseException as error:
            self._issuer.unwind(issued.certificate)
            if isinstance(error, ProvisioningRefused):
                error.withdrawn = issued.certificate
            raise

    async def _signed(self, request: VerifiedRequest, issued: IssuedContract) -> bytes:
        """Have the service sign, and put what it gives into the answer to ``request``."""
        chain = (issued.chain.certificate, *issued.chain.sub_certificates)
        try:
            body = signing_request(
                chain, issued.sealed.encrypted_private_key, issued.sealed.dh_public_key, v2g_root=self._v2g_root
            )
        except ValueError as error:
            raise ProvisioningRefused(Refusal.NOT_CONFIGURED, f"{error}; see authority.contract") from None
        reply = await self._client.ask("PUT", SIGNING_PATH, body, expect=_SIGNED)
        try:
            exi = to_exi(read_signed(reply.read_object()), request.message.header.session_id)
            message = read_message(exi, Schema.ISO_2)
        except ExiError as error:
            raise self._misanswered(f"signedData isn't a CertificateInstallationRes: {error}") from None
        except ValueError as error:
            raise self._misanswered(f"the answer {error}") from None
        if not isinstance(message, CertificateInstallationRes):
            raise self._misanswered(f"signedData is a {type(message).__name__}")
        check_success(message)
        if not _is_what_was_sent(message, issued):
            raise self._misanswered("signedData holds something else than what was to be signed")
        if not isinstance(request.message, CertificateUpdateReq):
            return exi
        # The four signed parts are the same elements in both answers: so is their signature.
        return write_message(
            CertificateUpdateRes(message.header, message.response_code, message.cps_chain, message.contract)
        )

    def _misanswered(self, what: str) -> ProvisioningRefused:
        return ProvisioningRefused(Refusal.PROVIDER_ANSWER, f"{self._client.base}{SIGNING_PATH}: {what}")


def _is_what_was_sent(message: CertificateInstallationRes, issued: IssuedContract) -> bool:
    given, sealed = message.contract, issued.sealed
    return (
        dataclasses.replace(given.chain, id=None) == issued.chain
        and given.encrypted_private_key == sealed.encrypted_private_key
        and given.dh_public_key == sealed.dh_public_key
    )
