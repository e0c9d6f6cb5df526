"""GetConfiguration and ChangeConfiguration as dialogues with a station that has a device model."""

from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.books import Json
from gateway.bridge.ports import DOWNGRADE, RECONFIGURATION, PeerUnavailable
from gateway.bridge.v201_v16.configuration_keys import KEYS, name_of
from gateway.bridge.v201_v16.configuration_questions import all_keys, question
from gateway.bridge.v201_v16.variables import ITEMS
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bridge.v201_v16.conftest import World

    NewEntry = Callable[..., Json]

MODEL = {
    "OCPPCommCtrlr.HeartbeatInterval": "60",
    "SmartChargingCtrlr.RateUnit": "A,W",
    "AuthCtrlr.LocalPreAuthorize": "true",
    "Vendor.Thing": "x" * 600,
    "Connector.PhaseRotation@1.1": "RST",
    "SecurityCtrlr.BasicAuthPassword": "leaked",
    "SecurityCtrlr.SecurityProfile": "2",
    "SecurityCtrlr.OrganizationName": "CPO",
}


class Model:
    """A station's device model, behind GetVariables and SetVariables."""

    def __init__(self, world: "World") -> None:
        self.values = {path.casefold(): value for path, value in MODEL.items()}
        self.set_status = "Accepted"
        self.most = 100
        self.asked: list[int] = []
        self.set: list[tuple[str, str]] = []
        world.station.answers["GetVariables"] = self.get
        world.station.answers["SetVariables"] = self.change

    def get(self, payload: Json) -> Json:
        data = payload["getVariableData"]
        self.asked.append(len(data))
        if len(data) > self.most:
            raise CallError(ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION, "too many")
        return {"getVariableResult": [self._result(datum) for datum in data]}

    def _result(self, datum: Json) -> Json:
        value = self.values.get(name_of(datum["component"], datum["variable"]))
        if value is None:
            return {**datum, "attributeStatus": "UnknownVariable"}
        return {**datum, "attributeStatus": "Accepted", "attributeValue": value}

    def change(self, payload: Json) -> Json:
        results = []
        for datum in payload["setVariableData"]:
            place = {"component": datum["component"], "variable": datum["variable"]}
            self.set.append((name_of(**place), datum["attributeValue"]))
            results.append({**place, "attributeStatus": self.set_status})
        return {"setVariableResult": results}


@pytest.fixture
def model(world: "World") -> Model:
    return Model(world)


