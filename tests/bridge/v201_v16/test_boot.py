"""BootNotification as a table."""

from collections.abc import Callable

import pytest

from gateway.bridge.books import Json
from gateway.bridge.v201_v16 import V201ToV16, boot_request, boot_response
from gateway.bridge.v201_v16.boot import boot_serial
from gateway.wire.errors import CallError, ErrorCode


@pytest.mark.parametrize(
    ("station", "expected"),
    [
        (
            {"vendorName": "Acme", "model": "One"},
            {"chargePointVendor": "Acme", "chargePointModel": "One"},
        ),
        (
            {
                "vendorName": "V" * 50,
                "model": "M" * 20,
                "serialNumber": "S" * 25,
                "firmwareVersion": "F" * 50,
                "modem": {"iccid": "I" * 20, "imsi": "J" * 20},
            },
            {
                "chargePointVendor": "V" * 20,
                "chargePointModel": "M" * 20,
                "chargePointSerialNumber": "S" * 25,
                "firmwareVersion": "F" * 50,
                "iccid": "I" * 20,
                "imsi": "J" * 20,
            },
        ),
        (
            {"vendorName": "Acme", "model": "One", "modem": {"imsi": "262"}},
            {"chargePointVendor": "Acme", "chargePointModel": "One", "imsi": "262"},
        ),
    ],
)
def test_request(fits: Callable[..., Json], station: Json, expected: Json) -> None:
    payload = fits("v201", "BootNotification", {"reason": "PowerUp", "chargingStation": station})

    assert fits("v16", "BootNotification", boot_request(payload)) == expected


@pytest.mark.parametrize("status", ["Accepted", "Pending", "Rejected"])
def test_response(fits: Callable[..., Json], status: str) -> None:
    conf = {"status": status, "currentTime": "2026-05-01T10:00:00.1234+02:00", "interval": 300}

    answer = fits("v201", "BootNotification", boot_response(conf), response=True)

    assert answer == {"status": status, "currentTime": "2026-05-01T08:00:00.123Z", "interval": 300}


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(CallError) as refused:
        boot_response({"status": "Accepted", "currentTime": "noon", "interval": 300})

    assert refused.value.code is ErrorCode.INTERNAL_ERROR


@pytest.mark.parametrize(("station", "serial"), [({"serialNumber": "S-1"}, "S-1"), ({}, None)])
def test_the_serial_number(station: Json, serial: str | None) -> None:
    assert boot_serial({"chargingStation": {"vendorName": "Acme", "model": "One", **station}}) == serial


def test_the_bridge_offers_them() -> None:
    assert V201ToV16.boot_serial is boot_serial
    assert V201ToV16.boot_request is boot_request
    assert V201ToV16.boot_response is boot_response


def test_an_absurd_interval_is_brought_to_reason() -> None:
    conf = {"status": "Accepted", "currentTime": "2026-05-01T08:00:00Z", "interval": -5}
    assert boot_response(conf)["interval"] == 0
