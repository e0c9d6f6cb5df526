"""Links as URLs."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.app.file_urls import NAME_MAX, FileUrls
from gateway.session.file_links import Links
from gateway.store.database import Database
from gateway.store.file_links import FileLinks
from tests.linked_files import IMAGE, NOW, keep

BASE = "https://files.example.com:8444"
SECRET = r"[\w-]{43}"


@pytest.fixture
async def urls(tmp_path: Path) -> AsyncIterator[Links]:
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path / 'voltgate.db'}", exclusive=False)
    await keep(database)
    yield FileUrls(FileLinks(database, timedelta(days=7), lambda: NOW), f"{BASE}/")
    await database.close()


@pytest.mark.parametrize(
    ("location", "name"),
    [
        (None, "acme-2.0"),
        ("https://vendor.example/fw/box-2.0.swu?key=1", "box-2.0.swu"),
        ("https://vendor.example/fw/", "acme-2.0"),
        ("https://vendor.example/a b\N{SNOWMAN}%2e.bin", "a-b-2e.bin"),
        ("https://vendor.example/..", "firmware"),
        ("https://[vendor/box.bin", "acme-2.0"),
        (f"ftp://vendor.example/{'x' * 500}.bin", f"{'x' * (NAME_MAX - 4)}.bin"),
    ],
)
async def test_an_image_keeps_the_name_that_it_had(urls: Links, location: str | None, name: str) -> None:
    image = replace(IMAGE, location=location)
    for url in (await urls.download("CS1", image, 1), await urls.publish(image)):
        assert re.fullmatch(rf"{re.escape(BASE)}/firmware/{SECRET}/{re.escape(name)}", url)


async def test_a_log_has_a_folder_of_its_own(urls: Links) -> None:
    assert re.fullmatch(rf"{re.escape(BASE)}/logs/{SECRET}/", await urls.upload("CS1", 1))


async def test_our_own_links_are_recognised_while_they_are_good(urls: Links) -> None:
    ordered, published = await urls.download("CS1", IMAGE, 1), await urls.publish(IMAGE)
    assert [await urls.image_at(each) for each in (ordered, published, published.rpartition("/")[0])] == [1, 1, 1]
    await urls.close_update(1)
    await urls.unpublish(1)
    assert [await urls.image_at(each) for each in (ordered, published)] == [None, None]


async def test_nothing_else_is_taken_for_one(urls: Links) -> None:
    published = await urls.publish(IMAGE)
    log = await urls.upload("CS1", 1)
    others = (
        log,
        "",
        BASE,
        f"{BASE}/firmware/",
        published.replace("files.", "evil."),
        published.replace("https", "http"),
    )
    assert [await urls.image_at(each) for each in others] == [None] * len(others)
    await urls.close_log(1)
