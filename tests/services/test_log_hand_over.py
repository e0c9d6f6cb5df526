"""From here to the backend's place: sent, tried again, given up."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.services.log_hand_over import RETRIES_AFTER, LogHandOver
from gateway.session.firmware import LogState
from gateway.session.ports import StoreAway
from gateway.session.security import Kind, SecurityEvent
from pki.destinations import DestinationRefused
from pki.uploading import UploadFailed
from tests.services.log_house import FTP

if TYPE_CHECKING:
    from gateway.session.firmware import LogRecord
    from tests.services.log_house import House


class Sender:
    """Takes what it is sent, or raises what it is told to."""

    def __init__(self, *raises: Exception) -> None:
        self._raises = list(raises)
        self.sent: list[tuple[str, Path, str]] = []

    async def send(self, location: str, file: Path, file_name: str) -> None:
        self.sent.append((location, file, file_name))
        if self._raises:
            raise self._raises.pop(0)


class Rounds:
    """The hand-over of one house, its sleeps and its security events."""

    def __init__(self, house: "House", *raises: Exception) -> None:
        self.house = house
        self.sender = Sender(*raises)
        self.slept: list[float] = []
        self.events: list[SecurityEvent] = []
        self.away = 0
        self.service = LogHandOver(
            house.book, house.files, self.sender, self, over=self._over, spawn=house.spawn, sleep=self._sleep
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def _over(self, record: "LogRecord") -> None:
        if self.away:
            self.away -= 1
            raise StoreAway("no store")
        await self.house.logs.over(record)

    def note(self, event: SecurityEvent) -> None:
        self.events.append(event)

    async def bring(self, record: "LogRecord") -> "LogRecord":
        self.service.begin(record)
        await self.house.settled()
        return await self.house.found(record.id)


def heard(house: "House") -> list[str]:
    return [payload["status"] for _, payload in house.station.told]


async def test_a_log_is_handed_over_and_its_password_forgotten(log_house: "House") -> None:
    rounds = Rounds(log_house)
    record = await log_house.upload(await log_house.order(), name="a.zip")

    there = await rounds.bring(record)

    assert rounds.sender.sent == [(FTP, log_house.files.path(record.id), "a.zip")]
    assert (there.state, there.is_told, there.destination) == (
        LogState.HANDED_OVER,
        True,
        "ftp://files.example.com/in/",
    )
    assert heard(log_house) == ["Uploaded"]
    assert log_house.files.path(record.id).exists()


async def test_what_is_only_kept_is_told_as_well(log_house: "House") -> None:
    rounds = Rounds(log_house)
    record = await log_house.moved(await log_house.order(), LogState.KEPT)

    await rounds.bring(record)

    assert (rounds.sender.sent, heard(log_house)) == ([], ["Uploaded"])


async def test_it_is_tried_again_and_then_given_up(log_house: "House") -> None:
    failures = [UploadFailed(f"it answered {500 + number}", is_final=False) for number in range(len(RETRIES_AFTER) + 1)]
    rounds = Rounds(log_house, *failures[:2])
    assert (await rounds.bring(await log_house.upload(await log_house.order()))).state is LogState.HANDED_OVER
    assert rounds.slept == list(RETRIES_AFTER[:2])

    rounds = Rounds(log_house, *failures)
    failed = await rounds.bring(await log_house.upload(await log_house.order(13)))

    assert rounds.slept == list(RETRIES_AFTER)
    assert failed.state is LogState.FAILED
    assert failed.sha256 is not None
    assert "it answered 505" in str(failed.reason)
    assert heard(log_house) == ["Uploaded", "UploadFailure"]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (UploadFailed("it answered 403", is_final=True), "it answered 403"),
        (DestinationRefused("only http is spoken"), "only http is spoken; see logs.destinations"),
        (FileNotFoundError(2, "No such file"), "can't be read: No such file"),
    ],
)
async def test_what_trying_again_does_not_change(log_house: "House", error: Exception, text: str) -> None:
    rounds = Rounds(log_house, error)

    failed = await rounds.bring(await log_house.upload(await log_house.order()))

    assert failed.state is LogState.FAILED
    assert text in str(failed.reason)
    assert rounds.slept == []
    kinds = [event.kind for event in rounds.events]
    assert kinds == ([Kind.UNSAFE_LOCATION] if isinstance(error, DestinationRefused) else [])
    assert heard(log_house) == ["UploadFailure"]


async def test_a_store_that_is_away_is_waited_for(log_house: "House") -> None:
    rounds = Rounds(log_house)
    rounds.away = 2
    record = await log_house.moved(await log_house.order(), LogState.KEPT)

    await rounds.bring(record)

    assert len(rounds.slept) == 2
    assert heard(log_house) == ["Uploaded"]


async def test_what_an_earlier_run_left_is_taken_up(log_house: "House") -> None:
    await log_house.upload(await log_house.order(12))
    await log_house.order(13)
    rounds = Rounds(log_house)

    await rounds.service.load()
    await log_house.settled()

    assert [path.name for _, path, _ in rounds.sender.sent] == ["1.log"]
