"""What stations upload: once, under their own link, no more than fits."""

from typing import TYPE_CHECKING

import pytest

from gateway.services.log_uploads import LogUploads
from gateway.session.file_links import UploadRefusal, UploadRefused
from gateway.session.firmware import LogState
from gateway.session.ports import StoreAway
from tests.services.log_house import TEXT

if TYPE_CHECKING:
    from gateway.session.firmware import LogRecord
    from tests.services.log_house import House


async def begin(
    house: "House", record: "LogRecord", *, identity: str = "CS1", length: int | None = None
) -> UploadRefusal:
    with pytest.raises(UploadRefused) as refused:
        await house.uploads.begin(record.id, identity, None, length)
    return refused.value.refusal


async def test_a_log_is_received_and_goes_on(log_house: "House") -> None:
    record = await log_house.order()

    here = await log_house.upload(record, name="../b.zip")

    assert (here.state, here.size, here.file_name) == (LogState.RECEIVED, len(TEXT), "b.zip")
    assert log_house.files.path(record.id).stat().st_size == len(TEXT)
    assert log_house.received == [here]
    assert not log_house.uploads.is_coming(record.id)


async def test_the_name_that_the_station_answered_is_the_one(log_house: "House") -> None:
    record = await log_house.order()
    await log_house.book.named(record.id, "a.zip")

    assert (await log_house.upload(record, name="b.zip")).file_name == "a.zip"


async def test_an_operators_own_is_kept(log_house: "House") -> None:
    assert (await log_house.upload(await log_house.own())).state is LogState.KEPT


async def test_where_nothing_is_handed_over_all_is_kept(log_house: "House") -> None:
    log_house.uploads = LogUploads(
        log_house.book, log_house.files, total_size=1000, hands_over=False, received=log_house.received.append
    )

    assert (await log_house.upload(await log_house.order())).state is LogState.KEPT


async def test_a_link_is_for_one_station_and_one_log(log_house: "House") -> None:
    record = await log_house.order()
    assert await begin(log_house, record, identity="CS2") is UploadRefusal.CLOSED
    await log_house.upload(record)

    assert await begin(log_house, record) is UploadRefusal.CLOSED


async def test_one_upload_at_a_time_and_again_when_it_broke_off(log_house: "House") -> None:
    record = await log_house.order()
    first = await log_house.uploads.begin(record.id, "CS1", None, 10)
    await first.write(b"half")

    assert log_house.uploads.is_coming(record.id)
    assert await begin(log_house, record) is UploadRefusal.BUSY
    await first.abort("the station is gone")
    assert (await log_house.upload(record)).state is LogState.RECEIVED


async def test_what_is_too_large_or_too_much_is_refused(log_house: "House") -> None:
    record, other = await log_house.order(), await log_house.order(13)
    assert await begin(log_house, record, length=101) is UploadRefusal.TOO_LARGE
    assert await begin(log_house, record, length=1001) is UploadRefusal.NO_SPACE
    log_house.uploads._coming = 950
    upload = await log_house.uploads.begin(record.id, "CS1", None, None)

    await upload.write(bytes(50))
    with pytest.raises(UploadRefused) as refused:
        await upload.write(b"x")
    assert refused.value.refusal is UploadRefusal.NO_SPACE
    assert await begin(log_house, other, length=1) is UploadRefusal.NO_SPACE
    await upload.abort("too much")
    assert (await log_house.upload(other, bytes(50))).size == 50


async def test_what_waits_to_be_handed_over_takes_room(log_house: "House") -> None:
    for number in range(10):
        await log_house.upload(await log_house.order(number), bytes(100))

    assert await begin(log_house, await log_house.order(11), length=1) is UploadRefusal.NO_SPACE


async def test_a_log_that_is_given_up_meanwhile_is_not_kept(log_house: "House") -> None:
    record = await log_house.order()
    upload = await log_house.uploads.begin(record.id, "CS1", None, None)
    await log_house.moved(record, LogState.FAILED)

    with pytest.raises(UploadRefused) as refused:
        await upload.finish()

    assert refused.value.refusal is UploadRefusal.CLOSED
    assert not log_house.files.path(record.id).exists()
    assert log_house.received == []


async def test_without_a_store_nothing_is_kept(log_house: "House", monkeypatch: pytest.MonkeyPatch) -> None:
    record = await log_house.order()
    upload = await log_house.uploads.begin(record.id, "CS1", None, None)

    async def away(*_: object, **__: object) -> None:
        raise StoreAway("no store")

    with monkeypatch.context() as patch:
        patch.setattr(log_house.book, "move", away)
        with pytest.raises(StoreAway):
            await upload.finish()

    assert not log_house.files.path(record.id).exists()
    assert (await log_house.upload(record)).state is LogState.RECEIVED
