"""What can be a contract, and how a batch says that it is refused."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.session.contracts import (
    PROBLEMS_SHOWN,
    BatchRefused,
    ContractInvalid,
    NewContract,
    check_period,
)
from pki.iso15118.identifiers import Emaid, Pcid

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("start", "end"), [(None, None), (NOON, None), (None, NOON), (NOON, NOON + SECOND), (NOON - SECOND, NOON)]
)
def test_a_period_may_be_open_at_either_end(start: datetime | None, end: datetime | None) -> None:
    check_period(start, end)


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        (NOON, NOON, "would never be valid: from 2026-03-01T12:00:00"),
        (NOON + SECOND, NOON, "would never be valid"),
        (NOON.replace(tzinfo=None), None, "need a zone"),
        (None, NOON.replace(tzinfo=None), "need a zone"),
    ],
)
def test_what_is_no_period(start: datetime | None, end: datetime | None, text: str) -> None:
    with pytest.raises(ContractInvalid, match=text):
        check_period(start, end)
    with pytest.raises(ContractInvalid, match=text):
        NewContract(Pcid.parse("W" * 17), Emaid.parse("DE8EXC12345678"), start, end)


def test_a_refused_batch_names_its_first_problems() -> None:
    assert str(BatchRefused([(2, "a"), (3, "b")])) == "nothing was registered: line 2: a; line 3: b"
    many = BatchRefused([(number, "x") for number in range(PROBLEMS_SHOWN + 5)])
    assert str(many).endswith("line 19: x; and 5 more")
    assert len(many.problems) == PROBLEMS_SHOWN + 5