class TestGet:
    async def test_asked_keys(self, world: "World", model: Model) -> None:
        await world.status(1, "Available")

        answer = await world.from_backend(
            "GetConfiguration",
            {
                "key": [
                    "HeartbeatInterval",
                    "NumberOfConnectors",
                    "ChargingScheduleAllowedChargingRateUnit",
                    "ConnectorPhaseRotation",
                    "Vendor.Thing",
                    "heartbeatInterval",
                    "ConnectionTimeOut",
                    "BlinkRepeat",
                    "HeartbeatInterval",
                ]
            },
        )

        assert answer == {
            "configurationKey": [
                {"key": "HeartbeatInterval", "readonly": False, "value": "60"},
                {"key": "NumberOfConnectors", "readonly": True, "value": "1"},
                {"key": "ChargingScheduleAllowedChargingRateUnit", "readonly": True, "value": "Current,Power"},
                {"key": "ConnectorPhaseRotation", "readonly": False, "value": "1.RST"},
                {"key": "Vendor.Thing", "readonly": False, "value": "x" * 500},
                {"key": "heartbeatInterval", "readonly": False, "value": "60"},
            ],
            "unknownKey": ["ConnectionTimeOut", "BlinkRepeat"],
        }
        assert model.asked == [5]
        assert "Vendor.Thing" in world.notes["configuration-value"]

    @pytest.mark.parametrize("payload", [{}, {"key": []}])
    async def test_without_keys_all_that_there_are(self, world: "World", model: Model, payload: Json) -> None:
        answer = await world.from_backend("GetConfiguration", payload)

        assert "unknownKey" not in answer
        assert {entry["key"] for entry in answer["configurationKey"]} == {
            "HeartbeatInterval",
            "ChargingScheduleAllowedChargingRateUnit",
            "LocalPreAuthorize",
            "ConnectorPhaseRotationMaxLength",
            "GetConfigurationMaxKeys",
            "NumberOfConnectors",
            "SupportedFeatureProfiles",
            "SupportedFeatureProfilesMaxLength",
        }
        asked = {
            variable.path for key in all_keys() if (ask := question(world.context, key)) for variable in ask.variables
        }
        assert asked >= {key.variable.path for key in KEYS.values()}
        assert sum(model.asked) == len(asked)
        assert max(model.asked) == ITEMS

    @pytest.mark.parametrize(
        "key",
        [
            "AuthorizationKey",
            "authorizationkey",
            "SecurityProfile",
            "CpoName",
            "SecurityCtrlr.BasicAuthPassword",
            "SecurityCtrlr.SecurityProfile",
            "SecurityCtrlr.OrganizationName",
        ],
    )
    async def test_what_concerns_the_backends_leg_or_is_secret(self, world: "World", model: Model, key: str) -> None:
        assert await world.from_backend("GetConfiguration", {"key": [key]}) == {"unknownKey": [key]}
        assert model.asked == []

    async def test_keys_that_need_no_station(self, world: "World", model: Model) -> None:
        await world.from_backend("GetConfiguration", {"key": ["NumberOfConnectors"]})

        assert world.heard("station") == []

    async def test_a_station_that_takes_fewer_is_asked_in_parts(self, world: "World", model: Model) -> None:
        model.most = 3

        answer = await world.from_backend("GetConfiguration", {"key": [*KEYS]})

        assert len(answer["configurationKey"]) == 3
        assert len(answer["unknownKey"]) == len(KEYS) - 3

    async def test_a_station_that_refuses_every_one(self, world: "World", model: Model) -> None:
        model.most = 0

        assert await world.from_backend("GetConfiguration", {"key": ["HeartbeatInterval"]}) == {
            "unknownKey": ["HeartbeatInterval"]
        }

    @pytest.mark.parametrize("code", [ErrorCode.NOT_IMPLEMENTED, ErrorCode.NOT_SUPPORTED])
    async def test_a_station_without_a_device_model_is_asked_once(self, world: "World", code: ErrorCode) -> None:
        world.station.answers["GetVariables"] = CallError(code)

        answer = await world.from_backend("GetConfiguration", {"key": ["HeartbeatInterval", "ResetRetries"]})

        assert answer == {"unknownKey": ["HeartbeatInterval", "ResetRetries"]}
        assert world.actions("station") == ["GetVariables"]

    async def test_a_station_that_is_away(self, world: "World") -> None:
        world.station.answers["GetVariables"] = PeerUnavailable("gone")

        with pytest.raises(CallError) as refused:
            await world.from_backend("GetConfiguration", {"key": ["HeartbeatInterval"]})

        assert refused.value.code is ErrorCode.GENERIC_ERROR


async def change(world: "World", key: str, value: str) -> Any:
    return (await world.from_backend("ChangeConfiguration", {"key": key, "value": value}))["status"]


