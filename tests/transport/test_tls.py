"""TLS engines in memory: handshakes from both sides, alerts, what is learnt of the peer."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from gateway.transport.tls import RECORD, SLICE, TlsEngine, TlsPeer, explain, no_passphrase

if TYPE_CHECKING:
    from tests.transport.conftest import Authority

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def handshake(server: TlsEngine, client: TlsEngine) -> tuple[TlsPeer | Exception | None, TlsPeer | Exception | None]:
    """Carry both through; return what each learnt last."""
    theirs: TlsPeer | Exception | None = None
    ours: TlsPeer | Exception | None = None
    for _ in range(4):
        theirs = theirs or client.step()
        server.feed(client.outgoing())
        ours = ours or server.step()
        client.feed(server.outgoing())
    return ours, theirs


def read_all(engine: TlsEngine) -> bytes:
    plain = memoryview(bytearray(RECORD))
    data = b""
    while (count := engine.read(plain)) > 0:
        data += plain[:count]
    return data


@pytest.mark.parametrize("version", VERSIONS)
def test_both_sides_learn_about_each_other(version: ssl.TLSVersion, authority: Authority) -> None:
    station = authority.station()
    server = TlsEngine(authority.server(clients=ssl.CERT_OPTIONAL, version=version))
    client = TlsEngine(authority.client(station), server_hostname="localhost")
    ours, theirs = handshake(server, client)
    assert isinstance(ours, TlsPeer)
    assert isinstance(theirs, TlsPeer)
    leaf = ssl.PEM_cert_to_DER_cert(station.cert_chain_pems[0].bytes().decode())
    root = ssl.PEM_cert_to_DER_cert(authority.ca.cert_pem.bytes().decode())
    assert ours.version == theirs.version == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
    assert ours.cipher == theirs.cipher != ""
    assert ours.certificate == leaf
    assert ours.chain == (leaf, root)
    assert (ours.server_name, theirs.server_name) == (None, "localhost")
    assert not ours.resumed
    assert theirs.certificate is not None


def test_issuers_are_held_once(authority: Authority) -> None:
    peers = []
    for _ in range(2):
        server = TlsEngine(authority.server(clients=ssl.CERT_REQUIRED))
        ours, _ = handshake(server, TlsEngine(authority.client(authority.station()), server_hostname="localhost"))
        assert isinstance(ours, TlsPeer)
        peers.append(ours)
    assert peers[0].chain[1] is peers[1].chain[1]


def test_no_certificate_is_none(authority: Authority) -> None:
    server = TlsEngine(authority.server(clients=ssl.CERT_OPTIONAL))
    ours, _ = handshake(server, TlsEngine(authority.client(), server_hostname="localhost"))
    assert isinstance(ours, TlsPeer)
    assert (ours.certificate, ours.chain) == (None, ())


def test_a_server_name_that_is_not_ascii_prints_nothing(
    authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    """With an SNI callback set, CPython would print a traceback for it: log noise that any peer could make."""
    client = TlsEngine(authority.client(), server_hostname="localhost")
    client.step()
    hello = client.outgoing()
    assert b"localhost" in hello
    server = TlsEngine(authority.server())
    server.feed(hello.replace(b"localhost", b"\xff\xfecalhost"))
    assert server.step() is None
    assert capsys.readouterr() == ("", "")


def test_a_resumed_session_says_so_and_keeps_the_leaf(authority: Authority) -> None:
    """A resumed session has no verified chain: what was presented stands in for it (attacks A10)."""
    context = authority.server(clients=ssl.CERT_REQUIRED, version=ssl.TLSVersion.TLSv1_2)
    client_context = authority.client(authority.station())
    session: ssl.SSLSession | None = None
    peers: list[TlsPeer] = []
    for _ in range(2):
        server = TlsEngine(context)
        client = TlsEngine(client_context, server_hostname="localhost")
        if session is not None:
            client._ssl.session = session
        ours, _ = handshake(server, client)
        assert isinstance(ours, TlsPeer)
        peers.append(ours)
        session = client._ssl.session
    assert [peer.resumed for peer in peers] == [False, True]
    assert peers[0].certificate == peers[1].certificate is not None
    assert peers[1].chain[0] == peers[1].certificate


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("kind", "verify_message", "alert"),
    [
        ("foreign", "unable to get local issuer certificate", "TLSV1_ALERT_UNKNOWN_CA"),
        ("expired", "certificate has expired", "SSLV3_ALERT_CERTIFICATE_EXPIRED"),
    ],
)
def test_a_refused_certificate_gets_its_alert(
    version: ssl.TLSVersion, kind: str, verify_message: str, alert: str, authority: Authority
) -> None:
    certificate = getattr(authority, kind)()
    server = TlsEngine(authority.server(clients=ssl.CERT_OPTIONAL, version=version))
    client = TlsEngine(authority.client(certificate), server_hostname="localhost")
    ours, theirs = handshake(server, client)
    assert isinstance(ours, ssl.SSLCertVerificationError)
    assert explain(ours) == ("CERTIFICATE_VERIFY_FAILED", f"certificate verify failed: {verify_message}")
    if version is ssl.TLSVersion.TLSv1_3:  # a TLS 1.3 client is done before the server has looked at its certificate
        assert isinstance(theirs, TlsPeer)
        with pytest.raises(ssl.SSLError) as caught:
            read_all(client)
        theirs = caught.value
    assert isinstance(theirs, ssl.SSLError)
    assert explain(theirs)[0] == alert


@pytest.mark.parametrize(
    ("versions", "symbol"), [((ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2), "UNSUPPORTED_PROTOCOL")]
)
def test_what_cannot_be_agreed_is_named(
    versions: tuple[ssl.TLSVersion, ssl.TLSVersion], symbol: str, authority: Authority
) -> None:
    server = TlsEngine(authority.server(version=versions[0]))
    ours, theirs = handshake(server, TlsEngine(authority.client(version=versions[1]), server_hostname="localhost"))
    assert isinstance(ours, ssl.SSLError)
    assert explain(ours) == (symbol, symbol.replace("_", " ").lower())
    assert isinstance(theirs, ssl.SSLError)
    assert theirs.reason == "TLSV1_ALERT_PROTOCOL_VERSION"


@pytest.mark.parametrize("length", [0, 1, SLICE, SLICE + 1, 3 * RECORD + 7])
def test_data_of_every_length_passes(length: int, authority: Authority) -> None:
    server, client = TlsEngine(authority.server()), TlsEngine(authority.client(), server_hostname="localhost")
    handshake(server, client)
    data = bytes(range(256)) * (length // 256) + bytes(length % 256)
    client.feed(server.encrypt(data))
    assert read_all(client) == data
    assert not client.pending


def test_pending_tells_of_whole_records_only(authority: Authority) -> None:
    server, client = TlsEngine(authority.server()), TlsEngine(authority.client(), server_hostname="localhost")
    handshake(server, client)
    plain = memoryview(bytearray(RECORD))
    records = server.encrypt(b"one") + server.encrypt(b"two")
    client.feed(records[:-1])
    assert client.read(plain) == 3
    assert client.pending
    assert client.read(plain) == 0
    client.feed(records[-1:])
    assert client.read(plain) == 3
    assert not client.pending


@pytest.mark.parametrize("version", VERSIONS)
def test_farewell_is_close_notify(version: ssl.TLSVersion, authority: Authority) -> None:
    server = TlsEngine(authority.server(version=version))
    client = TlsEngine(authority.client(), server_hostname="localhost")
    handshake(server, client)
    plain = memoryview(bytearray(RECORD))
    client.feed(server.farewell())
    assert client.read(plain) == -1
    assert client.read(plain) == -1
    server.feed(client.farewell())
    assert server.read(plain) == -1
    assert server.farewell() == b""


def test_a_forged_record_is_an_error_with_an_alert(authority: Authority) -> None:
    server, client = TlsEngine(authority.server()), TlsEngine(authority.client(), server_hostname="localhost")
    handshake(server, client)
    client.feed(server.encrypt(b"x")[:-1] + b"\x00")
    with pytest.raises(ssl.SSLError) as caught:
        read_all(client)
    assert explain(caught.value)[0] == "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"
    assert client.outgoing()


def test_no_failure_escapes_a_step(authority: Authority) -> None:
    server = TlsEngine(authority.server())
    server.feed(b"GET / HTTP/1.1\r\n\r\n")
    outcome = server.step()
    assert isinstance(outcome, ssl.SSLError)
    assert explain(outcome)[0] == "HTTP_REQUEST"


def test_an_exception_without_a_symbol_is_named_by_its_class() -> None:
    assert explain(ValueError("secret")) == ("ValueError", "valueerror")


def test_nobody_is_asked_for_a_passphrase() -> None:
    with pytest.raises(OSError, match="the key is encrypted"):
        no_passphrase()
