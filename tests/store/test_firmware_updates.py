"""The updates of stations on both databases."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from gateway.bridge.request_ids import next_id
from gateway.session.file_links import LinkKind
from gateway.session.firmware import REASON_MAX, NewUpdate, UpdateRecord, UpdateSource, UpdateState
from gateway.store.database import Database
from gateway.store.file_links import FileLinks
from gateway.store.firmware_models import FirmwareImageRow
from gateway.store.firmware_updates import KEPT_MAX, REPLACED, UNSENT, FirmwareUpdateRecords
from gateway.store.stations import Stations
from tests.linked_files import IMAGE, row_of
from tests.store.conftest import NOW

OPEN = [state for state in UpdateState if state.is_open]


class Time:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def updates(database: Database, clock: Callable[[], datetime]) -> FirmwareUpdateRecords:
    return FirmwareUpdateRecords(database, clock)


def new(identity: str = "CS1", **fields: Any) -> NewUpdate:
    values: dict[str, Any] = {"image_id": None, "source": UpdateSource.BACKEND, "by": "old", "location": "https://x/fw"}
    return NewUpdate(identity=identity, **(values | fields))


async def sent(updates: FirmwareUpdateRecords, identity: str = "CS1") -> UpdateRecord:
    added, _ = await updates.add(new(identity))
    moved = await updates.move(added.id, UpdateState.SENT, was=UNSENT)
    assert moved is not None
    return moved


async def test_what_was_ordered_is_kept_as_it_was(updates: FirmwareUpdateRecords) -> None:
    ordered = new(
        source=UpdateSource.OPERATOR,
        by="api",
        action="SignedUpdateFirmware",
        backend_request_id=7,
        retrieve_at=NOW,
        install_at=NOW + timedelta(hours=1),
        retries=3,
        retry_interval=60,
    )

    added, replaced = await updates.add(ordered)

    assert replaced == []
    assert await updates.find(added.id) == added
    assert (added.state, added.created_at, added.untold) == (UpdateState.PREPARING, NOW, False)
    assert all(getattr(added, name) == getattr(ordered, name) for name in NewUpdate.__slots__)


async def test_a_new_one_takes_the_place_of_what_the_station_has_not_heard_of(updates: FirmwareUpdateRecords) -> None:
    agreed = await sent(updates)
    first, _ = await updates.add(new())
    elsewhere, _ = await updates.add(new("CS2"))

    second, replaced = await updates.add(new())

    assert [(each.id, each.state, each.reason) for each in replaced] == [(first.id, UpdateState.CANCELED, REPLACED)]
    assert [each.id for each in await updates.list(states=OPEN)] == [agreed.id, elsewhere.id, second.id]


async def test_each_has_a_request_id_that_its_station_has_not_had(updates: FirmwareUpdateRecords, clock: Time) -> None:
    ids = [(await updates.add(new()))[0].request_id for _ in range(3)]
    clock.now += timedelta(days=1)
    ids.append((await updates.add(new()))[0].request_id)

    assert ids[0] == next_id(0, NOW)
    assert sorted(each for each in set(ids) if each is not None) == ids
    found = await updates.of_request("CS1", ids[1])
    assert found is not None
    assert found.request_id == ids[1]
    assert await updates.of_request("CS2", ids[1]) is None


async def test_without_a_request_id_it_is_the_last_one_told_by_the_plain_message(
    updates: FirmwareUpdateRecords,
) -> None:
    assert await updates.of_request("CS1", None) is None
    for _ in range(2):
        plain, _ = await updates.add(new())
        await updates.move(plain.id, UpdateState.SENT, was=UNSENT, request_id=None)
    await updates.add(new())

    found = await updates.of_request("CS1", None)

    assert found is not None
    assert found.id == plain.id


async def test_it_moves_only_from_where_it_was_thought_to_be(updates: FirmwareUpdateRecords) -> None:
    added, _ = await updates.add(new())

    moved = await updates.move(added.id, UpdateState.REFUSED, was=UNSENT, status="DownloadFailed", reason="r" * 999)
    again = await updates.move(added.id, UpdateState.SENT, was=UNSENT)

    assert moved is not None
    assert (moved.state, moved.status, len(moved.reason or "")) == (UpdateState.REFUSED, "DownloadFailed", REASON_MAX)
    assert again is None
    assert await updates.find(added.id) == moved


async def test_what_a_backend_has_not_heard_is_told_once(updates: FirmwareUpdateRecords) -> None:
    refused = {"status": "DownloadFailed", "untold": True}
    added, _ = await updates.add(new(), state=UpdateState.REFUSED, **refused)
    waiting, _ = await updates.add(new("CS2"))
    await sent(updates, "CS3")

    assert sorted(await updates.unfinished()) == ["CS1", "CS2"]
    assert [each.id for each in await updates.untold("CS1")] == [added.id]
    assert await updates.untold("CS2") == []
    told = await updates.told(added.id)
    assert told is not None
    assert not told.untold
    assert await updates.told(added.id) is None
    assert await updates.unfinished() == ["CS2"]
    assert waiting.state is UpdateState.PREPARING


async def test_what_the_station_agreed_to_later_ends_what_it_agreed_to_before(updates: FirmwareUpdateRecords) -> None:
    first, other, second = await sent(updates), await sent(updates, "CS2"), await sent(updates)

    canceled = await updates.cancel_sent(second)

    assert [(each.id, each.state) for each in canceled] == [(first.id, UpdateState.CANCELED)]
    assert [each.id for each in await updates.list(states=[UpdateState.SENT])] == [other.id, second.id]


@pytest.mark.parametrize(
    ("source", "by", "told"),
    [
        (UpdateSource.BACKEND, "old", (None, False)),
        (UpdateSource.BACKEND, "new", ("DownloadFailed", True)),
        (UpdateSource.OPERATOR, "old", ("DownloadFailed", True)),
        (UpdateSource.CAMPAIGN, "c", ("DownloadFailed", True)),
    ],
)
async def test_a_backend_is_to_hear_that_anothers_update_took_the_place_of_its_own(
    updates: FirmwareUpdateRecords, source: UpdateSource, by: str, told: tuple[str | None, bool]
) -> None:
    signed, _ = await updates.add(new(backend_request_id=7))
    await updates.move(signed.id, UpdateState.SENT, was=UNSENT)
    plain, (unheard, _) = await sent(updates), await updates.add(new())

    later, (replaced,) = await updates.add(new(source=source, by=by))
    canceled = await updates.cancel_sent(later)

    assert (replaced.id, replaced.status, replaced.untold) == (unheard.id, *told)
    assert [(each.id, each.status, each.untold) for each in canceled] == [(signed.id, *told), (plain.id, None, False)]


async def test_no_backend_hears_of_an_operators_update_that_was_replaced(updates: FirmwareUpdateRecords) -> None:
    await updates.add(new(source=UpdateSource.OPERATOR, by="api"))

    _, (replaced,) = await updates.add(new())

    assert (replaced.state, replaced.untold) == (UpdateState.CANCELED, False)


async def test_a_station_that_is_removed_leaves_no_update_to_its_successor(
    database: Database, updates: FirmwareUpdateRecords
) -> None:
    image = row_of(FirmwareImageRow, id=IMAGE.id, state=IMAGE.state.value, sha256=IMAGE.sha256)
    await database.write(lambda connection: connection.execute(insert(FirmwareImageRow), image))
    stations, links = Stations(database), FileLinks(database, timedelta(days=1))
    await stations.add("CS1", profile=1, serial=None, backend=None, password_hash=None)
    told, _ = await updates.add(new(), state=UpdateState.REFUSED, status="DownloadFailed", untold=True)
    agreed, elsewhere = await sent(updates), await sent(updates, "CS2")
    waiting, _ = await updates.add(new())
    its, anothers = [await links.download(each.identity, IMAGE, each.id) for each in (agreed, elsewhere)]

    await stations.remove("CS1")

    left = await updates.list(identity="CS1")
    assert [(each.id, each.state, each.untold) for each in left] == [
        (told.id, UpdateState.REFUSED, False),
        (agreed.id, UpdateState.CANCELED, False),
        (waiting.id, UpdateState.CANCELED, False),
    ]
    assert await updates.unfinished() == []
    assert [each.id for each in await updates.list(states=OPEN)] == [elsewhere.id]
    assert await links.find(its, LinkKind.DOWNLOAD) is None
    assert await links.find(anothers, LinkKind.DOWNLOAD) is not None


async def test_those_of_which_nothing_is_heard_any_more(updates: FirmwareUpdateRecords, clock: Time) -> None:
    silent = await sent(updates)
    later, _ = await updates.add(new("CS2", retrieve_at=NOW + timedelta(days=5)))
    await updates.move(later.id, UpdateState.SENT, was=UNSENT)
    await updates.add(new("CS3"))
    clock.now += timedelta(days=1)
    await sent(updates, "CS4")

    assert [each.id for each in await updates.silent(NOW)] == [silent.id]
    assert [each.id for each in await updates.silent(NOW + timedelta(days=6))] == [silent.id, later.id, later.id + 2]


async def test_a_station_has_so_many_that_are_kept(updates: FirmwareUpdateRecords) -> None:
    oldest = await sent(updates)
    for _ in range(KEPT_MAX + 2):
        last, _ = await updates.add(new(), state=UpdateState.REFUSED)

    kept = await updates.list(identity="CS1")

    assert len(kept) == KEPT_MAX + 1
    assert (kept[0].id, kept[-1].id) == (oldest.id, last.id)
    assert [each.id for each in await updates.list(identity="CS1", after=last.id - 2, at_most=1)] == [last.id - 1]
