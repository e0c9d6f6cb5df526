"""Names of files, and the words for a log's fate: tables."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bridge.books import Json
from gateway.services.log_book import FILE_NAME_MAX, fate, file_name_of, name_for
from gateway.session.firmware import LogRecord, LogState
from gateway.wire.versions import Version

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def record(action: str = "GetLog", state: LogState = LogState.KEPT, name: str | None = None) -> LogRecord:
    return LogRecord(
        5, "CS/1", "csms", action, "SecurityLog", 7, 12, None, state, None, name, None, None, False, NOW, NOW
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a-b_1.tar.gz", "a-b_1.tar.gz"),
        ("/var/log/../../etc/passwd", "passwd"),
        ("C:\\logs\\a b.zip", "a_b.zip"),
        ("..", None),
        (".bashrc", "bashrc"),
        ("-rf", "rf"),
        ("a/", None),
        ("ä\n<b>.zip", "b_.zip"),
        ("", None),
        (None, None),
        ("x" * 300 + ".zip", "x" * (FILE_NAME_MAX - 4) + ".zip"),
    ],
)
def test_a_name_alone(text: str | None, name: str | None) -> None:
    assert file_name_of(text) == name


@given(st.text(max_size=200))
def test_no_name_leads_anywhere(text: str) -> None:
    name = file_name_of(text)
    assert name is None or (name.isascii() and not set(name) & set("/\\\0 \n") and name[0] not in ".-")


def test_a_log_without_a_name_gets_one() -> None:
    assert name_for(record(name="a.zip")) == "a.zip"
    assert name_for(record()) == "1-SecurityLog-5.log"


@pytest.mark.parametrize(
    ("version", "action", "state", "told"),
    [
        (Version.V16, "GetDiagnostics", LogState.KEPT, ("DiagnosticsStatusNotification", {"status": "Uploaded"})),
        (Version.V16, "GetDiagnostics", LogState.FAILED, ("DiagnosticsStatusNotification", {"status": "UploadFailed"})),
        (
            Version.V16,
            "GetLog",
            LogState.FAILED,
            ("LogStatusNotification", {"status": "UploadFailure", "requestId": 12}),
        ),
        (
            Version.V201,
            "GetDiagnostics",
            LogState.HANDED_OVER,
            ("LogStatusNotification", {"status": "Uploaded", "requestId": 12}),
        ),
    ],
)
def test_a_fate_in_the_stations_words(version: Version, action: str, state: LogState, told: tuple[str, Json]) -> None:
    assert fate(version, record(action, state)) == told
