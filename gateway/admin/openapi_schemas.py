"""The shapes of the API's answers, for its OpenAPI description; those of requests are the models that read them."""

from typing import Any, Final

from gateway.admin.certificates import STATES
from gateway.session.trust import AnchorType
from gateway.wire.versions import Version
from policies.words import Effect, Kind, Outcome, Reason, Stage

_VERSIONS: Final = [version.value for version in Version]
_STAGES: Final = [stage.value for stage in Stage]
_TIME: Final = {"type": "string", "format": "date-time"}


def _text(description: str = "", *, null: bool = False) -> dict[str, Any]:
    return {"type": ["string", "null"] if null else "string"} | ({"description": description} if description else {})


def _version(description: str) -> dict[str, Any]:
    return {"enum": [*_VERSIONS, None], "description": description}


def _object(properties: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties}


_UPGRADE: Final = _object(
    {
        "target_profile": {"type": "integer"},
        "previous_profile": {"type": "integer"},
        "step": _text("Where it stands; docs/security-profiles.md lists the steps."),
        "slot": {"type": ["integer", "null"], "description": "The station's configuration slot that was written."},
        "detail": _text("What is waited for, or why it failed."),
        "is_over": {"type": "boolean"},
        "has_failed": {"type": "boolean"},
        "started_at": _TIME,
        "changed_at": _TIME,
    }
)
_RENEWAL: Final = _object(
    {
        "usage": {"enum": ["station", "v2g"]},
        "serial": _text("Of the certificate that the station has."),
        "not_after": _TIME,
        "state": {
            "enum": ["planned", "asked", "failed", "refused", "renewed"],
            "description": "refused: the station doesn't know the trigger, and isn't asked again.",
        },
        "due_at": _TIME | {"description": "From when on the station is asked, when it is connected."},
        "attempts": {"type": "integer"},
        "problem": _text("Why the last attempt was in vain.", null=True),
    }
)
_STATION: Final = _object(
    {
        "identity": _text(),
        "profile": {"type": "integer", "description": "Lowest OCPP security profile that it may still use."},
        "serial": _text("CN of its certificate; null: its identity is.", null=True),
        "backend": _text("Its own; null: the routes say, or default_backend.", null=True),
        "group": _text("Names the stations that are routed alike.", null=True),
        "boot_status": {"enum": ["None", "Pending", "Rejected", "Accepted"]},
        "version": _version("OCPP version of its last connection; null before the first."),
        "pinned_version": _version("The only version that it may speak; null: any."),
        "allow_expired": {"type": "boolean"},
        "allow_downgrade": {"type": "boolean"},
        "password_rotation": {
            "enum": ["settled", "unknown", "awaiting reboot"],
            "description": "Unless settled, its old and its new password are accepted.",
        },
        "route": _object(
            {
                "backend": _text("Where it should go."),
                "by": _text("What says so: its own, routes[N], default_backend."),
                "in_use": _text("Where it is, or was last; null: it never came.", null=True),
                "waits_for": _text("What that one must hear before it moves, in words.", null=True),
            }
        ),
        "connected": {"type": "boolean"},
        "connected_profile": {"type": ["integer", "null"]},
        "provisional": {
            "enum": ["factory certificate", "expired certificate", None],
            "description": "Why it is let in only to get a new certificate; null: it isn't, or isn't connected.",
        },
        "backend_connected": {"type": "boolean"},
        "upgrade": {
            "oneOf": [{"$ref": "#/components/schemas/Upgrade"}, {"type": "null"}],
            "description": "Under way or, asked for one station, the last one.",
        },
        "renewals": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Renewal"},
            "description": "The plans for its certificates, one for each usage that it has one for.",
        },
    }
)
_STATES: Final = [*STATES]
_CERTIFICATE: Final = _object(
    {
        "identity": _text("The station's; empty for one of the gateway's own."),
        "serial": _text("Lower-case hex without leading zeros."),
        "subject": _text("RFC 4514."),
        "fingerprint": _text("SHA-256 of its DER, in hex."),
        "not_before": _TIME,
        "not_after": _TIME,
        "state": {"enum": _STATES},
        "reason": _text("Why it was revoked.", null=True),
        "issued_at": _TIME,
        "changed_at": _TIME,
        "usage": _text("station, v2g, server; or seen: none of the configured authorities issued it."),
        "profile": _text("The certificate profile that it was issued by; empty where that isn't known."),
        "authority_told": {
            "type": "boolean",
            "description": "False while it is revoked and its authority must still hear of it.",
        },
        "last_seen": {
            "type": ["string", "null"],
            "format": "date-time",
            "description": "When it was last shown at a door: the first time of that day.",
        },
        "id": {"type": "integer", "description": "Rises; the next page begins after the last one's."},
        "chain": _text("PEM, leaf first; asked for one certificate."),
        "history": {
            "type": "array",
            "items": _object({"state": {"enum": _STATES}, "at": _TIME, "detail": _text()}),
            "description": "The steps of its life, the first one first; asked for one certificate.",
        },
        "authority_problem": _text(
            "After DELETE: why the authority's own list doesn't name it yet; it is told as soon as it can be.",
            null=True,
        ),
    },
    optional=("chain", "history", "authority_problem"),
)
_SECURITY_EVENT: Final = _object(
    {
        "id": {"type": "integer", "description": "Rises; the next page begins before the last one's."},
        "at": _TIME,
        "type": _text("The standard's name (2.0.1 Part 2 appendix 1), or one of our own."),
        "source": {"enum": ["gateway", "station"]},
        "identity": _text(null=True),
        "remote": _text("The peer's address.", null=True),
        "detail": _text(),
        "presented": {"type": "object", "additionalProperties": {"type": "string"}},
        "count": {"type": "integer", "description": "How many alike ones it stands for."},
        "last_at": _TIME,
    }
)
_PENDING_STATION: Final = _object(
    {
        "identity": _text(),
        "first_seen": _TIME,
        "last_seen": _TIME,
        "times": {"type": "integer"},
        "remote": _text("Its address."),
        "profile": {"type": "integer", "description": "The security profile that it came with."},
        "serial": _text("CN of the certificate that it presented.", null=True),
        "subject": _text(null=True),
        "fingerprint": _text("SHA-256 of the certificate's DER, in hex.", null=True),
        "version": _version("The OCPP version that it would have spoken."),
    }
)
_CERTIFICATE_REQUEST: Final = _object(
    {
        "id": {"type": "integer"},
        "identity": _text(),
        "usage": _text("station or v2g: which authority signs it."),
        "state": _text("waiting, requested, issued, delivered, rejected, refused, replaced, failed."),
        "name": _text("The CN that it asks for."),
        "key_fingerprint": _text("SHA-256 of its public key (SPKI), in hex."),
        "serial": _text("Of the certificate that was issued, in hex.", null=True),
        "attempts": {"type": "integer", "description": "How often the certificate was sent."},
        "detail": _text("For a person."),
        "requested_at": _TIME,
        "changed_at": _TIME,
        "csr": _text("PEM."),
    }
)
_TYPE: Final = {"enum": [each.value for each in AnchorType]}
_ROOT: Final = {
    "subject": _text(),
    "serial": _text("Lower-case hex."),
    "fingerprint": _text("SHA-256 of the certificate's DER, in hex."),
    "not_after": _TIME,
}
_TRUST_ANCHOR: Final = _object(
    {
        "entry": _text("The entry that declares it: trust_anchors[N]."),
        "type": _TYPE,
        **_ROOT,
        "exclusive": {"type": "boolean"},
        "remove": {"type": "boolean"},
        "stations": _object({key: {"type": "integer"} for key in ("has", "missing", "refused", "unknown")}),
    }
)
_STATION_TRUST: Final = _object(
    {
        "identity": _text(),
        "settled": {
            "type": "boolean",
            "description": "It has all that it should have, and nothing that it should not.",
        },
        "seen_at": {"type": ["string", "null"], "format": "date-time", "description": "When it last said what it has."},
        "again_at": {"type": ["string", "null"], "format": "date-time", "description": "When it is visited again."},
        "problem": _text("Why it doesn't say what it has.", null=True),
        "installed": {
            "type": "array",
            "items": _object(
                {
                    "type": _TYPE,
                    "subject": _text("Null where the certificate isn't known here.", null=True),
                    "hashAlgorithm": {"enum": ["SHA256", "SHA384", "SHA512"]},
                    "issuerNameHash": _text(),
                    "issuerKeyHash": _text(),
                    "serialNumber": _text("As the station wrote it."),
                }
            ),
        },
        "missing": {
            "type": "array",
            "items": _object({"type": _TYPE, "subject": _text(), "fingerprint": _text()}),
        },
        "refused": {
            "type": "array",
            "items": _object(
                {
                    "action": {"enum": ["install", "delete"]},
                    "type": _TYPE,
                    "subject": _text(null=True),
                    "words": _text("The station's own, or why it wasn't asked."),
                    "attempts": {"type": "integer"},
                    "at": _TIME,
                    "again_at": _TIME,
                }
            ),
        },
    }
)
_ROOT_ROTATION: Final = _object(
    {
        "id": {"type": "integer"},
        "state": {"enum": ["open", "done", "aborted"]},
        "old": _object(_ROOT),
        "new": _object(_ROOT),
        "cross_signed": {"type": "boolean"},
        "identity": _text("Pattern of the stations that it is for.", null=True),
        "group": _text(null=True),
        "started_at": _TIME,
        "changed_at": _TIME,
        "safe_to_switch": {
            "type": "boolean",
            "description": "Every station that isn't excluded has said that it has the new root.",
        },
        "switched": {"type": "boolean", "description": "All certificates shown lead to the new root."},
        "locked_out": {"type": "array", "items": _text("Can't verify a certificate that is shown already.")},
        "stations": {
            "type": "array",
            "items": _object({"identity": _text(), "standing": _text(), "words": _text(null=True)}),
        },
    }
)
_COUNTS: Final = {
    "type": "array",
    "items": _object({"outcome": _text(), "mode": {"enum": ["enforce", "observe"]}, "count": {"type": "integer"}}),
    "description": "Messages since the start with which it did something, or would have.",
}
_RULE: Final = _object(
    {
        "id": _text(),
        "threat": _text(),
        "stages": {"type": "array", "items": {"enum": _STAGES}},
        "effect": {"enum": [effect.value for effect in Effect]},
        "mode": {"enum": ["enforce", "observe"]},
        "place": _text("File and line."),
        "counts": _COUNTS,
    }
)
_POLICY: Final = _object(
    {
        "name": _text(),
        "description": _text(),
        "key": _text("The first key of the configuration that names it."),
        "file": _text("The file, or the name of a bundled policy."),
        "mode": {"enum": ["enforce", "observe"]},
        "default": {"enum": ["allow", "deny"]},
        "sha256": _text("Of its own file, in hex."),
        "sources": {
            "type": "array",
            "items": _object({"name": _text(), "sha256": _text()}),
            "description": "Its own file first, then what it extends.",
        },
        "loaded_at": _TIME,
        "is_stale": {"type": "boolean", "description": "Its files say something else, with which something is wrong."},
        "refused_at": _TIME | {"type": ["string", "null"]},
        "faults": {"type": "array", "items": _text("What is wrong with the files as they are now, with the line.")},
        "default_counts": _COUNTS,
        "rules": {"type": "array", "items": _RULE},
    }
)
_STEP: Final = _object(
    {
        "rule": _text(),
        "place": _text("File and line."),
        "effect": {"enum": [effect.value for effect in Effect]},
        "observed": {"type": "boolean"},
        "held": {"type": ["boolean", "null"], "description": "null: not asked, because a rule before it had decided."},
        "unmet": _text("What of the rule didn't hold.", null=True),
        "did": _text("What it did, or would have done if it is observed.", null=True),
    }
)
_VERDICT: Final = _object(
    {
        "outcome": {"enum": [outcome.value for outcome in Outcome]},
        "rule": _text("The rule that decided, or default."),
        "reason": {"enum": [reason.value for reason in Reason]},
        "text": _text("For the log; never a value of the message."),
        "error": _text("The errorCode of the CALLERROR, if it is one.", null=True),
        "payload": {"type": ["object", "null"], "description": "What goes on, or the answer."},
    }
)
_EXPLAINED: Final = _object(
    {
        "policy": _text(),
        "sha256": _text(),
        "stage": {"enum": _STAGES},
        "kind": {"enum": [kind.value for kind in Kind]},
        "protocol": {"enum": _VERSIONS},
        "action": _text(),
        "schema": _text("How it breaks the official schema: then no policy sees it.", null=True),
        "rules": {"type": "array", "items": _STEP},
        "verdict": {"oneOf": [_VERDICT, {"type": "null"}]},
    }
)
_ERROR: Final = _object({"error": _object({"code": _text("Stable, for scripts."), "message": _text("For people.")})})

