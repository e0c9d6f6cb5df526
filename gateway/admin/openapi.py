"""The OpenAPI 3.1 description of the API, its request schemas taken from the models that the endpoints read with."""

from typing import Any, Final

from pydantic import BaseModel

import gateway
from gateway.admin.certificate_requests import RequestFilter, RequestRefusal
from gateway.admin.certificates import CertificateFilter, Revocation
from gateway.admin.contracts import BODIES as CONTRACT_BODIES
from gateway.admin.firmware import BODIES as FIRMWARE_BODIES
from gateway.admin.firmware_campaigns import CampaignToCreate
from gateway.admin.firmware_updates import UpdateToOrder
from gateway.admin.logs import LogRequest
from gateway.admin.openapi_campaigns import CAMPAIGN_SCHEMAS, firmware_campaigns
from gateway.admin.openapi_contracts import CONTRACT_SCHEMAS, contracts
from gateway.admin.openapi_firmware import FIRMWARE_SCHEMAS, firmware
from gateway.admin.openapi_firmware_updates import FIRMWARE_UPDATE_SCHEMAS, firmware_updates
from gateway.admin.openapi_logs import LOG_SCHEMAS, logs
from gateway.admin.openapi_operations import (
    IDENTITY,
    errors,
    json_answer,
    list_answer,
    operation,
    page_answer,
    without_definitions,
)
from gateway.admin.openapi_publications import publications
from gateway.admin.openapi_schemas import SCHEMAS
from gateway.admin.pending_stations import Approval
from gateway.admin.policies import Explanation
from gateway.admin.quarantine import Discard, QuarantineFilter, QuarantineRelease
from gateway.admin.renewals import RenewalOfAll, RenewalOfOne
from gateway.admin.requests import PREFIX
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
    *CONTRACT_BODIES,
    *FIRMWARE_BODIES,
    UpdateToOrder,
    LogRequest,
    CampaignToCreate,
)
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
    bodies = {body.__name__: without_definitions(body.model_json_schema()) for body in _BODIES}
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
                contracts,
                firmware,
                _updates,
                logs,
                firmware_campaigns,
                _others,
            )
            for path, item in describe().items()
        },
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                **SCHEMAS,
                **CONTRACT_SCHEMAS,
                **FIRMWARE_SCHEMAS,
                **FIRMWARE_UPDATE_SCHEMAS,
                **LOG_SCHEMAS,
                **CAMPAIGN_SCHEMAS,
                **bodies,
            },
        },
    }


def _updates() -> dict[str, Any]:
    return firmware_updates(IDENTITY)


def _stations() -> dict[str, Any]:
    return {
        "stations": {
            "get": operation("List the stations.", {"200": list_answer("stations", "Station")}),
            "post": operation(
                "Register a station; the answer holds its password, once.",
                {"201": json_answer("NewStationAnswer"), **errors("400", "409")},
                body=NewStation,
            ),
        },
        "stations/{identity}": {
            "parameters": [IDENTITY],
            "get": operation("Show a station.", {"200": json_answer("Station"), **errors("404")}),
            "patch": operation(
                "Change a station's serial number, backend, group, OCPP version or exceptions.",
                {"200": json_answer("Station"), **errors("400", "404", "409")},
                body=StationChange,
            ),
            "delete": operation(
                "Remove a station and cut its connection.",
                {"204": {"description": "Removed."}, **errors("400", "404", "409")},
                query=Removal,
            ),
        },
        "pending-stations": {
            "get": operation(
                "List those that came without being registered.",
                {"200": list_answer("pending_stations", "PendingStation")},
            ),
        },
        "pending-stations/{identity}": {
            "parameters": [IDENTITY],
            "post": operation(
                "Register one of them; the answer holds its password, once.",
                {"201": json_answer("NewStationAnswer"), **errors("400", "404", "409")},
                body=Approval,
            ),
            "delete": operation("Forget one of them.", {"204": {"description": "Forgotten."}, **errors("404")}),
        },
    }


def _commands() -> dict[str, Any]:
    return {
        **publications(IDENTITY),
        "stations/{identity}/calls": {
            "parameters": [IDENTITY],
            "post": operation(
                "Send a CALL in the station's own dialect and return the answer.",
                {"200": json_answer("StationCall"), **errors("400", *_STATION_ERRORS)},
                body=StationCall,
            ),
        },
        "stations/{identity}/certificate": {
            "parameters": [IDENTITY],
            "post": operation(
                "Ask the station to renew its certificate.",
                {"202": {"description": "Asked."}, **errors("400", *_STATION_ERRORS)},
                query=RenewalOfOne,
            ),
        },
        "stations/{identity}/password": {
            "parameters": [IDENTITY],
            "post": operation(
                "Give the station a new password over OCPP; nobody is shown it.",
                {
                    "200": json_answer("PasswordRotation", "The station has taken it."),
                    "202": json_answer("PasswordRotation", "The station takes it when it has restarted."),
                    **errors("400", *_STATION_ERRORS),
                },
                query=Rotation,
            ),
        },
        "stations/{identity}/security-profile": {
            "parameters": [IDENTITY],
            "get": operation(
                "Show the upgrade that is under way, or the last one.",
                {"200": json_answer("SecurityProfile"), **errors("404")},
            ),
            "post": operation(
                "Begin the upgrade to a higher security profile.",
                {"202": json_answer("SecurityProfile", "It goes on by itself."), **errors("400", *_STATION_ERRORS)},
                body=ProfileUpgrade,
            ),
            "delete": operation(
                "End the upgrade where it stands.", {"200": json_answer("SecurityProfile"), **errors("404")}
            ),
        },
    }


