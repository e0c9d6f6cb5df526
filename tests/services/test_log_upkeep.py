"""What is late, old or too much, with a clock that the test sets."""

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from gateway.services.log_upkeep import UPLOADED_WITHIN, LogUpkeep
from gateway.session.firmware import FirmwareConflict, FirmwareUnknown, LogState

if TYPE_CHECKING:
    from gateway.session.firmware import LogRecord
    from tests.services.log_house import House

KEEP = timedelta(days=30)


class Upkeep:
    """The upkeep of one house; the machine's clock goes as time does, unless the test says otherwise."""

    def __init__(self, house: "House", total_size: int = 1000) -> None:
        self.house = house
        self.seconds = 0.0
        self.service = LogUpkeep(
            house.book,
            house.files,
            keep=KEEP,
            total_size=total_size,
            over=house.logs.over,
            is_coming=house.uploads.is_coming,
            now=lambda: house.now,
            monotonic=lambda: self.seconds,
        )

    async def after(self, passed: timedelta) -> None:
        self.house.now += passed
        self.seconds += passed.total_seconds()
        await self.service.look()
        await self.house.settled()


async def kept(house: "House", number: int = 12, text: bytes = b"x") -> "LogRecord":
    record = await house.upload(await house.order(number), text)
    return await house.moved(record, LogState.HANDED_OVER, is_told=True)


async def test_a_station_that_never_uploads_has_failed_and_its_backend_hears_so(log_house: "House") -> None:
    upkeep, record = Upkeep(log_house), await log_house.order()
    await upkeep.after(UPLOADED_WITHIN - timedelta(seconds=1))
    assert (await log_house.found(record.id)).state is LogState.ASKED

    await upkeep.after(timedelta(seconds=1))

    assert (await log_house.found(record.id)).state is LogState.FAILED
    assert [payload["status"] for _, payload in log_house.station.told] == ["UploadFailure"]


async def test_what_is_coming_is_not_late(log_house: "House") -> None:
    upkeep, record = Upkeep(log_house), await log_house.order()
    upload = await log_house.uploads.begin(record.id, "CS1", None, None)

    await upkeep.after(UPLOADED_WITHIN)

    assert (await log_house.found(record.id)).state is LogState.ASKED
    await upload.abort("enough")


async def test_what_is_old_is_deleted_and_later_forgotten(log_house: "House") -> None:
    upkeep, record = Upkeep(log_house), await kept(log_house)
    await upkeep.after(KEEP - timedelta(seconds=1))
    assert log_house.files.path(record.id).exists()

    await upkeep.after(timedelta(seconds=1))
    deleted = await log_house.found(record.id)
    assert (deleted.state, deleted.sha256) == (LogState.DELETED, None)
    assert "logs.keep" in str(deleted.reason)
    assert not log_house.files.path(record.id).exists()

    await upkeep.after(KEEP)
    assert await log_house.book.find(record.id) is None


async def test_a_clock_that_has_jumped_deletes_nothing(log_house: "House") -> None:
    upkeep, record = Upkeep(log_house), await kept(log_house)
    await upkeep.service.look()
    log_house.now += KEEP

    await upkeep.service.look()

    assert log_house.files.path(record.id).exists()


async def test_the_oldest_make_room_but_none_that_waits(log_house: "House") -> None:
    first, second = await kept(log_house, 1, bytes(60)), await kept(log_house, 2, bytes(60))
    waiting = await log_house.upload(await log_house.order(3), bytes(60))

    await Upkeep(log_house, 120).service.make_room()
    assert [(await log_house.found(each.id)).state.value for each in (first, second, waiting)] == [
        "deleted",
        "handed_over",
        "received",
    ]
    await Upkeep(log_house, 10).service.make_room()
    assert (await log_house.found(second.id)).state is LogState.DELETED
    assert log_house.files.path(waiting.id).exists()


async def test_a_person_deletes_a_log(log_house: "House") -> None:
    upkeep, record = Upkeep(log_house), await kept(log_house)

    assert (await upkeep.service.delete(record.id)).state is LogState.DELETED
    assert not log_house.files.path(record.id).exists()
    with pytest.raises(FirmwareConflict, match="has no file"):
        await upkeep.service.delete(record.id)
    with pytest.raises(FirmwareUnknown):
        await upkeep.service.delete(99)
    with pytest.raises(FirmwareConflict, match="wait until"):
        await upkeep.service.delete((await log_house.order(13)).id)
