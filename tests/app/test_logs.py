"""Log lines: one event a line, whatever a peer's text holds (attack C7)."""

import io
import json
import sys
import warnings
from collections.abc import Iterator

import pytest
import structlog

from gateway.app.logs import WARNING_MAX, configure


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    shown = warnings.showwarning
    yield
    warnings.showwarning = shown
    structlog.reset_defaults()


def _line(monkeypatch: pytest.MonkeyPatch, form: str, text: str) -> str:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure("info", form)
    logger = structlog.get_logger("test")
    logger.debug("below the level")
    logger.warning("refused", reason=text)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["json", "console", "auto"])
def test_control_characters_are_escaped(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    line = _line(monkeypatch, form, "one\r\ntwo \x1b[31mred\x07")
    assert line.count("\n") == 1
    assert "\x1b" not in line
    assert "\x07" not in line
    assert "below" not in line


def test_json_off_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    event = json.loads(_line(monkeypatch, "auto", "plain"))
    assert (event["event"], event["reason"], event["level"]) == ("refused", "plain", "warning")
    assert "timestamp" in event


def test_a_traceback_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure("info", "json")
    structlog.get_logger("test").error("failed", exc_info=RuntimeError("a \x1b defect"))
    assert r"RuntimeError: a \x1b defect" in json.loads(stream.getvalue())["exception"]


@pytest.mark.filterwarnings("always")
def test_a_librarys_warning_is_an_event_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure("info", "json")
    # As a form of a station's makes aiohttp warn.
    warnings.warn(RuntimeWarning("filename*=\x9b31m\n" + "A" * 4_000), stacklevel=1)
    event = json.loads(stream.getvalue())
    assert (event["event"], event["of"]) == ("warned", "RuntimeWarning")
    assert event["text"].startswith(r"filename*=\x9b31m\nAAA")
    assert len(event["text"]) < WARNING_MAX + 10
