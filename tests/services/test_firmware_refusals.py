"""What a backend hears of an image that isn't taken."""

import pytest

from gateway.bridge.firmware_orders import FIRMWARE_STATUSES
from gateway.services.firmware_refusals import answer_of, final_status, statuses
from pki.firmware import Refusal


@pytest.mark.parametrize("refusal", list(Refusal))
def test_each_refusal_ends_as_a_station_would_end(refusal: Refusal) -> None:
    told = statuses(final_status(refusal))

    assert told in {("DownloadFailed",), ("Downloading", "Downloaded", "InvalidSignature")}
    assert set(told) <= FIRMWARE_STATUSES.keys()


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (Refusal.FETCH_FAILED, "DownloadFailed"),
        (Refusal.SOURCE_NOT_ALLOWED, "DownloadFailed"),
        (Refusal.SIGNATURE_INVALID, "InvalidSignature"),
        (Refusal.CHANGED, "InvalidSignature"),
        (Refusal.CERTIFICATE_EXPIRED, "InvalidSignature"),
    ],
)
def test_what_was_not_loaded_is_told_apart_from_what_is_not_good(refusal: Refusal, status: str) -> None:
    assert final_status(refusal) == status


@pytest.mark.parametrize(
    ("refusal", "answer"),
    [
        (Refusal.CERTIFICATE_REVOKED, "RevokedCertificate"),
        (Refusal.CERTIFICATE_EXPIRED, "InvalidCertificate"),
        (Refusal.CERTIFICATE_UNTRUSTED, "InvalidCertificate"),
        (Refusal.SIGNATURE_INVALID, None),
        (Refusal.SOURCE_NOT_ALLOWED, None),
    ],
)
def test_a_bad_signing_certificate_is_told_at_once(refusal: Refusal, answer: str | None) -> None:
    assert answer_of(refusal) == answer
