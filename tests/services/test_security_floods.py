"""Floods: what is kept, what is only counted, and that every event is one or the other."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from gateway.services import security_floods
from gateway.services.security_floods import REPORTS_MAX, ROWS_MAX, SUPPRESSED, WINDOW, Floods
from gateway.session.security import Kind, SecurityEvent

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER: Final = NOON + timedelta(seconds=30)
EVENT: Final = SecurityEvent(Kind.FAILED_TO_AUTHENTICATE, "wrong password", "CS1", "10.1.2.3")


def test_the_first_is_kept_and_the_rest_are_a_number() -> None:
    floods = Floods(0.0)
    assert floods.take_noted(replace(EVENT, at=NOON), NOON)
    assert not floods.take_noted(EVENT, NOON)
    assert not floods.take_noted(replace(EVENT, detail="no password"), LATER)
    assert floods.turn(WINDOW - 0.1, LATER) == []
    (row,) = floods.turn(WINDOW, LATER)
    assert (row.event, row.count, row.last_at) == (replace(EVENT, at=NOON), 2, LATER)
    assert floods.take_noted(EVENT, LATER)
    assert floods.turn(2 * WINDOW, LATER) == []


def test_another_kind_identity_or_address_is_another_event() -> None:
    floods = Floods(0.0)
    others = [replace(EVENT, kind=Kind.DOWNGRADE), replace(EVENT, identity=None), replace(EVENT, remote="10.9.9.9")]
    assert all(floods.take_noted(event, NOON) for event in [EVENT, *others])


def test_without_an_address_the_detail_tells_them_apart() -> None:
    floods = Floods(0.0)
    sent = SecurityEvent(Kind.RECONFIGURATION, "a new password was sent", "CS1")
    assert floods.take_noted(sent, NOON)
    assert floods.take_noted(replace(sent, detail="the password was changed"), NOON)
    assert not floods.take_noted(sent, NOON)


def test_beyond_the_bound_only_their_number_is_kept() -> None:
    floods = Floods(0.0)
    taken = [floods.take_noted(replace(EVENT, remote=f"10.0.0.{each}"), NOON) for each in range(ROWS_MAX + 5)]
    assert taken == [True] * ROWS_MAX + [False] * 5
    (row,) = floods.turn(WINDOW, LATER)
    assert (row.event.kind, row.count, row.event.at) == (SUPPRESSED, 5, LATER)
    assert floods.take_noted(EVENT, LATER)


def test_one_stations_reports_are_bounded_and_no_others() -> None:
    floods = Floods(0.0)
    taken = [floods.take_reported("CS1") for _ in range(REPORTS_MAX + 2)]
    assert taken == [True] * REPORTS_MAX + [False] * 2
    assert floods.take_reported("CS2")
    (row,) = floods.turn(WINDOW, LATER)
    assert (row.event.kind, row.event.identity, row.count) == (SUPPRESSED, "CS1", 2)
    assert floods.take_reported("CS1")


def test_more_stations_than_are_counted_share_one_count() -> None:
    floods = Floods(0.0)
    for each in range(security_floods.STATIONS_MAX):
        assert floods.take_reported(f"CS{each}")
    taken = [floods.take_reported(f"LATE{each}") for each in range(REPORTS_MAX + 1)]
    assert taken == [True] * REPORTS_MAX + [False]
    (row,) = floods.counted(LATER)
    assert (row.event.identity, row.count) == (None, 1)


@given(st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from([None, "10.1.1.1", "10.2.2.2"]), st.integers(0, 50))))
def test_every_event_is_in_one_row(happened: list[tuple[str, str | None, int]]) -> None:
    floods, now, rows = Floods(0.0), 0.0, 0
    for identity, remote, passed in happened:
        now += passed
        rows += sum(row.count for row in floods.turn(now, NOON))
        rows += floods.take_noted(replace(EVENT, identity=identity, remote=remote), NOON)
    rows += sum(row.count for row in floods.counted(NOON))
    assert rows == len(happened)
