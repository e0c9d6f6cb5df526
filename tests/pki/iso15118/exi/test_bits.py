import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.iso15118.exi import ExiError
from pki.iso15118.exi.bits import FLUSH_BITS, BitReader, BitWriter

WIDTHS = st.integers(0, 40)
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("bits"), WIDTHS.flatmap(lambda width: st.tuples(st.integers(0, 2**width - 1), st.just(width)))
        ),
        st.tuples(st.just("unsigned"), st.integers(0, 2**160)),
        st.tuples(st.just("octets"), st.binary(max_size=2 * FLUSH_BITS // 8)),
    ),
    max_size=20,
)


@given(STEPS)
def test_what_is_written_is_read_at_whatever_bit_it_begins(steps: list[tuple[str, object]]) -> None:
    writer = BitWriter()
    for kind, value in steps:
        match kind, value:
            case "bits", (int(number), int(width)):
                writer.bits(number, width)
            case "unsigned", int(number):
                writer.unsigned(number)
            case "octets", bytes(octets):
                writer.octets(octets)
    reader = BitReader(writer.finish())

    for kind, value in steps:
        match kind, value:
            case "bits", (int(number), int(width)):
                assert reader.bits(width) == number
            case "unsigned", int(number):
                assert reader.unsigned(24) == number
            case "octets", bytes(octets):
                assert reader.peek(len(octets)) == octets
                reader.skip(len(octets))
    reader.finish()


@pytest.mark.parametrize(
    ("value", "octets"), [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (2**14, "808001")], ids=str
)
def test_an_unsigned_integer_is_groups_of_seven_bits_the_least_first(value: int, octets: str) -> None:
    writer = BitWriter()
    writer.unsigned(value)

    assert writer.finish().hex() == octets
    assert BitReader(bytes.fromhex(octets)).unsigned(3) == value


def test_an_unsigned_integer_of_too_many_groups_is_refused() -> None:
    assert BitReader(b"\xff\xff\x7f").unsigned(3) == 2**21 - 1
    with pytest.raises(ExiError, match="an integer of more than 2 octets"):
        BitReader(b"\xff\xff\x7f").unsigned(2)


def test_nothing_is_read_past_the_end() -> None:
    reader = BitReader(b"\xff")
    reader.bits(5)

    with pytest.raises(ExiError, match="it ends too early"):
        reader.bits(4)
    with pytest.raises(ExiError, match="1 octets are announced, 0 are left"):
        reader.peek(1)
    assert reader.bits(3) == 0b111


@pytest.mark.parametrize(("octets", "read"), [(b"", 0), (b"\x80", 1), (b"\xff", 8), (b"\x00", 1)])
def test_the_last_octet_is_filled_with_zeros(octets: bytes, read: int) -> None:
    reader = BitReader(octets)
    reader.bits(read)
    reader.finish()
    with pytest.raises(ExiError, match="too early"):
        reader.bits(8)


@pytest.mark.parametrize(("octets", "read"), [(b"\x81", 1), (b"\x80\x00", 1), (b"\x00", 0)])
def test_what_follows_the_end_is_refused(octets: bytes, read: int) -> None:
    reader = BitReader(octets)
    reader.bits(read)

    with pytest.raises(ExiError, match="something follows the end"):
        reader.finish()
