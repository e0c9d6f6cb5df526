"""API firmware."""

from collections.abc import AsyncIterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from gateway.session.firmware import (
    FirmwareConflict,
    FirmwareImage,
    FirmwareInvalid,
    FirmwareUnknown,
    ImageState,
    NewImage,
)
from pki.firmware import FirmwareRefused, Refusal
from tests.linked_files import IMAGE

NEW = {"manufacturer": "acme", "version": "1.0", "location": "https://h/a"}


class Catalogue:
    """One image; ``fails`` is raised instead of anything."""

    def __init__(self) -> None:
        self.image = IMAGE
        self.fails: Exception | None = None
        self.heard: list[Any] = []

    def _look(self, number: int) -> FirmwareImage:
        if self.fails is not None:
            raise self.fails
        if number != self.image.id:
            raise FirmwareUnknown(f"there is no firmware image {number}")
        return self.image

    async def register(self, new: NewImage, by: str, *, has_octets: bool) -> FirmwareImage:
        self.heard.append((new, by, has_octets))
        return self._look(1)

    async def receive(self, image_id: int, octets: AsyncIterable[bytes], by: str) -> FirmwareImage:
        self.heard.append(b"".join([each async for each in octets]))
        return self._look(image_id)

    def begin(self, image_id: int, by: str, location: str | None = None) -> None:
        self.heard.append(("begin", image_id, location))

    async def verify(self, image_id: int, by: str) -> FirmwareImage:
        return self._look(image_id)

    async def withdraw(self, image_id: int, reason: str, by: str) -> FirmwareImage:
        self.image = replace(self._look(image_id), state=ImageState.WITHDRAWN, reason=reason)
        return self.image

    async def remove(self, image_id: int) -> None:
        self._look(image_id)

    async def find(self, image_id: int) -> FirmwareImage | None:
        return self.image if image_id == self.image.id else None

    async def list(self, **wanted: Any) -> Sequence[FirmwareImage]:
        self.heard.append(wanted)
        return [self.image]


@pytest.fixture
def catalogue(office: Any) -> Catalogue:
    office.firmware = Catalogue()
    made: Catalogue = office.firmware
    return made


async def test_show_and_list(catalogue: Catalogue, client: Any) -> None:
    answer = await client.get("/api/v1/firmware?state=verified&manufacturer=acme&after=5&limit=1")
    body = await answer.json()
    assert (answer.status, body["images"][0]["id"], body["next"]) == (200, 1, 1)
    assert catalogue.heard == [{"state": ImageState.VERIFIED, "manufacturer": "acme", "after_id": 5, "limit": 1}]
    assert (await (await client.get("/api/v1/firmware")).json())["next"] is None
    answer = await client.get("/api/v1/firmware/1")
    assert (answer.status, (await answer.json())["signature"]) == (200, None)


async def test_add_what_is_fetched(catalogue: Catalogue, client: Any) -> None:
    wanted = {**NEW, "location": "https://u:p@h/a", "signed_at": "2026-03-01T12:00:00Z"}
    answer = await client.post("/api/v1/firmware", json=wanted)
    assert (answer.status, (await answer.json())["id"]) == (201, 1)
    (new, by, has_octets), begun = catalogue.heard
    assert (new.manufacturer, new.location, new.signed_at.year, by, has_octets) == (
        "acme",
        "https://u:p@h/a",
        2026,
        "API",
        False,
    )
    assert begun == ("begin", 1, "https://u:p@h/a"), "the catalogue doesn't keep the password"


async def test_add_what_is_uploaded(catalogue: Catalogue, client: Any) -> None:
    answer = await client.post("/api/v1/firmware", json={"manufacturer": "acme", "version": "1", "upload": True})
    assert answer.status == 201
    octets = b"x" * 300_000  # more than any other request may bring
    answer = await client.put("/api/v1/firmware/1/content", data=octets)
    assert (answer.status, catalogue.heard[1:]) == (200, [octets])


async def test_verify_withdraw_and_remove(catalogue: Catalogue, client: Any) -> None:
    assert (await client.post("/api/v1/firmware/1/verify")).status == 200
    answer = await client.post("/api/v1/firmware/1/withdraw", json={"reason": "it bricks the meter"})
    assert (await answer.json())["state"] == "withdrawn"
    assert (await client.delete("/api/v1/firmware/1")).status == 204


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", "", None),
        ("delete", "", None),
        ("post", "/verify", None),
        ("post", "/withdraw", {"reason": "x"}),
        ("put", "/content", None),
    ],
)
@pytest.mark.parametrize("number", ["2", "99999999999999999999", "9" * 5000])
async def test_what_is_not_there(client: Any, method: str, path: str, body: Any, number: str) -> None:
    answer = await getattr(client, method)(f"/api/v1/firmware/{number}{path}", json=body)
    assert (answer.status, (await answer.json())["error"]["code"]) == (404, "unknown_image")


@pytest.mark.parametrize(
    ("fails", "status", "code"),
    [
        (FirmwareConflict("busy"), 409, "refused"),
        (FirmwareInvalid("reason: say why"), 400, "invalid"),
        (FirmwareRefused(Refusal.NO_SPACE, "the disk is full"), 409, "no_space"),
    ],
)
async def test_refusals(catalogue: Catalogue, client: Any, fails: Exception, status: int, code: str) -> None:
    catalogue.fails = fails
    answer = await client.put("/api/v1/firmware/1/content", data=b"x")
    body = (await answer.json())["error"]
    assert (answer.status, body["code"], body["message"]) == (status, code, str(fails))


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {}),
        ("", {**NEW, "unknown": 1}),
        ("", {**NEW, "signed_at": "yesterday"}),
        ("", {**NEW, "signed_at": "2026-03-01T12:00:00"}),
        ("", {**NEW, "location": "h" * 2001}),
        ("/1/withdraw", {}),
        ("/1/withdraw", {"reason": "x" * 501}),
    ],
)
async def test_bodies_that_are_not_taken(client: Any, path: str, body: Any) -> None:
    answer = await client.post(f"/api/v1/firmware{path}", json=body)
    assert (answer.status, (await answer.json())["error"]["code"]) == (400, "invalid_request")


async def test_without_the_section(client: Any) -> None:
    for answer in (await client.get("/api/v1/firmware"), await client.post("/api/v1/firmware", json=NEW)):
        assert (answer.status, (await answer.json())["error"]["code"]) == (409, "not_configured")
