"""What is told of trust anchors: the declared ones with how many stations have them, and where one station stands."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.services.root_rotation import Progress, roots_of
from gateway.services.trust_plan import Declared, is_installed
from gateway.session.ports import StationRecord
from gateway.session.trust import Action, AnchorType, StationTrust
from pki.anchors import Anchor

HAS, MISSING, REFUSED, UNKNOWN = "has", "missing", "refused", "unknown"


def declared_shown(
    declared: Iterable[Declared], stations: Sequence[StationRecord], trust: Mapping[str, StationTrust]
) -> list[dict[str, Any]]:
    """Return one object for each declared root: what it is, for whom, and how many of these have it (JSON)."""
    found = []
    for entry in declared:
        mine = [each for each in stations if entry.stations.matches(each.identity, each.group)]
        for anchor in entry.anchors:
            counts = Counter(_state(entry.type, anchor, trust.get(each.identity)) for each in mine)
            found.append(
                {
                    "entry": entry.place,
                    "type": entry.type.value,
                    **_anchor_shown(anchor),
                    "exclusive": entry.exclusive,
                    "remove": entry.remove,
                    "stations": {each: counts[each] for each in (HAS, MISSING, REFUSED, UNKNOWN)},
                }
            )
    return found


def trust_shown(identity: str, trust: StationTrust | None) -> dict[str, Any]:
    """Return where one station stands (JSON)."""
    if trust is None:
        trust = StationTrust(identity)
    return {
        "identity": identity,
        "settled": trust.is_settled,
        "seen_at": trust.seen_at.isoformat() if trust.seen_at is not None else None,
        "again_at": trust.again_at.isoformat() if trust.again_at is not None else None,
        "problem": trust.problem or None,
        "installed": [
            {"type": each.type.value, "subject": each.subject or None, **each.reported} for each in trust.installed
        ],
        "missing": [
            {"type": each.type.value, "subject": each.subject, "fingerprint": each.fingerprint}
            for each in trust.missing
        ],
        "refused": [
            {
                "action": each.action.value,
                "type": each.type.value,
                "subject": each.subject or None,
                "words": each.words,
                "attempts": each.attempts,
                "at": each.at.isoformat(),
                "again_at": each.again_at.isoformat(),
            }
            for each in trust.refusals
        ],
    }


def rotation_shown(progress: Progress) -> dict[str, Any]:
    """Return where a rotation stands (JSON)."""
    rotation, roots = progress.rotation, roots_of(progress.rotation)
    return {
        "id": rotation.id,
        "state": rotation.state.value,
        "old": _anchor_shown(roots.old),
        "new": _anchor_shown(roots.new),
        "cross_signed": roots.cross is not None,
        "identity": rotation.identity,
        "group": rotation.group,
        "started_at": rotation.started_at.isoformat(),
        "changed_at": rotation.changed_at.isoformat(),
        "safe_to_switch": progress.is_safe_to_switch,
        "switched": progress.is_switched,
        "locked_out": [each.identity for each in progress.locked_out],
        "stations": [
            {"identity": each.identity, "standing": each.standing.value, "words": each.words or None}
            for each in progress.stations
        ],
    }


def _anchor_shown(anchor: Anchor) -> dict[str, Any]:
    certificate = anchor.certificate
    return {
        "subject": anchor.subject,
        "serial": f"{certificate.serial_number:x}",
        "fingerprint": anchor.fingerprint,
        "not_after": certificate.not_valid_after_utc.isoformat(),
    }


def _state(type_: AnchorType, anchor: Anchor, trust: StationTrust | None) -> str:
    if trust is None or trust.seen_at is None:
        return UNKNOWN
    if is_installed(anchor, type_, trust.installed):
        return HAS
    if trust.refusal(Action.INSTALL, type_, anchor.fingerprint) is not None:
        return REFUSED
    return MISSING
