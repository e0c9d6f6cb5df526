"""What no one wrote down: elements that hypothesis makes of the grammars, and a hundred thousand mutations."""

import contextlib
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.iso15118.exi import ExiError, Schema
from pki.iso15118.exi.codec import decode_document, decode_fragment
from pki.iso15118.exi.tables import Start
from tests.pki.iso15118.random_elements import elements, roots_of
from tests.pki.iso15118.vector_files import MANIFEST, Decode, Encode, vector

MUTATIONS = 100_000
EACH = -(-MUTATIONS // len(MANIFEST))


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
