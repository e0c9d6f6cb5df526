"""What somebody else provided: a whole answer for the vehicle, looked at as if it came from a liar.

The contract's private key alone can't be looked at: it is encrypted to the vehicle.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from pki.clock import utc_now
from pki.iso15118.certificate_profiles import CONTRACT, CPS, CURVES, check_role
from pki.iso15118.envelope import IV_2, IV_20, SCALAR_2, SCALAR_20, TAG_20
from pki.iso15118.exi import ExiError, Schema
from pki.iso15118.identifiers import Emaid
from pki.iso15118.messages import (
    CertificateChain,
    CertificateInstallationReq,
    CertificateInstallationReq20,
    CertificateInstallationRes,
    CertificateInstallationRes20,
    CertificateUpdateReq,
    CertificateUpdateRes,
    Header,
    KeyWrapping,
    Request,
    Response,
)
from pki.iso15118.provisioning import Provision, ProvisioningRefused, Refusal, VerifiedRequest
from pki.iso15118.reading import read_message
from pki.iso15118.signature import check_digests, check_value, suite_of
from pki.iso15118.trust import LIMITS, Path, TrustedPaths, chain_path, name_of
from pki.iso15118.verification import Profiles, emaid_of, findings
from pki.iso15118.writing import write_message

ANSWER_SIZE_MAX: Final = 12_750
"""Octets of EXI: the 17,000 characters that OCPP 2.1 has for them. What a station takes is less, and the caller's."""

_ANSWER_TO: Final[Mapping[type[Request], type[Response]]] = {
    CertificateInstallationReq: CertificateInstallationRes,
    CertificateUpdateReq: CertificateUpdateRes,
    CertificateInstallationReq20: CertificateInstallationRes20,
}
_ENCRYPTED_SIZES: Final = {Schema.ISO_2: IV_2 + SCALAR_2, Schema.ISO_20: IV_20 + SCALAR_20 + TAG_20}
_CURVE_20: Final = "SECP521"
_FINISHED: Final = "Finished"


