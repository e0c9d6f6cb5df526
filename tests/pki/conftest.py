"""A station's key and requests, and two hierarchies, made once."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki.issuing import Hierarchy, PrivateKey, new_hierarchy

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
Names = Sequence[tuple[x509.ObjectIdentifier, str]]
MakeCsr = Callable[..., str]


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def hierarchy() -> Hierarchy:
    return new_hierarchy("Test station", "Example CPO", NOW)


@pytest.fixture(scope="session")
def foreign() -> Hierarchy:
    return new_hierarchy("Test station", "Example CPO", NOW)


@pytest.fixture
def make_csr(ec_key: ec.EllipticCurvePrivateKey) -> MakeCsr:
    """Make a PEM request; by default a good one of the station SN-1."""

    def make(
        *,
        key: PrivateKey | None = None,
        names: Names = ((NameOID.COMMON_NAME, "SN-1"), (NameOID.ORGANIZATION_NAME, "Example CPO")),
        extensions: Sequence[x509.ExtensionType] = (),
        attributes: Names = (),
        algorithm: hashes.SHA224 | hashes.SHA256 | hashes.SHA512 | None = None,
    ) -> str:
        builder = x509.CertificateSigningRequestBuilder().subject_name(
            x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        for oid, value in attributes:
            builder = builder.add_attribute(oid, value.encode())
        request = builder.sign(key or ec_key, algorithm or hashes.SHA256())
        return request.public_bytes(Encoding.PEM).decode()

    return make