SCHEMAS: Final = {
    "Station": _STATION,
    "NewStationAnswer": {
        "allOf": [
            {"$ref": "#/components/schemas/Station"},
            _object({"password": _text("Shown this once; null where none was made.", null=True)}),
        ]
    },
    "Upgrade": _UPGRADE,
    "Renewal": _RENEWAL,
    "RenewalsBegun": _object(
        {
            "usage": {"enum": ["station", "v2g"]},
            "group": _text(null=True),
            "count": {"type": "integer", "description": "Certificates that are to be renewed."},
        }
    ),
    "SecurityProfile": _object(
        {
            "identity": _text(),
            "profile": {"type": "integer", "description": "Lowest OCPP security profile that it may still use."},
            "upgrade": {"oneOf": [{"$ref": "#/components/schemas/Upgrade"}, {"type": "null"}]},
        }
    ),
    "PasswordRotation": _object(
        {"identity": _text(), "password_rotation": _STATION["properties"]["password_rotation"]}
    ),
    "Certificate": _CERTIFICATE,
    "CertificateRequest": _CERTIFICATE_REQUEST,
    "SecurityEvent": _SECURITY_EVENT,
    "PendingStation": _PENDING_STATION,
    "TrustAnchor": _TRUST_ANCHOR,
    "StationTrust": _STATION_TRUST,
    "RootRotation": _ROOT_ROTATION,
    "Policy": _POLICY,
    "Explained": _EXPLAINED,
    "Error": _ERROR,
}
"""By name, for ``#/components/schemas``."""
