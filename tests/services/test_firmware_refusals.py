"""What a backend hears of an image that isn't taken."""

import re
from pathlib import Path

import pytest

from gateway.bridge.firmware_orders import FIRMWARE_STATUSES
from gateway.services.firmware_alarms import alarm_of
from gateway.services.firmware_refusals import answer_of, final_status, statuses
from pki.firmware import FirmwareRefused, Refusal

PAGE = Path(__file__).parents[2] / "docs/firmware.md"


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


def test_the_page_says_for_every_refusal_what_the_backend_hears_and_what_the_event_is() -> None:
    rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|([^|]*)\|[^|]*\|$", PAGE.read_text(), re.MULTILINE)
    told = {name: (set(re.findall(r"`(\w+)`", heard)), re.findall(r"`(\w+)`", event)) for name, heard, event in rows}
    for refusal in Refusal:
        heard, event = told.pop(refusal.value)
        assert heard == {each for each in (final_status(refusal), answer_of(refusal)) if each is not None}
        alarm = alarm_of(FirmwareRefused(refusal, "why"), "image 7")
        assert event == ([] if alarm is None else [alarm.kind])
    assert told == {}
