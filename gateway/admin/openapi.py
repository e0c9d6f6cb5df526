"""The OpenAPI 3.1 description of the API, its request schemas taken from the models that the endpoints read with."""

from typing import Any, Final

from pydantic import BaseModel

import gateway
from gateway.admin.certificate_requests import RequestFilter, RequestRefusal
from gateway.admin.certificates import CertificateFilter, Revocation
from gateway.admin.openapi_schemas import SCHEMAS
from gateway.admin.pending_stations import Approval
from gateway.admin.policies import Explanation
from gateway.admin.quarantine import Discard, QuarantineFilter, QuarantineRelease
from gateway.admin.renewals import RenewalOfAll, RenewalOfOne
from gateway.admin.requests import PREFIX, Query
from gateway.admin.security_events import EventFilter
from gateway.admin.station_commands import ProfileUpgrade, Rotation, StationCall
from gateway.admin.stations import NewStation, Removal, StationChange

_BODIES: Final[tuple[type[BaseModel], ...]] = (
    NewStation,
    StationChange,
    StationCall,
    ProfileUpgrade,
    Approval,
    RequestRefusal,
    RenewalOfAll,
    Explanation,
    QuarantineRelease,
)
_IDENTITY: Final = {
    "name": "identity",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "maxLength": 48},
    "description": "The station's identity, as in its URL.",
}
_SERIAL: Final = {
    "name": "serial",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "description": "The certificate's serial number, or its SHA-256 fingerprint, in hex, with or without colons.",
}
_REQUEST_ID: Final = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
    "description": "The request's number.",
}
_STATION_ERRORS: Final = ("404", "409", "502", "504")


def document() -> dict[str, Any]:
    """Return the description."""
    bodies = {body.__name__: _without_definitions(body.model_json_schema()) for body in _BODIES}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Voltgate", "version": gateway.__version__},
        "security": [{"bearer": []}],
        "paths": {
            f"{PREFIX}/{path}": item
            for describe in (
                _stations,
                _commands,
                _certificates,
                _certificate_requests,
                _renewals,
                _quarantine,
                _trust,
                _others,
            )
            for path, item in describe().items()
        },
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {**SCHEMAS, **bodies},
        },
    }


def _stations() -> dict[str, Any]:
    return {
        "stations": {
            "get": _operation("List the stations.", {"200": _list("stations", "Station")}),
            "post": _operation(
                "Register a station; the answer holds its password, once.",
                {"201": _json("NewStationAnswer"), **_errors("400", "409")},
                body=NewStation,
            ),
        },
        "stations/{identity}": {
            "parameters": [_IDENTITY],
            "get": _operation("Show a station.", {"200": _json("Station"), **_errors("404")}),
            "patch": _operation(
                "Change a station's serial number, backend, group, OCPP version or exceptions.",
                {"200": _json("Station"), **_errors("400", "404", "409")},
                body=StationChange,
            ),
            "delete": _operation(
                "Remove a station and cut its connection.",
                {"204": {"description": "Removed."}, **_errors("400", "404", "409")},
                query=Removal,
            ),
        },
        "pending-stations": {
            "get": _operation(
                "List those that came without being registered.", {"200": _list("pending_stations", "PendingStation")}
            ),
        },
        "pending-stations/{identity}": {
            "parameters": [_IDENTITY],
            "post": _operation(
                "Register one of them; the answer holds its password, once.",
                {"201": _json("NewStationAnswer"), **_errors("400", "404", "409")},
                body=Approval,
            ),
            "delete": _operation("Forget one of them.", {"204": {"description": "Forgotten."}, **_errors("404")}),
        },
    }


