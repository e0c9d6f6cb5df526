"""The OpenAPI 3.1 description of the API, its schemas taken from the models that the endpoints read with."""

from typing import Any, Final

import gateway
from gateway.admin.api import PREFIX, NewStation, StationCall

_IDENTITY: Final = {
    "name": "identity",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "maxLength": 48},
    "description": "The station's identity, as in its URL.",
}
_STATION: Final = {
    "type": "object",
    "required": ["identity", "profile", "boot_status", "connected"],
    "properties": {
        "identity": {"type": "string"},
        "profile": {"type": "integer", "description": "Lowest OCPP security profile that it may still use."},
        "serial": {"type": ["string", "null"], "description": "CN of its certificate."},
        "backend": {"type": ["string", "null"], "description": "Configured backend; null is default_backend."},
        "boot_status": {"enum": ["None", "Pending", "Rejected", "Accepted"]},
        "connected": {"type": "boolean"},
        "connected_profile": {"type": ["integer", "null"]},
        "backend_connected": {"type": "boolean"},
    },
}
_ERROR: Final = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}


def document() -> dict[str, Any]:
    """Return the description."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Voltgate", "version": gateway.__version__},
        "security": [{"bearer": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Station": _STATION,
                "Error": _ERROR,
                "NewStation": NewStation.model_json_schema(),
                "StationCall": StationCall.model_json_schema(),
            },
        },
    }


def _paths() -> dict[str, Any]:
    return {
        f"{PREFIX}/stations": {
            "get": _operation("List the stations.", {"200": _list_of_stations()}),
            "post": _operation(
                "Register a station; the answer holds its password, once.",
                {"201": _json("The station.", _station_with_password()), **_errors("400", "409")},
                body="NewStation",
            ),
        },
        f"{PREFIX}/stations/{{identity}}": {
            "parameters": [_IDENTITY],
            "get": _operation("Show a station.", {"200": _json("The station.", _ref("Station")), **_errors("404")}),
            "delete": _operation(
                "Remove a station and cut its connection.",
                {"204": {"description": "Removed."}, **_errors("404", "409")},
                parameters=[{"name": "force", "in": "query", "schema": {"type": "boolean"}}],
            ),
        },
        f"{PREFIX}/stations/{{identity}}/calls": {
            "parameters": [_IDENTITY],
            "post": _operation(
                "Send a CALL in the station's own dialect and return the answer.",
                {
                    "200": _json("The CALLRESULT.", _ref("StationCall")),
                    **_errors("400", "404", "409", "502", "504"),
                },
                body="StationCall",
            ),
        },
        f"{PREFIX}/stations/{{identity}}/certificate": {
            "parameters": [_IDENTITY],
            "post": _operation(
                "Ask the station to renew its certificate.",
                {"202": {"description": "Asked."}, **_errors("404", "409", "502", "504")},
            ),
        },
    }


def _operation(
    summary: str, responses: dict[str, Any], *, body: str | None = None, parameters: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    described: dict[str, Any] = {"summary": summary, "responses": {**responses, **_errors("401")}}
    if body is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(body)}}}
    if parameters is not None:
        described["parameters"] = parameters
    return described


def _errors(*statuses: str) -> dict[str, Any]:
    return {status: _json("Refused.", _ref("Error")) for status in statuses}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _list_of_stations() -> dict[str, Any]:
    stations = {"type": "object", "properties": {"stations": {"type": "array", "items": _ref("Station")}}}
    return _json("The stations.", stations)


def _station_with_password() -> dict[str, Any]:
    password = {"type": "object", "properties": {"password": {"type": ["string", "null"]}}}
    return {"allOf": [_ref("Station"), password]}
