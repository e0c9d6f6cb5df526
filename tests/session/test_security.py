"""The kinds of security events fit the field that OCPP has for them."""

from gateway.session.security import KIND_MAX, Kind, SecurityEvent, Source

KINDS = [value for name, value in vars(Kind).items() if name.isupper()]


def test_every_kind_fits_and_has_one_name() -> None:
    assert KINDS
    assert all(0 < len(kind) <= KIND_MAX for kind in KINDS)
    assert len(set(KINDS)) == len(KINDS)


def test_an_event_is_the_gateways_and_of_now_unless_said_otherwise() -> None:
    event = SecurityEvent(Kind.DOWNGRADE, "why")
    assert (event.source, event.at, event.identity) == (Source.GATEWAY, None, None)