def _commands() -> dict[str, Any]:
    return {
        "stations/{identity}/calls": {
            "parameters": [_IDENTITY],
            "post": _operation(
                "Send a CALL in the station's own dialect and return the answer.",
                {"200": _json("StationCall"), **_errors("400", *_STATION_ERRORS)},
                body=StationCall,
            ),
        },
        "stations/{identity}/certificate": {
            "parameters": [_IDENTITY],
            "post": _operation(
                "Ask the station to renew its certificate.",
                {"202": {"description": "Asked."}, **_errors("400", *_STATION_ERRORS)},
                query=RenewalOfOne,
            ),
        },
        "stations/{identity}/password": {
            "parameters": [_IDENTITY],
            "post": _operation(
                "Give the station a new password over OCPP; nobody is shown it.",
                {
                    "200": _json("PasswordRotation", "The station has taken it."),
                    "202": _json("PasswordRotation", "The station takes it when it has restarted."),
                    **_errors("400", *_STATION_ERRORS),
                },
                query=Rotation,
            ),
        },
        "stations/{identity}/security-profile": {
            "parameters": [_IDENTITY],
            "get": _operation(
                "Show the upgrade that is under way, or the last one.",
                {"200": _json("SecurityProfile"), **_errors("404")},
            ),
            "post": _operation(
                "Begin the upgrade to a higher security profile.",
                {"202": _json("SecurityProfile", "It goes on by itself."), **_errors("400", *_STATION_ERRORS)},
                body=ProfileUpgrade,
            ),
            "delete": _operation(
                "End the upgrade where it stands.", {"200": _json("SecurityProfile"), **_errors("404")}
            ),
        },
    }


def _renewals() -> dict[str, Any]:
    return {
        "renewals": {
            "post": _operation(
                "Have the certificates of all stations, or of a group's, renewed now, one after the other.",
                {"202": _json("RenewalsBegun"), **_errors("400")},
                body=RenewalOfAll,
            ),
        },
    }


def _certificates() -> dict[str, Any]:
    return {
        "certificates": {
            "get": _operation(
                "List the certificates that were issued or seen, in pages.",
                {"200": _page("certificates", "Certificate"), **_errors("400")},
                query=CertificateFilter,
            ),
        },
        "certificates/{serial}": {
            "parameters": [_SERIAL],
            "get": _operation("Show a certificate.", {"200": _json("Certificate"), **_errors("400", "404", "409")}),
            "delete": _operation(
                "Revoke a certificate for good and cut the session that stands on it.",
                {"200": _json("Certificate"), **_errors("400", "404", "409")},
                query=Revocation,
            ),
        },
    }


def _certificate_requests() -> dict[str, Any]:
    return {
        "certificate-requests": {
            "get": _operation(
                "List what stations have asked for; those in state waiting are for a person to decide.",
                {"200": _list("certificate_requests", "CertificateRequest"), **_errors("400")},
                query=RequestFilter,
            ),
        },
        "certificate-requests/{id}": {
            "parameters": [_REQUEST_ID],
            "get": _operation("Show a request.", {"200": _json("CertificateRequest"), **_errors("404")}),
        },
        "certificate-requests/{id}/approve": {
            "parameters": [_REQUEST_ID],
            "post": _operation(
                "Approve a CSR; it is signed when its station is connected.",
                {"200": _json("CertificateRequest"), **_errors("404", "409")},
            ),
        },
        "certificate-requests/{id}/refuse": {
            "parameters": [_REQUEST_ID],
            "post": _operation(
                "Refuse a CSR; the station isn't told, and may ask again.",
                {"200": _json("CertificateRequest"), **_errors("400", "404", "409")},
                body=RequestRefusal,
            ),
        },
    }


def _quarantine() -> dict[str, Any]:
    return {
        "quarantine": {
            "get": _operation(
                "List the messages that are kept for a person's word, oldest first, in pages.",
                {"200": _page("quarantine", "QuarantinedMessage"), **_errors("400")},
                query=QuarantineFilter,
            ),
        },
        "quarantine/release": {
            "post": _operation(
                "Let messages go to the backend, and what follows them.",
                {"202": _json("MessagesReleased"), **_errors("400", "404", "409")},
                body=QuarantineRelease,
            ),
        },
        "quarantine/{id}": {
            "parameters": [_REQUEST_ID | {"description": "The message's number."}],
            "get": _operation("Show a message whole.", {"200": _json("QuarantinedMessage"), **_errors("404")}),
            "delete": _operation(
                "Decide that the backend never hears it, nor what follows it; it stays to be looked at.",
                {"200": _json("MessagesDiscarded"), **_errors("400", "404", "409")},
                query=Discard,
            ),
        },
    }


