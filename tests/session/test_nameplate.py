"""The nameplate of a station, in both dialects."""

from typing import Any

import pytest

from gateway.session.nameplate import Nameplate, nameplate


@pytest.mark.parametrize(
    ("boot", "expected"),
    [
        (None, Nameplate()),
        (
            {
                "reason": "PowerUp",
                "chargingStation": {
                    "vendorName": "Example",
                    "model": "AC22",
                    "serialNumber": "SN-201",
                    "firmwareVersion": "1.2",
                },
            },
            Nameplate("Example", "AC22", "SN-201", "1.2"),
        ),
        ({"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}}, Nameplate("V", "M")),
        (
            {
                "chargePointVendor": "Example",
                "chargePointModel": "AC11",
                "chargePointSerialNumber": "SN-16",
                "firmwareVersion": "1.1",
            },
            Nameplate("Example", "AC11", "SN-16", "1.1"),
        ),
        (
            {"chargePointVendor": "V", "chargePointModel": "M", "chargeBoxSerialNumber": "BOX"},
            Nameplate("V", "M", "BOX"),
        ),
    ],
)
def test_the_nameplate_in_either_dialect(boot: Any, expected: Nameplate) -> None:
    assert nameplate(boot) == expected
