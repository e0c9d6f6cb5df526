"""Tables from small schemas of our own; and, where ISO's are at hand, that the committed tables are theirs."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pki.iso15118.exi import QName, Schema, generate
from pki.iso15118.exi.generate import SELECTIONS, Selection, main, prefix_of, simple_text, tables
from pki.iso15118.exi.tables import file_of
from pki.iso15118.exi.xsd import SimpleType, XsdError
from tests.pki.iso15118.exi.xsd_files import NAMESPACE, write_schema

SCHEMAS = os.environ.get("VOLTGATE_ISO15118_SCHEMAS")
"""The folder of ISO's schemas: CONTRIBUTING.md."""

BODY = """
<xs:element name="Root"><xs:complexType><xs:sequence>
  <xs:element ref="own:Head"/><xs:element name="Leaf" type="xs:short"/><xs:element name="Key" type="SignedKey"/>
</xs:sequence></xs:complexType></xs:element>
<xs:element name="Head" type="xs:string"/>
<xs:element name="Wanted" type="xs:string" substitutionGroup="Head"/>
<xs:element name="Other" type="xs:string" substitutionGroup="Head"/>
<xs:complexType name="SignedKey"><xs:simpleContent><xs:extension base="KeyType">
  <xs:attribute name="Id" type="xs:ID" use="required"/></xs:extension></xs:simpleContent></xs:complexType>
<xs:simpleType name="KeyType"><xs:restriction base="xs:string"><xs:length value="4"/></xs:restriction></xs:simpleType>
<xs:complexType name="Elsewhere"><xs:sequence><xs:element name="Key" type="KeyType"/></xs:sequence>
  <xs:attribute name="A" type="xs:ID"/></xs:complexType>
"""


def own(local: str) -> QName:
    return QName(NAMESPACE, local)


def selection(*, documents: tuple[str, ...] = (), fragments: tuple[str, ...] = ()) -> Selection:
    return Selection(
        Schema.ISO_2, "own.xsd", tuple(map(own, documents)), tuple(map(own, fragments)), substitutes=(own("Wanted"),)
    )


def made(folder: Path, body: str, chosen: Selection) -> dict[str, Any]:
    write_schema(folder, body)
    content: dict[str, Any] = json.loads(tables(folder, chosen))
    return content


def test_a_table_has_what_the_selection_reaches_and_counts_the_rest(tmp_path: Path) -> None:
    content = made(tmp_path, BODY, selection(documents=("Root",), fragments=("Leaf",)))

    assert content["namespaces"] == {"Own": NAMESPACE, "XMLSchema": "http://www.w3.org/2001/XMLSchema"}
    assert content["document"] == {"bits": 3, "elements": {"2": "Own:Root=Own:Root"}}  # Head Other Root Wanted and *
    assert content["fragment"] == {  # Head Key Leaf Other Root Wanted, *, the end
        "bits": 3,
        "end": 7,
        "elements": {"2": "Own:Leaf=XMLSchema:short"},
    }
    assert content["simple"] == {
        "Own:KeyType": "string 4 4",
        "XMLSchema:short": "integer -32768 32767",
        "XMLSchema:string": "string 0 *",
    }
    assert content["complex"] == {
        "Own:Root": ["-2 Own:Wanted=XMLSchema:string>1", "Own:Leaf=XMLSchema:short>2", "Own:Key=Own:SignedKey>3", "."],
        "Own:SignedKey": ["@Own:Id>1", "=Own:KeyType>2", "."],
    }


