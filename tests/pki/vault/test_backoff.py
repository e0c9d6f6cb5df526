"""The pauses after failures."""

from pki.vault.backoff import FIRST, LAST, Backoff


def test_each_failure_doubles_the_pause_up_to_the_longest() -> None:
    backoff, now, pauses = Backoff(), 100.0, []
    for _ in range(8):
        assert not backoff.waits(now)
        backoff.failed(now, "no")
        pauses.append(backoff.waits(now))
        now += pauses[-1]

    assert pauses == [FIRST, 2.0, 4.0, 8.0, 16.0, 32.0, LAST, LAST]
    assert backoff.reason == "no"


def test_failures_within_a_pause_are_one() -> None:
    backoff = Backoff()
    for moment in (0.0, 0.1, 0.5):
        backoff.failed(moment)

    assert backoff.waits(0.5) == FIRST - 0.5


def test_a_success_forgets_them() -> None:
    backoff = Backoff()
    backoff.failed(0.0)
    backoff.failed(1.0)
    backoff.succeeded()
    assert not backoff.waits(1.0)

    backoff.failed(1.0)
    assert backoff.waits(1.0) == FIRST
