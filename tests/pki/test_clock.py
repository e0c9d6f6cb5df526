"""The clock of pki."""

from datetime import UTC, datetime, timedelta

from pki.clock import utc_now


def test_it_is_in_utc() -> None:
    now = utc_now()
    assert now.tzinfo is UTC
    assert datetime.now(UTC) - now < timedelta(minutes=1)
