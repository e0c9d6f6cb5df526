"""The listener's TLS context: versions, suites, both chains, station certificates (A00.FR.318, 403, 421)."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.edge.tls import MANDATED_SUITES, STATIC_RSA_SUITES, TlsRejected, server_context
from tests.edge.handshakes import client_context, shake, write

Make = Callable[..., ssl.SSLContext]
TLS_1_2 = ssl.TLSVersion.TLSv1_2


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.RSA)


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    write(authority, folder, "ecdsa", "localhost")
    write(authority, folder, "rsa", "localhost", rsa=True)
    authority.cert_pem.write_to_path(str(folder / "roots.pem"))
    trustme.CA().cert_pem.write_to_path(str(folder / "factory.pem"))
    key = load_pem_private_key((folder / "rsa.key").read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a passphrase"))
    (folder / "locked.key").write_bytes(locked)
    return folder


@pytest.fixture
def make(files: Path) -> Make:
    pairs = [(files / f"{name}.pem", files / f"{name}.key") for name in ("ecdsa", "rsa")]
    return lambda *roots, **settings: server_context(pairs, roots, **settings)


def _suite(end: ssl.SSLObject) -> str:
    cipher = end.cipher()
    assert cipher is not None
    return cipher[0]


@pytest.mark.parametrize("suite", MANDATED_SUITES)
def test_each_mandated_suite_is_served(make: Make, files: Path, suite: str) -> None:
    client = client_context(files / "roots.pem", maximum_version=TLS_1_2)
    client.set_ciphers(suite)
    server_end, _ = shake(make(), client)
    assert _suite(server_end) == suite
    assert server_end.compression() is None


@pytest.mark.parametrize("suite", MANDATED_SUITES)
def test_without_static_rsa_two_of_them_are_not(make: Make, files: Path, suite: str) -> None:
    client = client_context(files / "roots.pem", maximum_version=TLS_1_2)
    client.set_ciphers(suite)
    context = make(static_rsa=False)
    if suite in STATIC_RSA_SUITES:
        with pytest.raises(ssl.SSLError, match="NO_SHARED_CIPHER"):
            shake(context, client)
    else:
        assert _suite(shake(context, client)[0]) == suite


def test_forward_secrecy_is_preferred_to_static_rsa(make: Make, files: Path) -> None:
    client = client_context(files / "roots.pem", maximum_version=TLS_1_2)
    client.set_ciphers("AES256-GCM-SHA384:AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256")
    assert _suite(shake(make(), client)[0]) == "ECDHE-RSA-AES128-GCM-SHA256"


def test_nothing_else_is_offered_below_tls_1_3(make: Make) -> None:
    old = {each["name"] for each in make().get_ciphers() if each["protocol"] != "TLSv1.3"}
    assert old == {*MANDATED_SUITES, "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"}


def _anything(suites: str, newest: ssl.TLSVersion) -> ssl.SSLContext:
    """A client without scruples."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(f"{suites}:@SECLEVEL=0")
    context.options &= ~(ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = newest
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_tls_below_1_2_is_refused(make: Make, version: ssl.TLSVersion) -> None:
    with pytest.warns(DeprecationWarning, match="deprecated"):
        old = _anything("ALL", version)
    with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
        shake(make(), old)


@pytest.mark.parametrize(
    "suites",
    [
        "eNULL",
        "aNULL",
        "AES128-SHA:AES256-SHA:AES128-SHA256:AES256-SHA256",
        "ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384",
        "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-SHA",
        "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-CHACHA20-POLY1305",
        "CAMELLIA128-SHA:ARIA128-GCM-SHA256:AES128-CCM8",
    ],
)
def test_suites_that_nobody_asked_for_are_refused(make: Make, suites: str) -> None:
    """NULL, anonymous, CBC, finite-field DHE and others."""
    with pytest.raises(ssl.SSLError, match="NO_SHARED_CIPHER"):
        shake(make(), _anything(suites, TLS_1_2))


@pytest.mark.parametrize(
    ("name", "suite"),
    [
        ("TLS_RSA_WITH_NULL_SHA", 0x0002),
        ("TLS_RSA_EXPORT_WITH_RC4_40_MD5", 0x0003),
        ("TLS_RSA_WITH_RC4_128_SHA", 0x0005),
        ("TLS_RSA_EXPORT_WITH_DES40_CBC_SHA", 0x0008),
        ("TLS_RSA_WITH_DES_CBC_SHA", 0x0009),
        ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", 0x000A),
        ("TLS_RSA_WITH_AES_128_CBC_SHA", 0x002F),
    ],
)
def test_suites_that_no_library_offers_any_more_are_refused_with_an_alert(make: Make, name: str, suite: int) -> None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = _anything("AES128-SHA", TLS_1_2).wrap_bio(ssl.MemoryBIO(), to_server)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = bytearray(to_server.read())
    offered = 5 + 4 + 2 + 32 + 1 + hello[43] + 2  # record, handshake, version, random, session id, length
    assert hello[offered : offered + 2] == b"\x00\x2f"
    hello[offered : offered + 2] = suite.to_bytes(2, "big")
    to_server.write(hello)
    with pytest.raises(ssl.SSLError, match="NO_SHARED_CIPHER"):
        make().wrap_bio(to_server, to_client, server_side=True).do_handshake()
    assert to_client.read() == b"\x15\x03\x03\x00\x02\x02\x28", f"{name}: not a fatal handshake_failure"


def test_tls_1_3_is_served(make: Make, files: Path) -> None:
    server_end, _ = shake(make(), client_context(files / "roots.pem"))
    assert server_end.version() == "TLSv1.3"


def test_a_station_certificate_is_optional_and_verified(make: Make, files: Path, authority: trustme.CA) -> None:
    context = make(files / "factory.pem", files / "roots.pem")
    without, _ = shake(context, client_context(files / "roots.pem"))
    assert without.getpeercert(binary_form=True) is None
    client = client_context(files / "roots.pem")
    authority.issue_cert(common_name="SN1").configure_cert(client)
    known, _ = shake(context, client)
    assert known.getpeercert(binary_form=True) is not None
    foreign = client_context(files / "roots.pem")
    trustme.CA().issue_cert(common_name="SN1").configure_cert(foreign)
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        shake(context, foreign)


def test_an_expired_certificate_passes_the_handshake_only_without_check_time(
    make: Make, files: Path, authority: trustme.CA
) -> None:
    client = client_context(files / "roots.pem")
    authority.issue_cert(common_name="SN1", not_after=datetime.now(UTC) - timedelta(days=1)).configure_cert(client)
    with pytest.raises(ssl.SSLError, match="certificate has expired"):
        shake(make(files / "roots.pem"), client)
    tolerant, _ = shake(make(files / "roots.pem", check_time=False), client)
    assert tolerant.getpeercert(binary_form=True) is not None
    foreign = client_context(files / "roots.pem")
    trustme.CA().issue_cert(common_name="SN1").configure_cert(foreign)
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        shake(make(files / "roots.pem", check_time=False), foreign)


def test_without_roots_no_certificate_is_asked_for(make: Make) -> None:
    assert make().verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize("version", [TLS_1_2, ssl.TLSVersion.TLSv1_3])
def test_nobody_gets_a_ticket(make: Make, files: Path, version: ssl.TLSVersion) -> None:
    context = make()
    server, client = shake(context, client_context(files / "roots.pem", maximum_version=version))
    server.write(b"what comes after a handshake may be tickets")
    if client.session is not None:
        assert not client.session.has_ticket
    assert context.num_tickets == 0
    assert context.session_stats()["accept"] == 1


def test_what_is_resumed_by_session_id_shows_the_certificate_to_the_application_again(
    make: Make, files: Path, authority: trustme.CA
) -> None:
    """It can't be switched off under TLS 1.2 (attack A10); so it must be of no use."""
    context = make(files / "roots.pem")
    client = client_context(files / "roots.pem", maximum_version=TLS_1_2)
    authority.issue_cert(common_name="SN1").configure_cert(client)
    first, end = shake(context, client)
    second, _ = shake(context, client, session=end.session)
    assert second.session_reused
    assert second.getpeercert(binary_form=True) == first.getpeercert(binary_form=True) is not None


def test_tls_1_3_resumes_nothing(make: Make, files: Path) -> None:
    context = make()
    client = client_context(files / "roots.pem")
    _, end = shake(context, client)
    again, _ = shake(context, client, session=end.session)
    assert not again.session_reused


def test_nothing_is_compressed_or_renegotiated(make: Make) -> None:
    context = make()
    for option in (ssl.OP_NO_TICKET, ssl.OP_NO_RENEGOTIATION, ssl.OP_NO_COMPRESSION, ssl.OP_CIPHER_SERVER_PREFERENCE):
        assert context.options & option
    assert context.security_level >= 2


@pytest.mark.parametrize(
    ("chain", "key", "roots", "complaint"),
    [
        ("missing.pem", "rsa.key", [], r"missing\.pem.*No such file"),
        ("ecdsa.pem", "rsa.key", [], r"ecdsa\.pem with key .*rsa\.key: "),
        ("rsa.key", "rsa.key", [], r"rsa\.key"),
        ("rsa.pem", "locked.key", [], r"locked\.key: the key is encrypted"),
        ("rsa.pem", "rsa.key", ["roots.pem", "missing.pem"], r"roots .*missing\.pem"),
        ("rsa.pem", "rsa.key", ["rsa.key"], r"roots .*rsa\.key"),
    ],
)
def test_files_that_cannot_be_used_are_named(
    files: Path, chain: str, key: str, roots: list[str], complaint: str
) -> None:
    with pytest.raises(TlsRejected, match=complaint):
        server_context([(files / chain, files / key)], [files / each for each in roots])
