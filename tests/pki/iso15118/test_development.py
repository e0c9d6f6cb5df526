"""The development PKI of Plug & Charge: written once, every path sound, each role with its DC."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki.iso15118.development import MANUFACTURER, write_plug_and_charge_pki, write_vehicle
from pki.pem_files import read_key

PCID = "WVGTEST0000000001"


def certificates(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


def attribute(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> list[str | bytes]:
    return [each.value for each in certificate.subject.get_attributes_for_oid(oid)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certs") / "dev"
    write_plug_and_charge_pki(folder, operator="Example CPO")
    return folder


def test_the_provisioning_service_leads_to_the_v2g_root(folder: Path) -> None:
    leaf, issuing = certificates(folder / "cps.pem")
    (root,) = certificates(folder / "v2g-roots.pem")
    leaf.verify_directly_issued_by(issuing)
    issuing.verify_directly_issued_by(root)
    assert [attribute(each, NameOID.DOMAIN_COMPONENT) for each in (leaf, issuing, root)] == [["CPS"], ["CPS"], ["V2G"]]
    assert read_key(folder / "cps.key").public_key() == leaf.public_key()
    assert max(len(each.public_bytes(Encoding.DER)) for each in (leaf, issuing)) <= 800


def test_a_vehicle_leads_to_its_manufacturer(folder: Path, tmp_path: Path) -> None:
    files = write_vehicle(folder, tmp_path / "vehicle", pcid=PCID)
    (leaf,), (issuing,), (root,) = map(
        certificates, (files.certificate, folder / "oem-intermediates.pem", folder / "oem-roots.pem")
    )
    leaf.verify_directly_issued_by(issuing)
    issuing.verify_directly_issued_by(root)
    assert attribute(leaf, NameOID.COMMON_NAME) == [PCID]
    assert attribute(leaf, NameOID.ORGANIZATION_NAME) == [MANUFACTURER]
    assert attribute(leaf, NameOID.DOMAIN_COMPONENT) == ["OEM"]
    assert read_key(files.key).public_key() == leaf.public_key()
    assert files.v2g_roots.read_bytes() == (folder / "v2g-roots.pem").read_bytes()


def test_the_mobility_operator_has_its_dc(folder: Path) -> None:
    cas = [certificates(folder / "mo-ca" / name)[0] for name in ("issuing.pem", "root.pem")]
    assert [attribute(ca, NameOID.DOMAIN_COMPONENT) for ca in cas] == [["MO"], ["MO"]]


def test_keys_are_their_owners_alone(folder: Path, tmp_path: Path) -> None:
    write_vehicle(folder, tmp_path / "vehicle", pcid=PCID)
    keys = [*folder.rglob("*.key"), *tmp_path.rglob("*.key")]
    assert len(keys) == 8
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    def content() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    write_plug_and_charge_pki(tmp_path, operator="Example CPO")
    before = content()
    write_plug_and_charge_pki(tmp_path, operator="Another CPO", clock=lambda: datetime.now(UTC) + timedelta(days=1))
    assert content() == before


def test_a_vehicle_without_a_pcid_is_not_built(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="PCID"):
        write_vehicle(folder, tmp_path / "vehicle", pcid="CS001")
    assert not (tmp_path / "vehicle").exists()
