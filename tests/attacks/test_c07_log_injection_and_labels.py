"""Attack C7: a peer's words that forge a log line, drive a terminal, or make one metric into thousands."""

import io
import json
import sys
from collections.abc import Iterator, Sequence

import pytest
import structlog

from gateway.admin.metrics import Levels, Metrics
from gateway.app.logs import configure
from gateway.cli.output import print_table
from gateway.services.security_events import SecurityEventLog
from gateway.session.security import EventRow, SecurityEvent
from gateway.session.tally import Tally

HOSTILE = '\r\n{"event":"forged"}\x1b]0;owned\x07\x1b[2J\u202e\x00[bold red]'


class Kept:
    """The store of events."""

    def __init__(self) -> None:
        self.rows: list[EventRow] = []

    async def add_many(self, rows: Sequence[EventRow]) -> None:
        self.rows += rows

    async def trim(self, keep: int) -> int:
        return 0


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the gateway logs, as it logs it."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure("info", "json")
    structlog.configure(cache_logger_on_first_use=False)
    yield stream
    structlog.reset_defaults()


async def test_an_event_is_one_line_that_parses(lines: io.StringIO) -> None:
    kept = Kept()
    log = SecurityEventLog(kept, Tally(), keep=1000)
    log.note(SecurityEvent(HOSTILE, HOSTILE, HOSTILE, HOSTILE, presented={HOSTILE: HOSTILE}))
    await log.record(SecurityEvent(f"2{HOSTILE}", HOSTILE, "CS1"))
    await log.flush()

    said = lines.getvalue().splitlines()
    assert len(said) >= 2
    assert all(json.loads(line)["event"] != "forged" for line in said)
    assert all(line.isprintable() for line in said)
    assert len(kept.rows) == 2
    for row in kept.rows:
        event = row.event
        assert all(text.isprintable() for text in (event.kind, event.detail, event.identity or ""))


async def test_a_thousand_kinds_and_stations_are_one_label(lines: io.StringIO) -> None:
    tally = Tally()
    log = SecurityEventLog(Kept(), tally, keep=1000)
    before = len(Metrics(tally, lambda: Levels(0, 0, 0, 0)).expose().splitlines())
    for number in range(1000):
        await log.record(SecurityEvent(f"Vendor{number}", "", f"CS{number}"))
    text = Metrics(tally, lambda: Levels(0, 0, 0, 0)).expose().decode()

    assert 'voltgate_security_events_total{source="station",type="other"} 1000.0' in text
    assert len(text.splitlines()) <= before + 2
    assert lines.getvalue()


def test_a_terminal_is_shown_words_and_obeys_none(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("detail",), [(HOSTILE,)])

    out = capsys.readouterr().out
    assert "[bold red]" in out
    assert all(line.isprintable() for line in out.splitlines())
