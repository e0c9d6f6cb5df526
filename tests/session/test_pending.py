"""What is kept of an identity that isn't registered is compared by value, and can't be changed."""

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime

import pytest

from gateway.session.pending import PendingStation

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEEN = PendingStation("CS9", NOON, NOON, 1, "192.0.2.1", 2, None, None, None, None)


def test_it_is_a_value() -> None:
    assert replace(SEEN) == SEEN
    assert replace(SEEN, times=2) != SEEN
    with pytest.raises(FrozenInstanceError):
        SEEN.times = 2  # type: ignore[misc]  # that is what is tried
