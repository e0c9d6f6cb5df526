"""A listener's contexts: chosen by name, tolerant or strict, and exchanged while connections go on."""

import os
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509

from gateway.edge.listener_tls import ListenerTls
from gateway.edge.tls import TlsRejected
from pki import profiles
from pki.issuing import issue, new_hierarchy, new_key
from pki.pem_files import certificates_pem, key_pem
from tests.edge.handshakes import client_context, serial_shown, shake, write

Pair = tuple[Path, Path]
AUTHORITY = trustme.CA()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "roots.pem"))
    return tmp_path


def _tls(*pairs: Pair, roots: Sequence[Path] = (), clock: datetime | None = None) -> ListenerTls:
    return ListenerTls(lambda: nullcontext(pairs), roots, clock=lambda: clock or datetime.now(UTC))


def _serial(chain: Path) -> str:
    return f"{x509.load_pem_x509_certificate(chain.read_bytes()).serial_number:X}"


def _shown(tls: ListenerTls, folder: Path, asked_for: str | None, name: str, *, suite: str | None = None) -> str:
    client = client_context(folder / "roots.pem", maximum_version=ssl.TLSVersion.TLSv1_2)
    if suite is not None:
        client.set_ciphers(suite)
    return serial_shown(tls.context(asked_for), client, name).lstrip("0")


def test_the_name_that_is_asked_for_chooses_and_the_first_serves_all_others(folder: Path) -> None:
    a_ec = write(AUTHORITY, folder, "a-ec", "a.example", "also-a.example")
    a_rsa = write(AUTHORITY, folder, "a-rsa", "A.example", rsa=True)
    b_ec = write(AUTHORITY, folder, "b-ec", "b.example")
    tls = _tls(a_ec, b_ec, a_rsa)
    for asked_for, name, chain in (
        ("a.example", "a.example", a_ec),
        ("also-a.example", "also-a.example", a_ec),
        ("b.example", "b.example", b_ec),
        ("c.example", "a.example", a_ec),
        (None, "a.example", a_ec),
    ):
        assert _shown(tls, folder, asked_for, name) == _serial(chain[0])
    rsa_only = "ECDHE-RSA-AES128-GCM-SHA256"
    assert _shown(tls, folder, "a.example", "a.example", suite=rsa_only) == _serial(a_rsa[0])
    assert _shown(tls, folder, None, "a.example", suite=rsa_only) == _serial(a_rsa[0])
    with pytest.raises(ssl.SSLError, match="NO_SHARED_CIPHER"):
        _shown(tls, folder, "b.example", "b.example", suite=rsa_only)


def test_a_certificate_for_an_address_is_known_by_its_cn(folder: Path) -> None:
    issued = AUTHORITY.issue_cert("127.0.0.1", common_name="Gateway")
    issued.cert_chain_pems[0].write_to_path(str(folder / "ip.pem"))
    issued.private_key_pem.write_to_path(str(folder / "ip.key"))
    other = write(AUTHORITY, folder, "a", "a.example")
    tls = _tls(other, (folder / "ip.pem", folder / "ip.key"))
    assert tls.context("gateway") is not tls.context(None)


def test_a_certificate_without_alternative_names_is_known_by_its_cn_too(folder: Path) -> None:
    now = datetime.now(UTC)
    hierarchy, key = new_hierarchy("Test CSMS", "Example CPO", now), new_key()
    leaf = issue(
        hierarchy.issuing,
        profiles.charging_station(),
        key.public_key(),
        common_name="SN-1",
        organization="Example CPO",
        now=now,
    )
    (folder / "cn.pem").write_text(certificates_pem([leaf]))
    (folder / "cn.key").write_bytes(key_pem(key))
    tls = _tls(write(AUTHORITY, folder, "a", "a.example"), (folder / "cn.pem", folder / "cn.key"))
    assert tls.context("sn-1") is not tls.context(None)


def test_contexts_are_made_once(folder: Path) -> None:
    tls = _tls(write(AUTHORITY, folder, "a", "a.example", "b.example"))
    assert tls.context("a.example") is tls.context("b.example") is tls.context(None) is tls.context("nobody.example")


def test_two_of_a_kind_for_one_name_are_an_error(folder: Path) -> None:
    pairs = [write(AUTHORITY, folder, name, "a.example") for name in ("one", "two")]
    with pytest.raises(TlsRejected, match=r"two\.pem: .*one\.pem is an ECDSA certificate for a\.example too"):
        _tls(*pairs)


def test_none_at_all_and_rubbish_are_errors(folder: Path) -> None:
    with pytest.raises(TlsRejected, match="one at least"):
        _tls()
    (folder / "rubbish.pem").write_text("rubbish")
    with pytest.raises(TlsRejected, match=r"rubbish\.pem with key .*no certificate in PEM"):
        _tls((folder / "rubbish.pem", folder / "roots.pem"))
    with pytest.raises(TlsRejected, match=r"missing\.pem: No such file"):
        _tls((folder / "missing.pem", folder / "roots.pem"))


