"""A location that a backend was told as published is an image; any other one is the catalogue's business."""

from typing import TYPE_CHECKING, Any, cast

import pytest

from gateway.services.firmware_published import PublishedFirst

if TYPE_CHECKING:
    from gateway.services.firmware_desk import Catalogue

OURS = "https://files.example.com/firmware/secret/fw.bin"


class Below:
    """Catalogue and links in one: says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def image_at(self, location: str) -> int | None:
        return 7 if location == OURS else None

    async def find(self, image_id: int) -> str:
        return f"image {image_id}"

    async def for_order(self, location: str, vendor: str | None, model: str | None) -> str:
        return f"{location} for {vendor}, {model}"

    async def expect(self, location: str, **more: Any) -> str:
        return f"{location} {sorted(more)}"

    async def check_signer(self, image_id: int) -> None:
        self.asked.append(f"check {image_id}")


@pytest.mark.parametrize(
    ("location", "found"), [(OURS, "image 7"), ("https://example.com/fw", "https://example.com/fw for ACME, A")]
)
async def test_a_link_of_ours_is_the_image_behind_it(location: str, found: str) -> None:
    below = cast("Any", Below())
    catalogue: Catalogue = PublishedFirst(below, below)
    assert cast("str", await catalogue.for_order(location, "ACME", "A")) == found


async def test_the_rest_is_the_catalogues() -> None:
    below = Below()
    catalogue = PublishedFirst(cast("Any", below), cast("Any", below))
    whose: dict[str, Any] = dict.fromkeys(("signature", "signing_certificate", "vendor", "model"), "x")

    expected = await catalogue.expect(OURS, **whose, by="legacy")
    await catalogue.check_signer(3)

    assert cast("str", expected) == f"{OURS} {sorted([*whose, 'by'])}"
    assert below.asked == ["check 3"]
