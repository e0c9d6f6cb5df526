"""What is told of an image."""

from dataclasses import replace

from gateway.admin.firmware_shown import image_shown
from tests.linked_files import IMAGE, NOW


def test_an_image() -> None:
    image = replace(IMAGE, location="https://h/a?token=secret", signature="c2ln", signing_certificate="PEM")
    shown = image_shown(image)
    assert "secret" not in str(shown)
    assert (shown["id"], shown["state"], shown["location"]) == (1, "verified", "https://h/a?…")
    assert (shown["verified_at"], shown["signed_at"]) == (NOW.isoformat(), None)
    assert "signature" not in shown
    whole = image_shown(image, whole=True)
    assert (whole["signature"], whole["signing_certificate"]) == ("c2ln", "PEM")
