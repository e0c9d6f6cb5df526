"""Our EXI beside EXIficient's, which has its grammars from the schemas themselves: octet for octet, both ways."""

import xml.etree.ElementTree as ET
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings

from pki.iso15118.exi import Element, Schema
from pki.iso15118.exi.codec import decode_document
from pki.iso15118.exi.tables import Start, tables_of
from tests.interop.josev import Josev
from tests.pki.iso15118.element_xml import assert_same, xml_of
from tests.pki.iso15118.random_elements import elements, roots_of
from tests.pki.iso15118.vector_files import MANIFEST, VECTORS, Decode, Encode, vector

EXAMPLES: Final = 40
"""Of each document and fragment."""
ROOTS: Final = [(schema, *root) for schema in Schema for root in roots_of(schema)]

pytestmark = pytest.mark.timeout(300)  # the first test starts a JVM, which reads all schemas


def name_of(value: object) -> str | None:
    match value:
        case Schema():
            return value.name
        case Start():
            return value.name.local
    return "document" if value is decode_document else ""


@pytest.mark.parametrize(("schema", "start", "decode", "encode"), ROOTS, ids=name_of)
def test_what_one_writes_the_other_writes_and_reads(
    josev: Josev, schema: Schema, start: Start, decode: Decode, encode: Encode
) -> None:
    is_fragment = decode is not decode_document

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))  # a JVM is slow at first
    @given(elements(start))
    def compare(element: Element) -> None:
        octets = encode(element, schema)
        assert josev.exificient_encode(xml_of(element), schema, is_fragment=is_fragment).hex() == octets.hex()
        text = josev.exificient_decode(octets, schema, is_fragment=is_fragment)
        assert_same(element, ET.fromstring(text))  # noqa: S314 - EXIficient wrote it, of what we made
        assert "xsi:type" not in text

    compare()


@pytest.mark.parametrize("name", MANIFEST)
def test_the_vectors_are_what_it_writes(josev: Josev, name: str) -> None:
    """The XML of each, beside it, becomes the octets."""
    octets, schema, _, _ = vector(name)
    xml = (VECTORS / f"{name}.xml").read_text()
    written = josev.exificient_encode(xml, schema, is_fragment=MANIFEST[name]["fragment"])
    assert written.hex() == octets.hex()


@pytest.mark.parametrize("schema", Schema)
def test_every_message_and_part_is_compared(schema: Schema) -> None:
    tables = tables_of(schema)
    compared = {start.name for each, start, *_ in ROOTS if each is schema}
    assert compared == {*tables.document.by_name, *tables.fragment.by_name}
