"""What no one wrote down: elements that hypothesis makes of the grammars, and a hundred thousand mutations."""

import contextlib
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.iso15118.exi import Element, ExiError, QName, Schema, Value
from pki.iso15118.exi.codec import decode_document, decode_fragment, encode_document, encode_fragment
from pki.iso15118.exi.datatypes import Binary, Datatype, Enumeration, Integer, String
from pki.iso15118.exi.tables import Attribute, Characters, End, Refused, Start, tables_of
from tests.pki.iso15118.vector_files import MANIFEST, Decode, Encode, vector

MUTATIONS = 100_000
EACH = -(-MUTATIONS // len(MANIFEST))


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


@given(st.sampled_from([(schema, root) for schema in Schema for root in roots_of(schema)]), st.data())
def test_what_the_grammar_has_comes_back(
    root: tuple[Schema, tuple[Start, Decode, Encode]], data: st.DataObject
) -> None:
    schema, (start, decode, encode) = root
    element = data.draw(elements(start))

    assert decode(encode(element, schema), schema) == element


@given(st.sampled_from(Schema), st.sampled_from([decode_document, decode_fragment]), st.binary(max_size=300))
def test_octets_of_any_kind_are_read_or_refused(schema: Schema, decode: Decode, octets: bytes) -> None:
    with contextlib.suppress(ExiError):
        decode(b"\x80" + octets, schema)


def flip(octets: bytearray, dice: random.Random) -> None:
    """Flip a bit."""
    octets[dice.randrange(len(octets))] ^= 1 << dice.randrange(8)


def overwrite(octets: bytearray, dice: random.Random) -> None:
    """Overwrite a few octets with others, or with what makes lengths large."""
    start = dice.randrange(len(octets))
    length = dice.randint(1, 4)
    octets[start : start + length] = dice.choice([dice.randbytes(length), b"\xff" * length, bytes(length)])


def cut(octets: bytearray, dice: random.Random) -> None:
    """Take a few octets out."""
    start = dice.randrange(len(octets))
    del octets[start : start + dice.randint(1, 8)]


def insert(octets: bytearray, dice: random.Random) -> None:
    """Put a few octets in."""
    start = dice.randrange(len(octets))
    octets[start:start] = dice.randbytes(dice.randint(1, 8))


def truncate(octets: bytearray, dice: random.Random) -> None:
    """Leave the end away."""
    del octets[dice.randrange(1, len(octets)) :]


MUTATORS: list[Callable[[bytearray, random.Random], None]] = [flip, flip, overwrite, cut, insert, truncate]


def mutated(octets: bytes, dice: random.Random) -> bytes:
    """Return ``octets`` with one mistake, sometimes with three; the header stays, so that more is read."""
    changing = bytearray(octets[1:])
    for _ in range(dice.choice([1, 1, 1, 3])):
        if len(changing) > 1:
            dice.choice(MUTATORS)(changing, dice)
    return octets[:1] + bytes(changing)


@pytest.mark.no_cover  # it walks lines that others cover, and would take ten times as long
@pytest.mark.parametrize("name", MANIFEST)
def test_a_mutation_is_refused_or_is_another_document_in_its_one_spelling(name: str) -> None:
    octets, schema, decode, encode = vector(name)
    dice = random.Random()  # noqa: S311 - no secret
    dice.setstate(random.getstate())  # of the seed that the run prints
    for _ in range(EACH):
        mutation = mutated(octets, dice)
        try:
            element = decode(mutation, schema)
        except ExiError:
            continue
        except Exception as error:
            raise AssertionError(f"{type(error).__name__} from {mutation.hex()}") from error
        assert encode(element, schema) == mutation, mutation.hex()
