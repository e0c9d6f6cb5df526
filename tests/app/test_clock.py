"""The time is aware, and in UTC."""

from datetime import UTC

from gateway.app.clock import now


def test_it_is_aware_and_goes_on() -> None:
    first = now()
    assert first.tzinfo is UTC
    assert now() >= first
