"""Content models and the states that EXI 8.5.4 makes of them, in short: a>1 an element, @a>1 an attribute."""

from pathlib import Path

import pytest

from pki.iso15118.exi import QName
from pki.iso15118.exi.grammars import AnyElement, Attribute, Characters, End, Production, Start, Text, type_states
from pki.iso15118.exi.xsd import XsdError, read_schemas
from tests.pki.iso15118.exi.xsd_files import NAMESPACE, write_schema

X = "<xs:attribute name='x' type='xs:ID'/>"
Y = "<xs:attribute name='y' type='xs:ID'/>"


def short(production: Production) -> str:
    match production:
        case Attribute(name, then):
            return f"@{name.local}>{then}"
        case Start(name, _, then):
            return f"{name.local}>{then}"
        case Characters(type_name, then):
            return f"={type_name.local}>{then}"
        case AnyElement():
            return "*"
        case End():
            return "."
        case Text():
            return "#"


def states_of(folder: Path, content: str) -> list[str]:
    """Return the states of a complex type with ``content``; in it <a/> is an element a."""
    for local in "abcd":
        content = content.replace(f"<{local} ", f'<xs:element name="{local}" type="xs:string" ')
    head, _, rest = content.rpartition("|")
    body = f"""<xs:complexType name="T" {head}>{rest}</xs:complexType>
               <xs:element name="Head" type="xs:string"/>
               <xs:element name="Zebra" type="xs:string" substitutionGroup="Head"/>
               <xs:element name="Ant" type="xs:string" substitutionGroup="Head"/>"""
    type_ = read_schemas(folder, write_schema(folder, body)).complex_type(QName(NAMESPACE, "T"))
    assert type_ is not None
    return [" ".join(map(short, state)) for state in type_states(type_)]


@pytest.mark.parametrize(
    ("content", "states"),
    [
        ("", ["."]),
        ("<xs:sequence><a /><b /></xs:sequence>", ["a>1", "b>2", "."]),
        ("<xs:sequence><a /><b minOccurs='0'/><c /></xs:sequence>", ["a>1", "b>2 c>3", "c>3", "."]),
        ("<xs:sequence><a minOccurs='0'/><b minOccurs='0'/></xs:sequence>", ["a>1 b>2 .", "b>2 .", "."]),
        ("<xs:sequence><a maxOccurs='3'/></xs:sequence>", ["a>1", "a>2 .", "a>3 .", "."]),
        ("<xs:sequence><a minOccurs='2' maxOccurs='3'/></xs:sequence>", ["a>1", "a>2", "a>3 .", "."]),
        ("<xs:sequence><a maxOccurs='unbounded'/></xs:sequence>", ["a>1", "a>1 ."]),
        ("<xs:sequence><a minOccurs='0' maxOccurs='unbounded'/><b /></xs:sequence>", ["a>0 b>1", "."]),
        ("<xs:choice><b /><a /></xs:choice>", ["b>1 a>1", "."]),
        ("<xs:choice maxOccurs='unbounded'><b /><a /></xs:choice>", ["b>1 a>1", "b>1 a>1 ."]),
        ("<xs:sequence maxOccurs='unbounded'><a /><b minOccurs='0'/></xs:sequence>",
         ["a>1", "a>2 b>3 .", "a>2 b>3 .", "a>2 ."]),
        ("<xs:choice><xs:sequence><a /><b /></xs:sequence><xs:sequence><b /><c /></xs:sequence></xs:choice>",
         ["a>1 b>2", "b>3", "c>3", "."]),
        ("<xs:sequence><xs:sequence minOccurs='0'><a /><b /></xs:sequence><c /></xs:sequence>",
         ["a>1 c>2", "b>3", ".", "c>2"]),
        ("<xs:sequence><xs:any minOccurs='0'/></xs:sequence>", ["* .", "."]),
        ("<xs:choice minOccurs='0' maxOccurs='unbounded'><xs:any /><a /></xs:choice>", ["a>0 * ."]),
        ("mixed='true'|<xs:sequence><a /></xs:sequence>", ["a>1 #", ". #"]),
        ("<xs:sequence><xs:element ref='own:Head'/></xs:sequence>", ["Ant>1 Head>1 Zebra>1", "."]),
        ("<xs:sequence><a /></xs:sequence>" + X + Y.replace("/>", " use='required'/>"),
         ["@x>1 @y>2", "@y>2", "a>3", "."]),
        ("<xs:sequence><a /></xs:sequence>" + Y + X, ["@x>1 @y>2 a>3", "@y>2 a>3", "a>3", "."]),
        (f"<xs:simpleContent><xs:extension base='xs:string'>{X}</xs:extension></xs:simpleContent>",
         ["@x>1 =string>2", "=string>2", "."]),
    ],
)  # fmt: skip
def test_states(tmp_path: Path, content: str, states: list[str]) -> None:
    assert states_of(tmp_path, content) == states


@pytest.mark.parametrize(
    "content",
    [
        "<xs:sequence maxOccurs='2'><a minOccurs='0' maxOccurs='2'/></xs:sequence>",
        "<xs:sequence><a minOccurs='0'/><a /></xs:sequence>",
        "<xs:choice><a /><xs:sequence><a /><b /></xs:sequence></xs:choice>",
    ],
)
def test_a_model_that_isnt_deterministic_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(XsdError, match="one element leads to two places"):
        states_of(tmp_path, content)
