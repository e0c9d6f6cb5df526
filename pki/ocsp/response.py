"""What a responder answered, verified: bytes in, an :class:`Answer` out, or :class:`OcspRejected` (RFC 6960 3.2, 4.2).

One check per function. Nothing here asks anybody: whether a delegate that doesn't bear ocsp-nocheck is revoked is for
the caller to find out (:attr:`Answer.delegate`).
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, SignatureAlgorithmOID

from pki import profiles
from pki.certificate_hash import CertificateHash
from pki.crl import name_of
from pki.keys import STRONG_HASHES, KeyRefused, check_key
from pki.ocsp.request import is_about
from pki.revocation import CLOCK_SKEW_MAX, Status

RESPONSE_SIZE_MAX: Final = 16_384
"""Bytes of one response: OCPP 2.1 has room for 13,500, 2.0.1 for 4,125."""
CERTIFICATES_MAX: Final = 4
"""That a response may bring along."""
LIFETIME_WITHOUT_END: Final = timedelta(hours=1)
"""How long a response holds that doesn't say until when (RFC 6960 2.4: newer information is available all the time)."""

_Value = TypeVar("_Value", bound=x509.ExtensionType)

_SIGNATURES: Final[Mapping[x509.ObjectIdentifier, tuple[type[object], hashes.HashAlgorithm]]] = {
    SignatureAlgorithmOID.ECDSA_WITH_SHA256: (ec.EllipticCurvePublicKey, hashes.SHA256()),
    SignatureAlgorithmOID.ECDSA_WITH_SHA384: (ec.EllipticCurvePublicKey, hashes.SHA384()),
    SignatureAlgorithmOID.ECDSA_WITH_SHA512: (ec.EllipticCurvePublicKey, hashes.SHA512()),
    SignatureAlgorithmOID.RSA_WITH_SHA256: (rsa.RSAPublicKey, hashes.SHA256()),
    SignatureAlgorithmOID.RSA_WITH_SHA384: (rsa.RSAPublicKey, hashes.SHA384()),
    SignatureAlgorithmOID.RSA_WITH_SHA512: (rsa.RSAPublicKey, hashes.SHA512()),
}
_STATUS: Final = {
    ocsp.OCSPCertStatus.GOOD: Status.GOOD,
    ocsp.OCSPCertStatus.REVOKED: Status.REVOKED,
    ocsp.OCSPCertStatus.UNKNOWN: Status.UNKNOWN,
}
_UNDERSTOOD: Final = (x509.KeyUsage, x509.ExtendedKeyUsage, x509.BasicConstraints, x509.OCSPNoCheck)
"""What may be critical in a delegate's certificate: what is looked at here."""


class OcspRejected(ValueError):
    """A response that says nothing about the certificate; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A verified response about one certificate."""

    status: Status
    reason: str
    """Why it is revoked, in the standard's words: ``keyCompromise``; else empty."""
    this_update: datetime
    """Aware, in UTC; so is ``until``."""
    until: datetime
    """Until when it holds."""
    delegate: x509.Certificate | None
    """Who signed in the issuer's place, where it didn't sign itself."""
    der: bytes = field(repr=False)
    """The OCSPResponse as it came."""

    @property
    def is_vouched_for(self) -> bool:
        """True when nobody has to be asked whether the signer is revoked: the issuer, or a delegate with nocheck."""
        return self.delegate is None or _extension(self.delegate, x509.OCSPNoCheck) is not None


def read_answer(
    der: bytes, certificate: CertificateHash, issuer: x509.Certificate, *, now: datetime, nonce: bytes | None = None
) -> Answer:
    """Verify what a responder answered to the question about ``certificate``. Raises :class:`OcspRejected`.

    ``nonce`` is what the question held: a responder needn't echo it (RFC 9654 3.1), but what it echoes must be this.
    """
    if len(der) > RESPONSE_SIZE_MAX:
        raise OcspRejected(f"the response has {len(der)} bytes, at most {RESPONSE_SIZE_MAX}")
    try:
        return _read(der, certificate, issuer, now, nonce)
    except OcspRejected:
        raise
    except Exception as error:
        # pyca's parser has no one class for what it doesn't like; whatever it is, the response is of no use.
        raise OcspRejected(f"the response can't be decoded: {ascii(str(error))[1:200]}") from error


def _read(
    der: bytes, certificate: CertificateHash, issuer: x509.Certificate, now: datetime, nonce: bytes | None
) -> Answer:
    response = ocsp.load_der_ocsp_response(der)
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise OcspRejected(f"the responder answered {response.response_status.name.lower()}")
    if len(list(response.responses)) != 1 or not is_about(response, certificate):
        raise OcspRejected("the response isn't about this certificate")
    _check_extensions(response, nonce)
    _check_issuer(issuer, now)
    delegate = _signer(response, issuer, now)
    _check_signature(response, issuer if delegate is None else delegate)
    until = _check_dates(response, now)
    why = response.revocation_reason
    return Answer(
        status=_STATUS[response.certificate_status],
        reason="" if why is None else why.value,
        this_update=response.this_update_utc,
        until=until,
        delegate=delegate,
        der=der,
    )


