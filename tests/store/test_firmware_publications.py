"""What is published, on both databases."""

import pytest
from sqlalchemy import Connection, insert

from gateway.session.firmware import PublicationRecord, PublicationState, Publisher
from gateway.store.database import Database
from gateway.store.firmware_models import FirmwareImageRow
from gateway.store.firmware_publications import KEPT_MAX, LIVE_MAX, URLS_MAX, FirmwarePublications
from tests.store.conftest import NOW

MD5 = "0123456789abcdef0123456789abcdef"
ALL = frozenset(PublicationState)
OPEN = {state for state in PublicationState if state.is_open}


@pytest.fixture
def publications(database: Database) -> FirmwarePublications:
    return FirmwarePublications(database, lambda: NOW)


async def added(
    publications: FirmwarePublications, identity: str = "CS1", request_id: int = 7, checksum: str = MD5
) -> PublicationRecord:
    record = await publications.add(identity, request_id, checksum=checksum, location="https://x/fw")
    assert record is not None
    return record


async def an_image(database: Database) -> int:
    """Return the id of an image: a publication refers to it."""
    texts = dict.fromkeys(("manufacturer", "version", "state", "added_by", "changed_by"), "x")
    statement = insert(FirmwareImageRow).values({**texts, "added_at": NOW, "changed_at": NOW})

    def work(connection: Connection) -> int:
        return int(connection.execute(statement.returning(FirmwareImageRow.id)).scalar_one())

    return await database.write(work)


async def test_what_was_asked_for_is_kept_until_its_end_is_told(publications: FirmwarePublications) -> None:
    record = await added(publications)
    assert await publications.find(record.id) == await publications.newest("CS1") == record
    assert (record.publisher, record.state, record.untold) == (
        Publisher.GATEWAY,
        PublicationState.DOWNLOAD_SCHEDULED,
        False,
    )
    assert (record.request_id, record.checksum, record.location, record.created_at) == (7, MD5, "https://x/fw", NOW)
    assert await publications.unfinished("CS1") == [record]
    assert await publications.stations() == ["CS1"]

    ended = await publications.move(record.id, PublicationState.PUBLISH_FAILED, was=OPEN, untold=True)
    assert ended is not None
    assert await publications.unfinished("CS1") == [ended]

    await publications.told(record.id)
    assert not await publications.unfinished("CS1")
    assert not await publications.stations()
    assert [each.state for each in await publications.list("CS1")] == [PublicationState.PUBLISH_FAILED]


async def test_one_that_is_no_longer_what_it_was_does_not_move(publications: FirmwarePublications) -> None:
    record = await added(publications)
    await publications.move(record.id, PublicationState.UNPUBLISHED, was=ALL)

    assert await publications.move(record.id, PublicationState.PUBLISHED, was=OPEN) is None
    assert (await publications.list("CS1"))[0].state is PublicationState.UNPUBLISHED
    assert await publications.find(record.id + 1) is None
    assert await publications.newest("CS2") is None


async def test_live_ones_are_found_by_checksum_and_station(publications: FirmwarePublications) -> None:
    first, _, other = [
        await added(publications, identity, checksum=checksum)
        for identity, checksum in (("CS1", MD5), ("CS2", MD5), ("CS1", "0" * 32))
    ]
    await publications.move(other.id, PublicationState.INVALID_CHECKSUM, was=OPEN)

    assert await publications.live("CS1", MD5) == [first]
    assert await publications.live("CS1", "0" * 32) == []


@pytest.mark.parametrize("count", [LIVE_MAX - 1, LIVE_MAX])
async def test_only_so_many_are_live(publications: FirmwarePublications, count: int) -> None:
    for number in range(count):
        await added(publications, request_id=number)
    await added(publications, "CS2")

    more = await publications.add("CS1", 100, checksum=MD5, location="https://x")

    assert (more is None) is (count == LIVE_MAX)


async def test_the_oldest_that_are_over_go_first(publications: FirmwarePublications) -> None:
    kept = await added(publications)
    for number in range(KEPT_MAX + 2):
        record = await added(publications, request_id=100 + number)
        await publications.move(record.id, PublicationState.DOWNLOAD_FAILED, was=OPEN)
    newest = await added(publications, request_id=900)

    found = await publications.list("CS1")

    assert found[0] == kept
    assert found[-1] == newest
    assert len(found) == KEPT_MAX + 1


async def test_an_image_is_published_while_one_leg_has_it(
    publications: FirmwarePublications, database: Database
) -> None:
    image = await an_image(database)
    records = [await added(publications, identity) for identity in ("CS1", "CS2")]
    for record in records:
        await publications.move(record.id, PublicationState.PUBLISHED, was=OPEN, image_id=image)

    for record, left in zip(records, (True, False), strict=True):
        assert await publications.is_published(image)
        moved = await publications.move(record.id, PublicationState.UNPUBLISHED, was={PublicationState.PUBLISHED})
        assert moved is not None
        assert moved.image_id == image
        assert await publications.is_published(image) is left


async def test_what_a_station_says_of_its_own(publications: FirmwarePublications) -> None:
    await added(publications)
    await publications.heard("CS1", 7, PublicationState.DOWNLOADING)
    urls = [f"https://lc/{number}" for number in range(URLS_MAX + 1)]
    published = await publications.heard("CS1", 7, PublicationState.PUBLISHED, urls)

    assert published.published == tuple(urls[:URLS_MAX])
    assert (published.publisher, published.checksum) == (Publisher.STATION, None)
    assert (await publications.heard("CS1", 7, PublicationState.IDLE)).published == published.published
    assert [each.publisher for each in await publications.list("CS1")] == [Publisher.GATEWAY, Publisher.STATION]
    assert (await publications.newest("CS1")) != published
    assert [each.id for each in await publications.unfinished("CS1")] != [published.id]


async def test_a_station_that_makes_up_numbers(publications: FirmwarePublications) -> None:
    for number in range(KEPT_MAX + 5):
        await publications.heard("CS1", number, PublicationState.DOWNLOADING)
    assert [each.request_id for each in await publications.list("CS1")] == list(range(5, KEPT_MAX + 5))
