"""The station's variables, as many as the demo has use for (OCPP 2.0.1 B05 to B07)."""

from typing import Any, Final

from gateway.demo.charging import CONNECTOR, EVSE

AUTHORIZE_REMOTE_START: Final = ("AuthCtrlr", "AuthorizeRemoteStart")
ORGANIZATION_NAME: Final = ("SecurityCtrlr", "OrganizationName")
SECURITY_PROFILE: Final = ("SecurityCtrlr", "SecurityProfile")
SIGNING_WAIT: Final = ("SecurityCtrlr", "CertSigningWaitMinimum")
SIGNING_REPEATS: Final = ("SecurityCtrlr", "CertSigningRepeatTimes")

_WRITABLE: Final = frozenset({AUTHORIZE_REMOTE_START, SIGNING_WAIT, SIGNING_REPEATS})
_BOOLEANS: Final = frozenset({AUTHORIZE_REMOTE_START, ("Connector", "Available"), ("EVSE", "Available")})
_INTEGERS: Final = frozenset({SECURITY_PROFILE, SIGNING_WAIT, SIGNING_REPEATS})
_PLACES: Final = {"Connector": {"id": EVSE, "connector_id": CONNECTOR}, "EVSE": {"id": EVSE}}
"""Component -> where it is; any other is the station's."""

Variable = tuple[str, str]
"""Component and variable name."""


class DeviceModel:
    """Answers GetVariables and SetVariables; keys of their items are as `ocpp` hands them over."""

    def __init__(self, *, identity: str, operator: str) -> None:
        self._values: dict[Variable, str] = {
            AUTHORIZE_REMOTE_START: "true",
            ORGANIZATION_NAME: operator,
            SECURITY_PROFILE: "2",
            SIGNING_WAIT: "30",
            SIGNING_REPEATS: "3",
            ("Connector", "Available"): "true",
            ("EVSE", "Available"): "true",
            ("SecurityCtrlr", "Identity"): identity,
            ("TxCtrlr", "TxStartPoint"): "EVConnected",
            ("TxCtrlr", "TxStopPoint"): "EVConnected,Authorized",
        }

    def __getitem__(self, variable: Variable) -> str:
        return self._values[variable]

    def __setitem__(self, variable: Variable, value: str) -> None:
        self._values[variable] = value

    def get(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return GetVariableResultType for each item."""
        return [self._get(item) for item in items]

    def set(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Set what may be set, and return SetVariableResultType for each item."""
        return [_named(item) | {"attribute_status": self._set(item)} for item in items]

    def report(self) -> list[dict[str, Any]]:
        """Return ReportDataType for each variable: the full inventory."""
        return [
            {
                "component": {"name": component} | ({"evse": _PLACES[component]} if component in _PLACES else {}),
                "variable": {"name": name},
                "variable_attribute": [
                    {"value": value, "mutability": "ReadWrite" if (component, name) in _WRITABLE else "ReadOnly"}
                ],
                "variable_characteristics": {"data_type": _data_type((component, name)), "supports_monitoring": False},
            }
            for (component, name), value in self._values.items()
        ]

    def _get(self, item: dict[str, Any]) -> dict[str, Any]:
        status = self._status(item)
        result = _named(item) | {"attribute_status": status}
        return result | {"attribute_value": self._values[_variable(item)]} if status == "Accepted" else result

    def _set(self, item: dict[str, Any]) -> str:
        status = self._status(item)
        if status != "Accepted":
            return status
        variable, value = _variable(item), item["attribute_value"]
        fits = value in {"true", "false"} if variable == AUTHORIZE_REMOTE_START else value.isdecimal()
        if variable not in _WRITABLE or not fits:
            return "Rejected"
        self._values[variable] = value
        return "Accepted"

    def _status(self, item: dict[str, Any]) -> str:
        component, name = _variable(item)
        is_there = item["component"].get("evse") == _PLACES.get(component)
        if component not in {known for known, _ in self._values} or not is_there:
            return "UnknownComponent"
        if (component, name) not in self._values:
            return "UnknownVariable"
        return "Accepted" if item.get("attribute_type", "Actual") == "Actual" else "NotSupportedAttributeType"


def _data_type(variable: Variable) -> str:
    if variable in _BOOLEANS:
        return "boolean"
    return "integer" if variable in _INTEGERS else "string"


def _variable(item: dict[str, Any]) -> Variable:
    return item["component"]["name"], item["variable"]["name"]


def _named(item: dict[str, Any]) -> dict[str, Any]:
    """Return the part of an item that its result repeats."""
    return {name: item[name] for name in ("component", "variable", "attribute_type") if name in item}
