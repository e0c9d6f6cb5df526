import hashlib
from pathlib import Path

import pytest

from pki.iso15118.exi import QName
from pki.iso15118.exi.xsd import (
    UNBOUNDED,
    XS,
    ComplexType,
    ElementParticle,
    Group,
    SimpleType,
    Wildcard,
    XsdError,
    read_file,
    read_schemas,
)
from tests.pki.iso15118.exi.xsd_files import NAMESPACE, write_schema

DOCTYPE = """<?xml version="1.0"?>
<!DOCTYPE schema PUBLIC "-//X//DTD" "http://example.com/x.dtd" [ <!ENTITY p 'x'> <!ENTITY % q ''> ]>"""


def own(local: str) -> QName:
    return QName(NAMESPACE, local)


def test_elements_types_and_attributes_are_found_wherever_they_are_declared(tmp_path: Path) -> None:
    name = write_schema(
        tmp_path,
        """<xs:element name="Root"><xs:complexType><xs:sequence>
             <xs:element name="Leaf" type="LeafType"/><xs:element name="Number" type="xs:short"/>
           </xs:sequence><xs:attribute name="Id" type="xs:ID"/></xs:complexType></xs:element>
           <xs:simpleType name="LeafType"><xs:restriction base="xs:string"/></xs:simpleType>
           <xs:complexType name="Unused"><xs:sequence><xs:element name="Leaf" type="xs:string"/></xs:sequence>
             <xs:attribute name="Plain" type="xs:string" form="unqualified"/></xs:complexType>""",
    )
    schemas = read_schemas(tmp_path, name)

    assert list(schemas.globals) == [own("Root")]
    assert schemas.declared == {
        own("Root"): {own("Root")},
        own("Leaf"): {own("LeafType"), QName(XS, "string")},
        own("Number"): {QName(XS, "short")},
    }
    assert schemas.attributes == {own("Id"), QName("", "Plain")}
    assert [(file.name, file.sha256) for file in schemas.files] == [
        ("own.xsd", hashlib.sha256((tmp_path / "own.xsd").read_bytes()).hexdigest())
    ]


def test_an_extension_has_its_bases_parts_first(tmp_path: Path) -> None:
    name = write_schema(
        tmp_path,
        """<xs:complexType name="Base"><xs:sequence><xs:element name="A" type="xs:short"/></xs:sequence>
             <xs:attribute name="Z" type="xs:ID" use="required"/></xs:complexType>
           <xs:complexType name="Derived"><xs:complexContent><xs:extension base="own:Base">
             <xs:sequence><xs:any minOccurs="0" maxOccurs="unbounded"/></xs:sequence>
             <xs:attribute name="A" type="xs:ID"/></xs:extension></xs:complexContent></xs:complexType>
           <xs:complexType name="Valued" mixed="true"><xs:simpleContent><xs:extension base="xs:string">
             <xs:attribute name="A" type="xs:ID"/></xs:extension></xs:simpleContent></xs:complexType>""",
    )
    schemas = read_schemas(tmp_path, name)

    match schemas.complex_type(own("Derived")):
        case ComplexType(attributes, Group(False, (Group(False, (Group(False, (ElementParticle(a, 1, 1),)),)), last))):
            assert attributes == ((own("Z"), True), (own("A"), False))
            assert a == ((own("A"), QName(XS, "short")),)
            assert isinstance(last, Group)
            assert [(type(item), item.least, item.most) for item in last.items] == [(Wildcard, 0, UNBOUNDED)]
        case other:
            pytest.fail(repr(other))
    assert schemas.complex_type(own("Valued")) == ComplexType(((own("A"), False),), None, QName(XS, "string"), True)
    assert schemas.complex_type(QName(XS, "string")) is None


