"""An update in the words of each station, held against the official schemas."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.bridge.ports import PeerUnavailable
from gateway.services.firmware_sending import AGREED, send_plain, send_signed
from gateway.services.station_commands import Outcome
from gateway.session.firmware import UpdateRecord, UpdateSource, UpdateState
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.versions import Version
from tests.services.firmware_town import AT, LOCATION, NOW, OURS, SIGNED, UpdatedStation, image_of


def update_of(**fields: Any) -> UpdateRecord:
    values: dict[str, Any] = dict.fromkeys(UpdateRecord.__slots__)
    values |= {"id": 1, "identity": "CS1", "image_id": 1, "source": UpdateSource.BACKEND, "by": "old"}
    values |= {"location": LOCATION, "state": UpdateState.WAITING, "created_at": NOW, "changed_at": NOW}
    return UpdateRecord(**(values | {"request_id": 501, "untold": False} | fields))


@pytest.mark.parametrize(
    ("version", "action"), [(Version.V201, "UpdateFirmware"), (Version.V16, "SignedUpdateFirmware")]
)
async def test_it_carries_signature_and_certificate(version: Version, action: str) -> None:
    station = UpdatedStation(version)

    reply = await send_signed(station, update_of(), image_of(), OURS, NOW)

    firmware = {"location": OURS, "retrieveDateTime": AT, "signingCertificate": "PEM", "signature": SIGNED.signature}
    assert station.calls == [(action, {"requestId": 501, "firmware": firmware})]
    assert reply.status in AGREED


@pytest.mark.parametrize("version", list(Version))
async def test_times_and_retries_are_those_that_were_ordered(version: Version) -> None:
    station = UpdatedStation(version)
    later = NOW + timedelta(hours=1)
    update = update_of(retrieve_at=later, install_at=later, retries=0, retry_interval=60)

    await send_signed(station, update, image_of(), OURS, NOW)

    ((_, payload),) = station.calls
    assert (payload["retries"], payload["retryInterval"]) == (0, 60)
    assert payload["firmware"]["retrieveDateTime"] == payload["firmware"]["installDateTime"] == "2026-05-01T13:00:00Z"


async def test_the_plain_one_has_no_word_for_no() -> None:
    station = UpdatedStation(Version.V16)
    station.says("UpdateFirmware", {}, CallError(ErrorCode.NOT_SUPPORTED), PeerUnavailable("gone"))
    update = update_of(retries=3)

    assert (await send_plain(station, update, OURS, NOW)).status in AGREED
    assert (await send_plain(station, update, OURS, NOW)).outcome is Outcome.NOT_SUPPORTED
    with pytest.raises(PeerUnavailable):
        await send_plain(station, update, OURS, NOW)

    assert station.calls[0] == ("UpdateFirmware", {"location": OURS, "retrieveDate": AT, "retries": 3})
