"""Updates in the words of 1.6 and of its white paper."""

from typing import Any

import pytest

from gateway.bridge.firmware_orders import FIRMWARE_STATUSES, PLAIN, SIGNED, place, plain_order, signed_order, told_16
from gateway.bridge.ports import FollowUp, UpdateHeard, UpdateOrdered
from gateway.wire.schemas import operation
from gateway.wire.versions import Version
from tests.bridge.firmware_desk import FakeFirmwareDesk

AT = "2026-05-01T12:00:00Z"
OWN, PLAINLY, SIGNEDLY = UpdateHeard(None), UpdateHeard("UpdateFirmware"), UpdateHeard("SignedUpdateFirmware", 7)


def test_every_status_of_2_0_1_has_a_word_in_1_6() -> None:
    schema = operation(Version.V201, PLAIN).request
    for status, plain in FIRMWARE_STATUSES.items():
        schema.check({"status": status, "requestId": 1})
        operation(Version.V16, PLAIN).request.check({"status": plain})
        operation(Version.V16, SIGNED).request.check({"status": status, "requestId": 1})
    assert len(FIRMWARE_STATUSES) == 14


@pytest.mark.parametrize(
    ("heard", "asked", "expected"),
    [
        (SIGNEDLY, False, (SIGNED, {"status": "InvalidSignature", "requestId": 7})),
        (SIGNEDLY, True, (SIGNED, {"status": "InvalidSignature", "requestId": 7})),
        (PLAINLY, False, (PLAIN, {"status": "InstallationFailed"})),
        (PLAINLY, True, (SIGNED, {"status": "InvalidSignature"})),
        (OWN, False, (PLAIN, {"status": "InstallationFailed"})),
        (OWN, True, (SIGNED, {"status": "Idle"})),
        (None, False, (PLAIN, {"status": "InstallationFailed"})),
        (None, True, (SIGNED, {"status": "Idle"})),
    ],
)
def test_what_a_backend_of_1_6_hears(heard: UpdateHeard | None, asked: bool, expected: Any) -> None:
    assert told_16(heard, {"status": "InvalidSignature", "requestId": 501}, asked=asked) == expected


def test_a_status_of_no_update_is_told_as_it_is() -> None:
    assert told_16(None, {"status": "Idle"}, asked=True) == (SIGNED, {"status": "Idle"})


def test_orders_are_read() -> None:
    plain = {"location": "https://x/fw", "retrieveDate": AT, "retries": 3, "retryInterval": 60}
    assert plain_order(plain) == UpdateOrdered("UpdateFirmware", "https://x/fw", AT, retries=3, retry_interval=60)
    firmware = {"location": "https://x/fw", "retrieveDateTime": AT, "installDateTime": AT}
    signed = {"requestId": 7, "firmware": {**firmware, "signingCertificate": "PEM", "signature": "c2ln"}}
    assert signed_order("SignedUpdateFirmware", signed) == UpdateOrdered(
        "SignedUpdateFirmware",
        "https://x/fw",
        AT,
        install_at=AT,
        request_id=7,
        signing_certificate="PEM",
        signature="c2ln",
    )


async def test_it_is_done_after_the_answer() -> None:
    desk, follow_ups = FakeFirmwareDesk("AcceptedCanceled"), list[FollowUp]()
    ordered = UpdateOrdered("UpdateFirmware", "https://x/fw", AT)

    assert await place(desk, follow_ups.append, ordered) == "AcceptedCanceled"

    assert (desk.orders, desk.proceeded) == ([ordered], 0)
    await follow_ups.pop()()
    assert desk.proceeded == 1
