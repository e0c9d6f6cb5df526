"""Which refusals the security team hears of."""

import pytest

from gateway.services.firmware_alarms import alarm_of
from gateway.session.security import Kind
from pki.firmware import FirmwareRefused, Refusal

KINDS = {
    Refusal.NO_SIGNATURE: Kind.UNVERIFIED_FIRMWARE,
    Refusal.SIGNATURE_MALFORMED: Kind.INVALID_FIRMWARE_SIGNATURE,
    Refusal.SIGNATURE_INVALID: Kind.INVALID_FIRMWARE_SIGNATURE,
    Refusal.ALGORITHM: Kind.INVALID_FIRMWARE_SIGNATURE,
    Refusal.CHANGED: Kind.INVALID_FIRMWARE_SIGNATURE,
    Refusal.CERTIFICATE_MALFORMED: Kind.INVALID_FIRMWARE_CERTIFICATE,
    Refusal.CERTIFICATE_UNTRUSTED: Kind.INVALID_FIRMWARE_CERTIFICATE,
    Refusal.CERTIFICATE_PROFILE: Kind.INVALID_FIRMWARE_CERTIFICATE,
    Refusal.CERTIFICATE_EXPIRED: Kind.INVALID_FIRMWARE_CERTIFICATE,
    Refusal.CERTIFICATE_NOT_YET_VALID: Kind.INVALID_FIRMWARE_CERTIFICATE,
    Refusal.CERTIFICATE_REVOKED: Kind.INVALID_FIRMWARE_CERTIFICATE,
    Refusal.MANUFACTURER_UNKNOWN: Kind.UNVERIFIED_FIRMWARE,
    Refusal.WRONG_STATION: Kind.UNVERIFIED_FIRMWARE,
    Refusal.WITHDRAWN: Kind.UNVERIFIED_FIRMWARE,
    Refusal.SOURCE_NOT_ALLOWED: Kind.UNSAFE_LOCATION,
    Refusal.REVOCATION_UNKNOWN: None,
    Refusal.FETCH_FAILED: None,
    Refusal.TOO_LARGE: None,
    Refusal.NO_SPACE: None,
}


@pytest.mark.parametrize("refusal", Refusal)
def test_each_refusal(refusal: Refusal) -> None:
    event = alarm_of(FirmwareRefused(refusal, "why"), "image 7", "CS1")
    assert (None if event is None else (event.kind, event.detail, event.identity)) == (
        None if KINDS[refusal] is None else (KINDS[refusal], "image 7: why", "CS1")
    )
