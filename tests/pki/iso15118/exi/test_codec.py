"""All vectors in both directions, and each refusal by its own reason."""

import tracemalloc
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pki.iso15118.exi import Element, ExiError, QName, Schema, Value, codec
from pki.iso15118.exi.bits import BitWriter
from pki.iso15118.exi.codec import (
    ELEMENTS_MAX,
    EXI_SIZE_MAX,
    decode_document,
    decode_fragment,
    encode_document,
    encode_fragment,
)
from pki.iso15118.exi.datatypes import Binary, String
from pki.iso15118.exi.tables import tables_of
from tests.pki.iso15118.element_xml import assert_same
from tests.pki.iso15118.vector_files import MANIFEST, VECTORS, Decode, Encode, vector

DSIG = Schema.XMLDSIG.value
REQUEST = "V2G_Message/Body/CertificateInstallationReq"


def built(local: str, *children: Element, value: Value | None = None, **attributes: str) -> Element:
    """Return an element of the signature's namespace."""
    named = tuple((QName("", name), text) for name, text in attributes.items())
    return Element(QName(DSIG, local), children, value, named)


def signed_info(*references: Element) -> Element:
    return built(
        "SignedInfo",
        built("CanonicalizationMethod", Algorithm="c"),
        built("SignatureMethod", Algorithm="s"),
        *references,
    )


def reference(digest: bytes = b"", *before: Element) -> Element:
    return built("Reference", *before, built("DigestMethod", Algorithm="d"), built("DigestValue", value=digest))


def written(*steps: tuple[int, int] | bytes | str) -> bytes:
    """Return octets from (value, bits), octets behind their length, and text behind its length."""
    writer = BitWriter()
    for step in steps:
        if isinstance(step, tuple):
            writer.bits(*step)
        elif isinstance(step, bytes):
            Binary().write(writer, step)
        else:
            String().write(writer, step)
    return writer.finish()


def changed(element: Element, path: str, change: Callable[[Element], Element]) -> Element:
    """Return ``element`` with the one at ``path`` below it changed."""
    if not path:
        return change(element)
    local, _, rest = path.partition("/")
    children = tuple(changed(child, rest, change) if child.name.local == local else child for child in element.children)
    return replace(element, children=children)


@pytest.mark.parametrize("name", MANIFEST)
def test_a_vector_is_read_as_its_xml_and_written_byte_for_byte(name: str) -> None:
    octets, schema, decode, encode = vector(name)
    element = decode(octets, schema)

    assert_same(element, ET.fromstring((VECTORS / f"{name}.xml").read_text()))  # noqa: S314 - a file of ours
    assert encode(element, schema) == octets


@pytest.mark.parametrize(
    ("name", "schema", "decode", "fault"),
    [
        (
            "iso2_cert_install_req.unqualified_Id_schema_deviation",
            Schema.ISO_2,
            decode_document,
            f"^{REQUEST}: something that the schema doesn't have here",
        ),
        (
            "iso2_cert_install_req.string_table_hits",
            Schema.ISO_2,
            decode_document,
            "^V2G_Message/Header/Signature/SignedInfo/Reference/Transforms/Transform: a hit in the string table",
        ),
        (
            "iso2_cert_install_req.frag.SignedInfo.string_table_hits",
            Schema.XMLDSIG,
            decode_fragment,
            "^SignedInfo/Reference/Transforms/Transform: a hit in the string table",
        ),
        (
            "iso2_cert_install_req.frag.SignedInfo.msgdef_grammar",
            Schema.XMLDSIG,
            decode_fragment,
            "^the root element isn't",
        ),
        (
            "iso2_cert_install_req.frag.SignedInfo.msgdef_grammar",
            Schema.ISO_2,
            decode_fragment,
            "^the root element isn't",
        ),
        ("iso2_wrong_namespace_root", Schema.ISO_2, decode_document, "^the root element isn't"),
    ],
)
def test_a_negative_vector_is_refused_for_its_own_reason(name: str, schema: Schema, decode: Decode, fault: str) -> None:
    with pytest.raises(ExiError, match=fault):
        decode((VECTORS / "negative" / f"{name}.exi").read_bytes(), schema)


