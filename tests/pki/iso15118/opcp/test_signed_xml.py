"""A signed message in XML becomes the EXI that its signature is over, or nothing."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.iso15118.exi import Element, ExiError, QName
from pki.iso15118.opcp.signed_xml import DEPTH_MAX, ELEMENTS_MAX, XML_MAX, read, to_exi
from tests.pki.iso15118.opcp.conftest import vector

SESSION = bytes.fromhex("3031323334353637")


def xml(name: str = "iso2_cert_install_res") -> bytes:
    return vector(f"{name}.xml")


@pytest.mark.parametrize("name", ["iso2_cert_install_res", "iso2_cert_install_res_failed"])
def test_it_is_the_vectors_exi(name: str) -> None:
    assert to_exi(xml(name), bytes(8)) == vector(f"{name}.exi")


def test_a_session_is_put_in_where_there_is_none() -> None:
    session = b"<h:SessionID>3031323334353637</h:SessionID>"
    assert session in xml()
    without = xml().replace(session, b"")
    assert to_exi(without, SESSION) == vector("iso2_cert_install_res.exi")
    assert to_exi(without, bytes(8)) != vector("iso2_cert_install_res.exi")


def test_other_prefixes_lines_and_comments_are_the_same_message() -> None:
    broken = xml().replace(b"><", b">\r\n\t<!-- x --><").replace(b"h:SessionID", b"q:SessionID")
    broken = broken.replace(b"<q:SessionID>", b'<q:SessionID xmlns:q="urn:iso:15118:2:2013:MsgHeader">')
    at = broken.index(b"Certificate>") + len(b"Certificate>MII")
    assert to_exi(b"<?xml version='1.0'?>" + broken[:at] + b"\n" + broken[at:], SESSION) == to_exi(xml(), SESSION)


def test_what_is_read() -> None:
    assert read(b'<a xmlns="u" b="1"><c>x</c><DigestValue/></a>') == Element(
        QName("u", "a"),
        (Element(QName("u", "c"), value="x"), Element(QName("u", "DigestValue"), value=b"")),
        attributes=((QName("", "b"), "1"),),
    )


BOMB = b"<!DOCTYPE a [<!ENTITY b 'cccccccccc'><!ENTITY d '&b;&b;&b;'>]><a>&d;</a>"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"", "it isn't XML: no element found"),
        (b"\x80\x98", "it isn't XML"),
        (b"<a>", "it isn't XML: no element found"),
        (b"<a/><b/>", "it isn't XML: junk after document element"),
        (b"<a:b/>", "it isn't XML: unbound prefix"),
        (b"<a>&b;</a>", "it isn't XML: undefined entity"),
        (BOMB, "a document type or a processing instruction"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "a document type or a processing instruction"),
        (b"<a><?php evil ?></a>", "a document type or a processing instruction"),
        (b"<a>x<b/></a>", "text between elements"),
        (b"<Certificate>M</Certificate>", "a Certificate that isn't binary"),
        (b"<SessionID>0</SessionID>", "a SessionID that isn't binary"),
        (b"<a>" * (DEPTH_MAX + 1) + b"</a>" * (DEPTH_MAX + 1), "more elements or levels"),
        (b"<a>" + b"<b/>" * ELEMENTS_MAX + b"</a>", "more elements or levels"),
        (b"<a>" + b" " * XML_MAX + b"</a>", f"more than {XML_MAX} bytes"),
    ],
)
def test_xml_that_is_no_message(document: bytes, words: str) -> None:
    with pytest.raises(ExiError, match=words):
        read(document)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"urn:iso:15118:2:2013:MsgBody", b"urn:iso:15118:2:2013:Other"),
        (b"t:Id=", b"Id="),
        (b"ResponseCode>OK<", b"ResponseCode>Fine<"),
        (b"<b:ResponseCode>OK</b:ResponseCode>", b""),
        (b"<d:Header>", b"<d:Header><d:Evil/>"),
    ],
)
def test_the_codec_knows_the_schema(old: bytes, new: bytes) -> None:
    assert old in xml()
    with pytest.raises(ExiError):
        to_exi(xml().replace(old, new), SESSION)


@given(st.integers(0, len(xml()) - 1), st.binary(max_size=3), st.integers(0, 40))
def test_changed_documents_raise_one_error(at: int, put: bytes, cut: int) -> None:
    with contextlib.suppress(ExiError):
        to_exi(xml()[:at] + put + xml()[at + cut :], SESSION)