class TestChange:
    @pytest.mark.parametrize(
        ("key", "value", "expected"),
        [
            ("HeartbeatInterval", "300", [("OCPPCommCtrlr.HeartbeatInterval", "300")]),
            ("HEARTBEATINTERVAL", "300", [("OCPPCommCtrlr.HeartbeatInterval", "300")]),
            ("LocalPreAuthorize", "True", [("AuthCtrlr.LocalPreAuthorize", "true")]),
            (
                "TransactionMessageAttempts",
                "5",
                [("OCPPCommCtrlr.MessageAttempts[TransactionEvent]", "5")],
            ),
            (
                "ClockAlignedDataInterval",
                "900",
                [("AlignedDataCtrlr.Interval", "900"), ("AlignedDataCtrlr.TxEndedInterval", "900")],
            ),
            (
                "MeterValuesSampledData",
                "Voltage.L1,SoC",
                [
                    ("SampledDataCtrlr.TxUpdatedMeasurands", "Voltage,SoC"),
                    ("SampledDataCtrlr.TxStartedMeasurands", "Energy.Active.Import.Register,Voltage,SoC"),
                ],
            ),
            ("Vendor[i].Thing", "y", [("Vendor[i].Thing", "y")]),
            (
                "ConnectorPhaseRotation",
                "0.RST, 1.RST,2.RTS",
                [("Connector.PhaseRotation@1.1", "RST"), ("Connector.PhaseRotation@2.1", "RTS")],
            ),
        ],
    )
    async def test_what_is_set(
        self, world: "World", model: Model, key: str, value: str, expected: list[tuple[str, str]]
    ) -> None:
        await world.status(1, "Available")
        await world.status(2, "Available")

        assert await change(world, key, value) == "Accepted"
        assert model.set == [(path.casefold(), text) for path, text in expected]

    @pytest.mark.parametrize(
        ("key", "value", "expected"),
        [
            ("NumberOfConnectors", "3", "Rejected"),
            ("ChargeProfileMaxStackLevel", "3", "Rejected"),
            ("LocalAuthListMaxLength", "3", "Rejected"),
            ("LocalPreAuthorize", "perhaps", "Rejected"),
            ("HeartbeatInterval", "soon", "Rejected"),
            ("HeartbeatInterval", "", "Rejected"),
            ("HeartbeatInterval", "1.5", "Rejected"),
            ("ClockAlignedDataInterval", "quarterly", "Rejected"),
            ("SupportedFeatureProfiles", "Core", "Rejected"),
            ("MeterValuesSampledData", "Temperature", "Rejected"),
            ("ConnectorPhaseRotation", "9.RST", "Rejected"),
            ("ConnectorPhaseRotation", "RST", "Rejected"),
            ("ConnectorPhaseRotation", "1", "Rejected"),
            ("ConnectorPhaseRotation", "0.RST", "Rejected"),
            ("BlinkRepeat", "3", "NotSupported"),
            ("LightIntensity", "50", "NotSupported"),
            ("StopTransactionMaxMeterValues", "9", "NotSupported"),
            ("AuthorizationKey", "00" * 20, "NotSupported"),
            ("authorizationKEY", "00" * 20, "NotSupported"),
            ("SecurityProfile", "1", "NotSupported"),
            ("CpoName", "Me", "NotSupported"),
            ("SecurityCtrlr.BasicAuthPassword", "pw", "NotSupported"),
            ("SecurityCtrlr.SecurityProfile", "1", "NotSupported"),
            ("OCPPCommCtrlr.NetworkConfigurationPriority", "2", "NotSupported"),
        ],
    )
    async def test_what_never_reaches_the_station(
        self, world: "World", model: Model, key: str, value: str, expected: str
    ) -> None:
        await world.status(1, "Available")

        assert await change(world, key, value) == expected
        assert world.heard("station") == []

    @pytest.mark.parametrize(
        ("key", "value", "kind"),
        [
            ("AuthorizationKey", "00" * 20, RECONFIGURATION),
            (" authorizationKEY", "00" * 20, RECONFIGURATION),
            ("CpoName", "Me", RECONFIGURATION),
            ("AdditionalRootCertificateCheck", "false", RECONFIGURATION),
            ("SecurityCtrlr.BasicAuthPassword", "pw", RECONFIGURATION),
            ("OCPPCommCtrlr.NetworkConfigurationPriority", "2", RECONFIGURATION),
            ("NetworkConfiguration[1].OcppCsmsUrl", "ws://elsewhere", RECONFIGURATION),
            ("SecurityProfile", "1", DOWNGRADE),
            ("Vendor.ApnPassword", "pw", None),
            ("HeartbeatInterval", "300", None),
        ],
    )
    async def test_an_attempt_on_the_stations_security_is_reported(
        self, world: "World", model: Model, key: str, value: str, kind: str | None
    ) -> None:
        await change(world, key, value)

        assert [reported for reported, _ in world.reports] == ([] if kind is None else [kind])

    @pytest.mark.parametrize(
        ("set_status", "expected"),
        [
            ("Accepted", "Accepted"),
            ("Rejected", "Rejected"),
            ("RebootRequired", "RebootRequired"),
            ("UnknownComponent", "NotSupported"),
            ("UnknownVariable", "NotSupported"),
            ("NotSupportedAttributeType", "NotSupported"),
        ],
    )
    async def test_the_status(self, world: "World", model: Model, set_status: str, expected: str) -> None:
        model.set_status = set_status

        assert await change(world, "HeartbeatInterval", "300") == expected

    @pytest.mark.parametrize(
        ("outcome", "expected"),
        [
            (CallError(ErrorCode.NOT_IMPLEMENTED), "NotSupported"),
            (CallError(ErrorCode.NOT_SUPPORTED), "NotSupported"),
            (CallError(ErrorCode.INTERNAL_ERROR), "Rejected"),
            (PeerUnavailable("gone"), "Rejected"),
        ],
    )
    async def test_a_station_that_does_not_answer(self, world: "World", outcome: Exception, expected: str) -> None:
        world.station.answers["SetVariables"] = outcome

        assert await change(world, "HeartbeatInterval", "300") == expected

    @pytest.mark.parametrize(
        ("main", "along", "expected", "noted"),
        [
            ("Accepted", "Rejected", "Accepted", True),
            ("RebootRequired", "Accepted", "RebootRequired", False),
            ("Rejected", "Accepted", "Rejected", False),
        ],
    )
    async def test_the_main_variable_decides(
        self, world: "World", main: str, along: str, expected: str, noted: bool
    ) -> None:
        def answer(payload: Json) -> Json:
            places = [{"component": d["component"], "variable": d["variable"]} for d in payload["setVariableData"]]
            statuses = [main, along]
            return {"setVariableResult": [{**p, "attributeStatus": s} for p, s in zip(places, statuses, strict=True)]}

        world.station.answers["SetVariables"] = answer

        assert await change(world, "ClockAlignedDataInterval", "900") == expected
        assert ("configuration-part" in world.notes) is noted

    async def test_of_several_connectors_the_worst_counts(self, world: "World") -> None:
        await world.status(1, "Available")
        await world.status(2, "Available")
        statuses = iter(["Accepted", "Rejected"])
        world.station.answers["SetVariables"] = lambda payload: {
            "setVariableResult": [
                {"component": d["component"], "variable": d["variable"], "attributeStatus": next(statuses)}
                for d in payload["setVariableData"]
            ]
        }

        assert await change(world, "ConnectorPhaseRotation", "1.RST,2.RST") == "Rejected"

    async def test_a_station_that_speaks_of_something_else(self, world: "World") -> None:
        world.station.answers["SetVariables"] = {
            "setVariableResult": [
                {"component": {"name": "X"}, "variable": {"name": "Y"}, "attributeStatus": "Accepted"}
            ]
        }

        assert await change(world, "HeartbeatInterval", "300") == "Rejected"