@pytest.mark.parametrize(("name", "local"), [("with_KeyInfo", "KeyInfo"), ("with_xpath_transform", "XPath")])
def test_what_only_the_signatures_profile_forbids_is_read(name: str, local: str) -> None:
    octets = (VECTORS / "negative" / f"iso2_cert_install_req.{name}.exi").read_bytes()

    def locals_of(element: Element) -> set[str]:
        return {element.name.local}.union(*map(locals_of, element.children))

    assert local in locals_of(decode_document(octets, Schema.ISO_2))


@pytest.mark.no_cover  # it walks lines that others cover, and would take ten times as long
@pytest.mark.parametrize("name", MANIFEST)
def test_every_truncation_is_refused(name: str) -> None:
    octets, schema, decode, _ = vector(name)
    for length in range(len(octets)):
        with pytest.raises(ExiError):
            decode(octets[:length], schema)


@pytest.mark.parametrize("name", MANIFEST)
def test_a_vector_is_no_document_of_another_schema(name: str) -> None:
    octets, schema, _, _ = vector(name)
    for other in set(Schema) - {schema}:
        for decode in (decode_document, decode_fragment):
            with pytest.raises(ExiError):
                decode(octets, other)


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        (b"", "^it ends too early"),
        (b"$EXI\x80", "^the header isn't 0x80"),
        (b"\xa0\x00", "^the header isn't 0x80"),
        (b"\x80", "^it ends too early"),
        (b"\x80" + b"\xff" * EXI_SIZE_MAX, f"^{EXI_SIZE_MAX + 1} octets, at most {EXI_SIZE_MAX}"),
        (b"\x80" * EXI_SIZE_MAX, "^the root element isn't"),
        (b"\x01\xfe\x80\x01\x00\x00\x00\x01\x80", "^the header isn't 0x80"),
    ],
    ids=["nothing", "cookie", "options", "header alone", "too much", "as much as allowed", "V2GTP header"],
)
def test_what_isnt_a_document(octets: bytes, fault: str) -> None:
    with pytest.raises(ExiError, match=fault):
        decode_document(octets, Schema.ISO_2)


V2G_MESSAGE = ((0x80, 8), (76, 7))
HEADER_START, SESSION_START, CHARACTERS, END = (0, 1), (0, 1), (0, 1), (0, 1)
SESSION = (*V2G_MESSAGE, HEADER_START, SESSION_START, CHARACTERS)
BODY = (*SESSION, b"\0", END, (2, 2), END)


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        (written(*SESSION, b"123456789"), "^V2G_Message/Header/SessionID: 9 octets, allowed are 0 to 8"),
        (written(*SESSION, (0xFFFF7F, 24)), "^V2G_Message/Header/SessionID: 2097151 octets, allowed are 0 to 8"),
        (written(*SESSION, (0xFFFFFF, 24)), "^V2G_Message/Header/SessionID: an integer of more than 3 octets"),
        (written(*SESSION, (5, 8), (0, 8)), "^V2G_Message/Header/SessionID: 5 octets are announced, 1 are left"),
        (written(*SESSION[:-1], (1, 1), (1, 3)), "^V2G_Message/Header/SessionID: something that the schema doesn't"),
        (written(*SESSION, b"\0", (1, 1), (0, 3)), "^V2G_Message/Header/SessionID: something that the schema doesn't"),
        (written(*SESSION, b"\0", END, (3, 2)), "^V2G_Message/Header: something that the schema doesn't have here"),
        (written(*BODY, (0, 6)), "^V2G_Message/Body: an element or attribute that no message of certificate"),
        (written(*BODY, (36, 6)), "^V2G_Message/Body: something that the schema doesn't have here"),
        (written(*BODY, (35, 6), END, (1, 1)), "^something follows the end"),
        (written(*BODY, (35, 6), END, (0, 8), (0, 8)), "^something follows the end"),
    ],
)
def test_where_and_why_a_document_is_refused(octets: bytes, fault: str) -> None:
    with pytest.raises(ExiError, match=fault):
        decode_document(octets, Schema.ISO_2)


