"""BootNotification as a table."""

import pytest

from gateway.bridge.books import Json
from gateway.bridge.v16_v16 import V16ToV16
from gateway.bridge.v16_v16.boot import boot_request, boot_response, boot_serial

BOOT: Json = {"chargePointVendor": "Acme", "chargePointModel": "One"}


@pytest.mark.parametrize(
    ("fields", "serial"),
    [
        ({}, None),
        ({"chargePointSerialNumber": "P"}, "P"),
        ({"chargeBoxSerialNumber": "B"}, "B"),
        ({"chargePointSerialNumber": "P", "chargeBoxSerialNumber": "B"}, "P"),
        ({"chargePointSerialNumber": "", "chargeBoxSerialNumber": "B"}, "B"),
        ({"chargePointSerialNumber": "", "chargeBoxSerialNumber": ""}, ""),
        ({"meterSerialNumber": "M"}, None),
    ],
)
def test_the_serial_number(fields: Json, serial: str | None) -> None:
    assert boot_serial({**BOOT, **fields}) == serial


def test_both_ways_it_is_the_peers_own() -> None:
    conf = {"status": "Accepted", "currentTime": "2026-05-01T10:00:00", "interval": 300}

    assert boot_request(BOOT) == BOOT
    assert boot_response(conf) == conf


def test_but_for_an_absurd_interval() -> None:
    conf = {"status": "Pending", "currentTime": "2026-05-01T10:00:00Z", "interval": 10**9}

    assert boot_response(conf) == {**conf, "interval": 86_400}


def test_the_bridge_offers_them() -> None:
    assert V16ToV16.boot_serial is boot_serial
    assert V16ToV16.boot_request is boot_request
    assert V16ToV16.boot_response is boot_response
