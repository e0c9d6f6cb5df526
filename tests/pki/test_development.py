"""The development PKI: written once, and good for real TLS between a gateway and a station."""

import shutil
import ssl
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from pki.authority.ca_folder import open_hierarchy
from pki.development import check_names, write_development_pki
from pki.issuing import Hierarchy, issue, new_key
from pki.paths import PathRejected, StationChainVerifier
from pki.pem_files import certificates_pem, key_pem, read_key, write_file
from pki.profiles import charging_station

NAMES = ["localhost", "127.0.0.1", "::1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certs") / "dev"
    write_development_pki(folder, operator="Example CPO", names=NAMES)
    return folder


def chain(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> ssl.SSLObject:
    """Let both ends talk through memory until both are done; return the server's end."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server, server_hostname=name),
    ]
    waiting = set(ends)
    for _ in range(20):
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.discard(end)
            except ssl.SSLWantReadError:
                pass
        if not waiting:
            return ends[0]
    raise AssertionError("the handshake never ended")


def test_what_is_written(folder: Path) -> None:
    modes = {
        path.relative_to(folder).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in folder.rglob("*")
        if path.is_file()
    }

    assert {name for name in modes if "/" not in name} == {
        "gateway-ecdsa.pem",
        "gateway-ecdsa.key",
        "gateway-rsa.pem",
        "gateway-rsa.key",
        "station-roots.pem",
        "csms-root.pem",
    }
    assert {name.partition("/")[0] for name in modes if "/" in name} == {"ca", "csms-ca", "csms-ca-rsa"}
    assert {mode for name, mode in modes.items() if name.endswith(".key")} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(("kind", "key_type"), [("ecdsa", ec.EllipticCurvePublicKey), ("rsa", rsa.RSAPublicKey)])
def test_server_certificates_under_cas_of_their_own_kind(folder: Path, kind: str, key_type: type) -> None:
    leaf, issuing = chain(folder / f"gateway-{kind}.pem")
    roots = {root.subject: root for root in chain(folder / "csms-root.pem")}

    assert isinstance(leaf.public_key(), key_type)
    assert isinstance(issuing.public_key(), key_type)
    leaf.verify_directly_issued_by(issuing)
    issuing.verify_directly_issued_by(roots[issuing.issuer])
    assert leaf.subject.rfc4514_string() == "CN=localhost,O=Example CPO"
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert read_key(folder / f"gateway-{kind}.key").public_key() == leaf.public_key()


def station_files(folder: Path, target: Path) -> tuple[Path, Path]:
    """Issue a station's certificate by the development CA; return its chain and key files."""

    def never() -> Hierarchy:
        raise AssertionError("there is a CA already")

    now = datetime.now(UTC)
    hierarchy = open_hierarchy(folder / "ca", never, now)
    key = new_key()
    leaf = issue(
        hierarchy.issuing,
        charging_station(),
        key.public_key(),
        common_name="SN-1",
        organization="Example CPO",
        now=now,
    )
    write_file(target / "s.pem", certificates_pem([leaf, hierarchy.issuing.certificate]).encode(), 0o644)
    write_file(target / "s.key", key_pem(key), 0o600)
    return target / "s.pem", target / "s.key"


@pytest.mark.parametrize(
    "ciphers",
    [
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "AES128-GCM-SHA256",
        "AES256-GCM-SHA384",
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_tls_between_gateway_and_station(folder: Path, tmp_path: Path, ciphers: str, name: str) -> None:
    """The four suites of OCPP 2.0.1 A00.FR.318, and a client certificate (profile 3)."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.set_ciphers(
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:AES128-GCM-SHA256:AES256-GCM-SHA384"
    )
    for each in ("ecdsa", "rsa"):
        server.load_cert_chain(folder / f"gateway-{each}.pem", folder / f"gateway-{each}.key")
    server.load_verify_locations(folder / "station-roots.pem")
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(ciphers)
    client.load_verify_locations(folder / "csms-root.pem")
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    client.load_cert_chain(*station_files(folder, tmp_path))

    end = handshake(server, client, name)

    cipher = end.cipher()
    assert cipher is not None
    assert cipher[0] == ciphers
    assert end.getpeercert(binary_form=True) == chain(tmp_path / "s.pem")[0].public_bytes(Encoding.DER)


def test_a_servers_certificate_does_not_serve_a_station(folder: Path) -> None:
    """Attack A9."""
    verifier = StationChainVerifier((folder / "station-roots.pem").read_bytes())
    for kind in ("ecdsa", "rsa"):
        leaf, issuing = (each.public_bytes(Encoding.DER) for each in chain(folder / f"gateway-{kind}.pem"))
        with pytest.raises(PathRejected, match="no path to a trusted root"):
            verifier(leaf, [issuing], "localhost")


def test_what_is_there_is_kept(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    write_development_pki(folder, operator="Other", names=["other.example"])

    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_missing_pair_is_made_again(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "dev"
    shutil.copytree(folder, copy)
    (copy / "gateway-ecdsa.key").unlink()

    write_development_pki(copy, operator="Example CPO", names=["other.example"])

    leaf = chain(copy / "gateway-ecdsa.pem")[0]
    assert leaf.subject.rfc4514_string() == "CN=other.example,O=Example CPO"
    assert read_key(copy / "gateway-ecdsa.key").public_key() == leaf.public_key()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "at least one name"),
        (["a_b"], "neither a host name nor an IP address"),
        (["*.example.com"], "neither a host name"),
        (["ok", "not ok"], "'not ok' is neither"),
        ([f"{'a' * 60}.example"], "at most 64 characters"),
    ],
)
def test_names_that_no_certificate_bears(tmp_path: Path, names: Sequence[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        write_development_pki(tmp_path / "dev", operator="Example CPO", names=names)
    assert not (tmp_path / "dev").exists()


def test_long_names_after_the_first() -> None:
    check_names(["short.example", f"{'a' * 60}.example", "a" * 63])
