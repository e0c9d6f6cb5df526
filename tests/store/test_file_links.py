"""Links of stations to files, on either database."""

import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from gateway.session.file_links import FileLink, LinkKind
from gateway.store.database import Database
from gateway.store.file_links import SECRET_LENGTH, UNTIL_UNPUBLISHED, UPLOAD_LIFETIME, FileLinks
from gateway.store.firmware_models import FileLinkRow, FirmwareImageRow
from tests.linked_files import IMAGE, NOW, SHA256, keep, row_of

WEEK = timedelta(days=7)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def links(database: Database, clock: Clock) -> FileLinks:
    """The links of a store that has the image 1, the updates 1 and 2, the logs 1 and 2."""
    await keep(database)
    return FileLinks(database, WEEK, clock)


def download(**changes: Any) -> FileLink:
    link = FileLink(LinkKind.DOWNLOAD, "CS1", 1, SHA256, 1, None, NOW + WEEK)
    return replace(link, **changes)


async def set_image(database: Database, **values: Any) -> None:
    await database.write(lambda connection: connection.execute(update(FirmwareImageRow).values(**values)))


async def test_each_kind_of_link_leads_where_it_was_made_for(links: FileLinks) -> None:
    load = await links.download("CS1", IMAGE, 1)
    published = await links.publish(IMAGE)
    send = await links.upload("CS1", 1)
    assert await links.find(load, LinkKind.DOWNLOAD) == download()
    assert await links.find(published, LinkKind.DOWNLOAD) == download(
        identity=None, update_id=None, expires_at=UNTIL_UNPUBLISHED
    )
    assert await links.find(send, LinkKind.UPLOAD) == FileLink(
        LinkKind.UPLOAD, "CS1", None, None, None, 1, NOW + UPLOAD_LIFETIME
    )


async def test_a_link_is_good_for_its_own_kind_only(links: FileLinks) -> None:
    load, send = await links.download("CS1", IMAGE, 1), await links.upload("CS1", 1)
    assert await links.find(load, LinkKind.UPLOAD) is None
    assert await links.find(send, LinkKind.DOWNLOAD) is None


async def test_the_store_holds_the_hash_of_a_secret_that_is_never_the_same(
    links: FileLinks, database: Database
) -> None:
    made = {await links.download("CS1", IMAGE, 1) for _ in range(3)}
    assert len(made) == 3
    assert all(re.fullmatch(r"[\w-]{43}", secret) for secret in made)
    kept = await database.read(lambda connection: connection.execute(select(FileLinkRow.token)).scalars().all())
    assert set(kept) == {hashlib.sha256(secret.encode()).hexdigest() for secret in made}


@pytest.mark.parametrize(
    "secret", ["", "a", "a" * SECRET_LENGTH, "\udc80" * SECRET_LENGTH, "\0" * SECRET_LENGTH, "a" * 5000, SHA256]
)
async def test_what_was_never_made_leads_nowhere(links: FileLinks, secret: str) -> None:
    await links.download("CS1", IMAGE, 1)
    assert await links.find(secret, LinkKind.DOWNLOAD) is None


async def test_the_hash_from_the_store_is_no_secret(links: FileLinks) -> None:
    secret = await links.download("CS1", IMAGE, 1)
    assert await links.find(hashlib.sha256(secret.encode()).hexdigest(), LinkKind.DOWNLOAD) is None


async def test_a_link_ends_when_its_time_is_over(links: FileLinks, clock: Clock) -> None:
    secret = await links.download("CS1", IMAGE, 1)
    clock.now = NOW + WEEK - timedelta(seconds=1)
    assert await links.find(secret, LinkKind.DOWNLOAD) is not None
    clock.now = NOW + WEEK
    assert await links.find(secret, LinkKind.DOWNLOAD) is None


@pytest.mark.parametrize(
    ("not_before", "ends"),
    [
        (NOW - WEEK, NOW + WEEK),
        (NOW + timedelta(days=30), NOW + timedelta(days=37)),
        (datetime.max.replace(tzinfo=UTC), UNTIL_UNPUBLISHED),
    ],
)
async def test_its_time_begins_when_the_station_may_load_it(
    links: FileLinks, not_before: datetime, ends: datetime
) -> None:
    secret = await links.download("CS1", IMAGE, 1, not_before=not_before)
    assert await links.find(secret, LinkKind.DOWNLOAD) == download(expires_at=ends)


@pytest.mark.parametrize(
    "values", [{"state": "withdrawn"}, {"state": "refused"}, {"state": "quarantined"}, {"sha256": "cd" * 32}]
)
async def test_what_is_not_the_verified_image_any_more_is_not_to_be_had(
    links: FileLinks, database: Database, values: dict[str, str]
) -> None:
    made = [await links.download("CS1", IMAGE, 1), await links.publish(IMAGE)]
    await set_image(database, **values)
    assert [await links.find(secret, LinkKind.DOWNLOAD) for secret in made] == [None, None]


@pytest.mark.parametrize(
    ("twin", "is_over"),
    [
        ({"state": "withdrawn"}, True),
        ({"state": "refused"}, False),
        ({"state": "withdrawn", "sha256": "cd" * 32}, False),
        ({"state": "withdrawn", "manufacturer": "another"}, False),
    ],
)
async def test_what_is_withdrawn_as_another_image_is_not_to_be_had(
    links: FileLinks, database: Database, twin: dict[str, str], is_over: bool
) -> None:
    made = [await links.download("CS1", IMAGE, 1), await links.publish(IMAGE)]
    row = row_of(FirmwareImageRow, **{"id": 2, "manufacturer": IMAGE.manufacturer, "sha256": SHA256, **twin})
    await database.write(lambda connection: connection.execute(insert(FirmwareImageRow), row))
    assert [await links.find(secret, LinkKind.DOWNLOAD) is None for secret in made] == [is_over, is_over]


async def test_closing_ends_the_links_of_one_update_log_or_publication(links: FileLinks) -> None:
    first, second = await links.download("CS1", IMAGE, 1), await links.download("CS1", IMAGE, 2)
    published = await links.publish(IMAGE)
    log, other = await links.upload("CS1", 1), await links.upload("CS1", 2)
    await links.close_update(1)
    await links.close_log(1)
    await links.unpublish(1)
    assert [await links.find(each, LinkKind.DOWNLOAD) is not None for each in (first, second, published)] == [
        False,
        True,
        False,
    ]
    assert [await links.find(each, LinkKind.UPLOAD) is not None for each in (log, other)] == [False, True]


async def test_what_is_over_is_swept(links: FileLinks, clock: Clock, database: Database) -> None:
    await links.download("CS1", IMAGE, 1)
    await links.upload("CS1", 1)
    kept = await links.publish(IMAGE)
    clock.now = NOW + WEEK
    assert await links.sweep() == 2
    assert await links.sweep() == 0
    rows = await database.read(lambda connection: connection.execute(select(FileLinkRow.token)).scalars().all())
    assert rows == [hashlib.sha256(kept.encode()).hexdigest()]


async def test_an_image_that_is_not_here_gets_no_link(links: FileLinks) -> None:
    with pytest.raises(ValueError, match="image 1 is not here"):
        await links.download("CS1", replace(IMAGE, sha256=None), 1)
