"""The comparison: equal to the Wh, or not."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gateway.demo.ledger import Comparison, Session, kwh

METER = Session("D0A1B2C3", 1_000, (1_250, 1_500), 1_507)


def test_the_same_on_both_sides_agrees() -> None:
    assert Comparison(METER, replace(METER)).agrees


@pytest.mark.parametrize(
    "booked",
    [
        replace(METER, stop=1_506),
        replace(METER, start=1_001, stop=1_508),
        replace(METER, samples=(1_250,)),
        replace(METER, samples=(1_250, 1_500, 1_500)),
        replace(METER, samples=(1_500, 1_250)),
        replace(METER, id_tag="d0a1b2c3"),
    ],
    ids=["1 Wh short", "shifted", "a value lost", "a value twice", "out of order", "another token"],
)
def test_any_difference_disagrees(booked: Session) -> None:
    assert not Comparison(booked, METER).agrees


def test_the_table_is_in_kwh_with_three_decimals() -> None:
    console = Console(width=100, record=True, quiet=False, file=None)
    with console.capture() as shown:
        console.print(Comparison(replace(METER, stop=1_500, samples=(1_250,)), METER).table())

    rows = [line.split("│")[1:-1] for line in shown.get().splitlines() if "│" in line]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["idTag", "D0A1B2C3", "D0A1B2C3", "="],
        ["register at start", "1.000", "1.000", "="],
        ["meter value 1", "1.250", "1.250", "="],
        ["meter value 2", "-", "1.500", "differs"],
        ["register at stop", "1.500", "1.507", "differs"],
        ["energy charged", "0.500", "0.507", "differs"],
    ]


@given(st.integers(-(10**12), 10**12))
def test_kwh_is_exact(register: int) -> None:
    whole, _, decimals = kwh(register).partition(".")

    assert len(decimals) == 3
    assert int(whole + decimals) == register


def test_a_session_is_read_from_an_account() -> None:
    account = {"id_tag": "T", "start": 1, "samples": [2, 3], "stop": 4}

    assert Session.read(account) == Session("T", 1, (2, 3), 4)
    assert Session.read(account).energy == 3


@pytest.mark.parametrize("hole", [{"stop": None}, {"start": None}, {"samples": [1, None]}])
def test_an_unfinished_session_is_none(hole: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not complete"):
        Session.read({"id_tag": "T", "start": 1, "samples": [], "stop": 4} | hole)
