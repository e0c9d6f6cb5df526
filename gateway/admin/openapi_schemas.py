"""The shapes of the API's answers, for its OpenAPI description; those of requests are the models that read them."""

from typing import Final

from gateway.admin.certificates import STATES
from gateway.admin.openapi_policies import EXPLAINED, NUMBERS, POLICY, QUARANTINED
from gateway.admin.openapi_publications import PUBLICATION_SCHEMAS
from gateway.admin.openapi_words import TIME, a_text, a_version, an_object
from gateway.session.trust import AnchorType

_UPGRADE: Final = an_object(
    {
        "target_profile": {"type": "integer"},
        "previous_profile": {"type": "integer"},
        "step": a_text("Where it stands; docs/security-profiles.md lists the steps."),
        "slot": {"type": ["integer", "null"], "description": "The station's configuration slot that was written."},
        "detail": a_text("What is waited for, or why it failed."),
        "is_over": {"type": "boolean"},
        "has_failed": {"type": "boolean"},
        "started_at": TIME,
        "changed_at": TIME,
    }
)
_RENEWAL: Final = an_object(
    {
        "usage": {"enum": ["station", "v2g"]},
        "serial": a_text("Of the certificate that the station has."),
        "not_after": TIME,
        "state": {
            "enum": ["planned", "asked", "failed", "refused", "renewed"],
            "description": "refused: the station doesn't know the trigger, and isn't asked again.",
        },
        "due_at": TIME | {"description": "From when on the station is asked, when it is connected."},
        "attempts": {"type": "integer"},
        "problem": a_text("Why the last attempt was in vain.", null=True),
    }
)
_STATION: Final = an_object(
    {
        "identity": a_text(),
        "profile": {"type": "integer", "description": "Lowest OCPP security profile that it may still use."},
        "serial": a_text("CN of its certificate; null: its identity is.", null=True),
        "backend": a_text("Its own; null: the routes say, or default_backend.", null=True),
        "group": a_text("Names the stations that are routed alike.", null=True),
        "boot_status": {"enum": ["None", "Pending", "Rejected", "Accepted"]},
        "version": a_version("OCPP version of its last connection; null before the first."),
        "pinned_version": a_version("The only version that it may speak; null: any."),
        "allow_expired": {"type": "boolean"},
        "allow_downgrade": {"type": "boolean"},
        "password_rotation": {
            "enum": ["settled", "unknown", "awaiting reboot"],
            "description": "Unless settled, its old and its new password are accepted.",
        },
        "route": an_object(
            {
                "backend": a_text("Where it should go."),
                "by": a_text("What says so: its own, routes[N], default_backend."),
                "in_use": a_text("Where it is, or was last; null: it never came.", null=True),
                "waits_for": a_text("What that one must hear before it moves, in words.", null=True),
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
_CERTIFICATE: Final = an_object(
    {
        "identity": a_text("The station's; empty for one of the gateway's own."),
        "serial": a_text("Lower-case hex without leading zeros."),
        "subject": a_text("RFC 4514."),
        "fingerprint": a_text("SHA-256 of its DER, in hex."),
        "not_before": TIME,
        "not_after": TIME,
        "state": {"enum": _STATES},
        "reason": a_text("Why it was revoked.", null=True),
        "issued_at": TIME,
        "changed_at": TIME,
        "usage": a_text("station, v2g, server, contract, contract_20; or seen: none of the authorities issued it."),
        "profile": a_text("The certificate profile that it was issued by; empty where that isn't known."),
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
        "chain": a_text("PEM, leaf first; asked for one certificate."),
        "history": {
            "type": "array",
            "items": an_object({"state": {"enum": _STATES}, "at": TIME, "detail": a_text()}),
            "description": "The steps of its life, the first one first; asked for one certificate.",
        },
        "authority_problem": a_text(
            "After DELETE: why the authority's own list doesn't name it yet; it is told as soon as it can be.",
            null=True,
        ),
    },
    optional=("chain", "history", "authority_problem"),
)
_SECURITY_EVENT: Final = an_object(
    {
        "id": {"type": "integer", "description": "Rises; the next page begins before the last one's."},
        "at": TIME,
        "type": a_text("The standard's name (2.0.1 Part 2 appendix 1), or one of our own."),
        "source": {"enum": ["gateway", "station"]},
        "identity": a_text(null=True),
        "remote": a_text("The peer's address.", null=True),
        "detail": a_text(),
        "presented": {"type": "object", "additionalProperties": {"type": "string"}},
        "count": {"type": "integer", "description": "How many alike ones it stands for."},
        "last_at": TIME,
    }
)
_PENDING_STATION: Final = an_object(
    {
        "identity": a_text(),
        "first_seen": TIME,
        "last_seen": TIME,
        "times": {"type": "integer"},
        "remote": a_text("Its address."),
        "profile": {"type": "integer", "description": "The security profile that it came with."},
        "serial": a_text("CN of the certificate that it presented.", null=True),
        "subject": a_text(null=True),
        "fingerprint": a_text("SHA-256 of the certificate's DER, in hex.", null=True),
        "version": a_version("The OCPP version that it would have spoken."),
    }
)
_CERTIFICATE_REQUEST: Final = an_object(
    {
        "id": {"type": "integer"},
        "identity": a_text(),
        "usage": a_text("station or v2g: which authority signs it."),
        "state": a_text("waiting, requested, issued, delivered, rejected, refused, replaced, failed."),
        "name": a_text("The CN that it asks for."),
        "key_fingerprint": a_text("SHA-256 of its public key (SPKI), in hex."),
        "serial": a_text("Of the certificate that was issued, in hex.", null=True),
        "attempts": {"type": "integer", "description": "How often the certificate was sent."},
        "detail": a_text("For a person."),
        "requested_at": TIME,
        "changed_at": TIME,
        "csr": a_text("PEM."),
    }
)
_TYPE: Final = {"enum": [each.value for each in AnchorType]}
_ROOT: Final = {
    "subject": a_text(),
    "serial": a_text("Lower-case hex."),
    "fingerprint": a_text("SHA-256 of the certificate's DER, in hex."),
    "not_after": TIME,
}
_TRUST_ANCHOR: Final = an_object(
    {
        "entry": a_text("The entry that declares it: trust_anchors[N]."),
        "type": _TYPE,
        **_ROOT,
        "exclusive": {"type": "boolean"},
        "remove": {"type": "boolean"},
        "stations": an_object({key: {"type": "integer"} for key in ("has", "missing", "refused", "unknown")}),
    }
)
_STATION_TRUST: Final = an_object(
    {
        "identity": a_text(),
        "settled": {
            "type": "boolean",
            "description": "It has all that it should have, and nothing that it should not.",
        },
        "seen_at": {"type": ["string", "null"], "format": "date-time", "description": "When it last said what it has."},
        "again_at": {"type": ["string", "null"], "format": "date-time", "description": "When it is visited again."},
        "problem": a_text("Why it doesn't say what it has.", null=True),
        "installed": {
            "type": "array",
            "items": an_object(
                {
                    "type": _TYPE,
                    "subject": a_text("Null where the certificate isn't known here.", null=True),
                    "hashAlgorithm": {"enum": ["SHA256", "SHA384", "SHA512"]},
                    "issuerNameHash": a_text(),
                    "issuerKeyHash": a_text(),
                    "serialNumber": a_text("As the station wrote it."),
                }
            ),
        },
        "missing": {
            "type": "array",
            "items": an_object({"type": _TYPE, "subject": a_text(), "fingerprint": a_text()}),
        },
        "refused": {
            "type": "array",
            "items": an_object(
                {
                    "action": {"enum": ["install", "delete"]},
                    "type": _TYPE,
                    "subject": a_text(null=True),
                    "words": a_text("The station's own, or why it wasn't asked."),
                    "attempts": {"type": "integer"},
                    "at": TIME,
                    "again_at": TIME,
                }
            ),
        },
    }
)
_ROOT_ROTATION: Final = an_object(
    {
        "id": {"type": "integer"},
        "state": {"enum": ["open", "done", "aborted"]},
        "old": an_object(_ROOT),
        "new": an_object(_ROOT),
        "cross_signed": {"type": "boolean"},
        "identity": a_text("Pattern of the stations that it is for.", null=True),
        "group": a_text(null=True),
        "started_at": TIME,
        "changed_at": TIME,
        "safe_to_switch": {
            "type": "boolean",
            "description": "Every station that isn't excluded has said that it has the new root.",
        },
        "switched": {"type": "boolean", "description": "All certificates shown lead to the new root."},
        "locked_out": {"type": "array", "items": a_text("Can't verify a certificate that is shown already.")},
        "stations": {
            "type": "array",
            "items": an_object({"identity": a_text(), "standing": a_text(), "words": a_text(null=True)}),
        },
    }
)
_ERROR: Final = an_object(
    {"error": an_object({"code": a_text("Stable, for scripts."), "message": a_text("For people.")})}
)

SCHEMAS: Final = {
    **PUBLICATION_SCHEMAS,
    "Station": _STATION,
    "NewStationAnswer": {
        "allOf": [
            {"$ref": "#/components/schemas/Station"},
            an_object({"password": a_text("Shown this once; null where none was made.", null=True)}),
        ]
    },
    "Upgrade": _UPGRADE,
    "Renewal": _RENEWAL,
    "RenewalsBegun": an_object(
        {
            "usage": {"enum": ["station", "v2g"]},
            "group": a_text(null=True),
            "count": {"type": "integer", "description": "Certificates that are to be renewed."},
        }
    ),
    "SecurityProfile": an_object(
        {
            "identity": a_text(),
            "profile": {"type": "integer", "description": "Lowest OCPP security profile that it may still use."},
            "upgrade": {"oneOf": [{"$ref": "#/components/schemas/Upgrade"}, {"type": "null"}]},
        }
    ),
    "PasswordRotation": an_object(
        {"identity": a_text(), "password_rotation": _STATION["properties"]["password_rotation"]}
    ),
    "Certificate": _CERTIFICATE,
    "CertificateRequest": _CERTIFICATE_REQUEST,
    "QuarantinedMessage": QUARANTINED,
    "MessagesReleased": an_object({"released": NUMBERS}),
    "MessagesDiscarded": an_object({"discarded": NUMBERS}),
    "SecurityEvent": _SECURITY_EVENT,
    "PendingStation": _PENDING_STATION,
    "TrustAnchor": _TRUST_ANCHOR,
    "StationTrust": _STATION_TRUST,
    "RootRotation": _ROOT_ROTATION,
    "Policy": POLICY,
    "Explained": EXPLAINED,
    "Error": _ERROR,
}
"""By name, for ``#/components/schemas``."""