class TestInventory:
    """What the station's inventory says is not asked, or tried, again."""

    @pytest.mark.parametrize(
        ("path", "facts", "key", "value", "expected"),
        [
            ("AuthCtrlr.LocalPreAuthorize", {"mutability": "ReadOnly"}, "LocalPreAuthorize", "true", "Rejected"),
            ("Vendor.Thing", {"mutability": "ReadOnly"}, "Vendor.Thing", "y", "Rejected"),
            ("Vendor.Thing", {"dataType": "integer"}, "Vendor.Thing", "y", "Rejected"),
            ("Vendor.Thing", {"dataType": "boolean"}, "Vendor.Thing", "1", "Rejected"),
            ("Vendor.Thing", {}, "Vendor.Other", "y", "NotSupported"),
            ("SecurityCtrlr.BasicAuthPassword", {"mutability": "WriteOnly"}, "AuthorizationKey", "00", "NotSupported"),
        ],
    )
    @pytest.mark.usefixtures("model")
    async def test_what_never_reaches_the_station(
        self,
        world: "World",
        new_entry: "NewEntry",
        path: str,
        facts: Json,
        key: str,
        value: str,
        expected: str,
    ) -> None:
        await world.learns(new_entry(path, **facts))

        assert await change(world, key, value) == expected
        assert world.heard("station") == []

    @pytest.mark.parametrize(
        ("facts", "key", "value", "expected"),
        [
            ({"mutability": "WriteOnly"}, "Vendor.Thing", "y", ("vendor.thing", "y")),
            ({"dataType": "integer"}, "Vendor.Thing", " 7", ("vendor.thing", "7")),
            ({"dataType": "boolean"}, "Vendor.Thing", "TRUE", ("vendor.thing", "true")),
            ({"dataType": "decimal"}, "Vendor.Thing", "0.5", ("vendor.thing", "0.5")),
            ({}, "HeartbeatInterval", "60", ("ocppcommctrlr.heartbeatinterval", "60")),
        ],
    )
    async def test_what_is_set(
        self,
        world: "World",
        model: Model,
        new_entry: "NewEntry",
        facts: Json,
        key: str,
        value: str,
        expected: tuple[str, str],
    ) -> None:
        await world.learns(new_entry("Vendor.Thing", **facts))

        assert await change(world, key, value) == "Accepted"
        assert model.set == [expected]

    async def test_of_what_is_set_along_the_read_only_is_left_out(
        self, world: "World", model: Model, new_entry: "NewEntry"
    ) -> None:
        await world.learns(new_entry("AlignedDataCtrlr.TxEndedInterval", mutability="ReadOnly"))

        assert await change(world, "ClockAlignedDataInterval", "900") == "Accepted"
        assert model.set == [("aligneddatactrlr.interval", "900")]

    async def test_one_connector_that_can_not_be_set_refuses_the_phase_rotation(
        self, world: "World", model: Model, new_entry: "NewEntry"
    ) -> None:
        place = {"evse": 1, "connector": 1}
        await world.learns(new_entry("Connector.PhaseRotation", mutability="ReadOnly", **place))

        assert await change(world, "ConnectorPhaseRotation", "1.RST") == "Rejected"
        assert world.heard("station") == []

    async def test_a_station_that_takes_one_variable_at_a_time(
        self, world: "World", model: Model, new_entry: "NewEntry"
    ) -> None:
        await world.learns(*(new_entry(f"DeviceDataCtrlr.ItemsPerMessage[{verb}Variables]") for verb in ("Get", "Set")))

        assert await change(world, "ClockAlignedDataInterval", "900") == "Accepted"
        assert world.actions("station") == ["SetVariables", "SetVariables"]
        await world.from_backend("GetConfiguration", {"key": ["HeartbeatInterval", "ResetRetries"]})
        assert model.asked == [1, 1]

    async def test_what_get_configuration_says_of_keys(
        self, world: "World", model: Model, new_entry: "NewEntry"
    ) -> None:
        await world.learns(
            new_entry("OCPPCommCtrlr.HeartbeatInterval", mutability="ReadOnly"),
            new_entry("Vendor.Thing", mutability="WriteOnly"),
            new_entry("SampledDataCtrlr.TxUpdatedMeasurands", maxLimit=8),
            new_entry("Connector.Available", evse=1, connector=1),
            new_entry("Connector.Available", evse=1, connector=2),
        )
        world.restart()

        answer = await world.from_backend(
            "GetConfiguration",
            {
                "key": [
                    "HeartbeatInterval",
                    "MeterValuesSampledDataMaxLength",
                    "NumberOfConnectors",
                    "Vendor.Thing",
                    "Vendor.Other",
                ]
            },
        )

        assert answer == {
            "configurationKey": [
                {"key": "HeartbeatInterval", "readonly": True, "value": "60"},
                {"key": "MeterValuesSampledDataMaxLength", "readonly": True, "value": "8"},
                {"key": "NumberOfConnectors", "readonly": True, "value": "2"},
            ],
            "unknownKey": ["Vendor.Thing", "Vendor.Other"],
        }
        assert model.asked == [1]
