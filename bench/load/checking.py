"""What must be true after a measured phase: every answer's payload, and what the backend heard."""

from collections import Counter
from typing import Any, Final

from bench.load.backend import Backend
from gateway.wire.schemas import operation
from gateway.wire.versions import Version

HEARD: Final = {
    "Updated": {b"MeterValues": 1.0},
    "Started/Ended": {b"StartTransaction": 0.5, b"StopTransaction": 0.5},
    "Heartbeat": {b"Heartbeat": 1.0},
    "StatusNotification": {b"StatusNotification": 1.0},
}
"""What a translated case must bring to a 1.6 backend, for each message; beside them StatusNotification alone."""
UNTRANSLATED: Final = {"Updated": b"TransactionEvent", "Started/Ended": b"TransactionEvent"}


def answer(case: str, payloads: list[Any], *, translates: bool) -> None:
    """Return when these may be the answers to messages of a case; SystemExit otherwise."""
    for number, payload in enumerate(payloads):
        if case in {"Heartbeat", "boot"}:
            good = isinstance(payload.get("currentTime"), str) and payload.get("status", "Accepted") == "Accepted"
        elif case == "started" or (case == "Started/Ended" and number % 2 == 0):
            good = payload == ({"idTokenInfo": {"status": "Accepted"}} if translates else {})
        else:
            good = payload == {}
        if not good:
            raise SystemExit(f"a wrong answer to a message of {case}: {payload}")


def heard(case: str, messages: int, counts: Counter[bytes], *, translates: bool) -> None:
    """Return when the backend has heard what it should; SystemExit otherwise."""
    if translates:
        wanted = {action: round(share * messages) for action, share in HEARD[case].items()}
        others = counts.keys() - wanted.keys() - {b"StatusNotification"}
    else:
        wanted = {UNTRANSLATED.get(case, case.encode()): messages}
        others = counts.keys() - wanted.keys()
    if others or any(counts[action] != count for action, count in wanted.items()):
        raise SystemExit(f"{messages} messages of {case}, and the backend heard {dict(counts)}")


def calls(case: str, backend: Backend, *, translates: bool) -> int:
    """Check the frames that the backend kept: schema, and the right transactionId. Return how many they were."""
    version = Version.V16 if translates else Version.V201
    found = backend.texts()
    for name, (_, _, action, payload) in found:
        operation(version, action).request.check(payload)
        given = payload.get("transactionId")
        # Another one may have begun since a frame of Started/Ended was kept.
        if case == "Updated" and translates and given != backend.given[name]:
            raise SystemExit(f"{name}: transactionId {given} in {action}, and {backend.given[name]} was given")
    return len(found)
