"""eMAID and PCID: every way to write one is read as the same, and a slip of the pen shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.iso15118.identifiers import Emaid, Pcid, check_digit_of, without_emaids

DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

stems = st.from_regex(r"[A-Z]{2}[A-Z0-9]{12}", fullmatch=True)
emaids = st.builds(
    lambda stem, digit: stem + digit, stems, st.one_of(st.just(""), st.sampled_from(DIGITS + LETTERS))
).map(Emaid.of_peer)
pcids = st.from_regex(r"[A-Z0-9]{17,18}", fullmatch=True)


# The examples of eMI3's paper, as the validators of several eMSPs have them in their tests.
@pytest.mark.parametrize(
    ("stem", "digit"),
    [
        ("NN123ABCDEFGHI", "T"),
        ("FRXYZ123456789", "2"),
        ("ITA1B2C3E4F5G6", "4"),
        ("ESZU8WOX834H1D", "R"),
        ("PT73902837ABCZ", "Z"),
        ("DE83DUIEN83QGZ", "D"),
        ("DE83DUIEN83ZGQ", "M"),
        ("DE8AA001234567", "0"),
        ("NLTNM000122045", "U"),
        ("NLTNMC00122045", "K"),
    ],
)
def test_the_check_digit(stem: str, digit: str) -> None:
    assert check_digit_of(stem) == digit
    assert Emaid.parse(stem + digit).check_digit == digit


@pytest.mark.parametrize(
    "text", ["DE8EXC12345678O", "DE-8EX-C12345678-O", "de-8ex-c12345678-o", "DE8EX-C12345678-O", "De8ExC12345678o"]
)
def test_every_way_to_write_it_is_the_same(text: str) -> None:
    emaid = Emaid.parse(text)

    assert emaid == Emaid("DE", "8EX", "C12345678", "O")
    assert (emaid.wire, str(emaid)) == ("DE8EXC12345678O", "DE-8EX-C12345678-O")
    assert (emaid.stem, emaid.emsp) == ("DE8EXC12345678", "DE8EX")


def test_a_contract_is_the_same_with_and_without_its_check_digit() -> None:
    bare, whole = Emaid.parse("DE-8EX-C12345678"), Emaid.parse("DE-8EX-C12345678-O")

    assert (bare.wire, bare.key) == ("DE8EXC12345678", whole.key)
    assert str(bare) == "DE-8EX-C12345678"


def test_a_slip_is_refused_with_the_digit_that_fits() -> None:
    with pytest.raises(ValueError, match="DE-8EX-C12345678-A must be O: one of its characters is wrong"):
        Emaid.parse("DE8EXC12345678A")


def test_a_peers_fifteenth_character_is_taken_as_it_is_and_tells_contracts_apart() -> None:
    first, second = Emaid.of_peer("DE8EXC12345678A"), Emaid.of_peer("de8exc12345678b")

    assert (first.wire, first.key) == ("DE8EXC12345678A", "DE8EXC12345678A")
    assert second.key != first.key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "DE8EXC1234567",  # one short
        "DE8EXC12345678OO",  # one long
        "D18EXC12345678",  # a country has letters
        "DE8EX*C12345678",
        "DE--8EXC12345678",
        "-DE8EXC12345678",
        "DE8EXC12345678-",
        "DE8EXC12345678O\n",
        " DE8EXC12345678O",
        "D\u212a8EXC12345678",  # the Kelvin sign is a K without regard to case
        "DE8EXC1234567\u0663",
    ],
)
def test_what_is_no_emaid(text: str) -> None:
    with pytest.raises(ValueError, match="isn't an eMAID"):
        Emaid.of_peer(text)
    with pytest.raises(ValueError, match="isn't an eMAID"):
        Emaid.parse(text)


def test_a_refusal_repeats_only_the_beginning_of_what_it_got() -> None:
    for read in (Emaid.parse, Pcid.parse):
        with pytest.raises(ValueError, match="isn't a") as refused:
            read("x" * 100_000)
        assert len(str(refused.value)) < 300


@given(emaids)
def test_both_forms_are_read_back(emaid: Emaid) -> None:
    assert Emaid.of_peer(emaid.wire) == Emaid.of_peer(str(emaid)) == Emaid.of_peer(str(emaid).lower()) == emaid
    assert Emaid.of_peer(emaid.key).key == emaid.key


@given(st.text())
def test_what_is_read_is_in_capitals_without_hyphens(text: str) -> None:
    try:
        emaid = Emaid.of_peer(text)
    except ValueError:
        return
    assert emaid.wire == text.replace("-", "").upper()


@given(stems, st.integers(2, 13), st.sampled_from(DIGITS + LETTERS))
def test_one_wrong_character_is_found(stem: str, place: int, other: str) -> None:
    slipped = stem[:place] + other + stem[place + 1 :]

    assert (check_digit_of(slipped) == check_digit_of(stem)) == (slipped == stem)


@given(stems, st.integers(2, 12))
def test_two_neighbours_swapped_are_found(stem: str, place: int) -> None:
    slipped = stem[:place] + stem[place + 1] + stem[place] + stem[place + 2 :]

    assert (check_digit_of(slipped) == check_digit_of(stem)) == (slipped == stem)


@given(pcids)
def test_a_pcid_is_read_in_any_case(text: str) -> None:
    pcid = Pcid.parse(text.lower())

    assert (pcid.text, str(pcid), pcid.wmi) == (text, text, text[:3])


@pytest.mark.parametrize(
    "text", ["", "W" * 16, "W" * 19, "WVW-ZZZ1KZAW00012", "WVWZZZ1KZAW000123\n", "WVWZZZ1KZAW00012\u212a"]
)
def test_what_is_no_pcid(text: str) -> None:
    with pytest.raises(ValueError, match="isn't a PCID"):
        Pcid.parse(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("'DC=MO,CN=DE8EXC12345678O' has expired", "'DC=MO,CN=DE8EX...' has expired"),
        ("'CN=de-8ex-c12345678-o,DC=MO' and 'CN=DE8EXC12345678+O=X'", "'CN=de8ex...,DC=MO' and 'CN=DE8EX...+O=X'"),
        ("'CN=Example MO Sub-CA 2,O=ExampleOperator'", "'CN=Example MO Sub-CA 2,O=ExampleOperator'"),
        ("'CN=WVWZZZ1KZAW000123' no authentication", "'CN=WVWZZZ1KZAW000123' no authentication"),
    ],
)
def test_a_text_about_certificates_names_no_contract(text: str, told: str) -> None:
    assert without_emaids(text) == told
