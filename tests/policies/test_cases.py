"""The words of a case."""

import pytest

from policies.cases import Message, facts_of, protocol_at
from policies.words import Facts, Kind, Stage


@pytest.mark.parametrize(
    ("stage", "protocol"),
    [
        (Stage.FROM_STATION, "ocpp2.0.1"),
        (Stage.TO_STATION, "ocpp2.0.1"),
        (Stage.TO_BACKEND, "ocpp1.6"),
        (Stage.FROM_BACKEND, "ocpp1.6"),
    ],
)
def test_what_is_spoken_at_a_stage(stage: Stage, protocol: str) -> None:
    assert protocol_at(stage, Facts("CS-1")) == protocol


def test_a_station_of_16() -> None:
    assert protocol_at(Stage.FROM_STATION, Facts("CS-1", protocol="ocpp1.6")) == "ocpp1.6"


def test_a_message_by_its_name() -> None:
    message = Message(Stage.FROM_BACKEND, Kind.RESULT, "ocpp1.6", "Heartbeat", {"secret": "x"})

    assert str(message) == "from_backend ocpp1.6 Heartbeat result"


def test_facts_by_their_names_in_a_policy() -> None:
    assert facts_of({"station": "A", "booted": True, "vendor": "V"}) == Facts("A", is_booted=True, vendor="V")
    assert facts_of({}) == Facts("CS-1")
