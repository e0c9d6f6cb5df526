"""What the certificate service records, read back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from gateway.app.inventory import Inventory
from gateway.store.certificates import Certificates, CertificateState, KeyOfAnother
from gateway.store.database import Database
from pki.authority.local import LocalAuthority
from pki.csr import review


@pytest.fixture
async def certificates(tmp_path: Path) -> AsyncIterator[Certificates]:
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/voltgate.db", exclusive=True)
    yield Certificates(database)
    await database.close()


async def test_issued_installed_and_the_key_kept(certificates: Certificates, tmp_path: Path) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "SN1")])
    key = ec.generate_private_key(ec.SECP256R1())
    pem = (
        x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    )
    csr = review(pem.decode(), common_name="SN1", organization="CPO")
    issued = await LocalAuthority.open(tmp_path / "ca").sign(csr.request_for("CPO"))
    inventory = Inventory(certificates)
    assert await inventory.key_owner(csr.key_fingerprint) is None
    await inventory.issued("CS1", issued, csr.key_fingerprint)
    assert await inventory.key_owner(csr.key_fingerprint) == "CS1"
    await inventory.mark(issued.serial, "installed")
    record = await certificates.newest("CS1")
    assert record is not None
    assert (record.serial, record.state) == (issued.serial, CertificateState.INSTALLED)
    assert record.subject == "CN=SN1,O=CPO"
    with pytest.raises(KeyOfAnother):
        await inventory.issued("CS2", issued, csr.key_fingerprint)