def _trust() -> dict[str, Any]:
    return {
        "trust-anchors": {
            "get": _operation(
                "List the roots that stations are to trust, with how many have them.",
                {"200": _list("trust_anchors", "TrustAnchor")},
            ),
        },
        "trust-anchors/{identity}": {
            "parameters": [_IDENTITY],
            "get": _operation("Show which roots a station has.", {"200": _json("StationTrust"), **_errors("404")}),
            "post": _operation(
                "Install and delete now what is to be, and show which roots it has then.",
                {"200": _json("StationTrust"), **_errors("404", "409")},
            ),
        },
        "root-rotation": {
            "get": _operation(
                "Show where the rotation of the CSMS root stands, or the last one stood.",
                {"200": _json("RootRotation"), **_errors("404")},
            ),
        },
    }


def _others() -> dict[str, Any]:
    return {
        "security-events": {
            "get": _operation(
                "List security events, the newest first.",
                {"200": _list("security_events", "SecurityEvent"), **_errors("400")},
                query=EventFilter,
            ),
        },
        "policies": {
            "get": _operation(
                "List the policies in force, with their rules and what each has decided.",
                {"200": _list("policies", "Policy")},
            ),
        },
        "policies/explain": {
            "post": _operation(
                "Tell how a message would be decided on now, rule by rule; nothing is sent or counted.",
                {"200": _json("Explained"), **_errors("400", "404")},
                body=Explanation,
            ),
        },
    }


def _operation(
    summary: str,
    responses: dict[str, Any],
    *,
    body: type[BaseModel] | None = None,
    query: type[Query] | None = None,
) -> dict[str, Any]:
    described: dict[str, Any] = {"summary": summary, "responses": {**responses, **_errors("401", "503")}}
    if body is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(body.__name__)}}}
    if query is not None:
        schema = _without_definitions(query.model_json_schema())
        described["parameters"] = [
            {"name": name, "in": "query", "required": False, "schema": each}
            for name, each in schema["properties"].items()
        ]
    return described


def _without_definitions(schema: dict[str, Any]) -> dict[str, Any]:
    """Put the enumerations that pydantic keeps aside where they are used: a $ref must lead somewhere in here."""
    definitions = schema.pop("$defs", {})

    def written_out(node: Any) -> Any:
        if isinstance(node, dict):
            name = str(node.get("$ref", "")).rpartition("/")[2]
            rest = {key: written_out(value) for key, value in node.items() if key != "$ref"}
            return {**definitions[name], **rest} if name in definitions else rest
        return [written_out(each) for each in node] if isinstance(node, list) else node

    found: dict[str, Any] = written_out(schema)
    return found


def _errors(*statuses: str) -> dict[str, Any]:
    return {status: _json("Error", "Refused.") for status in statuses}


def _json(name: str, description: str | None = None) -> dict[str, Any]:
    return {"description": description or f"{name}.", "content": {"application/json": {"schema": _ref(name)}}}


def _list(key: str, name: str) -> dict[str, Any]:
    schema = {"type": "object", "required": [key], "properties": {key: {"type": "array", "items": _ref(name)}}}
    return {"description": f"{name}s.", "content": {"application/json": {"schema": schema}}}


def _page(key: str, name: str) -> dict[str, Any]:
    """A list of bounded length: ``next`` is what ``after`` begins the next page with, or null at the end."""
    listed = _list(key, name)
    schema = listed["content"]["application/json"]["schema"]
    schema["required"].append("next")
    schema["properties"]["next"] = {
        "type": ["integer", "null"],
        "description": "What after= begins the next page with; null: this is the last one.",
    }
    return listed


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


_PARTS: Final = (
    _stations,
    _commands,
    _certificates,
    _certificate_requests,
    _renewals,
    _quarantine,
    _trust,
    _others,
)
