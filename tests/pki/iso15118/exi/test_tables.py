import json

import pytest

from pki.iso15118.exi import QName, Schema
from pki.iso15118.exi.datatypes import Binary, Datatype, Enumeration, Integer, Lengths, String
from pki.iso15118.exi.tables import (
    ANY_ELEMENT,
    MIXED,
    UNREACHED,
    Characters,
    End,
    Start,
    State,
    file_of,
    read_tables,
    simple_type,
    tables_of,
)

CONTENT = {
    "namespaces": {"Own": "urn:test:Own"},
    "document": {"bits": 2, "elements": {"1": "Own:Root=Own:RootType"}},
    "fragment": {"bits": 3, "end": 5, "elements": {"0": "Own:Leaf=Own:LeafType"}},
    "simple": {"Own:LeafType": "string 1 *"},
    "complex": {"Own:RootType": ["@Id>1 -2 Own:Leaf=Own:LeafType>1 *", "-1 =Own:LeafType>2 . #", "."]},
}
LEAF, ROOT, ID = QName("urn:test:Own", "Leaf"), QName("urn:test:Own", "Root"), QName("", "Id")


def test_how_a_table_is_read() -> None:
    tables = read_tables(CONTENT)
    root = tables.document.by_code[1]
    first, second, last = root.states

    assert (tables.document.bits, tables.document.end, tables.document.by_name) == (2, None, {ROOT: root})
    assert (tables.fragment.bits, tables.fragment.end, list(tables.fragment.by_name)) == (3, 5, [LEAF])
    assert [first.bits, second.bits, last.bits] == [3, 3, 1]
    assert first.productions[1:3] == (UNREACHED, UNREACHED)
    assert first.productions[4] == ANY_ELEMENT
    assert (first.attributes[ID].code, first.attributes[ID].then) == (0, 1)
    assert (first.elements[LEAF].code, first.elements[LEAF].then) == (3, 1)
    assert (first.characters, first.end) == (None, None)
    assert second.productions == (UNREACHED, Characters(1, String(Lengths(1)), 2), End(2), MIXED)
    assert (second.characters, second.end) == (second.productions[1], End(2))


def test_a_simple_elements_value_is_followed_by_its_end() -> None:
    value, end = read_tables(CONTENT).fragment.by_name[LEAF].states

    assert value.productions == (Characters(0, String(Lengths(1)), 1),)
    assert end.productions == (End(0),)


@pytest.mark.parametrize(
    ("text", "datatype"),
    [
        ("string 0 *", String()),
        ("string 14 15", String(Lengths(14, 15))),
        ("binary 0 800", Binary(Lengths(0, 800))),
        ("enumeration OK FAILED", Enumeration(("OK", "FAILED"))),
        ("integer * *", Integer()),
        ("integer -32768 32767", Integer(-32768, 32767)),
    ],
)
def test_how_a_simple_type_is_read(text: str, datatype: Datatype) -> None:
    assert simple_type(text) == datatype


def test_another_word_is_no_simple_type() -> None:
    with pytest.raises(ValueError, match="duration 1 2: no datatype of the tables"):
        simple_type("duration 1 2")


@pytest.mark.parametrize("schema", Schema)
def test_every_type_of_a_table_is_reached_and_none_contains_itself(schema: Schema) -> None:
    tables = tables_of(schema)
    seen: set[int] = set()

    def depth(states: tuple[State, ...]) -> int:
        seen.add(id(states))
        starts = [each for state in states for each in state.productions if isinstance(each, Start)]
        return 1 + max((depth(start.states) for start in starts), default=0)

    roots = [*tables.document.by_code.values(), *tables.fragment.by_code.values()]
    content = json.loads(file_of(schema).read_bytes())
    assert max(depth(root.states) for root in roots) <= 10
    assert len(seen) >= len(content["complex"])
    assert tables_of(schema) is tables


@pytest.mark.parametrize(
    ("schema", "document", "fragment"),
    [
        (Schema.ISO_2, {76: "V2G_Message"}, {45: "DHpublickey", 236: "eMAID"}),
        (Schema.ISO_20, {}, {128: "OEMProvisioningCertificateChain"}),
        (Schema.XMLDSIG, {}, {}),
    ],
)
def test_the_codes_that_others_found_too(schema: Schema, document: dict[int, str], fragment: dict[int, str]) -> None:
    tables = tables_of(schema)

    assert {code: tables.document.by_code[code].name.local for code in document} == document
    assert {code: tables.fragment.by_code[code].name.local for code in fragment} == fragment
