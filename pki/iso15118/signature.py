"""The signatures of the messages: exactly what ISO 15118-2 7.9.2.4 and ISO 15118-20 7.3 allow of XML Signature.

What digests and signatures are over is written here anew from what was read, never cut out of what came.
"""

import enum
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from pki.iso15118.exi import ExiError, Schema
from pki.iso15118.exi.codec import encode_fragment
from pki.iso15118.messages import Message, Reference, Signature, SignedInfo, schema_of
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from pki.iso15118.writing import signed_info_element, signed_parts

CANONICAL_EXI: Final = "http://www.w3.org/TR/canonical-exi/"
"""The canonicalization, and the one transform of each reference ([V2G2-767])."""
REFERENCES_MAX: Final = 4
"""[V2G2-909]"""

_SHOWN_MAX: Final = 80
"""Characters of a peer's word that a text shows."""
_SEQUENCE: Final = b"\x30"
"""What a signature in DER begins with."""

Signer = Callable[[bytes], Awaitable[bytes]]
"""Signs octets, of which it makes the digest itself; returns r||s."""


class Suite(enum.Enum):
    """The algorithms of a generation."""

    ISO_2 = (
        "ISO 15118-2",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
        "http://www.w3.org/2001/04/xmlenc#sha256",
        hashes.SHA256(),
        ec.SECP256R1(),
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    )
    ISO_20 = (
        "ISO 15118-20",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
        "http://www.w3.org/2001/04/xmlenc#sha512",
        hashes.SHA512(),
        ec.SECP521R1(),
        ((2**265 - 6) << 256) | 0x51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409,
    )

    def __init__(
        self,
        title: str,
        signature_method: str,
        digest_method: str,
        hash_algorithm: hashes.HashAlgorithm,
        curve: ec.EllipticCurve,
        order: int,
    ) -> None:
        self.title = title
        self.signature_method = signature_method
        self.digest_method = digest_method
        self.hash_algorithm = hash_algorithm
        self.curve = curve
        self.order = order
        """How many points the curve has: r and s are below it."""

    @property
    def value_size(self) -> int:
        """Octets of r||s."""
        return 2 * ((self.curve.key_size + 7) // 8)

    def digest(self, octets: bytes) -> bytes:
        return hashlib.new(self.hash_algorithm.name, octets).digest()


def suite_of(message: Message) -> Suite:
    """Return the algorithms that a message is signed with."""
    return Suite.ISO_20 if schema_of(message) is Schema.ISO_20 else Suite.ISO_2


def signed_info_octets(info: SignedInfo) -> bytes:
    """Return what a signature's value is over: SignedInfo as a fragment of xmldsig-core-schema (ISO 15118-2 J.4)."""
    return encode_fragment(signed_info_element(info), Schema.XMLDSIG)


# --- made ------------------------------------------------------------------------------------------------------------


def make_signed_info(parts: Mapping[str, bytes], suite: Suite) -> SignedInfo:
    """Return the SignedInfo over ``parts``, the Id of each and its fragment, in their order."""
    return SignedInfo(
        CANONICAL_EXI,
        suite.signature_method,
        tuple(
            Reference(f"#{part_id}", suite.digest(octets), suite.digest_method, (CANONICAL_EXI,))
            for part_id, octets in parts.items()
        ),
    )


async def sign(message: Message, signer: Signer) -> Message:
    """Return ``message`` with a signature in its header; ``signer`` signs with ECDSA and the suite's digest.

    Raises :class:`ExiError` where the message can't be written, and ValueError where what the signer gives isn't r||s
    of the suite's curve: it has another key, or writes DER.
    """
    suite = suite_of(message)
    info = make_signed_info(signed_parts(message), suite)
    value = await signer(signed_info_octets(info))
    _numbers(value, suite)
    return replace(message, header=replace(message.header, signature=Signature(info, value)))


# --- checked ---------------------------------------------------------------------------------------------------------


def check_signature(message: Message, key: PublicKeyTypes) -> None:
    """Check that ``message`` was signed with the private key of ``key``, in every part that must be.

    Raises :class:`ProvisioningRefused`: SIGNATURE_PROFILE, DIGEST_MISMATCH or SIGNATURE_INVALID.
    """
    signature = check_digests(message)
    check_value(signature, key, suite_of(message))


def check_digests(message: Message) -> Signature:
    """Check all of a signature but its value, and return it: algorithms, what it is over, the digests.

    Raises :class:`ProvisioningRefused`: SIGNATURE_PROFILE or DIGEST_MISMATCH.
    """
    suite, signature = suite_of(message), message.header.signature
    if signature is None:
        raise _profile("the message isn't signed")
    if signature.extras:
        raise _profile(f"the signature has {', '.join(signature.extras)}, which {suite.title} doesn't allow")
    _check_algorithms(signature.signed_info, suite)
    try:
        parts = signed_parts(message)
    except ExiError as error:
        raise _profile(str(error)) from None
    _check_references(signature.signed_info.references, parts, suite)
    return signature


def check_value(signature: Signature, key: PublicKeyTypes, suite: Suite) -> None:
    """Check the value of a signature by itself.

    Raises :class:`ProvisioningRefused`: SIGNATURE_PROFILE where key or value are of another kind than the suite's, else
    SIGNATURE_INVALID.
    """
    if isinstance(key, ed448.Ed448PublicKey):
        raise _profile("Ed448 isn't supported, of ISO 15118-20 only secp521r1 is")
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != suite.curve.name:
        name = key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__
        raise _profile(f"the key of the signer's certificate is {name}, {suite.title} wants {suite.curve.name}")
    try:
        der = encode_dss_signature(*_numbers(signature.value, suite))
    except ValueError as error:
        raise _profile(str(error)) from None
    try:
        key.verify(der, signed_info_octets(signature.signed_info), ec.ECDSA(suite.hash_algorithm))
    except InvalidSignature:
        raise ProvisioningRefused(
            Refusal.SIGNATURE_INVALID, "the signature wasn't made with the key of the signer's certificate"
        ) from None


def _check_algorithms(info: SignedInfo, suite: Suite) -> None:
    if "ed448" in info.signature_method.lower():
        raise _profile("signatures with Ed448 aren't supported, of ISO 15118-20 only those with secp521r1 are")
    _must_be("canonicalization", info.canonicalization_method, CANONICAL_EXI, suite)
    _must_be("signature method", info.signature_method, suite.signature_method, suite)
    if len(info.references) > REFERENCES_MAX:
        raise _profile(f"the signature has {len(info.references)} references, at most {REFERENCES_MAX} are allowed")
    for reference in info.references:
        if len(reference.transforms) != 1:
            count = len(reference.transforms)
            raise _profile(f"the reference {_shown(reference.uri)} has {count} transforms, it must have one")
        _must_be("transform", reference.transforms[0], CANONICAL_EXI, suite)
        _must_be("digest method", reference.digest_method, suite.digest_method, suite)


def _check_references(references: tuple[Reference, ...], parts: Mapping[str, bytes], suite: Suite) -> None:
    uris = [reference.uri for reference in references]
    for uri in uris:
        if uri.removeprefix("#") not in parts or not uri.startswith("#"):
            raise _profile(f"the signature is over {_shown(uri)}, which isn't a part that is signed")
        if uris.count(uri) > 1:
            raise _profile(f"the signature refers to {_shown(uri)} more than once")
    for part_id in parts:
        if f"#{part_id}" not in uris:
            raise _profile(f"the signature isn't over {_shown(f'#{part_id}')}, which must be signed")
    for reference in references:
        if not hmac.compare_digest(reference.digest, suite.digest(parts[reference.uri[1:]])):
            raise ProvisioningRefused(
                Refusal.DIGEST_MISMATCH, f"{_shown(reference.uri)} was changed after it was signed: its digest differs"
            )


def _must_be(what: str, found: str, wanted: str, suite: Suite) -> None:
    if found != wanted:
        raise _profile(f"the {what} of the signature is {_shown(found)}, {suite.title} wants {wanted}")


def _numbers(value: bytes, suite: Suite) -> tuple[int, int]:
    """Return r and s. Raises ValueError."""
    if len(value) != suite.value_size:
        der = ": it is in DER" if value[:1] == _SEQUENCE else ""
        wanted = f"r||s of {suite.curve.name} has {suite.value_size}"
        raise ValueError(f"the signature has {len(value)} octets; {wanted}{der}")
    middle = len(value) // 2
    r, s = int.from_bytes(value[:middle]), int.from_bytes(value[middle:])
    if not (0 < r < suite.order and 0 < s < suite.order):
        raise ValueError(f"r or s of the signature isn't between 0 and the order of {suite.curve.name}")
    return r, s


def _shown(word: str) -> str:
    return repr(word if len(word) <= _SHOWN_MAX else f"{word[:_SHOWN_MAX]}...")


def _profile(text: str) -> ProvisioningRefused:
    return ProvisioningRefused(Refusal.SIGNATURE_PROFILE, text)
