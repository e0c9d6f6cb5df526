"""What the API and the commands tell of contracts and their certificates: plain JSON, nothing secret."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.admin.contract_certificates import ContractCertificate
    from gateway.admin.ports import CertificateRecord
    from gateway.session.contracts import ContractRecord, ProvisioningRecord


def contract_shown(record: "ContractRecord") -> dict[str, Any]:
    """Return what is told of a contract."""
    return {
        "pcid": record.pcid,
        "emaid": record.emaid,
        "valid_from": _moment(record.valid_from),
        "valid_until": _moment(record.valid_until),
        "default": record.is_default,
        "added_at": record.added_at.isoformat(),
        "added_by": record.added_by,
        "changed_at": record.changed_at.isoformat(),
        "changed_by": record.changed_by,
        "id": record.id,
    }


def contract_certificate_shown(
    found: "ContractCertificate", record: "CertificateRecord | None" = None
) -> dict[str, Any]:
    """Return what is told of a contract certificate, without its chain; ``record``: as it is by now."""
    record = record or found.certificate
    return {
        "serial": record.serial,
        "fingerprint": record.fingerprint,
        "issuer": found.issuer,
        "emaid": found.emaid,
        "pcid": found.pcid,
        "station": found.station,
        "provider": found.provider,
        "schema": found.schema,
        "not_before": record.not_before.isoformat(),
        "not_after": record.not_after.isoformat(),
        "state": record.state.value,
        "reason": record.reason,
        "issued_at": record.issued_at.isoformat(),
        "changed_at": record.changed_at.isoformat(),
        "usage": record.usage,
        "authority_told": record.authority_told,
        "predecessor_id": found.predecessor_id,
        "id": record.id,
    }


def provisioning_shown(record: "ProvisioningRecord") -> dict[str, Any]:
    """Return what is told of a request for a contract certificate."""
    entry = record.entry
    return {
        "id": record.id,
        "at": entry.at.isoformat(),
        "station": entry.station,
        "action": entry.action,
        "schema": entry.schema,
        "outcome": record.outcome.value,
        "refusal": None if entry.refusal is None else entry.refusal.value,
        "text": entry.text,
        "provider": entry.provider,
        "pcid": entry.pcid,
        "emaid": entry.emaid,
        "vehicle_serial": entry.vehicle_serial,
        "contract_serial": entry.contract_serial,
        "issuer": entry.issuer,
        "cps_serial": entry.cps_serial,
        "digest": entry.digest,
        "not_after": _moment(entry.not_after),
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