def test_a_length_with_needless_octets_is_another_spelling() -> None:
    canonical = written(*BODY, (35, 6), END)
    needless = written(*SESSION, (0x8100, 16), (0, 8), END, (2, 2), END, (35, 6), END)

    message = decode_document(canonical, Schema.ISO_2)
    assert [child.name.local for child in message.children] == ["Header", "Body"]
    with pytest.raises(ExiError, match=r"^it is spelled in another way"):
        decode_document(needless, Schema.ISO_2)


def test_an_empty_value_may_have_a_length_of_zero() -> None:
    left_out = written(*SESSION[:-1], (1, 1), (0, 3), (2, 2), END, (35, 6), END)
    spelled = written(*SESSION, b"", END, (2, 2), END, (35, 6), END)

    message = decode_document(left_out, Schema.ISO_2)
    assert message.children[0].children[0].value == b""
    assert decode_document(spelled, Schema.ISO_2) == message
    assert encode_document(message, Schema.ISO_2) == left_out


def test_empty_values_are_spelled_in_one_way_throughout_a_document() -> None:
    notification = ((0, 2), (0, 1), CHARACTERS, (0, 2), END, (0, 2))
    end = ((0, 1), (1, 2), END, (35, 6), END)
    left_out, spelled = ((1, 1), (0, 3)), (CHARACTERS, "", END)
    session_left_out, session_spelled = ((1, 1), (0, 3)), (CHARACTERS, b"", END)
    before = SESSION[:-1]

    for session, message in ((session_left_out, left_out), (session_spelled, spelled)):
        decode_document(written(*before, *session, *notification, *message, *end), Schema.ISO_2)
    for session, message in ((session_left_out, spelled), (session_spelled, left_out)):
        with pytest.raises(ExiError, match=r"^it is spelled in another way"):
            decode_document(written(*before, *session, *notification, *message, *end), Schema.ISO_2)


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (0, "^SignedInfo/CanonicalizationMethod: an element of a wildcard"),
        (2, "^SignedInfo/CanonicalizationMethod: text between elements"),
        (3, "^SignedInfo/CanonicalizationMethod: something that the schema doesn't have here"),
    ],
)
def test_what_the_schema_allows_beyond_any_message_is_refused(code: int, fault: str) -> None:
    root = tables_of(Schema.XMLDSIG).fragment.by_name[QName(DSIG, "SignedInfo")].code
    octets = written((0x80, 8), (root, 6), (1, 2), (0, 1), "c", (code, 2), (0, 64))

    with pytest.raises(ExiError, match=fault):
        decode_fragment(octets, Schema.XMLDSIG)


def test_a_fragment_has_one_element() -> None:
    roots = tables_of(Schema.XMLDSIG).fragment
    octets = codec._encode(signed_info(reference()), replace(roots, end=0))

    with pytest.raises(ExiError, match=r"^a second element in a fragment"):
        decode_fragment(octets, Schema.XMLDSIG)


def test_the_largest_document_and_one_octet_more() -> None:
    overhead = len(encode_fragment(signed_info(reference(bytes(128))), Schema.XMLDSIG)) - 128
    largest = signed_info(reference(bytes(EXI_SIZE_MAX - overhead)))
    too_large = signed_info(reference(bytes(EXI_SIZE_MAX - overhead + 1)))

    octets = encode_fragment(largest, Schema.XMLDSIG)
    assert len(octets) == EXI_SIZE_MAX
    assert decode_fragment(octets, Schema.XMLDSIG) == largest
    with pytest.raises(ExiError, match=f"^{EXI_SIZE_MAX + 1} octets, at most {EXI_SIZE_MAX}"):
        encode_fragment(too_large, Schema.XMLDSIG)


def test_the_most_elements_and_one_more() -> None:
    transforms = built("Transforms", built("Transform", Algorithm="t"))
    count = (ELEMENTS_MAX - 5) // 3
    most = signed_info(reference(b"", transforms), *(reference() for _ in range(count - 1)))
    more = signed_info(*most.children[2:], reference())

    octets = encode_fragment(most, Schema.XMLDSIG)
    assert decode_fragment(octets, Schema.XMLDSIG) == most
    with pytest.raises(ExiError, match=f"more than {ELEMENTS_MAX} elements"):
        encode_fragment(more, Schema.XMLDSIG)


