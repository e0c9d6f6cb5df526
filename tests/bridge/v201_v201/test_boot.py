"""BootNotification's parts, as tables."""

import pytest

from gateway.bridge.books import Json
from gateway.bridge.v201_v201.boot import boot_request, boot_response, boot_serial

BOOT: Json = {"reason": "PowerUp", "chargingStation": {"vendorName": "V" * 50, "model": "M", "serialNumber": "S1"}}


def test_the_backend_hears_what_the_station_said() -> None:
    assert boot_request(BOOT) == BOOT
    assert boot_serial(BOOT) == "S1"
    assert boot_serial({"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}}) is None


@pytest.mark.parametrize(("said", "told"), [(300, 300), (0, 0), (-1, 0), (86_401, 86_400)])
def test_the_interval_is_brought_to_reason(said: int, told: int) -> None:
    answer = {"status": "Pending", "currentTime": "2026-05-01T12:00:00Z", "interval": said, "statusInfo": {}}

    assert boot_response(answer) == {**answer, "interval": told}