def test_a_signed_element_with_two_types_gets_the_relaxed_grammar(tmp_path: Path) -> None:
    content = made(tmp_path, BODY, selection(fragments=("Key",)))

    assert content["fragment"]["elements"] == {"1": "Own:Key=Own:Key~"}
    # Two attributes and any, six elements and any, the end, a value: 12 in the first state (EXI 8.5.3).
    assert content["complex"] == {"Own:Key~": ["-1 @Own:Id>1 -10", "-11 =Own:KeyType>2", "-7 . -1"]}


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('name="Leaf" type="xs:short"', 'name="Leaf" type="Elsewhere2"', "no type Elsewhere2"),
        ('type="xs:short"', 'type="xs:duration"', "the built-in type duration isn't understood"),
        ('<xs:length value="4"/>', '<xs:minInclusive value="4"/>', "the facets minInclusive of string aren't"),
        ('<xs:element name="Leaf" type="xs:short"/>', '<xs:element ref="own:Root"/>', "Own:Root contains itself"),
        ('name="Root"', 'name="KeyType"', "a type has the name of one without a name"),
    ],
)
def test_a_schema_that_isnt_understood_is_refused(tmp_path: Path, old: str, new: str, fault: str) -> None:
    assert old in BODY
    root = "KeyType" if "KeyType" in new else "Root"

    with pytest.raises(XsdError, match=fault):
        made(tmp_path, BODY.replace(old, new), selection(documents=(root,)))


def test_types_of_a_signed_element_that_differ_by_more_than_an_attribute_are_refused(tmp_path: Path) -> None:
    with pytest.raises(XsdError, match="Key: its types differ by more than an attribute"):
        made(tmp_path, BODY.replace('"Key" type="KeyType"', '"Key" type="xs:short"'), selection(fragments=("Key",)))


def test_two_namespaces_of_one_short_name_are_refused(tmp_path: Path) -> None:
    write_schema(tmp_path, '<xs:element name="E" type="xs:short"/>', name="b.xsd", namespace="urn:other:Own")
    body = """<xs:import namespace="urn:other:Own" schemaLocation="b.xsd"/>
              <xs:element name="Root"><xs:complexType><xs:sequence><xs:element xmlns:b="urn:other:Own" ref="b:E"/>
              </xs:sequence></xs:complexType></xs:element>"""

    with pytest.raises(XsdError, match="urn:other:Own: another namespace is called Own too"):
        made(tmp_path, body, selection(documents=("Root",)))


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (SimpleType("string", (("enumeration", "a"), ("enumeration", "b"))), "enumeration a b"),
        (SimpleType("anyURI"), "string 0 *"),
        (SimpleType("hexBinary", (("length", "8"),)), "binary 8 8"),
        (SimpleType("base64Binary", (("maxLength", "9"), ("maxLength", "5"))), "binary 0 5"),
        (SimpleType("unsignedByte", (("maxInclusive", "100"),)), "integer 0 100"),
        (SimpleType("unsignedLong"), "integer 0 18446744073709551615"),
    ],
)
def test_how_a_simple_type_is_written(type_: SimpleType, text: str) -> None:
    assert simple_text(type_) == text


@pytest.mark.parametrize(
    ("namespace", "prefix"),
    [
        ("urn:iso:15118:2:2013:MsgDef", "MsgDef"),
        ("http://www.w3.org/2000/09/xmldsig#", "xmldsig"),
        ("http://www.w3.org/2001/XMLSchema", "XMLSchema"),
    ],
)
def test_what_a_namespace_is_called(namespace: str, prefix: str) -> None:
    assert prefix_of(namespace) == prefix


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    assert main([]) == generate.__doc__
    assert main([str(tmp_path)]) == f"{tmp_path}: iso15118_2/V2G_CI_MsgDef.xsd: No such file or directory"


def test_the_command_writes_all_tables_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_schema(tmp_path, BODY)
    written = tmp_path / "written.json"
    monkeypatch.setattr(generate, "file_of", lambda schema: written)
    monkeypatch.setattr(generate, "SELECTIONS", (selection(documents=("Root",)),))
    assert main([str(tmp_path)]) is None
    assert json.loads(written.read_text())["complex"]

    written.unlink()
    monkeypatch.setattr(generate, "SELECTIONS", (selection(documents=("Root",)), SELECTIONS[0]))
    assert main([str(tmp_path)])
    assert not written.exists()


@pytest.mark.skipif(SCHEMAS is None, reason="VOLTGATE_ISO15118_SCHEMAS doesn't name the folder of ISO's schemas")
@pytest.mark.parametrize("chosen", SELECTIONS, ids=lambda chosen: chosen.schema.name)
def test_the_committed_tables_are_those_of_the_schemas(chosen: Selection) -> None:
    assert SCHEMAS is not None
    assert file_of(chosen.schema).read_text(encoding="utf-8") == tables(Path(SCHEMAS), chosen)
