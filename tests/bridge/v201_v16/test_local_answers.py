"""What is answered here: valid, always the same, and nobody else hears of it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from gateway.bridge.books import Json
from gateway.bridge.v201_v16.local_answers import ANSWERS

if TYPE_CHECKING:
    from tests.bridge.v201_v16.conftest import World


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("ClearedChargingLimit", {}),
        ("NotifyChargingLimit", {}),
        ("NotifyCustomerInformation", {}),
        ("NotifyDisplayMessages", {}),
        ("NotifyMonitoringReport", {}),
        ("PublishFirmwareStatusNotification", {}),
        ("ReportChargingProfiles", {}),
        ("ReservationStatusUpdate", {}),
        (
            "Get15118EVCertificate",
            {"status": "Failed", "exiResponse": "", "statusInfo": {"reasonCode": "NotConfigured"}},
        ),
        ("NotifyEVChargingNeeds", {"status": "Rejected"}),
        ("NotifyEVChargingSchedule", {"status": "Accepted"}),
    ],
)
async def test_the_answer(world: "World", fits: Callable[..., Json], action: str, expected: Json) -> None:
    answer = await world.bridge.from_station(action, {})

    assert fits("v201", action, answer, response=True) == expected
    assert answer is not ANSWERS[action]
    assert world.dialogue == []


def test_the_table_is_whole() -> None:
    assert len(ANSWERS) == 11
