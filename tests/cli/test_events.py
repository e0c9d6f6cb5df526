"""`voltgate events`."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.session.security import EventRow, SecurityEvent, Source

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def kept(stored: Callable[..., Any]) -> None:
    async def add(records: Any) -> None:
        await records.security_events.add_many(
            [
                EventRow(SecurityEvent("InvalidMessages", "a[b]c", "CS1", at=datetime(2026, 1, day, tzinfo=UTC)))
                for day in (1, 2)
            ]
            + [EventRow(SecurityEvent("TamperDetectionActivated", "door", "CS2", source=Source.STATION), count=7)]
        )

    stored(add)


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ((), [3, 2, 1]),
        (("CS1",), [2, 1]),
        (("--type", "TamperDetectionActivated"), [3]),
        (("CS1", "--since", "2026-01-02"), [2]),
        (("CS1", "--since", "2026-01-02T01:00:00+01:00"), [2]),
        (("CS1", "--since", "2026-01-02T00:00:01Z"), []),
        (("--limit", "1"), [3]),
    ],
)
def test_which_events(run: Run, options: tuple[str, ...], ids: list[int]) -> None:
    assert [each["id"] for each in json.loads(run("events", *options, "--json").stdout)] == ids


def test_the_table(run: Run) -> None:
    text = run("events").stdout
    assert "a[b]c" in text
    assert text.index("CS2") < text.index("CS1")


@pytest.mark.parametrize("options", [("--since", "yesterday"), ("--limit", "0"), ("--limit", str(2**63))])
def test_wrong_usage(run: Run, options: tuple[str, ...]) -> None:
    assert run("events", *options).exit_code == 2