def test_more_elements_than_allowed_arent_read(monkeypatch: pytest.MonkeyPatch) -> None:
    octets = encode_fragment(signed_info(reference(), reference()), Schema.XMLDSIG)
    monkeypatch.setattr(codec, "ELEMENTS_MAX", 8)

    with pytest.raises(ExiError, match=r"^SignedInfo/Reference/DigestValue: more than 8 elements"):
        decode_fragment(octets, Schema.XMLDSIG)


def test_an_announced_length_takes_no_memory() -> None:
    root = tables_of(Schema.XMLDSIG).fragment.by_name[QName(DSIG, "SignedInfo")].code
    octets = written((0x80, 8), (root, 6), (1, 2), (0, 1), (0xFFFF7F, 24), b"a" * 100)
    tracemalloc.start()
    try:
        with pytest.raises(ExiError, match=r"^SignedInfo/CanonicalizationMethod: 2097149 octets are announced"):
            decode_fragment(octets, Schema.XMLDSIG)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 20_000


CHAIN = "Body/CertificateInstallationRes/ContractSignatureCertChain"


@pytest.mark.parametrize(
    ("path", "change", "fault"),
    [
        ("Header/SessionID", {"value": b"123456789"}, "^V2G_Message/Header/SessionID: 9 octets, allowed are 0 to 8"),
        ("Header/SessionID", {"value": None}, "^V2G_Message/Header/SessionID: it is incomplete"),
        ("Header/SessionID", {"value": "00"}, "^V2G_Message/Header/SessionID: octets are wanted, not str"),
        ("Header", {"value": b""}, "^V2G_Message/Header: a value isn't allowed here"),
        ("Header", {"children": ()}, "^V2G_Message/Header: it is incomplete"),
        ("Body", {"children": (built("Signature"),)}, "^V2G_Message/Body: an element Signature isn't allowed here"),
        (CHAIN, {"attributes": ((QName("", "Id"), "id1"),)}, "ContractSignatureCertChain: an attribute Id isn't"),
        (f"{CHAIN}/Certificate", {"value": bytes(801)}, f"^V2G_Message/{CHAIN}/Certificate: 801 octets, allowed are"),
        ("Body/CertificateInstallationRes/ResponseCode", {"value": "Fine"}, "/ResponseCode: one of OK, .* is wanted"),
        ("Body/CertificateInstallationRes/eMAID", {"value": "x" * 16}, "/eMAID: 16 characters, allowed are 14 to 15"),
        ("Body/CertificateInstallationRes/eMAID", {"attributes": ()}, "/eMAID: a value isn't allowed here"),
    ],
)
def test_what_isnt_a_message_isnt_written(path: str, change: dict[str, Any], fault: str) -> None:
    octets, schema, decode, encode = vector("iso2_cert_install_res")
    element = changed(decode(octets, schema), path, lambda found: replace(found, **change))

    with pytest.raises(ExiError, match=fault):
        encode(element, schema)


def test_an_attribute_is_written_once() -> None:
    octets, schema, decode, encode = vector("iso2_cert_install_res")
    twice = changed(
        decode(octets, schema), CHAIN, lambda found: replace(found, attributes=found.attributes + found.attributes)
    )

    with pytest.raises(ExiError, match="an attribute Id isn't allowed here"):
        encode(twice, schema)


def test_attributes_are_written_in_the_order_of_their_names() -> None:
    digest = reference().children
    name_first = Element(QName(DSIG, "Reference"), digest, None, ((QName("", "URI"), "#a"), (QName("", "Id"), "b")))
    id_first = replace(name_first, attributes=name_first.attributes[::-1])

    octets = encode_fragment(signed_info(name_first), Schema.XMLDSIG)
    assert octets == encode_fragment(signed_info(id_first), Schema.XMLDSIG)
    assert decode_fragment(octets, Schema.XMLDSIG) == signed_info(id_first)


@pytest.mark.parametrize("encode", [encode_document, encode_fragment])
@pytest.mark.parametrize("schema", Schema)
def test_a_root_that_is_no_message_isnt_written(encode: Encode, schema: Schema) -> None:
    with pytest.raises(ExiError, match=r"^KeyInfo isn't a message of certificate provisioning, nor a signed part"):
        encode(built("KeyInfo"), schema)
