"""Who sends which action."""

import pytest

from gateway.app.policy_schemas import OfficialSchemas
from gateway.bridge import actions_16, actions_201
from policies.lint.directions import BOTH_WAYS, OF_A_STATION, can_come
from policies.words import Kind, Stage, Target


def test_every_action_is_known_to_go_one_way_or_both() -> None:
    schemas = OfficialSchemas()
    known = {action for protocol in schemas.protocols() for action in schemas.actions(protocol)}

    of_a_station = {action for action in actions_16.OF_A_CHARGE_POINT | actions_201.OF_A_STATION if action in known}

    assert known >= OF_A_STATION | BOTH_WAYS
    assert of_a_station - BOTH_WAYS == OF_A_STATION
    assert OF_A_STATION.isdisjoint(actions_201.OF_A_CSMS)


@pytest.mark.parametrize(
    ("action", "kind", "stages"),
    [
        ("Heartbeat", Kind.CALL, {Stage.FROM_STATION, Stage.TO_BACKEND}),
        ("Heartbeat", Kind.RESULT, {Stage.FROM_BACKEND, Stage.TO_STATION}),
        ("Reset", Kind.CALL, {Stage.FROM_BACKEND, Stage.TO_STATION}),
        ("Reset", Kind.RESULT, {Stage.FROM_STATION, Stage.TO_BACKEND}),
        ("Reset", Kind.ERROR, {Stage.FROM_STATION, Stage.TO_BACKEND}),
        ("DataTransfer", Kind.CALL, set(Stage)),
        ("DataTransfer", Kind.RESULT, set(Stage)),
    ],
)
def test_where_an_action_comes(action: str, kind: Kind, stages: set[Stage]) -> None:
    assert {stage for stage in Stage if can_come(Target(stage, kind, "ocpp1.6", action))} == stages
