"""What one key asks of the station, and what its value is made of."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.v201_v16.configuration_questions import derived, question

if TYPE_CHECKING:
    from tests.bridge.v201_v16.conftest import World


@pytest.mark.parametrize("key", ["AuthorizationKey", "SECURITYPROFILE", "CpoName", "BlinkRepeat", "LightIntensity"])
def test_keys_that_can_not_be_known(world: "World", key: str) -> None:
    assert question(world.context, key) is None


@pytest.mark.parametrize(
    ("key", "readonly", "found", "value"),
    [
        ("HeartbeatInterval", False, {"ocppcommctrlr.heartbeatinterval": "60"}, "60"),
        ("heartbeatINTERVAL", False, {"ocppcommctrlr.heartbeatinterval": "60"}, "60"),
        ("HeartbeatInterval", False, {}, None),
        ("ChargeProfileMaxStackLevel", True, {"smartchargingctrlr.profilestacklevel": "9"}, "9"),
        ("ChargingScheduleAllowedChargingRateUnit", True, {"smartchargingctrlr.rateunit": "A,W"}, "Current,Power"),
        ("Vendor.Thing", False, {"vendor.thing": "x"}, "x"),
        ("Vendor.Thing", False, {}, None),
    ],
)
def test_keys_of_one_variable(
    world: "World", key: str, readonly: bool, found: dict[str, str], value: str | None
) -> None:
    asked = question(world.context, key)

    assert asked is not None
    assert asked.readonly is readonly
    assert [variable.path for variable in asked.variables] == [*found] or value is None
    assert asked.compose(found) == value


async def test_keys_that_voltgate_knows(world: "World") -> None:
    await world.status(0, "Available", connector=0)
    await world.status(1, "Available")
    await world.status(2, "Available")

    assert derived(world.context) == {
        "ConnectorPhaseRotationMaxLength": "2",
        "GetConfigurationMaxKeys": "100",
        "NumberOfConnectors": "2",
        "SupportedFeatureProfiles": "Core,RemoteTrigger",
        "SupportedFeatureProfilesMaxLength": "2",
    }
    for key, value in derived(world.context).items():
        asked = question(world.context, key.upper())
        assert asked is not None
        assert (asked.readonly, list(asked.variables), asked.compose({})) == (True, [], value)


def test_limits_are_known_once_they_were_reported(world: "World") -> None:
    before = question(world.context, "LocalAuthListMaxLength")
    world.context.memory.limits["localauthlistctrlr.entries"] = 40
    after = question(world.context, "localauthlistmaxlength")

    assert before is not None
    assert after is not None
    assert (before.compose({}), after.compose({}), after.readonly) == (None, "40", True)


async def test_phase_rotation_is_made_of_all_connectors(world: "World") -> None:
    await world.status(1, "Available")
    await world.status(2, "Available")

    asked = question(world.context, "ConnectorPhaseRotation")

    assert asked is not None
    paths = [variable.path for variable in asked.variables]
    assert paths == ["connector.phaserotation@1.1", "connector.phaserotation@2.1"]
    assert asked.compose({paths[0]: "RST", paths[1]: "RTS"}) == "1.RST,2.RTS"
    assert asked.compose({paths[1]: "RTS"}) == "2.RTS"
    assert asked.compose({}) is None
    assert not asked.readonly
