"""Updates as those see them who order them, and as their stations tell of them."""

from datetime import timedelta

import pytest

from gateway.bridge.firmware_orders import FIRMWARE_STATUSES
from gateway.services.firmware_updates import ENDS
from gateway.session.firmware import (
    FirmwareConflict,
    FirmwareInvalid,
    FirmwareUnknown,
    ImageState,
    UpdateSource,
    UpdateState,
)
from gateway.session.security import Kind
from tests.services.conftest import settle
from tests.services.firmware_town import NOW, Town, image_of

HOUR = timedelta(hours=1)


async def test_an_operators_order_is_looked_at_sent_and_followed() -> None:
    town = Town()

    record = await town.operated()
    for status in ("Downloading", "Downloaded", "SignatureVerified", "Installing", "Installed"):
        await town.says(status)

    assert town.catalogue.prepared == [(1, "Acme", "One", image_of().location)]
    assert town.there.actions == ["UpdateFirmware"]
    assert (record.state, record.by, record.source) == (UpdateState.SENT, "api", UpdateSource.OPERATOR)
    assert (town.last.state, town.last.status) == (UpdateState.INSTALLED, "Installed")
    assert town.links.closed == [1]
    assert town.there.told == []
    states = [state for _, state in town.changes]
    assert states == [
        UpdateState.PREPARING,
        *[UpdateState.WAITING] * 2,
        *[UpdateState.SENT] * 5,
        UpdateState.INSTALLED,
    ]


@pytest.mark.parametrize("state", [ImageState.WITHDRAWN, ImageState.REFUSED])
async def test_an_image_that_is_not_to_be_installed_is_not_ordered(state: ImageState) -> None:
    town = Town()
    town.catalogue.images[1] = image_of(state=state, reason="it burns")

    with pytest.raises(FirmwareConflict, match="it burns"):
        await town.operated()

    assert town.book.records == {}


async def test_nothing_is_installed_before_it_is_loaded() -> None:
    town = Town()

    for retrieve_at, install_at in ((NOW + HOUR, NOW), (None, NOW - HOUR)):
        with pytest.raises(FirmwareInvalid, match="install_at"):
            await town.updates.order(
                "CS1", 1, source=UpdateSource.OPERATOR, by="api", retrieve_at=retrieve_at, install_at=install_at
            )

    assert town.book.records == {}


async def test_neither_is_one_that_is_not_there_nor_for_a_station_that_is_not() -> None:
    town = Town()

    with pytest.raises(FirmwareUnknown, match="no firmware image 2"):
        await town.updates.order("CS1", 2, source=UpdateSource.OPERATOR, by="api")
    with pytest.raises(FirmwareUnknown, match="no station 'CS9'"):
        await town.updates.order("CS9", 1, source=UpdateSource.OPERATOR, by="api")
    with pytest.raises(FirmwareUnknown, match="no firmware update 1"):
        await town.updates.find(1)


@pytest.mark.parametrize("status", sorted(FIRMWARE_STATUSES))
async def test_each_status_ends_it_or_says_that_it_goes_on(status: str) -> None:
    town = Town()
    await town.operated()

    await town.says(status)

    assert town.last.state is ENDS.get(status, UpdateState.SENT)
    assert town.last.status == (None if status == "Idle" else status)
    assert town.events.kinds == [Kind.INVALID_FIRMWARE_SIGNATURE] * (status == "InvalidSignature")


async def test_what_is_over_stays_so() -> None:
    town = Town()
    await town.operated()
    await town.says("InstallationFailed")

    await town.says("Installed")

    assert (town.last.state, town.last.status) == (UpdateState.FAILED, "InstallationFailed")


async def test_a_status_of_another_update_changes_nothing() -> None:
    town = Town()
    await town.operated()

    assert await town.updates.heard("CS1", {"status": "Installed", "requestId": 999}) is None
    assert await town.updates.heard("CS1", {"status": "Idle"}) is None
    assert await town.updates.heard("CS2", {"status": "Installed", "requestId": 501}) is None

    assert town.last.state is UpdateState.SENT


async def test_what_the_station_has_not_heard_of_is_canceled() -> None:
    town = Town()
    town.station = None
    await town.operated()

    canceled = await town.updates.cancel(1)

    assert (canceled.state, canceled.untold) == (UpdateState.CANCELED, False)
    with pytest.raises(FirmwareConflict, match="is over: it is canceled"):
        await town.updates.cancel(1)
    town.station = town.there
    town.updates.progress.opened("CS1")
    await settle()
    assert town.there.actions == []


async def test_what_it_has_heard_of_can_not_be_taken_back() -> None:
    town = Town()
    await town.operated()

    with pytest.raises(FirmwareConflict, match="no message to take it back"):
        await town.updates.cancel(1)


async def test_the_backend_hears_that_its_order_was_canceled() -> None:
    town = Town()
    town.there.is_connected = False
    await town.ordered()

    await town.updates.cancel(1)
    await settle()

    assert town.there.told == [("FirmwareStatusNotification", {"status": "DownloadFailed", "requestId": 501})]
    assert not town.last.untold


async def test_they_are_listed() -> None:
    town = Town()
    await town.operated()
    await town.operated()

    assert [each.id for each in await town.updates.list(identity="CS1", after=1)] == [2]
    assert [each.id for each in await town.updates.list(states={UpdateState.CANCELED})] == [1]
    assert (await town.updates.find(2)).state is UpdateState.SENT
