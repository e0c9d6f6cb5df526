"""Timestamps: what comes in as RFC 3339 goes out as RFC 3339 in UTC."""

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.bridge import timestamps
from gateway.bridge.timestamps import backend_utc, in_order, spell, utc
from gateway.wire.errors import CallError, ErrorCode


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("2026-05-01T08:00:00Z", "2026-05-01T08:00:00Z"),
        ("2026-05-01t08:00:00z", "2026-05-01T08:00:00Z"),
        ("2026-05-01 08:00:00Z", "2026-05-01T08:00:00Z"),
        ("2026-05-01T10:00:00+02:00", "2026-05-01T08:00:00Z"),
        ("2026-04-30T22:30:00-09:30", "2026-05-01T08:00:00Z"),
        ("2026-05-01T08:00:00.5Z", "2026-05-01T08:00:00.500Z"),
        ("2026-05-01T08:00:00.123Z", "2026-05-01T08:00:00.123Z"),
        ("2026-05-01T08:00:00.999999999Z", "2026-05-01T08:00:00.999Z"),
        ("2026-05-01T08:00:00.000Z", "2026-05-01T08:00:00.000Z"),
        (f"2026-05-01T08:00:00.{'0' * 43}Z", "2026-05-01T08:00:00.000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
    ],
)
def test_a_timestamp_is_the_same_moment_in_utc(given_text: str, expected: str) -> None:
    assert utc(given_text, "timestamp") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-05-01",
        "2026-05-01T08:00:00",
        "2026-05-01T08:00Z",
        "2026-13-01T08:00:00Z",
        "2026-02-30T08:00:00Z",
        "2026-05-01T25:00:00Z",
        "2026-05-01T08:00:61Z",
        "2026-05-01T08:00:00.Z",
        "2026-05-01T08:00:00+0200",
        "2026-05-01T08:00:00+24:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:60Z",
        "٢٠٢٦-05-01T08:00:00Z",
        "2026-05-01T08:00:00Z\n",
        f"2026-05-01T08:00:00.{'0' * 44}Z",
    ],
)
def test_what_is_no_timestamp_is_refused_by_name(text: str) -> None:
    with pytest.raises(CallError, match=r"meterValue\.timestamp is not") as refused:
        utc(text, "meterValue.timestamp")

    assert refused.value.code is ErrorCode.FORMAT_VIOLATION


@given(
    st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2999, 1, 1)),  # noqa: DTZ001 - the zone is drawn apart
    st.integers(-23 * 60, 23 * 60),
)
def test_any_moment_survives_to_the_millisecond(naive: datetime, offset: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=offset)))

    written = utc(moment.isoformat(), "timestamp")

    assert timedelta(0) <= moment - datetime.fromisoformat(written) < timedelta(milliseconds=1)
    assert utc(written, "timestamp") == written


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("2026-05-01T08:00:00Z", "2026-05-01T08:00:00Z"),
        ("2026-05-01T08:00:00", "2026-05-01T08:00:00Z"),
        ("2026-05-01T10:00:00.25+02:00", "2026-05-01T08:00:00.250Z"),
        ("yesterday", None),
        ("0001-01-01T00:00:00+01:00", None),
    ],
)
def test_a_backend_may_leave_out_the_zone(given_text: str, expected: str | None) -> None:
    assert backend_utc(given_text) == expected


def test_the_clock_is_written_the_same_way() -> None:
    assert spell(datetime(2026, 5, 1, 10, tzinfo=timezone(timedelta(hours=2)))) == "2026-05-01T08:00:00Z"
    assert spell(datetime(2026, 5, 1, 8, 0, 0, 1500, tzinfo=UTC)) == "2026-05-01T08:00:00.001Z"


def test_whole_seconds_sort_before_their_fractions() -> None:
    times = ["2026-05-01T08:00:00.500Z", "2026-05-01T08:00:00Z", "2026-05-01T08:00:01Z"]

    assert sorted(times, key=in_order) == [times[1], times[0], times[2]]


_DIGITS = st.integers(0, 99).map("{:02}".format)
_NEARLY_USUAL = st.builds(
    "{}-{}-{}T{}:{}:{}{}Z".format,
    st.one_of(st.integers(0, 9999).map("{:04}".format), st.sampled_from(["0000", "2000", "2023", "2024", "2100"])),
    *[st.one_of(_DIGITS, st.integers(0, most).map("{:02}".format)) for most in (13, 32, 24, 60, 61)],
    st.sampled_from(["", ".000", ".5", ".250", ".1234", ",250", "."]),
)


@given(st.one_of(_NEARLY_USUAL, st.from_regex(timestamps._USUAL, fullmatch=True)))
@example("2024-02-29T08:00:00Z")
@example("2023-02-29T08:00:00Z")
@example("2026-04-31T08:00:00Z")
@example("2026-01-31T23:59:59.999Z")
def test_the_usual_spelling_is_read_as_any_other_is(text: str) -> None:
    # The general way takes an offset; the usual spelling hasn't one.
    in_general = timestamps._in_utc(text.replace("Z", "+00:00"))
    as_it_is, backends = None, backend_utc(text)
    with contextlib.suppress(CallError):
        as_it_is = utc(text, "timestamp")

    assert as_it_is == in_general
    if timestamps._USUAL.fullmatch(text):
        assert as_it_is == text
        assert backends == backend_utc(text.replace("Z", "+00:00"))