def _check_extensions(response: ocsp.OCSPResponse, nonce: bytes | None) -> None:
    """RFC 6960 4.4: a critical extension that isn't understood makes the response unusable; a nonce must be ours."""
    for extension in (*response.extensions, *response.single_extensions):
        value = extension.value
        if isinstance(value, x509.OCSPNonce):
            if nonce is None or not hmac.compare_digest(value.nonce, nonce):
                raise OcspRejected("the response has another nonce than the question: a replay")
        elif extension.critical:
            raise OcspRejected(f"an unknown critical extension {extension.oid.dotted_string} in the response")


def _check_issuer(issuer: x509.Certificate, now: datetime) -> None:
    if now > issuer.not_valid_after_utc:
        raise OcspRejected(f"the issuer {name_of(issuer.subject)} expired on {issuer.not_valid_after_utc:%Y-%m-%d}")
    _check_key(issuer)


def _signer(response: ocsp.OCSPResponse, issuer: x509.Certificate, now: datetime) -> x509.Certificate | None:
    """Return the delegate that the response names as its responder, None for the issuer itself (RFC 6960 4.2.2.2)."""
    if _is_named(response, issuer):
        return None
    brought = response.certificates
    if len(brought) > CERTIFICATES_MAX:
        raise OcspRejected(f"the response brings more than {CERTIFICATES_MAX} certificates")
    named = [each for each in brought if _is_named(response, each)]
    if not named:
        raise OcspRejected("it is signed neither by the issuer nor by a certificate that it brings")
    _check_delegate(named[0], issuer, now)
    return named[0]


def _is_named(response: ocsp.OCSPResponse, certificate: x509.Certificate) -> bool:
    if response.responder_name is not None:
        return response.responder_name == certificate.subject
    # SHA-1 by definition (RFC 6960 4.2.1, KeyHash): it only finds the key, the signature proves it.
    return response.responder_key_hash == x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest


def _check_delegate(delegate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> None:
    """RFC 6960 4.2.2.2: issued by the very CA that issued the certificate in question, for signing OCSP responses."""
    name = name_of(delegate.subject)
    try:
        delegate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        raise OcspRejected(f"the responder {name} has its certificate of another CA than the issuer") from None
    algorithm = delegate.signature_hash_algorithm
    if algorithm is None or algorithm.name not in STRONG_HASHES:
        raise OcspRejected(f"the certificate of the responder {name} is signed with a weak algorithm (A00.FR.506)")
    usages = _extension(delegate, x509.ExtendedKeyUsage)
    if usages is None or ExtendedKeyUsageOID.OCSP_SIGNING not in usages:
        raise OcspRejected(f"the responder {name} may not sign OCSP responses: no id-kp-OCSPSigning")
    usage = _extension(delegate, x509.KeyUsage)
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        raise OcspRejected(f"the key usage of the responder {name} isn't for signatures")
    if any(each.critical and not isinstance(each.value, _UNDERSTOOD) for each in delegate.extensions):
        raise OcspRejected(f"an unknown critical extension in the certificate of the responder {name}")
    if not delegate.not_valid_before_utc - CLOCK_SKEW_MAX <= now <= delegate.not_valid_after_utc:
        raise OcspRejected(f"the certificate of the responder {name} isn't valid now")
    _check_key(delegate)


def _check_key(certificate: x509.Certificate) -> None:
    """A00.FR.501 to 504: the same bounds as for any key here."""
    try:
        check_key(certificate.public_key(), profiles.charging_station().keys)
    except (KeyRefused, ValueError, UnsupportedAlgorithm) as error:
        raise OcspRejected(f"the key of {name_of(certificate.subject)} isn't accepted: {error}") from error


def _check_signature(response: ocsp.OCSPResponse, signer: x509.Certificate) -> None:
    kind, algorithm = _SIGNATURES.get(response.signature_algorithm_oid, (None, None))
    key = signer.public_key()
    if kind is None or algorithm is None:
        raise OcspRejected("it is signed with an algorithm that isn't accepted (A00.FR.506)")
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and kind is ec.EllipticCurvePublicKey:
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
        elif isinstance(key, rsa.RSAPublicKey) and kind is rsa.RSAPublicKey:
            key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), algorithm)
        else:
            raise OcspRejected("the signature is of another kind than the signer's key")
    except InvalidSignature:
        raise OcspRejected(f"the signature isn't that of {name_of(signer.subject)}") from None


def _check_dates(response: ocsp.OCSPResponse, now: datetime) -> datetime:
    """Return until when it holds (RFC 6960 4.2.2.1)."""
    this_update, next_update = response.this_update_utc, response.next_update_utc
    if now < this_update - CLOCK_SKEW_MAX:
        raise OcspRejected(
            f"the response is from {this_update.isoformat()}; compare the responder's clock with this one's"
        )
    until = this_update + LIFETIME_WITHOUT_END if next_update is None else next_update
    if until < this_update:
        raise OcspRejected("the response ends before it begins")
    if now > until + CLOCK_SKEW_MAX:
        raise OcspRejected(f"the response is stale since {until.isoformat()}")
    return until


def _extension(certificate: x509.Certificate, kind: type[_Value]) -> _Value | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
