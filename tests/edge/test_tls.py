"""The listener's TLS context: versions, suites, both chains, station certificates (A00.FR.318, 403, 421)."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.edge.tls import MANDATED_SUITES, TlsRejected, server_context

Make = Callable[..., ssl.SSLContext]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.RSA)


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    for name, key_type in (("ecdsa", trustme.KeyType.ECDSA), ("rsa", trustme.KeyType.RSA)):
        issued = authority.issue_cert("localhost", key_type=key_type)
        issued.cert_chain_pems[0].write_to_path(str(folder / f"{name}.pem"))
        issued.private_key_pem.write_to_path(str(folder / f"{name}.key"))
    authority.cert_pem.write_to_path(str(folder / "roots.pem"))
    key = load_pem_private_key((folder / "rsa.key").read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a passphrase"))
    (folder / "locked.key").write_bytes(locked)
    return folder


@pytest.fixture
def make(files: Path) -> Make:
    pairs = [(files / f"{name}.pem", files / f"{name}.key") for name in ("ecdsa", "rsa")]
    return lambda roots=None: server_context(pairs, roots)


def _shake(server: ssl.SSLContext, client: ssl.SSLContext) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Play one handshake in memory; return (server, client)."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
    )
    done: set[ssl.SSLObject] = set()
    for _ in range(10):
        for end in ends:
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:
                pass
        if len(done) == 2:
            return ends
    pytest.fail("the handshake does not end")


def _client(files: Path, **settings: object) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files / "roots.pem")
    for name, value in settings.items():
        setattr(context, name, value)
    return context


@pytest.mark.parametrize("suite", MANDATED_SUITES)
def test_each_mandated_suite_is_served(make: Make, files: Path, suite: str) -> None:
    client = _client(files, maximum_version=ssl.TLSVersion.TLSv1_2)
    client.set_ciphers(suite)
    server_end, _ = _shake(make(), client)
    cipher = server_end.cipher()
    assert cipher is not None
    assert cipher[0] == suite
    assert server_end.compression() is None


def test_forward_secrecy_is_preferred_to_static_rsa(make: Make, files: Path) -> None:
    client = _client(files, maximum_version=ssl.TLSVersion.TLSv1_2)
    client.set_ciphers("AES256-GCM-SHA384:AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256")
    server_end, _ = _shake(make(), client)
    cipher = server_end.cipher()
    assert cipher is not None
    assert cipher[0] == "ECDHE-RSA-AES128-GCM-SHA256"


def test_tls_1_3_is_served_and_1_1_is_not(make: Make, files: Path) -> None:
    server_end, _ = _shake(make(), _client(files))
    assert server_end.version() == "TLSv1.3"
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.options &= ~(ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1)
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="deprecated"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
        _shake(make(), old)


def test_an_old_suite_is_not_served(make: Make, files: Path) -> None:
    client = _client(files, maximum_version=ssl.TLSVersion.TLSv1_2)
    client.set_ciphers("ECDHE-RSA-AES128-SHA:AES128-SHA")
    with pytest.raises(ssl.SSLError, match="NO_SHARED_CIPHER"):
        _shake(make(), client)


def test_a_station_certificate_is_optional_and_verified(make: Make, files: Path, authority: trustme.CA) -> None:
    context = make(files / "roots.pem")
    without, _ = _shake(context, _client(files))
    assert without.getpeercert(binary_form=True) is None
    client = _client(files)
    authority.issue_cert(common_name="SN1").configure_cert(client)
    known, _ = _shake(context, client)
    assert known.getpeercert(binary_form=True) is not None
    foreign = _client(files)
    trustme.CA().issue_cert(common_name="SN1").configure_cert(foreign)
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        _shake(context, foreign)


def test_without_station_roots_no_certificate_is_asked_for(make: Make) -> None:
    assert make().verify_mode is ssl.CERT_NONE


def test_nothing_is_resumed_by_ticket(make: Make) -> None:
    context = make()
    assert context.num_tickets == 0
    assert context.options & ssl.OP_NO_TICKET
    assert context.options & ssl.OP_NO_RENEGOTIATION


@pytest.mark.parametrize(
    ("chain", "key", "roots", "complaint"),
    [
        ("missing.pem", "rsa.key", None, r"missing\.pem.*No such file"),
        ("ecdsa.pem", "rsa.key", None, r"ecdsa\.pem with key .*rsa\.key: "),
        ("rsa.key", "rsa.key", None, r"rsa\.key"),
        ("rsa.pem", "locked.key", None, r"locked\.key: the key is encrypted"),
        ("rsa.pem", "rsa.key", "missing.pem", r"station_roots .*missing\.pem"),
        ("rsa.pem", "rsa.key", "rsa.key", "station_roots"),
    ],
)
def test_files_that_cannot_be_used_are_named(
    files: Path, chain: str, key: str, roots: str | None, complaint: str
) -> None:
    with pytest.raises(TlsRejected, match=complaint):
        server_context([(files / chain, files / key)], files / roots if roots else None)