def test_a_simple_type_has_the_facets_of_all_its_bases(tmp_path: Path) -> None:
    name = write_schema(
        tmp_path,
        """<xs:simpleType name="Base"><xs:restriction base="xs:string"><xs:maxLength value="9"/></xs:restriction>
           </xs:simpleType>
           <xs:simpleType name="Derived"><xs:restriction base="Base"><xs:minLength value="2"/></xs:restriction>
           </xs:simpleType>""",
    )

    derived = read_schemas(tmp_path, name).simple_type(own("Derived"))
    assert derived == SimpleType("string", (("maxLength", "9"), ("minLength", "2")))


@pytest.mark.parametrize("where", ["folder/other.xsd", "other.xsd"], ids=["beside the importer", "at the top"])
def test_an_import_is_followed_once(tmp_path: Path, where: str) -> None:
    write_schema(tmp_path, '<xs:element name="B" type="xs:string"/>', name=where, namespace="urn:test:Other")
    name = write_schema(
        tmp_path,
        """<xs:import namespace="urn:test:Other" schemaLocation="other.xsd"/>
           <xs:import namespace="urn:test:Other" schemaLocation="other.xsd"/>
           <xs:complexType name="T"><xs:sequence><xs:element ref="other:B"/></xs:sequence></xs:complexType>""",
        name="folder/own.xsd",
    )
    schemas = read_schemas(tmp_path, name)

    assert sorted(file.name for file in schemas.files) == sorted(["folder/own.xsd", where])
    assert list(schemas.globals) == [QName("urn:test:Other", "B")]


def test_a_document_type_declaration_is_cut_out(tmp_path: Path) -> None:
    name = write_schema(tmp_path, '<xs:element name="A" type="xs:string"/>', head=DOCTYPE)

    assert read_file(tmp_path, name).namespace == NAMESPACE


@pytest.mark.parametrize(
    ("body", "head", "fault"),
    [
        ("&p;", DOCTYPE, "undefined entity"),
        ("", DOCTYPE + DOCTYPE.partition("\n")[2], "a document type declaration that can't be cut out"),
        ("", "<!DOCTYPE x [<!ENTITY a ']>'>]>", "unclosed token"),
        ("<xs:element", "", "not well-formed"),
        ("<xs:group/>", "", "not understood: .*group"),
        ("<xs:element xmlns:own='urn:test:Elsewhere'/>", "", "the prefix own stands for two namespaces"),
        ("<xs:simpleType name='T'><xs:list/></xs:simpleType>", "", "not understood: .*list"),
        ("<xs:element name='A' type='no:T'/>", "", "no:T: no such prefix"),
        ("<xs:import namespace='urn:x' schemaLocation='gone.xsd'/>", "", "gone.xsd: No such file"),
    ],
)  # fmt: skip
def test_what_isnt_understood_is_refused(tmp_path: Path, body: str, head: str, fault: str) -> None:
    name = write_schema(tmp_path, body, head=head)

    with pytest.raises(XsdError, match=fault):
        read_schemas(tmp_path, name)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("<xs:complexContent><xs:restriction base='own:T'/></xs:complexContent>", "only an extension is understood"),
        ("<xs:complexContent><xs:extension base='own:Gone'/></xs:complexContent>", "no type Gone"),
        ("<xs:sequence><xs:any namespace='urn:x'/></xs:sequence>", "a wildcard of named namespaces isn't understood"),
    ],
)
def test_a_type_that_isnt_understood_is_refused(tmp_path: Path, body: str, fault: str) -> None:
    schemas = read_schemas(tmp_path, write_schema(tmp_path, f"<xs:complexType name='T'>{body}</xs:complexType>"))

    with pytest.raises(XsdError, match=fault):
        schemas.complex_type(own("T"))


def test_unqualified_elements_arent_understood(tmp_path: Path) -> None:
    (tmp_path / "own.xsd").write_text('<schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:x"/>')

    with pytest.raises(XsdError, match="unqualified elements"):
        read_file(tmp_path, "own.xsd")
