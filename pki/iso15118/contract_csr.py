"""The request for a contract certificate: made and signed here, with the contract's own key (RFC 2986)."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from pki.authority import SigningRequest
from pki.issuing import distinguished_name, hash_for, key_usage
from pki.keys import subject_key_identifier
from pki.profiles import CertificateProfile, check_common_name
from pki.subject import wanted_subject


def contract_request(
    key: ec.EllipticCurvePrivateKey, *, emaid: str, organization: str, profile: CertificateProfile
) -> SigningRequest:
    """Return what an authority is asked for: the certificate of ``key`` for the contract ``emaid``.

    The CSR says all that ``pki/sign-verbatim`` of Vault and OpenBao takes from it: the whole subject, the key usage
    (RFC 5280 4.2.1.3) and, for ISO 15118-20, the subject key identifier of 8 octets. Raises ValueError for an eMAID
    that isn't one.
    """
    check_common_name(emaid, profile.subject.common_name)
    public = key.public_key()
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(distinguished_name(wanted_subject(profile, emaid, organization)))
        .add_extension(key_usage(profile.key_usage.ec), critical=True)
    )
    if profile.short_key_identifier:
        builder = builder.add_extension(subject_key_identifier(public, is_short=True), critical=False)
    return SigningRequest(builder.sign(key, hash_for(key)), emaid, organization, profile)
