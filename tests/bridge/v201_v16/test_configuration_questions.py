"""What one key asks of the station, and what its value is made of."""

from typing import TYPE_CHECKING

import pytest

from gateway.bridge.v201_v16.configuration_keys import FEATURES
from gateway.bridge.v201_v16.configuration_questions import question
from gateway.bridge.v201_v16.dialect import FROM_BACKEND

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.bridge.books import Json
    from tests.bridge.v201_v16.conftest import World

    NewEntry = Callable[..., Json]


@pytest.mark.parametrize(
    "key",
    [
        "AuthorizationKey",
        "SECURITYPROFILE",
        "CpoName",
        "BlinkRepeat",
        "LightIntensity",
        "StopTransactionMaxMeterValues",
    ],
)
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


def value(world: "World", key: str, found: dict[str, str] | None = None) -> str | None:
    """Return a key's value, with what the station says, "" for none; every derived key is read-only."""
    asked = question(world.context, key)
    assert asked is not None
    assert asked.readonly
    return asked.compose(found or {})


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("ConnectorPhaseRotationMaxLength", "2"),
        ("GetConfigurationMaxKeys", "100"),
        ("NumberOfConnectors", "2"),
        ("NUMBEROFCONNECTORS", "2"),
    ],
)
async def test_keys_that_voltgate_knows(world: "World", key: str, expected: str) -> None:
    await world.status(0, "Available", connector=0)
    await world.status(1, "Available")
    await world.status(2, "Available")

    assert value(world, key) == expected


async def test_limits_are_known_once_they_were_reported_and_after_a_restart(
    world: "World", new_entry: "NewEntry"
) -> None:
    assert value(world, "LocalAuthListMaxLength") is None

    await world.tells(new_entry("LocalAuthListCtrlr.Entries", maxLimit=40.0))
    world.restart()

    assert value(world, "localauthlistmaxlength") == "40"
    assert value(world, "MeterValuesSampledDataMaxLength") is None


ALL_CARRIED = frozenset().union(*(feature.actions for feature in FEATURES.values()))


@pytest.mark.parametrize(
    ("variables", "profiles"),
    [
        ({}, []),
        (
            {
                "LocalAuthListCtrlr.Available": "true",
                "ReservationCtrlr.Available": "True",
                "SmartChargingCtrlr.Available": "true",
            },
            ["LocalAuthListManagement", "Reservation", "SmartCharging"],
        ),
        ({"ReservationCtrlr.Available": "false", "ReservationCtrlr.Enabled": "true"}, []),
        ({"SmartChargingCtrlr.ProfileStackLevel": "8"}, ["SmartCharging"]),
        ({"LocalAuthListCtrlr.ItemsPerMessage": "10"}, ["LocalAuthListManagement"]),
        ({"SmartChargingCtrlr.Enabled": "true"}, []),
    ],
)
@pytest.mark.parametrize("is_known", [True, False], ids=["inventory", "asked"])
async def test_the_feature_profiles_that_the_station_has(
    world: "World", new_entry: "NewEntry", variables: dict[str, str], profiles: list[str], is_known: bool
) -> None:
    world.context.carried = ALL_CARRIED
    if is_known:
        await world.learns(*(new_entry(path, text) for path, text in variables.items()))
    asked = question(world.context, "supportedfeatureprofiles")
    assert asked is not None
    paths = {variable.path for variable in asked.variables}
    assert len(paths) == (0 if is_known else 6)
    found = {path.casefold(): text for path, text in variables.items() if path.casefold() in paths}

    expected = [name for name in FEATURES if name in {"Core", "FirmwareManagement", "RemoteTrigger", *profiles}]
    assert value(world, "SupportedFeatureProfiles", found) == ",".join(expected)
    assert value(world, "SupportedFeatureProfilesMaxLength", found) == str(len(expected))


@pytest.mark.parametrize(
    ("carried", "expected"),
    [
        ((), "Core"),
        (("TriggerMessage",), "Core,RemoteTrigger"),
        (("SendLocalList",), "Core"),
        (("SendLocalList", "GetLocalListVersion"), "Core,LocalAuthListManagement"),
    ],
)
def test_a_profile_that_the_bridge_does_not_carry_is_not_supported(
    world: "World", carried: tuple[str, ...], expected: str
) -> None:
    world.context.carried = carried

    assert value(world, "SupportedFeatureProfiles", {"localauthlistctrlr.available": "true"}) == expected


def test_what_the_bridge_carries_is_what_it_handles(world: "World") -> None:
    assert world.context.carried == FROM_BACKEND.keys()


@pytest.mark.parametrize(
    ("path", "mutability", "key", "readonly"),
    [
        ("AuthCtrlr.LocalPreAuthorize", "ReadOnly", "LocalPreAuthorize", True),
        ("AuthCtrlr.LocalPreAuthorize", "ReadWrite", "LocalPreAuthorize", False),
        ("AuthCtrlr.LocalPreAuthorize", "WriteOnly", "LocalPreAuthorize", None),
        ("SmartChargingCtrlr.ProfileStackLevel", "ReadWrite", "ChargeProfileMaxStackLevel", True),
        ("Vendor.Thing", "ReadOnly", "Vendor.Thing", True),
        ("Vendor.Thing", "ReadWrite", "vendor.thing", False),
        ("Vendor.Thing", "WriteOnly", "Vendor.Thing", None),
        ("Vendor.Thing", "ReadWrite", "Vendor.Other", None),
        ("Vendor.Thing", "ReadWrite", "LocalPreAuthorize", False),
    ],
)
async def test_what_the_inventory_says_of_a_key(
    world: "World", new_entry: "NewEntry", path: str, mutability: str, key: str, readonly: bool | None
) -> None:
    await world.learns(new_entry(path, mutability=mutability))

    asked = question(world.context, key)

    assert (None if asked is None else asked.readonly) is readonly


async def test_phase_rotation_is_read_only_where_every_connectors_is(world: "World", new_entry: "NewEntry") -> None:
    def rotation(evse_id: int, mutability: str) -> "Json":
        return new_entry("Connector.PhaseRotation", evse=evse_id, connector=1, mutability=mutability)

    for second, expected in (("ReadWrite", False), ("ReadOnly", True)):
        await world.learns(rotation(1, "ReadOnly"), rotation(2, second), firmware=second)
        asked = question(world.context, "ConnectorPhaseRotation")
        assert asked is not None
        assert asked.readonly is expected


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
