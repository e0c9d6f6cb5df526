"""Kinds: bounded labels, and the names of 1.6 in those of 2.0.1."""

import pytest

from gateway.bridge.security_event_names import FROM_16
from gateway.services.security_event_names import OTHER, STANDARD, label
from gateway.session.security import KIND_MAX, Kind


@pytest.mark.parametrize("kind", sorted(STANDARD))
def test_what_the_standard_names_is_its_own_label(kind: str) -> None:
    assert label(kind) == kind


@pytest.mark.parametrize("kind", [Kind.DOWNGRADE, Kind.UPGRADE_FAILED, Kind.RATE_LIMITED, Kind.FOREIGN_REQUEST])
def test_what_the_gateway_raises_too(kind: str) -> None:
    assert label(kind) == kind


@pytest.mark.parametrize("kind", ["", "VendorEvent", "InvalidMessages ", "invalidmessages", "Kind", "__doc__"])
def test_everything_else_is_other(kind: str) -> None:
    assert label(kind) == OTHER


def test_the_names_of_16_become_names_of_the_standard() -> None:
    assert set(FROM_16.values()) <= STANDARD
    assert not set(FROM_16) & STANDARD
    assert max(map(len, STANDARD | set(FROM_16))) <= KIND_MAX
