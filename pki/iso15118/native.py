"""The provider that we are: our authority certifies, a provisioning service vouches, the answer is written here."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from pki.authority import RevocationUnsupported
from pki.clock import utc_now
from pki.iso15118.contract_issuing import ContractIssuer, IssuedContract
from pki.iso15118.cps import CpsSigner
from pki.iso15118.exi import ExiError, Schema
from pki.iso15118.messages import (
    CertificateChain,
    CertificateInstallationReq20,
    CertificateInstallationRes,
    CertificateInstallationRes20,
    CertificateUpdateReq,
    CertificateUpdateRes,
    ContractData,
    Header,
    KeyWrapping,
    Request,
    Response,
    SignedInstallationData,
)
from pki.iso15118.provisioning import Contract, Provision, ProvisioningRefused, Refusal, VerifiedRequest
from pki.iso15118.signature import sign
from pki.iso15118.writing import write_message

OK: Final = "OK"
REMAINING_MAX: Final = 255
"""RemainingContractCertificateChains is an unsignedByte."""
_ATTRIBUTE: Final = re.compile(r"(^|,)\s*([A-Za-z]{1,30})\s*=\s*")
"""The beginning of an attribute, as people write it: ``, cn = ``."""

log = structlog.get_logger(__name__)


class NativeProvider:
    """Fulfils :class:`pki.iso15118.provisioning.ContractProvider`, for the generations that it has both parts of."""

    def __init__(
        self,
        issuers: Mapping[Schema, ContractIssuer],
        signers: Mapping[Schema, CpsSigner],
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._issuers = issuers
        self._signers = signers
        self._clock = clock

    def __repr__(self) -> str:
        return f"NativeProvider({', '.join(schema.name for schema in self._issuers if schema in self._signers)})"

    async def provide(self, request: VerifiedRequest, contract: Contract | None, *, remaining: int) -> Provision:
        """Issue ``contract``, and return the signed answer. Raises :class:`ProvisioningRefused`.

        A certificate whose answer can't be signed, or isn't waited for, is revoked.
        """
        issuer, signer = self._parts(request.schema)
        if contract is None:
            raise ProvisioningRefused(
                Refusal.NO_CONTRACT, "there is no contract for this vehicle; add one: voltgate contract add"
            )
        if request.emaid not in {None, contract.emaid}:
            raise ProvisioningRefused(Refusal.NO_CONTRACT, f"the vehicle has {request.emaid}, not {contract.emaid}")
        signer.cps.check_dates(self._clock())
        warnings = root_warnings(request.message, signer.cps.v2g_root)
        issued = await issuer.issue(request, contract)
        try:
            answer = unsigned_answer(
                request.message, issued, signer.cps.certificates, remaining=remaining, now=self._clock()
            )
            exi = write_message(await sign(answer, signer.sign))
        except (ExiError, ValueError) as error:
            issuer.unwind(issued.certificate)
            refused = ProvisioningRefused(Refusal.PROVIDER_ANSWER, f"the answer can't be written: {error}")
            refused.withdrawn = issued.certificate
            raise refused from None
        except BaseException as error:
            issuer.unwind(issued.certificate)
            if isinstance(error, ProvisioningRefused):
                error.withdrawn = issued.certificate
            raise
        for warning in warnings:
            log.warning("contract_may_be_refused", emaid=contract.emaid, reason=warning)
        left = remaining if request.schema is Schema.ISO_20 else None
        return Provision(exi, contract.emaid, issued.certificate, signer.cps.leaf, left, warnings)

    async def revoke(
        self, certificate: x509.Certificate, reason: x509.ReasonFlags = x509.ReasonFlags.unspecified
    ) -> None:
        """Revoke a contract certificate of ours: undelivered, or superseded by an update.

        Raises :class:`pki.authority.AuthorityError`; RevocationUnsupported for one that we didn't issue.
        """
        key = certificate.public_key()
        is_20 = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP521R1)
        issuer = self._issuers.get(Schema.ISO_20 if is_20 else Schema.ISO_2)
        if issuer is None:
            raise RevocationUnsupported(f"{certificate.serial_number:x} wasn't issued here: its own issuer revokes it")
        await issuer.revoke(certificate, reason)

    async def close(self) -> None:
        """Wait a little for what is being revoked."""
        for issuer in self._issuers.values():
            await issuer.close()

    def _parts(self, schema: Schema) -> tuple[ContractIssuer, CpsSigner]:
        issuer, signer = self._issuers.get(schema), self._signers.get(schema)
        if issuer is None or signer is None:
            suffix, title = ("_20", "ISO 15118-20") if schema is Schema.ISO_20 else ("", "ISO 15118-2")
            raise ProvisioningRefused(
                Refusal.NOT_CONFIGURED,
                f"{title} isn't set up: configure authority.contract{suffix} and the provider's native.cps{suffix}",
            )
        return issuer, signer


def unsigned_answer(
    request: Request, issued: IssuedContract, cps: CertificateChain, *, remaining: int, now: datetime
) -> Response:
    """Return the answer to ``request`` that holds ``issued``, under its SessionID, without a signature."""
    session_id = request.header.session_id
    if not isinstance(request, CertificateInstallationReq20):
        answer = CertificateUpdateRes if isinstance(request, CertificateUpdateReq) else CertificateInstallationRes
        return answer(Header(session_id), OK, cps, _contract_data(issued))
    data = SignedInstallationData(
        id="id1",
        contract_chain=issued.chain,
        ecdh_curve="SECP521",
        dh_public_key=issued.sealed.dh_public_key,
        key_wrapping=KeyWrapping.SECP521,
        encrypted_private_key=issued.sealed.encrypted_private_key,
    )
    header = Header(session_id, timestamp=int(now.timestamp()))
    return CertificateInstallationRes20(header, OK, "Finished", cps, data, min(remaining, REMAINING_MAX))


def root_warnings(request: Request, v2g_root: x509.Name) -> tuple[str, ...]:
    """Return what speaks against this CPS: the vehicle lists the V2G roots that it has, and ours isn't among them.

    Not more than a warning: names are written in many ways, and vehicles in the field list what they please.
    """
    wanted = _parts_of(v2g_root)
    for named in request.root_certificate_ids:
        try:
            name = _ATTRIBUTE.sub(lambda found: f"{found[1]}{found[2].upper()}=", named.issuer_name)
            if _parts_of(x509.Name.from_rfc4514_string(name)) == wanted:
                return ()
        except ValueError:
            continue
    return (f"the vehicle doesn't list the V2G root of the CPS, {v2g_root.rfc4514_string()}; it may refuse the answer",)


def _parts_of(name: x509.Name) -> frozenset[tuple[str, str]]:
    """A name's attributes in no order: some write the first one first, others last (RFC 4514 2.1)."""
    return frozenset((each.oid.dotted_string, str(each.value).casefold()) for each in name)


def _contract_data(issued: IssuedContract) -> ContractData:
    return ContractData(
        chain=replace(issued.chain, id="id1"),
        encrypted_private_key=issued.sealed.encrypted_private_key,
        encrypted_private_key_id="id2",
        dh_public_key=issued.sealed.dh_public_key,
        dh_public_key_id="id3",
        emaid=issued.emaid,
        emaid_id="id4",
    )
