"""Contracts, their certificates and the audit, in the API's description."""

from typing import Any, Final

from gateway.admin.certificates import Revocation
from gateway.admin.contract_certificates import STATES, ContractCertificateFilter, ProvisioningFilter
from gateway.admin.contracts import CSV, ContractBatch, ContractChange, ContractFilter, ContractToAdd
from gateway.admin.openapi_operations import errors, json_answer, list_answer, operation, page_answer
from gateway.admin.openapi_words import TIME, a_text, an_object
from gateway.session.contract_lines import COLUMNS
from pki.iso15118.provisioning import Refusal

_OPEN_TIME: Final = TIME | {"type": ["string", "null"]}
_CONTRACT: Final = an_object(
    {
        "pcid": a_text("The vehicle's: CN of its OEM provisioning certificate."),
        "emaid": a_text("As certificates have it: capitals, no hyphens."),
        "valid_from": _OPEN_TIME,
        "valid_until": _OPEN_TIME | {"description": "Its certificates don't outlive it."},
        "default": {"type": "boolean"},
        "added_at": TIME,
        "added_by": a_text("API, or the user of the command."),
        "changed_at": TIME,
        "changed_by": a_text(),
        "id": {"type": "integer", "description": "Rises in the order in which contracts were registered."},
    }
)
_IMPORTED: Final = an_object(
    {
        "added": {"type": "integer"},
        "changed": {"type": "integer", "description": "Were there with other times, or become the default."},
        "unchanged": {"type": "integer"},
    }
)
_CONTRACT_CERTIFICATE: Final = an_object(
    {
        "serial": a_text("Hex."),
        "fingerprint": a_text("SHA-256 of its DER, in hex."),
        "issuer": a_text("RFC 4514."),
        "emaid": a_text(),
        "pcid": a_text("null: of an update of one that wasn't provided here.", null=True),
        "station": a_text("The identity of the station at which the vehicle was."),
        "provider": a_text("A key of plug_and_charge.providers."),
        "schema": a_text("iso15118SchemaVersion."),
        "not_before": TIME,
        "not_after": TIME,
        "state": {"enum": [*STATES], "description": "superseded: by an update; revoked when the grace is over."},
        "reason": a_text("Why it was revoked.", null=True),
        "issued_at": TIME,
        "changed_at": TIME,
        "usage": {"enum": ["contract", "contract_20", "seen"], "description": "seen: another's authority issued it."},
        "authority_told": {
            "type": "boolean",
            "description": "False: it must still hear of the revocation.",
        },
        "predecessor_id": {"type": ["integer", "null"], "description": "The id of the one that the vehicle updated."},
        "id": {"type": "integer", "description": "Rises in the order in which they were issued."},
        "chain": a_text("PEM; asked for one certificate."),
        "authority_problem": a_text("Why its authority doesn't know of the revocation yet.", null=True),
    },
    optional=("chain", "authority_problem"),
)
_PROVISIONING: Final = an_object(
    {
        "id": {"type": "integer", "description": "Rises in the order in which they were kept."},
        "at": TIME,
        "station": a_text(),
        "action": {"enum": ["Install", "Update"]},
        "schema": a_text("iso15118SchemaVersion, as the station said it."),
        "outcome": {"enum": ["issued", "refused"]},
        "refusal": {"enum": [*(each.value for each in Refusal), None]},
        "text": a_text("Why it was refused, or what was let pass."),
        "provider": a_text("null: none was asked.", null=True),
        "pcid": a_text("Verified, as all that follows.", null=True),
        "emaid": a_text(null=True),
        "vehicle_serial": a_text("Of the certificate whose key signed the request.", null=True),
        "contract_serial": a_text(null=True),
        "issuer": a_text("Of the contract certificate.", null=True),
        "cps_serial": a_text("Of the certificate that signed the answer.", null=True),
        "digest": a_text("SHA-256 of the request, in hex."),
        "not_after": _OPEN_TIME,
    }
)
CONTRACT_SCHEMAS: Final = {
    "Contract": _CONTRACT,
    "ContractsImported": _IMPORTED,
    "ContractCertificate": _CONTRACT_CERTIFICATE,
    "ContractProvisioning": _PROVISIONING,
}
"""By name, for ``#/components/schemas``."""


def contracts() -> dict[str, Any]:
    """Return the paths."""
    return {**_contracts(), **_certificates()}


def _contracts() -> dict[str, Any]:
    batch = operation(
        "Register many contracts, or none if anything is wrong with one; those that are there get the batch's times.",
        {"200": json_answer("ContractsImported"), **errors("400")},
        body=ContractBatch,
    )
    lines = {"type": "string", "description": f"A header of {', '.join(COLUMNS)}; the last three may be left out."}
    batch["requestBody"]["content"][CSV] = {"schema": lines}
    return {
        "contracts": {
            "get": operation(
                "List which vehicles have which contracts, in pages.",
                {"200": page_answer("contracts", "Contract"), **errors("400")},
                query=ContractFilter,
            ),
            "post": operation(
                "Register a contract of a vehicle.",
                {"201": json_answer("Contract"), **errors("400", "409")},
                body=ContractToAdd,
            ),
        },
        "contracts/import": {"post": batch},
        "contracts/{pcid}/{emaid}": {
            "parameters": [
                _parameter("pcid", "The vehicle's PCID."),
                _parameter("emaid", "The contract's eMAID, with or without hyphens and check digit."),
            ],
            "get": operation("Show a contract.", {"200": json_answer("Contract"), **errors("404")}),
            "patch": operation(
                "Change when a contract is valid, or whether it is the vehicle's default.",
                {"200": json_answer("Contract"), **errors("400", "404")},
                body=ContractChange,
            ),
            "delete": operation(
                "Forget a contract: nothing is issued for it any more; its certificates stay valid until revoked.",
                {"204": {"description": "Removed."}, **errors("404")},
            ),
        },
    }


def _certificates() -> dict[str, Any]:
    return {
        "contract-certificates": {
            "get": operation(
                "List the contract certificates that vehicles were given, in pages.",
                {"200": page_answer("contract_certificates", "ContractCertificate"), **errors("400")},
                query=ContractCertificateFilter,
            ),
        },
        "contract-certificates/{serial}": {
            "parameters": [_parameter("serial", "Serial number or SHA-256 fingerprint, in hex.")],
            "get": operation(
                "Show a contract certificate.",
                {"200": json_answer("ContractCertificate"), **errors("400", "404", "409")},
            ),
            "delete": operation(
                "Revoke a contract certificate for good, and tell its authority.",
                {"200": json_answer("ContractCertificate"), **errors("400", "404", "409")},
                query=Revocation,
            ),
        },
        "contract-provisionings": {
            "get": operation(
                "List what became of vehicles' requests for contract certificates, the newest first.",
                {"200": list_answer("contract_provisionings", "ContractProvisioning"), **errors("400")},
                query=ProvisioningFilter,
            ),
        },
    }


def _parameter(name: str, description: str) -> dict[str, Any]:
    schema = {"type": "string"}
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": description}
