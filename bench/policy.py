"""What a policy costs: CPU per message on the road of a TransactionEvent, with one and without, rounds in turns.

The road is that of ``bench.road``: four inspections for each message of the station (as it comes, as it goes on to the
backend, and the answer twice). The large policy has 500 rules for messages of all kinds; ten have conditions in CEL
and concern the very message.
"""

import asyncio
import itertools
import json
import statistics
import tempfile
from pathlib import Path
from typing import Final

from bench import road
from gateway.app.policy_schemas import OfficialSchemas
from gateway.session.stages import Inspector
from policies.engine import load
from policies.vocabulary import Vocabulary
from policies.words import PASSED, Kind, Payload, Stage, Target, Verdict

ROUNDS: Final = 5
RULES: Final = 500
CONDITIONS: Final = (
    "payload.seqNo > 1000000",
    "payload.eventType == 'Ended' && payload.seqNo == 0",
    "has(payload.offline) && payload.offline && payload.seqNo > 1000000",
    "payload.transactionInfo.transactionId.startsWith('x')",
    "has(payload.evse) && payload.evse.id > 1000",
    "payload.triggerReason == 'RemoteStart' && payload.eventType == 'Ended'",
    "has(payload.reservationId) && payload.reservationId > 1000",
    "size(payload.transactionInfo.transactionId) > 40",
    "has(payload.numberOfPhasesUsed) && payload.numberOfPhasesUsed > 3",
    "station.security_profile > 9 && payload.eventType == 'Started'",
)
"""None holds: each is asked of each message."""


class _NoPolicy:
    """A guard that lets everything pass."""

    def inspect(self, stage: Stage, kind: Kind, protocol: str, action: str, payload: Payload) -> Verdict:
        return PASSED


def generated(schemas: OfficialSchemas, inherited: int) -> str:
    """Return a policy that makes ``RULES`` of the default one: the conditions, and a test of each field in turn."""
    events = "stage: from_station, match: {action: TransactionEvent}"
    rules = [
        f"- {{id: cel-{number}, {events}, when: {json.dumps(text)}, deny: {{}}}}"
        for number, text in enumerate(CONDITIONS)
    ]
    vocabulary = Vocabulary(schemas)
    targets = [
        Target(stage, Kind.CALL, protocol, action)
        for protocol in sorted(schemas.protocols())
        for action in sorted(schemas.actions(protocol))
        for stage in Stage
    ]
    fields = [[(each, field) for field in vocabulary.fields(each) if field.is_free_text] for each in targets]
    in_turn = (found for row in itertools.zip_longest(*fields) for found in row if found is not None)
    for number, (target, field) in enumerate(itertools.islice(in_turn, RULES - inherited - len(rules))):
        match = f"{{action: {target.action}, protocol: {target.protocol}}}"
        test = f"{{path: {json.dumps(field.path)}, pattern: forbidden-{number}}}"
        rules.append(f"- {{id: text-{number}, stage: {target.stage}, match: {match}, fields: [{test}], deny: {{}}}}")
    return "\n".join(["name: generated", "extends: legacy-1.6", "rules:", *rules])


async def _round(inspectors: dict[str, Inspector]) -> dict[str, float]:
    return {name: await road.cost(inspector) for name, inspector in inspectors.items()}


def measure() -> dict[str, float]:
    """Return seconds of CPU per message: of the road without a policy, and what each policy adds (medians)."""
    schemas = OfficialSchemas()
    default = load("legacy-1.6", schemas)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "generated.yaml"
        path.write_text(generated(schemas, len(default.rules)), encoding="utf-8")
        large = load(path, schemas)
    if len(large.rules) != RULES:
        raise SystemExit(f"the generated policy has {len(large.rules)} rules, not {RULES}")
    policies = {"default": default, "large": large}
    rounds = [
        asyncio.run(_round({"none": _NoPolicy(), **{name: road.guard(policy) for name, policy in policies.items()}}))
        for _ in range(ROUNDS)
    ]
    none = statistics.median(each["none"] for each in rounds)
    return {
        "none": none,
        **{name: statistics.median(each[name] - each["none"] for each in rounds) for name in policies},
    }


def main() -> None:
    """Print what a TransactionEvent Updated costs without a policy, and what policies add."""
    found = {name: seconds * 1e6 for name, seconds in measure().items()}
    print(
        f"TransactionEvent Updated without a policy: {found['none']:.0f} us CPU; "
        f"legacy-1.6 adds {found['default']:.1f}, "
        f"{RULES} rules of which {len(CONDITIONS)} with CEL concern it add {found['large']:.1f}"
    )


if __name__ == "__main__":
    main()
