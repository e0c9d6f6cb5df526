"""Elements that hypothesis makes of the grammars."""

from hypothesis import strategies as st

from pki.iso15118.exi import Element, QName, Schema, Value
from pki.iso15118.exi.codec import decode_document, decode_fragment, encode_document, encode_fragment
from pki.iso15118.exi.datatypes import Binary, Datatype, Enumeration, Integer, String
from pki.iso15118.exi.tables import Attribute, Characters, End, Refused, Start, tables_of
from tests.pki.iso15118.vector_files import Decode, Encode


def values(datatype: Datatype) -> st.SearchStrategy[Value]:
    """Return a strategy for the values of a simple type."""
    match datatype:
        case String(lengths):
            characters = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
            return st.text(characters, min_size=lengths.least, max_size=min(lengths.most or 30, 30))
        case Binary(lengths):
            return st.binary(min_size=lengths.least, max_size=lengths.most or 80)
        case Enumeration(names):
            return st.sampled_from(names)
        case Integer(low, high):
            return st.integers(-(2**160) if low is None else low, 2**160 if high is None else high)
    raise AssertionError(datatype)


@st.composite
def elements(draw: st.DrawFn, start: Start) -> Element:
    """Walk the grammar of an element at random; what may go on for ever ends after a few steps."""
    children: list[Element] = []
    attributes: list[tuple[QName, str]] = []
    value = None
    state = start.states[0]
    while True:
        open_ways = [each for each in state.productions if not isinstance(each, Refused)]
        if state.end and len(children) > 2:
            break
        production = draw(st.sampled_from(open_ways))
        match production:
            case Start():
                children.append(draw(elements(production)))
            case Attribute(_, name):
                attributes.append((name, draw(st.text("aA#1:", max_size=5))))
            case Characters():
                value = draw(values(production.type))
            case End():
                break
        state = start.states[production.then]
    return Element(start.name, tuple(children), value, tuple(attributes))


def roots_of(schema: Schema) -> list[tuple[Start, Decode, Encode]]:
    tables = tables_of(schema)
    return [
        *((start, decode_document, encode_document) for start in tables.document.by_code.values()),
        *((start, decode_fragment, encode_fragment) for start in tables.fragment.by_code.values()),
    ]