def test_expiry_is_tolerated_while_a_station_holds_the_exception(folder: Path) -> None:
    roots = folder / "roots.pem"
    tls = _tls(write(AUTHORITY, folder, "a", "localhost"), roots=[roots])
    client = client_context(roots)
    AUTHORITY.issue_cert(common_name="SN1", not_after=datetime.now(UTC) - timedelta(days=1)).configure_cert(client)
    for tolerate in (False, True, False):
        tls.tolerate_expiry = tolerate
        if tolerate:
            assert shake(tls.context("localhost"), client)[0].getpeercert(binary_form=True)
        else:
            with pytest.raises(ssl.SSLError, match="certificate has expired"):
                shake(tls.context("localhost"), client)


def test_new_files_are_taken_and_sessions_live_on(folder: Path) -> None:
    pair = write(AUTHORITY, folder, "a", "localhost")
    tls = _tls(pair)
    server, client = shake(tls.context(None), client_context(folder / "roots.pem"))
    before = _serial(pair[0])
    assert not tls.reload()
    assert _shown(tls, folder, None, "localhost") == before
    write(AUTHORITY, folder, "a", "localhost")
    assert tls.reload()
    assert not tls.reload()
    assert _shown(tls, folder, None, "localhost") == _serial(pair[0]) != before
    client.write(b"still here")
    assert server.read() == b"still here"


def test_new_roots_are_taken(folder: Path) -> None:
    roots, stations = folder / "stations.pem", trustme.CA()
    AUTHORITY.cert_pem.write_to_path(str(roots))
    tls = _tls(write(AUTHORITY, folder, "a", "localhost"), roots=[roots])
    client = client_context(folder / "roots.pem")
    stations.issue_cert(common_name="SN1").configure_cert(client)
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        shake(tls.context(None), client)
    stations.cert_pem.write_to_path(str(roots))
    assert tls.reload()
    shake(tls.context(None), client)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda folder: (folder / "a.pem").write_text("half of i"), "no certificate in PEM"),
        (lambda folder: (folder / "a.pem").unlink(), "No such file"),
        (lambda folder: (folder / "a.key").write_bytes((folder / "other.key").read_bytes()), "key values mismatch"),
        (lambda folder: (folder / "roots.pem").write_text("no roots"), r"roots\.pem"),
    ],
)
def test_the_last_good_ones_stay_until_all_is_well(folder: Path, change: object, complaint: str) -> None:
    write(AUTHORITY, folder, "other", "localhost")
    pair = write(AUTHORITY, folder, "a", "localhost")
    good = {file: file.read_bytes() for file in (*pair, folder / "roots.pem")}
    tls = _tls(pair, roots=[folder / "roots.pem"])
    before = tls.context(None)
    assert callable(change)
    change(folder)
    for _ in range(2):
        with pytest.raises(TlsRejected, match=complaint):
            tls.reload()
    assert tls.context(None) is before
    for file, content in good.items():
        file.write_bytes(content)
    assert not tls.reload()
    shake(tls.context(None), client_context(folder / "roots.pem"))


def test_what_is_out_of_date_does_not_replace_what_serves(folder: Path) -> None:
    pair = write(AUTHORITY, folder, "a", "localhost")
    tls = ListenerTls(lambda: nullcontext([pair]), [])
    before = tls.context(None)
    issued = AUTHORITY.issue_cert("localhost", not_after=datetime.now(UTC) - timedelta(days=1))
    issued.cert_chain_pems[0].write_to_path(str(pair[0]))
    issued.private_key_pem.write_to_path(str(pair[1]))
    with pytest.raises(TlsRejected, match=r"a\.pem: valid from .* UTC only"):
        tls.reload()
    assert tls.context(None) is before


def test_a_key_that_lies_in_memory_only(folder: Path) -> None:
    chain, key = write(AUTHORITY, folder, "a", "localhost")
    secret = key.read_bytes()
    key.unlink()
    opened: list[int] = []

    @contextmanager
    def files() -> Iterator[Sequence[Pair]]:
        descriptor = os.memfd_create("test-key", os.MFD_CLOEXEC)
        opened.append(descriptor)
        try:
            os.write(descriptor, secret)
            yield [(chain, Path(f"/proc/self/fd/{descriptor}"))]
        finally:
            os.close(descriptor)

    tls = ListenerTls(files, [])
    shake(tls.context(None), client_context(folder / "roots.pem"))
    assert not tls.reload()
    assert len(opened) == 2
    for descriptor in set(opened):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_what_the_files_raise_passes_through() -> None:
    class Away(Exception):
        pass

    def files() -> nullcontext[Sequence[Pair]]:
        raise Away

    with pytest.raises(Away):
        ListenerTls(files, [])


def test_what_is_shown_is_told_with_its_cas_and_only_when_it_is_shown(folder: Path) -> None:
    first = write(AUTHORITY, folder, "a-ec", "a.example")
    tls = _tls(first)
    before = tls.chains
    assert [f"{chain[0].serial_number:X}" for chain in before] == [_serial(first[0])]
    good = first[0].read_bytes()
    first[0].write_text("rubbish")
    with pytest.raises(TlsRejected):
        tls.reload()
    assert tls.chains == before
    first[0].write_bytes(good)
    write(AUTHORITY, folder, "a-ec", "a.example")
    assert tls.reload()
    assert tls.chains != before
