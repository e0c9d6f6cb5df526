"""The log of a peer."""

from structlog.testing import capture_logs

from gateway.session.peer_log import PeerLog
from gateway.session.tally import Leg


def test_each_line_says_whom_it_is_about() -> None:
    said = PeerLog("CS1", Leg.BACKEND)
    with capture_logs() as lines:
        said.warning("too_many_calls")
        said.info("repeated_call", action="Heartbeat")
    about = {"identity": "CS1", "leg": "backend"}
    assert lines == [
        {"event": "too_many_calls", "log_level": "warning", **about},
        {"event": "repeated_call", "log_level": "info", "action": "Heartbeat", **about},
    ]


def test_an_error_in_hand_goes_with_it() -> None:
    with capture_logs() as lines:
        try:
            int("no number")
        except ValueError:
            PeerLog("CS1", Leg.STATION).exception("handler_failed")
    assert lines[0]["exc_info"] is True
