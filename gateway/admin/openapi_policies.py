"""The shapes of what the API says of policies, and of what they keep for a person."""

from typing import Final

from gateway.admin.openapi_words import TIME, VERSIONS, a_text, a_version, an_object
from gateway.session.quarantine import State
from policies.words import Effect, Kind, Outcome, Reason, Stage

_STAGES: Final = [stage.value for stage in Stage]
_COUNTS: Final = {
    "type": "array",
    "items": an_object({"outcome": a_text(), "mode": {"enum": ["enforce", "observe"]}, "count": {"type": "integer"}}),
    "description": "Messages since the start with which it did something, or would have.",
}
_RULE: Final = an_object(
    {
        "id": a_text(),
        "threat": a_text(),
        "stages": {"type": "array", "items": {"enum": _STAGES}},
        "effect": {"enum": [effect.value for effect in Effect]},
        "mode": {"enum": ["enforce", "observe"]},
        "place": a_text("File and line."),
        "counts": _COUNTS,
    }
)
POLICY: Final = an_object(
    {
        "name": a_text(),
        "description": a_text(),
        "key": a_text("The first key of the configuration that names it."),
        "file": a_text("The file, or the name of a bundled policy."),
        "mode": {"enum": ["enforce", "observe"]},
        "default": {"enum": ["allow", "deny"]},
        "sha256": a_text("Of its own file, in hex."),
        "sources": {
            "type": "array",
            "items": an_object({"name": a_text(), "sha256": a_text()}),
            "description": "Its own file first, then what it extends.",
        },
        "loaded_at": TIME,
        "is_stale": {"type": "boolean", "description": "Its files say something else, with which something is wrong."},
        "refused_at": TIME | {"type": ["string", "null"]},
        "faults": {"type": "array", "items": a_text("What is wrong with the files as they are now, with the line.")},
        "default_counts": _COUNTS,
        "rules": {"type": "array", "items": _RULE},
    }
)
_STEP: Final = an_object(
    {
        "rule": a_text(),
        "place": a_text("File and line."),
        "effect": {"enum": [effect.value for effect in Effect]},
        "observed": {"type": "boolean"},
        "held": {"type": ["boolean", "null"], "description": "null: not asked, because a rule before it had decided."},
        "unmet": a_text("What of the rule didn't hold.", null=True),
        "did": a_text("What it did, or would have done if it is observed.", null=True),
    }
)
_VERDICT: Final = an_object(
    {
        "outcome": {"enum": [outcome.value for outcome in Outcome]},
        "rule": a_text("The rule that decided, or default."),
        "reason": {"enum": [reason.value for reason in Reason]},
        "text": a_text("For the log; never a value of the message."),
        "error": a_text("The errorCode of the CALLERROR, if it is one.", null=True),
        "payload": {"type": ["object", "null"], "description": "What goes on, or the answer."},
    }
)
EXPLAINED: Final = an_object(
    {
        "policy": a_text(),
        "sha256": a_text(),
        "stage": {"enum": _STAGES},
        "kind": {"enum": [kind.value for kind in Kind]},
        "protocol": {"enum": VERSIONS},
        "action": a_text(),
        "schema": a_text("How it breaks the official schema: then no policy sees it.", null=True),
        "rules": {"type": "array", "items": _STEP},
        "verdict": {"oneOf": [_VERDICT, {"type": "null"}]},
    }
)
QUARANTINED: Final = an_object(
    {
        "id": {"type": "integer", "description": "Rises in the order in which messages came."},
        "identity": a_text("The station's."),
        "state": {"enum": [state.value for state in State]},
        "leg": {
            "enum": ["station", "backend"],
            "description": "In whose words it is: a station's go through the bridge when they are released.",
        },
        "protocol": a_version("Of its words."),
        "transaction": a_text("The station's name for the transaction that it is about.", null=True),
        "action": a_text(),
        "rule": a_text("The policy's; gateway:follows, gateway:foreign, gateway:refused: the gateway's own."),
        "reason": a_text("Why it is kept."),
        "recorded_at": TIME,
        "kept_at": TIME,
        "attempts": {"type": "integer", "description": "Times that it was offered to the backend in vain."},
        "last_error": a_text("Why it wasn't delivered the last time.", null=True),
        "decided_at": {"type": ["string", "null"], "format": "date-time"},
        "decided_by": a_text("Who released or discarded it.", null=True),
        "decision": a_text("Why it was discarded.", null=True),
        "payload": {"type": "object", "description": "What it says; asked for one message."},
        "answer": {"type": "object", "description": "What the station was told; asked for one message."},
    },
    optional=("payload", "answer"),
)
NUMBERS: Final = {"type": "array", "items": {"type": "integer"}}
