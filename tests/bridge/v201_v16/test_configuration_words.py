"""Values of configuration keys, both ways, as tables."""

import pytest

from gateway.bridge.v201_v16.configuration_words import (
    BOOLEAN,
    BY_DATA_TYPE,
    INTEGER,
    MEASURANDS,
    PLAIN,
    RATE_UNITS,
    WITH_REGISTER,
    NotSayable,
    Words,
    items,
    join,
)

REGISTER = "Energy.Active.Import.Register"


@pytest.mark.parametrize(
    ("words", "said", "expected"),
    [
        (PLAIN, "300", "300"),
        (BOOLEAN, "TRUE", "true"),
        (BOOLEAN, " False ", "false"),
        (INTEGER, "300", "300"),
        (INTEGER, " -1 ", "-1"),
        (BY_DATA_TYPE["integer"], "0", "0"),
        (BY_DATA_TYPE["boolean"], "True", "true"),
        (MEASURANDS, f"{REGISTER}, Voltage", f"{REGISTER},Voltage"),
        (MEASURANDS, "Voltage.L1,Voltage.L2", "Voltage"),
        (MEASURANDS, "", ""),
        (WITH_REGISTER, "SoC", f"{REGISTER},SoC"),
        (WITH_REGISTER, f"SoC,{REGISTER}", f"{REGISTER},SoC"),
        (WITH_REGISTER, "", REGISTER),
    ],
)
def test_towards_the_station(words: Words, said: str, expected: str) -> None:
    assert words.to_station(said) == expected


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (BOOLEAN, "yes"),
        (BOOLEAN, ""),
        (INTEGER, ""),
        (INTEGER, "1.0"),
        (INTEGER, "1e3"),
        (INTEGER, "0x10"),
        (INTEGER, "1_000"),
        (INTEGER, "\N{ARABIC-INDIC DIGIT THREE}"),
        (INTEGER, "9" * 19),
        (INTEGER, "1 2"),
        (MEASURANDS, "Temperature"),
        (MEASURANDS, "Voltage,RPM"),
        (MEASURANDS, "Nonsense.L1"),
        (MEASURANDS, "L1"),
        (WITH_REGISTER, "Temperature"),
    ],
)
def test_what_can_not_be_said_to_the_station(words: Words, said: str) -> None:
    with pytest.raises(NotSayable):
        words.to_station(said)


@pytest.mark.parametrize(
    ("words", "said", "expected"),
    [
        (PLAIN, "300", "300"),
        (BOOLEAN, "true", "true"),
        (MEASURANDS, f"{REGISTER},Energy.Apparent.Net,Voltage", f"{REGISTER},Voltage"),
        (WITH_REGISTER, REGISTER, REGISTER),
        (RATE_UNITS, "A,W", "Current,Power"),
        (RATE_UNITS, "W", "Power"),
        (RATE_UNITS, "A,furlong", "Current"),
    ],
)
def test_towards_the_backend(words: Words, said: str, expected: str) -> None:
    assert words.to_backend(said) == expected


def test_lists() -> None:
    assert items(" a ,b,, c") == ["a", "b", "c"]
    assert join(["b", "a", "b"]) == "b,a"
