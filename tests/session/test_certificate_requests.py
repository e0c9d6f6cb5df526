"""The states of a request: which are open."""

from gateway.session.certificate_requests import OPEN, RequestState


def test_what_is_open() -> None:
    assert {state.value for state in OPEN} == {"waiting", "requested", "issued"}
    assert {state.value for state in set(RequestState) - OPEN} == {
        "delivered",
        "failed",
        "refused",
        "rejected",
        "replaced",
    }
