"""Images verified: the signing certificate first, then the signature."""

import hashlib
from datetime import datetime
from typing import Final

import pytest
from cryptography import x509

from pki.firmware import Algorithm, FirmwareRefused, ImageDigest, Refusal, Signed, Verified
from pki.firmware.signature import Scheme
from pki.firmware.verification import FirmwareVerifier
from tests.firmware_pki import Signer, manufacturer
from tests.iso15118_pki import Issued

IMAGE: Final = b"firmware 1.2.3"
DIGEST: Final = ImageDigest(len(IMAGE), hashlib.sha256(IMAGE).digest(), b"")
PKI: Final = manufacturer()


class Trusting:
    """Knows some signers, and notes when they are said to have signed."""

    def __init__(self, *signers: Signer) -> None:
        self._paths = {
            signer.pem: (signer.certificate, PKI.sub.certificate, PKI.root.certificate) for signer in signers
        }
        self.asked: list[datetime | None] = []

    async def check(self, pem: str, *, signed_at: datetime | None = None) -> tuple[x509.Certificate, ...]:
        self.asked.append(signed_at)
        if pem not in self._paths:
            raise FirmwareRefused(Refusal.CERTIFICATE_UNTRUSTED, "nobody knows it")
        return self._paths[pem]


async def refused(verifier: FirmwareVerifier, signed: Signed) -> Refusal:
    with pytest.raises(FirmwareRefused) as caught:
        await verifier.verify(DIGEST, signed)
    return caught.value.refusal


async def test_an_image_and_who_has_signed_it() -> None:
    verifier = FirmwareVerifier(Trusting(PKI.ec, PKI.rsa), Scheme())
    for signer, algorithm in ((PKI.ec, Algorithm.ECDSA), (PKI.rsa, Algorithm.RSA_PSS)):
        subject = signer.certificate.subject.rfc4514_string()
        found = await verifier.verify(DIGEST, signer.sign(IMAGE))
        assert found == Verified(algorithm, subject, signer.fingerprint)


async def test_each_corruption_has_its_name() -> None:
    verifier = FirmwareVerifier(Trusting(PKI.ec, PKI.other), Scheme())
    good = PKI.ec.sign(IMAGE)
    assert await refused(verifier, PKI.ec.sign(IMAGE + b"\0")) is Refusal.SIGNATURE_INVALID
    assert await refused(verifier, Signed(good.signature, PKI.other.pem)) is Refusal.SIGNATURE_INVALID
    assert await refused(verifier, Signed(good.signature, PKI.expired.pem)) is Refusal.CERTIFICATE_UNTRUSTED
    assert await refused(verifier, Signed("", PKI.ec.pem)) is Refusal.NO_SIGNATURE
    assert await refused(verifier, Signed(good.signature + "\n", PKI.ec.pem)) is Refusal.SIGNATURE_MALFORMED
    assert await refused(verifier, PKI.ec.sign(IMAGE, encoding="raw")) is Refusal.ALGORITHM


async def test_a_certificate_by_itself_and_when_it_signed() -> None:
    trust = Trusting(PKI.ec)
    verifier = FirmwareVerifier(trust, Scheme())
    await verifier.check_signer(PKI.ec.pem)
    await verifier.check_signer(PKI.ec.pem, signed_at=PKI.now)
    await verifier.verify(DIGEST, PKI.ec.sign(IMAGE), signed_at=PKI.now)
    with pytest.raises(FirmwareRefused):
        await verifier.check_signer(PKI.other.pem)
    assert trust.asked == [None, PKI.now, PKI.now, None]


async def test_a_key_for_pss_alone_signs_nothing_else() -> None:
    """RFC 4055 1.2: the certificate says by its key's algorithm what it is for."""
    rsa_encryption, rsassa_pss = (
        bytes.fromhex("06092a864886f70d0101010500"),
        bytes.fromhex("06092a864886f70d01010a3000"),
    )
    der = PKI.rsa.issued.der.replace(rsa_encryption, rsassa_pss)
    limited = Signer(Issued(x509.load_der_x509_certificate(der), PKI.rsa.issued.key))
    verifier = FirmwareVerifier(Trusting(limited, PKI.rsa), Scheme(frozenset(Algorithm)))
    assert (await verifier.verify(DIGEST, PKI.rsa.sign(IMAGE, Algorithm.RSA_PKCS1))).algorithm is Algorithm.RSA_PKCS1
    assert await refused(verifier, limited.sign(IMAGE, Algorithm.RSA_PKCS1)) is Refusal.ALGORITHM
