"""Nine states out of five, as the table of the mapping."""

import pytest

from gateway.bridge.books import Transaction
from gateway.bridge.v201_v16.status import Phase, derive, derive_station, phase_of, recall

PHASES = [
    # chargingState, energy flowed, deauthorized -> phase
    (None, False, False, Phase.AUTHORIZED),
    ("Idle", False, False, Phase.AUTHORIZED),
    ("EVConnected", False, False, Phase.PLUGGED),
    ("Charging", True, False, Phase.CHARGING),
    ("SuspendedEV", True, False, Phase.SUSPENDED_EV),
    ("SuspendedEVSE", False, False, Phase.SUSPENDED_EVSE),
    ("EVConnected", True, False, Phase.PAUSED),
    ("Idle", True, False, Phase.PAUSED),
    ("EVConnected", True, True, Phase.DEAUTHORIZED),
    ("EVConnected", False, True, Phase.DEAUTHORIZED),
    ("Idle", True, True, Phase.DEAUTHORIZED),
    ("Charging", True, True, Phase.CHARGING),
]


@pytest.mark.parametrize(("charging_state", "flowed", "deauthorized", "phase"), PHASES)
def test_the_phase_of_a_transaction(charging_state: str | None, flowed: bool, deauthorized: bool, phase: Phase) -> None:
    tx = Transaction("TX", charging_state=charging_state, energy_flowed=flowed, deauthorized=deauthorized)

    assert phase_of(tx, finishing=False) is phase
    assert phase_of(tx, finishing=True) is phase


def test_the_phase_without_a_transaction() -> None:
    assert phase_of(None, finishing=False) is Phase.NONE
    assert phase_of(None, finishing=True) is Phase.ENDED


@pytest.mark.parametrize(
    ("phase", "occupied", "available"),
    [
        (Phase.NONE, "Preparing", "Available"),
        (Phase.AUTHORIZED, "Preparing", "Preparing"),
        (Phase.PLUGGED, "Preparing", "Available"),
        (Phase.CHARGING, "Charging", "Available"),
        (Phase.SUSPENDED_EV, "SuspendedEV", "Available"),
        (Phase.SUSPENDED_EVSE, "SuspendedEVSE", "Available"),
        (Phase.PAUSED, "SuspendedEVSE", "Available"),
        (Phase.DEAUTHORIZED, "Finishing", "Available"),
        (Phase.ENDED, "Finishing", "Available"),
    ],
)
def test_the_status_of_a_connector(phase: Phase, occupied: str, available: str) -> None:
    assert derive("Occupied", phase) == occupied
    assert derive("Available", phase) == available
    for same in ("Reserved", "Unavailable", "Faulted"):
        assert derive(same, phase) == same


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Available", "Available"),
        ("Occupied", "Available"),
        ("Reserved", "Available"),
        ("Unavailable", "Unavailable"),
        ("Faulted", "Faulted"),
    ],
)
def test_the_status_of_the_station_itself(status: str, expected: str) -> None:
    assert derive_station(status) == expected


@pytest.mark.parametrize("status", ["Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"])
@pytest.mark.parametrize("before", [None, "EVConnected", "Charging"])
def test_a_transaction_is_brought_to_where_its_connector_was(status: str, before: str | None) -> None:
    tx = Transaction("TX", charging_state=before)

    recall(tx, status)

    assert derive("Occupied", phase_of(tx, finishing=False)) == status


@pytest.mark.parametrize("status", [None, "Available", "Preparing", "Faulted"])
def test_other_states_tell_nothing_of_a_transaction(status: str | None) -> None:
    tx = Transaction("TX", charging_state="EVConnected")

    recall(tx, status)

    assert tx == Transaction("TX", charging_state="EVConnected")
