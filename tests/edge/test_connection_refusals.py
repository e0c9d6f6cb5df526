"""What becomes of connections that never got to the door, as a table."""

import pytest
from structlog.testing import capture_logs

from gateway.edge.connection_refusals import ConnectionRefusals
from gateway.edge.failures import FailureLimits, Failures
from gateway.session.security import Kind, SecurityEvent
from gateway.session.tally import Tally
from gateway.transport import Refused, Stage

REMOTE = ("192.0.2.7", 4711)


class Log:
    def __init__(self) -> None:
        self.noted: list[SecurityEvent] = []

    def note(self, event: SecurityEvent) -> None:
        self.noted.append(event)


@pytest.mark.parametrize(
    ("stage", "code", "kind", "counts"),
    [
        (Stage.TLS, "UNSUPPORTED_PROTOCOL", Kind.INVALID_TLS_VERSION, True),
        (Stage.TLS, "NO_SHARED_CIPHER", Kind.INVALID_TLS_CIPHER_SUITE, True),
        (Stage.TLS, "CERTIFICATE_VERIFY_FAILED", Kind.INVALID_CERTIFICATE, True),
        (Stage.TLS, "HTTP_REQUEST", None, True),
        (Stage.TLS, "TIMEOUT", None, False),
        (Stage.TLS, "EOF", None, True),
        (Stage.HEAD, "EOF", None, True),
        (Stage.HEAD, "TIMEOUT", None, True),
        (Stage.ADMISSION, "EOF", None, False),
        (Stage.ADMISSION, "TIMEOUT", None, False),
        (Stage.ADMISSION, "HTTP_400", None, True),
        (Stage.TLS, "NO_CONTEXT", None, False),
        (Stage.HEAD, "HTTP_400", None, True),
        (Stage.HEAD, "UNSUPPORTED_PROTOCOL", None, True),
        (Stage.TLS, "COSTLY_KEY_SHARE", Kind.INVALID_TLS_CIPHER_SUITE, True),
        (Stage.CONNECTION, "PROXY_HEADER", None, False),
        (Stage.CONNECTION, "TIMEOUT", None, False),
        (Stage.CONNECTION, "TOO_MANY", Kind.RATE_LIMITED, False),
    ],
)
def test_each_is_counted_and_some_are_events(stage: Stage, code: str, kind: str | None, counts: bool) -> None:
    tally, log, failures = Tally(), Log(), Failures(FailureLimits(1, 1, 1))
    ConnectionRefusals(tally, failures, log).refused(Refused(REMOTE, stage, "why it was", code))

    assert tally.refused_entries == {f"{stage.value}_{code}".lower(): 1}
    assert [(event.kind, event.remote, event.detail) for event in log.noted] == (
        [(kind, "192.0.2.7", "why it was")] if kind is not None else []
    )
    assert (failures.screen("192.0.2.7") is not None) is counts


def test_a_probe_is_nothing() -> None:
    tally, log = Tally(), Log()
    with capture_logs() as lines:
        ConnectionRefusals(tally, Failures(FailureLimits(1, 1, 1)), log).refused(
            Refused(REMOTE, Stage.CONNECTION, "closed by the peer without a byte", "EMPTY")
        )
    assert (tally.refused_entries, log.noted) == ({}, [])
    assert [line["log_level"] for line in lines] == ["debug"]


def test_who_is_turned_away_fills_no_log() -> None:
    with capture_logs() as lines:
        ConnectionRefusals(Tally(), Failures(FailureLimits(1, 1, 1)), Log()).refused(
            Refused(REMOTE, Stage.CONNECTION, "too many", "TOO_MANY")
        )
    assert [line["log_level"] for line in lines] == ["debug"]
