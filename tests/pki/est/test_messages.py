"""What an EST server says, read: encodings, chains in any order, Retry-After."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from hypothesis import given
from hypothesis import strategies as st

from pki.est.messages import (
    CERTIFICATES_MAX,
    RETRY_MAX,
    RETRY_UNSAID,
    Malformed,
    is_root,
    issuers_in_order,
    read_certificates,
    request_body,
    retry_after,
    way_up,
)
from pki.issuing import Hierarchy

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def certs_only(*certificates: x509.Certificate) -> bytes:
    return pkcs7.serialize_certificates(list(certificates), Encoding.DER)


def test_a_request_is_base64_in_lines(make_csr: Callable[..., str]) -> None:
    csr = x509.load_pem_x509_csr(make_csr().encode())
    body = request_body(csr)

    assert base64.b64decode(body) == csr.public_bytes(Encoding.DER)
    assert max(map(len, body.splitlines())) <= 76


@pytest.mark.parametrize(
    "written",
    [
        base64.encodebytes,
        base64.b64encode,
        lambda der: base64.encodebytes(der).replace(b"\n", b"\r\n") + b"\r\n\r\n",
        lambda der: b"-----BEGIN PKCS7-----\n" + base64.encodebytes(der) + b"-----END PKCS7-----\n",
        lambda der: der,
    ],
    ids=["lines", "one line", "CRLF", "PEM", "DER"],
)
def test_certificates_however_they_are_written(hierarchy: Hierarchy, written: Callable[[bytes], bytes]) -> None:
    both = [hierarchy.root.certificate, hierarchy.issuing.certificate]

    assert set(read_certificates(written(certs_only(*both)))) == set(both)


@pytest.mark.parametrize("body", [b"", b"nonsense!", b"MAA=", b"\x30\x80", b"0" * 100, b"<html></html>", b"\xff"])
def test_what_holds_no_certificates(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_certificates(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_certificates(body)


def test_too_many_certificates(hierarchy: Hierarchy) -> None:
    many = [hierarchy.root.certificate] * (CERTIFICATES_MAX + 1)

    assert len(read_certificates(certs_only(*many[1:]))) == CERTIFICATES_MAX
    with pytest.raises(Malformed, match="21 certificates, 1 to 20 are taken"):
        read_certificates(certs_only(*many))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 1),
        ("999999999", RETRY_MAX),
        ("9999999999", RETRY_UNSAID),
        ("Mon, 01 Jun 2026 12:01:30 GMT", 90),
        ("Mon, 01 Jun 2026 11:00:00 GMT", 1),
        ("Mon, 01 Jun 2026 12:01:30 -0000", 90),
        ("soon", RETRY_UNSAID),
        ("-5", RETRY_UNSAID),
        ("", RETRY_UNSAID),
        (None, RETRY_UNSAID),
    ],
)
def test_how_long_to_wait(header: str | None, seconds: float) -> None:
    assert retry_after(header, NOW) == seconds


@given(st.text(max_size=40))
def test_any_header_has_a_wait_within_bounds(header: str) -> None:
    assert 1 <= retry_after(header, NOW) <= RETRY_MAX


def test_ways_up_and_orders(hierarchy: Hierarchy, foreign: Hierarchy) -> None:
    root, issuing = hierarchy.root.certificate, hierarchy.issuing.certificate
    everything = [foreign.root.certificate, root, foreign.issuing.certificate, issuing]

    assert way_up(issuing, everything) == [issuing, root]
    assert way_up(issuing, [foreign.root.certificate]) == [issuing]
    assert issuers_in_order([root, issuing]) == issuers_in_order([issuing, root]) == [issuing, root]
    assert issuers_in_order([root]) == [root]
    assert len(issuers_in_order(everything)) == 2
    assert (is_root(root), is_root(issuing)) == (True, False)