class _Wrong(ValueError):
    """Why an answer isn't one to the request."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """What answers of both generations have."""

    chain: CertificateChain
    dh_public_key: bytes
    encrypted_private_key: bytes
    emaid: str | None
    """-2 alone says it beside the certificate."""
    remaining: int | None


class AnswerVerifier:
    """Verifies answers. Immutable; for any thread."""

    def __init__(
        self,
        v2g: TrustedPaths | None,
        mo: TrustedPaths | None,
        *,
        profiles: Profiles,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """``v2g``: to whom provisioning services lead; ``mo``: contract certificates.

        None: no root is at hand. Then a chain must hang together, its dates and its role be right, and whether it leads
        to a root that it trusts is left to the vehicle.
        """
        self._v2g = v2g
        self._mo = mo
        self._profiles = profiles
        self._clock = clock

    def check(self, exi: bytes, request: VerifiedRequest, *, emaid: str | None = None) -> Provision:
        """Return the answer under the request's SessionID when it answers it, and for ``emaid`` if that is given.

        Raises :class:`ProvisioningRefused`: PROVIDER_REFUSED where it says no in the vehicle's words, PROVIDER_ANSWER
        where it isn't what was asked for.
        """
        try:
            message = _read(exi, request)
            if message.response_code.startswith("OK"):
                return self._provision(message, request, emaid)
        except (_Wrong, ProvisioningRefused, ExiError) as error:
            text = f"the provider's answer is refused: {error}"
            raise ProvisioningRefused(Refusal.PROVIDER_ANSWER, text) from None
        text = f"the provider answers the vehicle with {message.response_code}"
        raise ProvisioningRefused(Refusal.PROVIDER_REFUSED, text)

    def _provision(self, message: Response, request: VerifiedRequest, emaid: str | None) -> Provision:
        signature, schema = check_digests(message), request.schema
        parts = _parts(message)
        _check_envelope(parts, schema)
        cps = self._path(self._v2g, message.cps_chain, schema)
        key = check_role(cps, CPS, schema)
        warnings = findings(cps, CPS, schema, self._profiles)
        check_value(signature, key, suite_of(message))
        contract = self._path(self._mo, parts.chain, schema)
        check_role(contract, CONTRACT, schema)
        warnings += findings(contract, CONTRACT, schema, self._profiles)
        if contract[0] == request.path[0]:
            raise _Wrong("it holds the vehicle's own certificate, not a new one")
        found = _check_emaids(emaid_of(contract), parts.emaid, request.emaid, emaid)
        if self._v2g is not None:
            warnings += _check_vehicles_roots(cps, request.message)
        exi = _readdressed(message, request, self._clock())
        return Provision(exi, found, contract[0], cps[0], parts.remaining, warnings)

    def _path(self, trusted: TrustedPaths | None, chain: CertificateChain, schema: Schema) -> Path:
        find = chain_path if trusted is None else trusted.path
        return find(chain.certificate, chain.sub_certificates, at=self._clock(), limits=LIMITS[schema])


def _read(exi: bytes, request: VerifiedRequest) -> Response:
    if len(exi) > ANSWER_SIZE_MAX:
        raise _Wrong(f"it has {len(exi)} octets, at most {ANSWER_SIZE_MAX} are looked at")
    message = read_message(exi, request.schema)
    wanted = _ANSWER_TO[type(request.message)]
    if not isinstance(message, wanted):
        raise _Wrong(f"it is a {type(message).__name__}, and the vehicle waits for a {wanted.__name__}")
    return message


def _parts(message: Response) -> _Parts:
    if not isinstance(message, CertificateInstallationRes20):
        contract = message.contract
        return _Parts(
            contract.chain, contract.dh_public_key, contract.encrypted_private_key, emaid=contract.emaid, remaining=None
        )
    data = message.installation_data
    if message.evse_processing != _FINISHED:
        raise _Wrong(f"its EVSEProcessing is {message.evse_processing}, though no later answer can follow")
    if data.ecdh_curve != _CURVE_20 or data.key_wrapping is not KeyWrapping.SECP521:
        raise _Wrong(f"its key is wrapped as {data.key_wrapping.value}, and the vehicle's is on {_CURVE_20}")
    remaining = message.remaining_contract_certificate_chains
    return _Parts(data.contract_chain, data.dh_public_key, data.encrypted_private_key, emaid=None, remaining=remaining)


def _check_envelope(parts: _Parts, schema: Schema) -> None:
    """The key's encryption, as far as it shows: [V2G2-815] to 819, [V2G20-2497] to 2499."""
    if len(parts.encrypted_private_key) != _ENCRYPTED_SIZES[schema]:
        raise _Wrong(f"its private key has {len(parts.encrypted_private_key)} octets, not {_ENCRYPTED_SIZES[schema]}")
    curve = CURVES[schema]()
    size = 1 + 2 * ((curve.key_size + 7) // 8)
    if len(parts.dh_public_key) != size:
        raise _Wrong(f"its DH public key has {len(parts.dh_public_key)} octets, not {size}")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(curve, parts.dh_public_key)
    except ValueError:
        raise _Wrong(f"its DH public key isn't a point of {curve.name}") from None


def _check_emaids(certified: Emaid, said: str | None, old: str | None, wanted: str | None) -> str:
    """Return the eMAID, which is the same wherever one stands: certificate, message, old certificate, contract."""
    others = {"the message": said, "the certificate before": old, "the contract that was asked for": wanted}
    for where, other in others.items():
        if other is None:
            continue
        try:
            is_same = Emaid.of_peer(other).key == certified.key
        except ValueError:
            is_same = False
        if not is_same:
            raise _Wrong(f"its certificate is for the eMAID {certified}, and {where} says another")
    return certified.wire


def _check_vehicles_roots(cps: Path, request: Request) -> tuple[str, ...]:
    """Warn where the vehicle doesn't name the root. By its number alone: names are written in many ways."""
    serials = {each.serial_number for each in request.root_certificate_ids}
    if not serials or cps[-1].serial_number in serials:
        return ()
    return (f"the vehicle doesn't name {name_of(cps[-1])} among the roots that it trusts; it may refuse the answer",)


def _readdressed(message: Response, request: VerifiedRequest, now: datetime) -> bytes:
    """Return the answer with a header for this vehicle: its SessionID, and nothing but what must be; it isn't signed.

    A provider that doesn't echo the SessionID is honest: OPCP keeps answers from before there was a session, so that
    the TimeStamp of -20 may be months old, too.
    """
    header = message.header
    timestamp = None if header.timestamp is None else int(now.timestamp())
    ours = Header(request.message.header.session_id, header.signature, timestamp=timestamp)
    return write_message(replace(message, header=ours))
