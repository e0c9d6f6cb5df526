import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.iso15118.exi import ExiError, Value
from pki.iso15118.exi.bits import BitReader, BitWriter
from pki.iso15118.exi.datatypes import (
    INTEGER_OCTETS_MAX,
    NBIT_VALUES_MAX,
    Binary,
    Datatype,
    Enumeration,
    Integer,
    Lengths,
    String,
)

SHORT = Integer(-32768, 32767)
UNSIGNED_LONG = Integer(0, 2**64 - 1)


def written(datatype: Datatype, value: Value | None) -> bytes:
    writer = BitWriter()
    datatype.write(writer, value)
    return writer.finish()


def read(datatype: Datatype, octets: str) -> Value:
    return datatype.read(BitReader(bytes.fromhex(octets)))


@pytest.mark.parametrize(
    ("datatype", "value", "octets"),
    [
        (String(), "", "02"),
        (String(), "id1", "05696431"),
        (String(), "é€😀", "05e901ac4180ec07"),
        (Binary(), b"", "00"),
        (Binary(), b"\x00\xff", "0200ff"),
        (Enumeration(("a", "b", "c")), "c", "80"),
        (Enumeration(("a",)), "a", ""),
        (Integer(0, 255), 200, "c8"),
        (Integer(-128, 127), -128, "00"),
        (Integer(1, NBIT_VALUES_MAX), NBIT_VALUES_MAX, "fff0"),
        (Integer(0, NBIT_VALUES_MAX), NBIT_VALUES_MAX, "8020"),
        (SHORT, 300, "560100"),
        (SHORT, -1, "8000"),
        (UNSIGNED_LONG, 128, "8001"),
        (Integer(), 1, "0080"),
    ],
    ids=repr,
)
def test_how_a_value_is_written(datatype: Datatype, value: Value, octets: str) -> None:
    assert written(datatype, value).hex() == octets
    assert read(datatype, octets) == value


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=40))
def test_text_comes_back(text: str) -> None:
    assert String().read(BitReader(written(String(), text))) == text


@given(st.sampled_from([SHORT, UNSIGNED_LONG, Integer(), Integer(0, 255), Integer(5, None)]), st.data())
def test_integers_come_back(datatype: Integer, data: st.DataObject) -> None:
    value = data.draw(st.integers(datatype.low, datatype.high))
    assert datatype.read(BitReader(written(datatype, value))) == value


@pytest.mark.parametrize(
    ("datatype", "value", "fault"),
    [
        (String(Lengths(14, 15)), "x" * 13, "13 characters, allowed are 14 to 15"),
        (String(Lengths(14, 15)), "x" * 16, "16 characters, allowed are 14 to 15"),
        (Binary(Lengths(8, 8)), b"1234567", "7 octets, allowed are 8 to 8"),
        (Binary(Lengths(1)), b"", "0 octets, allowed are 1 to any number"),
        (String(), "a\x00", "a character that XML doesn't have"),
        (String(), "\ud800", "a character that XML doesn't have"),
        (Integer(0, 255), 256, "an integer outside of 0 to 255"),
        (SHORT, -32769, "an integer outside of -32768 to 32767"),
        (Integer(), 1 << 7 * INTEGER_OCTETS_MAX, "an integer of more than 224 bits"),
        (Enumeration(("a", "b")), "c", "one of a, b is wanted"),
        (Enumeration(("a", "b")), None, "one of a, b is wanted"),
        (String(), b"x", "text is wanted, not bytes"),
        (Binary(), "x", "octets are wanted, not str"),
        (Binary(), None, "octets are wanted, not NoneType"),
        (SHORT, "1", "an integer is wanted, not str"),
        (SHORT, True, "an integer is wanted, not bool"),
    ],
    ids=repr,
)
def test_what_cant_be_written(datatype: Datatype, value: Value | None, fault: str) -> None:
    with pytest.raises(ExiError, match=fault):
        written(datatype, value)


@pytest.mark.parametrize(
    ("datatype", "octets", "fault"),
    [
        (String(), "00", "a hit in the string table"),
        (String(), "01", "a hit in the string table"),
        (String(Lengths(0, 3)), "06" + "61" * 4, "4 characters, allowed are 0 to 3"),
        (String(Lengths(3)), "04" + "61" * 2, "2 characters, allowed are 3 to any number"),
        (String(), "0300", "a character that XML doesn't have"),
        (String(), "0380b003", "a character that XML doesn't have"),
        (String(), "03808044", "a character that XML doesn't have"),
        (String(), "0461", "2 octets are announced, 1 are left"),
        (String(), "ffffff01", "an integer of more than 3 octets"),
        (Binary(), "ffff7f", "2097151 octets are announced, 0 are left"),
        (Binary(Lengths(0, 2)), "03616161", "3 octets, allowed are 0 to 2"),
        (Enumeration(("a", "b", "c")), "c0", "value 3 of an enumeration of 3"),
        (Integer(0, 100), "ca", "an integer outside of 0 to 100"),
        (SHORT, "40400100", "an integer outside of -32768 to 32767"),
        (Integer(), "7f" + "ff" * 33, "an integer of more than 32 octets"),
        (UNSIGNED_LONG, "808080808080808080" + "02", "an integer outside of 0 to 18446744073709551615"),
    ],
    ids=repr,
)
def test_what_isnt_read(datatype: Datatype, octets: str, fault: str) -> None:
    with pytest.raises(ExiError, match=fault):
        read(datatype, octets)


@pytest.mark.parametrize("datatype", [String(), Binary()], ids=repr)
def test_a_length_is_checked_before_anything_is_made_of_it(datatype: Datatype) -> None:
    octets = bytes.fromhex("ffff7f") + b"a" * 100
    tracemalloc.start()
    try:
        with pytest.raises(ExiError, match="announced, 100 are left"):
            datatype.read(BitReader(octets))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 20_000


@pytest.mark.parametrize(
    ("datatype", "empty"),
    [
        (String(), ""),
        (Binary(Lengths(0, 800)), b""),
        (String(Lengths(14, 15)), None),
        (Binary(Lengths(8, 8)), None),
        (Enumeration(("a",)), None),
        (SHORT, None),
    ],
    ids=repr,
)
def test_what_an_element_without_content_stands_for(datatype: Datatype, empty: Value | None) -> None:
    assert datatype.empty == empty
