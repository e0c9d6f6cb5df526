"""Times and payloads come back from either database as they were."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from gateway.store.columns import UtcTime, bounded_text, from_json_text, json_text, utc_now

SQLITE = sqlite.dialect()
NOON = datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def test_a_time_is_kept_in_utc() -> None:
    summer = timezone(timedelta(hours=2))
    assert UtcTime().process_bind_param(NOON.astimezone(summer), SQLITE) == NOON
    assert UtcTime().process_bind_param(NOON.astimezone(summer), SQLITE).tzinfo is UTC  # type: ignore[union-attr]  # not None, as the line above shows


@pytest.mark.parametrize("stored", [NOON.replace(tzinfo=None), NOON, NOON.astimezone(timezone(timedelta(hours=-5)))])
def test_a_stored_time_comes_back_aware(stored: datetime) -> None:
    read = UtcTime().process_result_value(stored, SQLITE)
    assert read == NOON
    assert read is not None
    assert read.tzinfo is UTC


def test_no_time_stays_none() -> None:
    assert UtcTime().process_bind_param(None, SQLITE) is None
    assert UtcTime().process_result_value(None, SQLITE) is None


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="must be aware"):
        UtcTime().process_bind_param(NOON.replace(tzinfo=None), SQLITE)


def test_postgresql_keeps_the_zone() -> None:
    assert UtcTime().compile(postgresql.dialect()) == "TIMESTAMP WITH TIME ZONE"  # type: ignore[no-untyped-call]  # SQLAlchemy leaves dialect() untyped


def test_now_is_aware() -> None:
    assert utc_now().tzinfo is UTC


@given(st.dictionaries(st.text(), values))
def test_a_payload_comes_back_with_the_same_members_in_the_same_order(payload: dict[str, object]) -> None:
    text = json_text(payload)
    assert json.dumps(from_json_text(text)) == json.dumps(payload)
    assert json_text(from_json_text(text)) == text


def test_nul_is_kept_escaped_so_that_postgresql_can_hold_it() -> None:
    assert json_text({"a": "\0"}) == r'{"a":"\u0000"}'


@pytest.mark.parametrize(
    ("text", "kept"),
    [("", ""), ("abc", "abc"), ("abcd", "abc"), ("a\0b", "a\ufffdb"), ("a\ud800b", "a?b"), ("éüß!", "éüß")],
)
def test_a_peers_text_is_cut_and_made_fit_for_either_database(text: str, kept: str) -> None:
    assert bounded_text(text, 3) == kept


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=20))
def test_a_peers_text_always_fits(text: str) -> None:
    kept = bounded_text(text, 10)
    assert len(kept) == min(len(text), 10)
    assert "\0" not in kept
    assert kept.encode().decode() == bounded_text(kept, 10) == kept
