"""Every message of either version has a row, and every row a message. World sees that handlers keep to theirs."""

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.bridge.actions_16 import OF_A_CENTRAL_SYSTEM, OF_A_CHARGE_POINT
from gateway.bridge.actions_201 import OF_A_CSMS
from gateway.bridge.v201_v16 import dialect, message_table
from gateway.bridge.v201_v16.message_table import Row
from gateway.wire.schemas import operations
from gateway.wire.versions import Version

BOTH_WAYS = frozenset({"DataTransfer"})
TESTS = Path(__file__).parent


def test_every_message_of_2_0_1_has_a_row() -> None:
    sent_by_a_station = message_table.FROM_STATION.keys()
    assert operations(Version.V201).keys() == sent_by_a_station | OF_A_CSMS
    assert not sent_by_a_station & OF_A_CSMS


def test_every_message_of_1_6_has_a_row() -> None:
    sent_by_a_backend = message_table.FROM_BACKEND.keys()
    assert operations(Version.V16).keys() == sent_by_a_backend | OF_A_CHARGE_POINT
    assert sent_by_a_backend == OF_A_CENTRAL_SYSTEM | BOTH_WAYS


def test_every_row_has_its_handler_and_every_handler_its_row() -> None:
    handled = dialect.FROM_STATION.keys() | dialect.NOT_FOR_THE_BRIDGE
    assert handled == message_table.FROM_STATION.keys()
    assert dialect.FROM_BACKEND.keys() == message_table.FROM_BACKEND.keys()


@pytest.mark.parametrize(
    ("rows", "other", "own"),
    [
        (message_table.FROM_STATION, OF_A_CHARGE_POINT | BOTH_WAYS, OF_A_CSMS | BOTH_WAYS),
        (message_table.FROM_BACKEND, OF_A_CSMS | BOTH_WAYS, OF_A_CHARGE_POINT | BOTH_WAYS),
    ],
    ids=["from the station", "from the backend"],
)
def test_what_a_message_becomes_goes_the_right_way(
    rows: Mapping[str, Row], other: frozenset[str], own: frozenset[str]
) -> None:
    assert {name for row in rows.values() for name in row.becomes} <= other
    assert {name for row in rows.values() for name in row.asks} <= own


def test_every_message_that_crosses_is_the_subject_of_a_test() -> None:
    """A row without a dialogue in this folder would be a promise that nobody has tried."""
    words = {
        node.value
        for file in TESTS.glob("test_*.py")
        if file != Path(__file__)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    rows = message_table.FROM_STATION.keys() | message_table.FROM_BACKEND.keys()
    # These are driven by a helper of World, not by their name.
    driven = {"NotifyReport", "StatusNotification", "TransactionEvent"} | dialect.NOT_FOR_THE_BRIDGE
    assert rows - words - driven == set()