def _renewals() -> dict[str, Any]:
    return {
        "renewals": {
            "post": operation(
                "Have the certificates of all stations, or of a group's, renewed now, one after the other.",
                {"202": json_answer("RenewalsBegun"), **errors("400")},
                body=RenewalOfAll,
            ),
        },
    }


def _certificates() -> dict[str, Any]:
    return {
        "certificates": {
            "get": operation(
                "List the certificates that were issued or seen, in pages.",
                {"200": page_answer("certificates", "Certificate"), **errors("400")},
                query=CertificateFilter,
            ),
        },
        "certificates/{serial}": {
            "parameters": [_SERIAL],
            "get": operation("Show a certificate.", {"200": json_answer("Certificate"), **errors("400", "404", "409")}),
            "delete": operation(
                "Revoke a certificate for good and cut the session that stands on it.",
                {"200": json_answer("Certificate"), **errors("400", "404", "409")},
                query=Revocation,
            ),
        },
    }


def _certificate_requests() -> dict[str, Any]:
    return {
        "certificate-requests": {
            "get": operation(
                "List what stations have asked for; those in state waiting are for a person to decide.",
                {"200": list_answer("certificate_requests", "CertificateRequest"), **errors("400")},
                query=RequestFilter,
            ),
        },
        "certificate-requests/{id}": {
            "parameters": [_REQUEST_ID],
            "get": operation("Show a request.", {"200": json_answer("CertificateRequest"), **errors("404")}),
        },
        "certificate-requests/{id}/approve": {
            "parameters": [_REQUEST_ID],
            "post": operation(
                "Approve a CSR; it is signed when its station is connected.",
                {"200": json_answer("CertificateRequest"), **errors("404", "409")},
            ),
        },
        "certificate-requests/{id}/refuse": {
            "parameters": [_REQUEST_ID],
            "post": operation(
                "Refuse a CSR; the station isn't told, and may ask again.",
                {"200": json_answer("CertificateRequest"), **errors("400", "404", "409")},
                body=RequestRefusal,
            ),
        },
    }


def _quarantine() -> dict[str, Any]:
    return {
        "quarantine": {
            "get": operation(
                "List the messages that are kept for a person's word, oldest first, in pages.",
                {"200": page_answer("quarantine", "QuarantinedMessage"), **errors("400")},
                query=QuarantineFilter,
            ),
        },
        "quarantine/release": {
            "post": operation(
                "Let messages go to the backend, and what follows them.",
                {"202": json_answer("MessagesReleased"), **errors("400", "404", "409")},
                body=QuarantineRelease,
            ),
        },
        "quarantine/{id}": {
            "parameters": [_REQUEST_ID | {"description": "The message's number."}],
            "get": operation("Show a message whole.", {"200": json_answer("QuarantinedMessage"), **errors("404")}),
            "delete": operation(
                "Decide that the backend never hears it, nor what follows it; it stays to be looked at.",
                {"200": json_answer("MessagesDiscarded"), **errors("400", "404", "409")},
                query=Discard,
            ),
        },
    }


def _trust() -> dict[str, Any]:
    return {
        "trust-anchors": {
            "get": operation(
                "List the roots that stations are to trust, with how many have them.",
                {"200": list_answer("trust_anchors", "TrustAnchor")},
            ),
        },
        "trust-anchors/{identity}": {
            "parameters": [IDENTITY],
            "get": operation("Show which roots a station has.", {"200": json_answer("StationTrust"), **errors("404")}),
            "post": operation(
                "Install and delete now what is to be, and show which roots it has then.",
                {"200": json_answer("StationTrust"), **errors("404", "409")},
            ),
        },
        "root-rotation": {
            "get": operation(
                "Show where the rotation of the CSMS root stands, or the last one stood.",
                {"200": json_answer("RootRotation"), **errors("404")},
            ),
        },
    }


def _others() -> dict[str, Any]:
    return {
        "security-events": {
            "get": operation(
                "List security events, the newest first.",
                {"200": list_answer("security_events", "SecurityEvent"), **errors("400")},
                query=EventFilter,
            ),
        },
        "policies": {
            "get": operation(
                "List the policies in force, with their rules and what each has decided.",
                {"200": list_answer("policies", "Policy")},
            ),
        },
        "policies/explain": {
            "post": operation(
                "Tell how a message would be decided on now, rule by rule; nothing is sent or counted.",
                {"200": json_answer("Explained"), **errors("400", "404")},
                body=Explanation,
            ),
        },
    }
