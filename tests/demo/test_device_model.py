"""GetVariables and SetVariables over the station's few variables."""

from typing import Any

import pytest

from gateway.demo.device_model import AUTHORIZE_REMOTE_START, DeviceModel


def item(component: str, variable: str, **more: str) -> dict[str, Any]:
    return {"component": {"name": component}, "variable": {"name": variable}, **more}


@pytest.fixture
def model() -> DeviceModel:
    return DeviceModel(identity="CS001", operator="Example CPO")


@pytest.mark.parametrize(
    ("asked", "status", "value"),
    [
        (item("SecurityCtrlr", "OrganizationName"), "Accepted", "Example CPO"),
        (item("SecurityCtrlr", "Identity", attribute_type="Actual"), "Accepted", "CS001"),
        (item("SecurityCtrlr", "Identity", attribute_type="MaxSet"), "NotSupportedAttributeType", None),
        (item("SecurityCtrlr", "BasicAuthPassword"), "UnknownVariable", None),
        (item("Toaster", "Identity"), "UnknownComponent", None),
        (item("Connector", "Available"), "UnknownComponent", None),
    ],
)
def test_get(model: DeviceModel, asked: dict[str, Any], status: str, value: str | None) -> None:
    assert model.get([asked]) == [
        asked | {"attribute_status": status} | ({"attribute_value": value} if value is not None else {})
    ]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (item("AuthCtrlr", "AuthorizeRemoteStart", attribute_value="false"), "Accepted"),
        (item("AuthCtrlr", "AuthorizeRemoteStart", attribute_value="maybe"), "Rejected"),
        (item("SecurityCtrlr", "CertSigningWaitMinimum", attribute_value="60"), "Accepted"),
        (item("SecurityCtrlr", "CertSigningWaitMinimum", attribute_value="soon"), "Rejected"),
        (item("SecurityCtrlr", "SecurityProfile", attribute_value="1"), "Rejected"),
        (item("AuthCtrlr", "Nothing", attribute_value="1"), "UnknownVariable"),
    ],
)
def test_set(model: DeviceModel, asked: dict[str, Any], status: str) -> None:
    named = {name: asked[name] for name in ("component", "variable")}

    assert model.set([asked]) == [named | {"attribute_status": status}]
    if status == "Accepted":
        assert model[asked["component"]["name"], asked["variable"]["name"]] == asked["attribute_value"]


def test_the_station_itself_may_set_anything(model: DeviceModel) -> None:
    model[AUTHORIZE_REMOTE_START] = "false"

    assert model[AUTHORIZE_REMOTE_START] == "false"


def test_the_report_says_what_the_variables_are(model: DeviceModel) -> None:
    report = model.report()

    for entry in report:
        named = {"component": entry["component"], "variable": entry["variable"]}
        (attribute,) = entry["variable_attribute"]
        (answer,) = model.get([named])
        assert (answer["attribute_status"], answer["attribute_value"]) == ("Accepted", attribute["value"])
        (changed,) = model.set([named | {"attribute_value": attribute["value"]}])
        assert changed["attribute_status"] == ("Accepted" if attribute["mutability"] == "ReadWrite" else "Rejected")
    assert [entry["component"] for entry in report if entry["component"]["name"] == "Connector"] == [
        {"name": "Connector", "evse": {"id": 1, "connector_id": 1}}
    ]
    types = {entry["variable"]["name"]: entry["variable_characteristics"]["data_type"] for entry in report}
    assert (types["AuthorizeRemoteStart"], types["SecurityProfile"], types["Identity"]) == (
        "boolean",
        "integer",
        "string",
    )
