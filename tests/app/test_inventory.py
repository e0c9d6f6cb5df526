"""What the certificate service records, read back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from gateway.app.inventory import Inventory
from gateway.services.certificate_signing import OnFile
from gateway.store.certificates import Certificates, CertificateState
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
    assert await inventory.claim_key("CS1", csr.key_fingerprint)
    assert await inventory.undelivered("CS1", "v2g", csr.key_fingerprint) is None
    await inventory.add("CS1", issued, usage="v2g", profile="secc")
    found = await inventory.undelivered("CS1", "v2g", csr.key_fingerprint)
    assert found == OnFile(issued.serial, issued.chain_pem, "issued", issued.not_after)
    assert await inventory.undelivered("CS2", "v2g", csr.key_fingerprint) is None
    assert await inventory.undelivered("CS1", "station", "another key") is None
    assert await inventory.undelivered("CS1", "station", csr.key_fingerprint) is None
    await inventory.mark(issued.serial, "installed")
    (record,) = await certificates.list("CS1")
    assert (record.serial, record.state) == (issued.serial, CertificateState.INSTALLED)
    assert record.subject == "CN=SN1,O=CPO"
    assert (record.usage, record.profile) == ("v2g", "secc")
    assert await inventory.undelivered("CS1", "v2g", csr.key_fingerprint) is None
    assert await inventory.on_file(issued.serial) == OnFile(
        issued.serial, issued.chain_pem, "installed", issued.not_after
    )
    assert await inventory.on_file("ff") is None
    assert await inventory.claim_key("CS1", csr.key_fingerprint)
    assert not await inventory.claim_key("CS2", csr.key_fingerprint)


async def test_of_two_that_claim_a_key_at_once_one_has_it(certificates: Certificates) -> None:
    inventory = Inventory(certificates)
    claims = await asyncio.gather(*(inventory.claim_key(f"CS{number}", "k") for number in range(5)))
    assert claims.count(True) == 1
