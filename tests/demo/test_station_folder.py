"""What the station keeps, and which certificates it takes."""

import hashlib
import ssl
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.demo.station_folder import CHAIN_MAX, CertificateRefused, StationFolder
from tests.firmware_pki import FirmwarePki, manufacturer


def test_the_csr_names_serial_number_and_operator_and_is_signed_by_a_fresh_key(folder: StationFolder) -> None:
    first, second = (x509.load_pem_x509_csr(folder.new_csr().encode()) for _ in range(2))

    assert first.is_signature_valid
    assert first.subject.rfc4514_string() == "CN=SN-1,O=Example CPO"
    assert isinstance(first.public_key(), ec.EllipticCurvePublicKey)
    assert first.public_key() != second.public_key()


def test_the_key_is_for_its_owner_alone(folder: StationFolder, tmp_path: Path) -> None:
    folder.new_csr()

    assert stat.S_IMODE((tmp_path / "pending.key").stat().st_mode) == 0o600


def test_a_good_certificate_is_taken(folder: StationFolder, tmp_path: Path, operator_ca: Any) -> None:
    leaf = folder.install(operator_ca.sign(folder.new_csr()))

    assert leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "SN-1"
    assert folder.has_certificate
    assert not (tmp_path / "pending.key").exists()
    assert folder.tls_context().minimum_version == ssl.TLSVersion.TLSv1_2


def test_which_certificates_are_refused(
    folder: StationFolder, tmp_path: Path, operator_ca: Any, stranger_ca: Any
) -> None:
    csr = folder.new_csr()
    foreign_key = ec.generate_private_key(ec.SECP256R1()).public_key()
    name = x509.load_pem_x509_csr(csr.encode()).subject

    for chain, reason in {
        "no certificate": "not certificates in PEM",
        "-" * (CHAIN_MAX + 1): "more than 10000 characters",
        operator_ca.sign_key(name, foreign_key): "another key",
        operator_ca.sign(csr, cn="SN-2"): r"CN is \['SN-2'\], not 'SN-1'",
        operator_ca.sign(csr, organization="Another CPO"): r"O is \['Another CPO'\]",
        operator_ca.sign(csr, days=-1): "no valid path",
        stranger_ca.sign(csr): "no valid path",
    }.items():
        with pytest.raises(CertificateRefused, match=reason):
            folder.install(chain)

    assert not folder.has_certificate
    assert (tmp_path / "pending.key").exists()


def test_no_certificate_is_taken_without_a_csr(folder: StationFolder, operator_ca: Any) -> None:
    chain = operator_ca.sign(folder.new_csr())
    folder.install(chain)

    with pytest.raises(CertificateRefused, match="no CSR is under way"):
        folder.install(chain)


def test_the_refusals_bear_the_standards_reason(folder: StationFolder) -> None:
    with pytest.raises(CertificateRefused) as refused:
        folder.install("-" * (CHAIN_MAX + 1))

    assert refused.value.reason_code == "TooLargeElement"


def test_whom_the_manufacturer_lets_sign(maker_known: StationFolder, maker: FirmwarePki) -> None:
    signer = maker_known.firmware_signer(maker.ec.pem)

    assert signer.name == maker.ec.certificate.subject.rfc4514_string()
    digest = hashlib.sha256(b"image").digest()
    assert signer.has_signed(digest, maker.ec.sign(b"image").signature)
    for signature in (maker.ec.sign(b"imagf").signature, maker.other.sign(b"image").signature, "", "!", "é"):
        assert not signer.has_signed(digest, signature)


def test_which_signers_are_refused(folder: StationFolder, maker_known: StationFolder, maker: FirmwarePki) -> None:
    for pem, reason in {
        manufacturer("Another").ec.pem: "no valid path",
        maker.expired.pem: "no valid path",
        maker.not_yet.pem: "no valid path",
        maker.rsa.pem: "ECDSA alone",
        "no certificate": "isn't one in PEM",
    }.items():
        with pytest.raises(CertificateRefused, match=reason):
            maker_known.firmware_signer(pem)


def test_without_a_manufacturers_root_nobody_may_sign(folder: StationFolder, maker: FirmwarePki) -> None:
    with pytest.raises(CertificateRefused, match="knows no manufacturer"):
        folder.firmware_signer(maker.ec.pem)


def test_its_repr_tells_no_secret(folder: StationFolder) -> None:
    assert folder.password not in repr(folder)
