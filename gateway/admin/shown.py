"""What the API and the commands tell of a station, an upgrade, a certificate, an event: plain JSON, nothing secret."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.admin.ports import CertificateRecord, EventRecord, Step
    from gateway.session.certificate_requests import CertificateRequest
    from gateway.session.pending import PendingStation
    from gateway.session.ports import StationRecord
    from gateway.session.quarantine import QuarantinedMessage
    from gateway.session.renewals import RenewalRecord
    from gateway.session.upgrades import UpgradeRecord


def station_shown(record: "StationRecord") -> dict[str, Any]:
    """Return what the registry tells of a station; never its password's hash."""
    return {
        "identity": record.identity,
        "profile": record.minimum_profile,
        "serial": record.serial,
        "backend": record.backend,
        "group": record.group,
        "boot_status": record.boot_status.value,
        "version": record.version.value if record.version is not None else None,
        "pinned_version": record.pinned_version.value if record.pinned_version is not None else None,
        "allow_expired": record.allow_expired,
        "allow_downgrade": record.allow_downgrade,
        "password_rotation": rotation_state(record),
    }


def rotation_state(record: "StationRecord") -> str:
    """Return where the rotation of the password stands: "settled", "unknown" or "awaiting reboot"."""
    if record.next_password_hash is None:
        return "settled"
    return "awaiting reboot" if record.next_password_waits else "unknown"


def upgrade_shown(upgrade: "UpgradeRecord | None") -> dict[str, Any] | None:
    """Return what is told of an upgrade; its ``data`` is the service's own."""
    if upgrade is None:
        return None
    return {
        "target_profile": upgrade.target_profile,
        "previous_profile": upgrade.previous_profile,
        "step": upgrade.step,
        "slot": upgrade.slot,
        "detail": upgrade.detail,
        "is_over": upgrade.is_over,
        "has_failed": upgrade.has_failed,
        "started_at": upgrade.started_at.isoformat(),
        "changed_at": upgrade.changed_at.isoformat(),
    }


def request_shown(request: "CertificateRequest") -> dict[str, Any]:
    """Return what is told of a request for a certificate; ``words`` is the service's own."""
    return {
        "id": request.id,
        "identity": request.identity,
        "usage": request.usage,
        "state": request.state.value,
        "name": request.words.get("name"),
        "key_fingerprint": request.key_fingerprint,
        "serial": request.serial,
        "attempts": request.attempts,
        "detail": request.detail,
        "requested_at": request.requested_at.isoformat(),
        "changed_at": request.changed_at.isoformat(),
        "csr": request.csr,
    }


def renewal_shown(record: "RenewalRecord") -> dict[str, Any]:
    """Return what is told of the plan to renew one of a station's certificates."""
    return {
        "usage": record.usage,
        "serial": record.serial,
        "not_after": record.not_after.isoformat(),
        "state": record.state.value,
        "due_at": record.due_at.isoformat(),
        "attempts": record.attempts,
        "problem": record.problem or None,
    }


def certificate_shown(record: "CertificateRecord") -> dict[str, Any]:
    """Return what is told of a certificate, without its chain."""
    return {
        "identity": record.identity,
        "serial": record.serial,
        "subject": record.subject,
        "fingerprint": record.fingerprint,
        "not_before": record.not_before.isoformat(),
        "not_after": record.not_after.isoformat(),
        "state": record.state.value,
        "reason": record.reason,
        "issued_at": record.issued_at.isoformat(),
        "changed_at": record.changed_at.isoformat(),
        "usage": record.usage,
        "profile": record.profile,
        "authority_told": record.authority_told,
        "last_seen": None if record.last_seen is None else record.last_seen.isoformat(),
        "id": record.id,
    }


def step_shown(step: "Step") -> dict[str, Any]:
    """Return what is told of a step in the life of a certificate."""
    return {"state": step.state.value, "at": step.at.isoformat(), "detail": step.detail}


def event_shown(event: "EventRecord") -> dict[str, Any]:
    """Return what is told of a security event."""
    return {
        "id": event.id,
        "at": event.at.isoformat(),
        "type": event.kind,
        "source": event.source.value,
        "identity": event.identity,
        "remote": event.remote,
        "detail": event.detail,
        "presented": dict(event.presented),
        "count": event.count,
        "last_at": event.last_at.isoformat(),
    }


def quarantined_shown(message: "QuarantinedMessage", *, whole: bool = False) -> dict[str, Any]:
    """Return what is told of a message in the quarantine; ``whole``: what it says and what was answered, too."""
    said = {"payload": message.payload, "answer": message.answer} if whole else {}
    return {
        "id": message.id,
        "identity": message.identity,
        "state": message.state.value,
        "leg": message.leg.value,
        "protocol": message.protocol,
        "transaction": message.station_tx or None,
        "action": message.action,
        "rule": message.rule,
        "reason": message.reason,
        "recorded_at": message.recorded_at.isoformat(),
        "kept_at": message.kept_at.isoformat(),
        "attempts": message.attempts,
        "last_error": message.last_error or None,
        "decided_at": None if message.decided_at is None else message.decided_at.isoformat(),
        "decided_by": message.decided_by or None,
        "decision": message.decision or None,
        **said,
    }


def pending_shown(pending: "PendingStation") -> dict[str, Any]:
    """Return what is told of one that waits for approval: all of it was presented, none of it is proven."""
    return {
        "identity": pending.identity,
        "first_seen": pending.first_seen.isoformat(),
        "last_seen": pending.last_seen.isoformat(),
        "times": pending.times,
        "remote": pending.remote,
        "profile": pending.profile,
        "serial": pending.serial,
        "subject": pending.subject,
        "fingerprint": pending.fingerprint,
        "version": pending.version.value if pending.version is not None else None,
    }
