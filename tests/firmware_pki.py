"""A manufacturer's hierarchy for its firmware, made for a test: signers good and bad, and what they sign."""

import base64
import functools
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from pki.clock import utc_now
from pki.firmware import Algorithm, Signed
from tests.iso15118_pki import Extension, Issued, PrivateKey, authority, leaf, usage

DAY: Final = timedelta(days=1)
SIGNATURES: Final = usage("digital_signature")
CODE_SIGNING: Final = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])

_SHA256: Final = hashes.SHA256()
_CHUNK: Final = 1 << 20


@functools.cache
def rsa_key(bits: int = 3072, number: int = 0) -> rsa.RSAPrivateKey:
    """Return an RSA key, made once in a process; ``number`` tells several apart."""
    return rsa.generate_private_key(65537, bits)


@dataclass(frozen=True)
class Signer:
    """A signing certificate with its key."""

    issued: Issued

    @property
    def certificate(self) -> x509.Certificate:
        return self.issued.certificate

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> bytes:
        return self.issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the certificate, in hex."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def sign(self, image: bytes | Path, algorithm: Algorithm | None = None, *, encoding: str = "der") -> Signed:
        """Sign an image (octets, or the file), by default with what the key is for: ECDSA, or RSA-PSS."""
        return Signed(base64.b64encode(self.signature(image, algorithm, encoding=encoding)).decode(), self.pem)

    def signature(
        self,
        image: bytes | Path,
        algorithm: Algorithm | None = None,
        *,
        encoding: str = "der",
        salt: int = padding.PSS.DIGEST_LENGTH,  # type: ignore[assignment]  # a mark in the place of a length
    ) -> bytes:
        """Return the bare signature."""
        digest, key = sha256_of(image), self.issued.key
        if isinstance(key, ec.EllipticCurvePrivateKey):
            der = key.sign(digest, ec.ECDSA(Prehashed(_SHA256)))
            return der if encoding == "der" else raw_signature(der, key)
        if algorithm is Algorithm.RSA_PKCS1:
            return key.sign(digest, padding.PKCS1v15(), Prehashed(_SHA256))
        return key.sign(digest, padding.PSS(padding.MGF1(_SHA256), salt), Prehashed(_SHA256))


def sha256_of(image: bytes | Path) -> bytes:
    """Return the digest of octets, or of a file."""
    if isinstance(image, bytes):
        return hashlib.sha256(image).digest()
    with image.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def raw_signature(der: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return r and s, one after the other."""
    size = (key.curve.key_size + 7) // 8
    return b"".join(each.to_bytes(size) for each in decode_dss_signature(der))


@dataclass(frozen=True)
class FirmwarePki:
    """One manufacturer: its root, the sub-CA that issues its signers, and these. Valid about ``now``."""

    now: datetime
    root: Issued
    sub: Issued
    ec: Signer
    """P-256."""
    rsa: Signer
    """3072 bits."""
    other: Signer
    """Another EC one."""
    expired: Signer
    """Since yesterday; it was valid for thirty days."""
    not_yet: Signer
    revoked: Signer
    """Good by itself: ``crl`` lists it."""

    @property
    def roots_pem(self) -> bytes:
        return self.root.certificate.public_bytes(Encoding.PEM)

    @property
    def intermediates_pem(self) -> bytes:
        return self.sub.certificate.public_bytes(Encoding.PEM)

    @property
    def crl(self) -> bytes:
        """The sub-CA's CRL (DER): it lists ``revoked``."""
        return crl_of(self.sub, [self.revoked.certificate], now=self.now)

    def write(self, folder: Path) -> "FirmwarePki":
        """Write roots.pem, intermediates.pem and signers.crl, as the configuration of a manufacturer names them."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "roots.pem").write_bytes(self.roots_pem)
        (folder / "intermediates.pem").write_bytes(self.intermediates_pem)
        (folder / "signers.crl").write_bytes(self.crl)
        return self


def manufacturer(
    name: str = "Example", *, now: datetime | None = None, responder: str = "", crl_url: str = ""
) -> FirmwarePki:
    """Make a manufacturer's hierarchy; its signers name ``responder`` (OCSP) and ``crl_url`` where they are given."""
    at = now or utc_now()
    root = authority(f"{name} Firmware Root", begins=at - 100 * DAY, ends=at + 1000 * DAY)
    sub = authority(f"{name} Firmware CA", root, path_length=0, begins=at - 90 * DAY, ends=at + 900 * DAY)
    further = pointers(responder, crl_url)

    def signer(title: str, begins: int = -1, ends: int = 30, key: PrivateKey | None = None) -> Signer:
        return make_signer(
            f"{name} {title}", sub, key=key, begins=at + begins * DAY, ends=at + ends * DAY, extensions=further
        )

    return FirmwarePki(
        at,
        root,
        sub,
        ec=signer("Signer"),
        rsa=signer("RSA Signer", key=rsa_key()),
        other=signer("Other Signer"),
        expired=signer("Expired Signer", -31, -1),
        not_yet=signer("Coming Signer", 1),
        revoked=signer("Revoked Signer"),
    )


def make_signer(
    name: str,
    issuer: Issued,
    *,
    begins: datetime,
    ends: datetime,
    key: PrivateKey | None = None,
    key_usage: x509.KeyUsage | None = SIGNATURES,
    extensions: Sequence[Extension] = ((CODE_SIGNING, False),),
) -> Signer:
    """Issue one signing certificate of any shape; without a key, for a new one on P-256."""
    return Signer(leaf(name, issuer, key=key, key_usage=key_usage, begins=begins, ends=ends, extensions=extensions))


def pointers(responder: str = "", crl_url: str = "") -> list[Extension]:
    """Return a signer's extensions: code signing, and where its revocation can be learnt."""
    found: list[Extension] = [(CODE_SIGNING, False)]
    if responder:
        uri = x509.UniformResourceIdentifier(responder)
        access = [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, uri)]
        found.append((x509.AuthorityInformationAccess(access), False))
    if crl_url:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(crl_url)], None, None, None)
        found.append((x509.CRLDistributionPoints([point]), False))
    return found


def crl_of(
    ca: Issued,
    revoked: Iterable[x509.Certificate] = (),
    *,
    now: datetime,
    number: int = 1,
    lifetime: timedelta = 7 * DAY,
) -> bytes:
    """Return a CRL in DER."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.certificate.subject)
        .last_update(now)
        .next_update(now + lifetime)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for certificate in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(now)
        entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(ca.key, hashes.SHA256()).public_bytes(Encoding.DER)
