"""A command's security log."""

from gateway.app.noted import Noted
from gateway.session.security import EventRow, SecurityEvent


def test_events_are_kept_for_the_end() -> None:
    noted, event = Noted(), SecurityEvent("InvalidFirmwareSignature", "why")
    noted.note(event)
    assert noted.rows == [EventRow(event)]
