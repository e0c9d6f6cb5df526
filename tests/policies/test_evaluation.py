"""One message on its way through the rules: which rule decides, what becomes of it, and who hears of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.app.policy_schemas import OfficialSchemas
from policies.answers import Answer, Consequence, Kept, Refusal
from policies.decisions import Decision, nobody
from policies.evaluation import NOT_ALLOWED, Bucket, Compiled, Evaluation, Where
from policies.rules import Match, Place, Rule
from policies.words import (
    NOBODY,
    PASSED,
    Effect,
    Kind,
    Mode,
    Outcome,
    Payload,
    Reason,
    RuleFailed,
    Stage,
    Surroundings,
    Target,
    Verdict,
)

SCHEMAS = OfficialSchemas()
BOOT = Target(Stage.FROM_STATION, Kind.CALL, "ocpp1.6", "BootNotification")
EVENT = Target(Stage.FROM_STATION, Kind.CALL, "ocpp2.0.1", "TransactionEvent")
START = Target(Stage.TO_BACKEND, Kind.CALL, "ocpp1.6", "StartTransaction")
STATUS = Target(Stage.FROM_BACKEND, Kind.CALL, "ocpp1.6", "Reset")

GOOD: Payload = {"chargePointModel": "M", "chargePointVendor": "V"}
DENY = Refusal(text="no")


@dataclass
class Level:
    wait: float


class Fake:
    """Stands for a check, a limit, a transform and a screen."""

    def __init__(self, said: Any) -> None:
        self.said = said
        self.asked: list[Payload] = []
        self.taken = 0

    def holds(self, payload: Payload, surroundings: Surroundings) -> bool:
        self.asked.append(payload)
        return bool(self._said(payload))

    def take(self, target: Target, surroundings: Surroundings) -> bool:
        self.taken += 1
        return bool(self._said({}))

    def peek(self, target: Target, surroundings: Surroundings) -> Level:
        return Level(0.0 if self._said({}) else 3.0)

    def apply(self, payload: Payload, surroundings: Surroundings) -> Payload:
        self.asked.append(payload)
        result: Payload = self._said(payload)
        return result

    def look(self, payload: Payload, surroundings: Surroundings) -> int:
        return sum(1 << position for position in self._said(payload))

    def positions(self, found: int) -> Sequence[int]:
        return [position for position in range(found.bit_length()) if found >> position & 1]

    def _said(self, payload: Payload) -> Any:
        if isinstance(self.said, Exception):
            raise self.said
        return self.said(payload) if callable(self.said) else self.said


def compiled(name: str, effect: Effect = Effect.DENY, *, observes: bool = False, **parts: Any) -> Compiled:
    mode = Mode.OBSERVE if observes else Mode.ENFORCE
    rule = Rule(name, "", (), Match(), (), (), None, effect, None, mode, Place("f", 1), {})
    if effect in {Effect.DENY, Effect.LIMIT}:
        parts.setdefault("consequence", DENY)
    parts["needed"] = tuple((("fields", index), check) for index, check in enumerate(parts.get("needed", ())))
    parts["alternatives"] = tuple((("any", index), check) for index, check in enumerate(parts.get("alternatives", ())))
    return Compiled(rule, 0, **parts)


def allow(name: str, **parts: Any) -> Compiled:
    return compiled(name, Effect.ALLOW, **parts)


def change(name: str, to: Any, **parts: Any) -> Compiled:
    return compiled(name, Effect.TRANSFORM, transform=Fake(to if callable(to) else lambda payload: to), **parts)


def limit(name: str, has_token: bool, **parts: Any) -> Compiled:
    return compiled(name, Effect.LIMIT, limit=Fake(has_token), **parts)


class Inspected:
    """One message that was inspected."""

    def __init__(
        self,
        *rules: Compiled,
        target: Target = BOOT,
        payload: Payload = GOOD,
        default: Consequence | None = None,
        observes: bool = False,
        screen: Any = None,
        always: tuple[int, ...] | None = None,
    ) -> None:
        self.heard: list[Decision] = []
        if always is None:
            always = tuple(range(len(rules))) if screen is None else ()
        self.bucket = Bucket(target, rules, default, observes, SCHEMAS, screen, always)
        self.verdict = self.bucket.inspect(payload, surroundings(), self.heard.append)

    @property
    def told(self) -> list[str]:
        return [f"{each.rule} {each.outcome} {each.reason}{' observed' * each.is_observed}" for each in self.heard]


def surroundings(**more: Any) -> Surroundings:
    return Surroundings(now=lambda: 0.0, monotonic=lambda: 0.0, facts=lambda: NOBODY, owns=lambda number: True, **more)


NO, YES, FAILS = Fake(False), Fake(True), Fake(RuleFailed("no such field: x"))


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [compiled("a", needed=[NO])],
        [compiled("a", needed=[YES, NO])],
        [compiled("a", alternatives=[NO, NO])],
        [compiled("a", needed=[YES], alternatives=[NO])],
        [compiled("a", needed=[NO], alternatives=[YES])],
        [limit("a", has_token=True)],
        [change("a", lambda payload: payload)],
    ],
)
def test_what_no_rule_concerns_passes_and_nobody_hears_of_it(rules: list[Compiled]) -> None:
    inspected = Inspected(*rules)

    assert inspected.verdict is PASSED
    assert inspected.heard == []


@pytest.mark.parametrize(
    "rule",
    [
        compiled("a"),
        compiled("a", needed=[YES]),
        compiled("a", needed=[YES, YES], alternatives=[NO, YES]),
        compiled("a", alternatives=[YES, FAILS]),
    ],
)
def test_a_rule_applies_when_all_it_asks_for_holds(rule: Compiled) -> None:
    inspected = Inspected(rule)

    assert inspected.verdict == Verdict(Outcome.DENIED, "a", Reason.MATCHED, "no")
    assert inspected.heard == [Decision(BOOT, "a", Effect.DENY, Outcome.DENIED, Reason.MATCHED, False, "no")]


def test_the_first_terminal_rule_decides() -> None:
    assert Inspected(compiled("a", needed=[NO]), compiled("b"), compiled("c")).verdict.rule == "b"


def test_after_allow_no_rule_is_asked() -> None:
    inspected = Inspected(allow("a"), compiled("b", needed=[(asked := Fake(True))]), default=NOT_ALLOWED)

    assert inspected.verdict == Verdict(Outcome.PASSED, "a", Reason.MATCHED)
    assert (inspected.told, asked.asked) == (["a passed matched"], [])


def test_an_audit_is_told_and_changes_nothing() -> None:
    inspected = Inspected(compiled("a", Effect.AUDIT, note="seen"), compiled("b"))

    assert inspected.told == ["a passed matched", "b denied matched"]
    assert inspected.heard[0].text == "seen"


@pytest.mark.parametrize(
    ("consequence", "verdict"),
    [
        (Refusal("GenericError", text="t"), Verdict(Outcome.DENIED, "a", Reason.MATCHED, "t", None, "GenericError")),
        (
            Refusal(answer=Answer({"status": "Rejected"}, is_timed=False)),
            Verdict(Outcome.DENIED, "a", Reason.MATCHED, "", {"status": "Rejected"}),
        ),
        (
            Answer({"currentTime": "$now"}, is_timed=True),
            Verdict(Outcome.ANSWERED, "a", Reason.MATCHED, "", {"currentTime": "1970-01-01T00:00:00.000Z"}),
        ),
        (Kept(), Verdict(Outcome.QUARANTINED, "a", Reason.MATCHED, "", {})),
        (Kept(Answer({"x": 1}, is_timed=False)), Verdict(Outcome.QUARANTINED, "a", Reason.MATCHED, "", {"x": 1})),
    ],
)
def test_what_a_rule_says_becomes_the_verdict(consequence: Consequence, verdict: Verdict) -> None:
    assert Inspected(compiled("a", Effect.ANSWER, consequence=consequence)).verdict == verdict


def test_a_limit_that_is_over_ends_it() -> None:
    inspected = Inspected(limit("a", has_token=True), limit("b", has_token=False), compiled("c"))

    assert inspected.verdict == Verdict(Outcome.DENIED, "b", Reason.LIMITED, "no")
    assert inspected.told == ["b denied limited"]


@pytest.mark.parametrize("has_token", [True, False])
def test_a_token_is_taken_once(has_token: bool) -> None:
    rules = [limit("a", has_token=True), limit("b", has_token), limit("c", has_token=True)]

    inspected = Inspected(*rules)

    assert [getattr(rule.limit, "taken", None) for rule in rules] == [1, 1, 1 if has_token else 0]
    assert inspected.told == ([] if has_token else ["b denied limited"])


def test_an_observed_limit_that_is_over_lets_the_next_ones_be_asked() -> None:
    rules = [limit("a", has_token=False, observes=True), limit("b", has_token=False)]

    inspected = Inspected(*rules)

    assert inspected.told == ["a denied limited observed", "b denied limited"]
    assert [getattr(rule.limit, "taken", None) for rule in rules] == [1, 1]


def test_a_limit_that_fails_is_a_rule_that_fails() -> None:
    rule = compiled("a", Effect.LIMIT, limit=Fake(ZeroDivisionError()))

    assert Inspected(rule, allow("b")).verdict.reason is Reason.RULE_FAILED


def test_a_rule_that_the_screen_does_not_know_is_asked_once_when_it_holds() -> None:
    seen = Fake(True)

    assert Inspected(allow("a", needed=[NO]), compiled("b", needed=[seen])).verdict.rule == "b"
    assert seen.asked == [GOOD]


def test_rules_behind_a_transform_see_what_it_made() -> None:
    changed = GOOD | {"chargePointModel": "W"}
    seen = Fake(False)

    inspected = Inspected(change("a", changed), compiled("b", needed=[seen]))

    assert inspected.verdict == Verdict(Outcome.TRANSFORMED, "a", Reason.MATCHED, payload=changed)
    assert inspected.told == ["a transformed matched"]
    assert seen.asked == [changed]


def test_the_screen_is_asked_anew_of_what_a_transform_made() -> None:
    changed = GOOD | {"chargePointModel": "W"}
    screen = Fake(lambda payload: (0, 1) if payload is GOOD else (0, 2))

    inspected = Inspected(change("a", changed), compiled("b"), compiled("c"), screen=screen)

    assert inspected.verdict.rule == "c"
    assert inspected.told == ["a transformed matched", "c denied matched"]


def test_the_last_transform_is_named() -> None:
    inspected = Inspected(change("a", GOOD | {"iccid": "1"}), change("b", GOOD | {"iccid": "2"}), allow("c"))

    assert inspected.verdict == Verdict(Outcome.TRANSFORMED, "b", Reason.MATCHED, payload=GOOD | {"iccid": "2"})


@pytest.mark.parametrize("behind", [[], [allow("z")]])
def test_a_result_that_breaks_the_schema_is_denied(behind: list[Compiled]) -> None:
    inspected = Inspected(change("a", {"chargePointModel": "M"}), *behind)

    assert (inspected.verdict.outcome, inspected.verdict.rule) == (Outcome.DENIED, "a")
    assert inspected.verdict.reason is Reason.RESULT_INVALID
    assert "chargePointVendor is missing" in inspected.verdict.text
    assert inspected.told[-1] == "a denied result_invalid"


def test_a_denial_behind_a_transform_denies() -> None:
    assert Inspected(change("a", {}), compiled("b")).verdict.rule == "b"


@pytest.mark.parametrize(
    "rule",
    [
        compiled("a", needed=[FAILS]),
        compiled("a", alternatives=[NO, FAILS]),
        compiled("a", consequence=object()),
        change("a", Fake(RuleFailed("no such field: x")).apply),
    ],
)
def test_a_rule_that_fails_denies(rule: Compiled) -> None:
    inspected = Inspected(rule, allow("b"))

    assert (inspected.verdict.outcome, inspected.verdict.rule) == (Outcome.DENIED, "a")
    assert inspected.verdict.reason is Reason.RULE_FAILED
    assert inspected.told == ["a denied rule_failed"]


def test_a_rules_own_failure_is_told_in_its_words_and_a_defect_without_any_value() -> None:
    own = Inspected(compiled("a", needed=[FAILS])).verdict
    defect = Inspected(compiled("a", needed=[Fake(KeyError("secret of the peer"))])).verdict

    assert own.text == "no such field: x"
    assert defect.text.startswith("KeyError at test_evaluation.py:")
    assert "secret" not in defect.text


def test_when_the_screen_fails_every_rule_is_asked() -> None:
    inspected = Inspected(compiled("a", needed=[NO]), compiled("b"), screen=Fake(TypeError()))

    assert inspected.verdict.rule == "b"


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (compiled("a", observes=True), "a denied matched observed"),
        (allow("a", observes=True), "a passed matched observed"),
        (limit("a", has_token=False, observes=True), "a denied limited observed"),
        (change("a", {}, observes=True), "a transformed matched observed"),
        (compiled("a", observes=True, needed=[FAILS]), "a denied rule_failed observed"),
        (compiled("a", Effect.QUARANTINE, observes=True, consequence=Kept()), "a quarantined matched observed"),
    ],
)
def test_an_observed_rule_is_told_and_the_next_ones_are_asked(rule: Compiled, told: str) -> None:
    behind = compiled("b", needed=[seen := Fake(True)])

    inspected = Inspected(rule, behind)

    assert inspected.told == [told, "b denied matched"]
    assert seen.asked == [GOOD]
    assert Inspected(rule).verdict is PASSED


def test_what_no_rule_concerns_is_denied_where_that_is_the_default() -> None:
    inspected = Inspected(compiled("a", needed=[NO]), default=NOT_ALLOWED)

    assert inspected.verdict == Verdict(Outcome.DENIED, "default", Reason.NO_RULE, "no rule allows it")
    assert inspected.told == ["default denied no_rule"]


def test_a_policy_that_observes_tells_of_its_default_only() -> None:
    inspected = Inspected(default=NOT_ALLOWED, observes=True)

    assert inspected.verdict is PASSED
    assert inspected.told == ["default denied no_rule observed"]


STARTED: Payload = {
    "eventType": "Started",
    "timestamp": "2026-01-01T00:00:00Z",
    "triggerReason": "Authorized",
    "seqNo": 0,
    "transactionInfo": {"transactionId": "x"},
    "idToken": {"idToken": "T", "type": "Central"},
}
ENDED = {key: value for key, value in STARTED.items() if key != "idToken"}
BEGUN: Payload = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": "2026-01-01T00:00:00Z"}


def answering(payload: Payload) -> Answer:
    return Answer(payload, is_timed=False)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (compiled("a"), Reason.MATCHED),
        (compiled("a", consequence=Kept()), Reason.MATCHED),
        (limit("a", has_token=False), Reason.LIMITED),
        (compiled("a", needed=[FAILS]), Reason.RULE_FAILED),
        (change("a", {}), Reason.RESULT_INVALID),
    ],
)
def test_what_moves_money_is_kept_whatever_is_wrong_with_it(rule: Compiled, reason: Reason) -> None:
    verdict = Inspected(rule, target=EVENT, payload=STARTED).verdict

    assert (verdict.outcome, verdict.rule, verdict.reason) == (Outcome.QUARANTINED, "a", reason)
    assert verdict.payload == {"idTokenInfo": {"status": "Invalid"}}
    assert SCHEMAS.complaint(EVENT.protocol, EVENT.action, Kind.RESULT, verdict.payload) is None


def test_so_is_what_no_rule_allows() -> None:
    verdict = Inspected(target=START, payload=BEGUN, default=NOT_ALLOWED).verdict

    assert (verdict.outcome, verdict.reason) == (Outcome.QUARANTINED, Reason.NO_RULE)


@pytest.mark.parametrize(
    ("consequence", "payload", "answer"),
    [
        (answering({"totalCost": 1}), STARTED, {"totalCost": 1}),
        (Kept(answering({"totalCost": 1})), STARTED, {"totalCost": 1}),
        (Kept(), ENDED, {}),
        (DENY, ENDED, {}),
        (Refusal(answer=answering({"status": "Rejected"})), ENDED, {}),
    ],
)
def test_the_station_gets_the_rules_answer_or_one_that_promises_nothing(
    consequence: Consequence, payload: Payload, answer: Payload
) -> None:
    rule = compiled("a", Effect.ANSWER, consequence=consequence)

    assert Inspected(rule, target=EVENT, payload=payload).verdict.payload == answer


@pytest.mark.parametrize(
    ("target", "payload", "outcome"),
    [
        (START, BEGUN, Outcome.QUARANTINED),
        (Target(Stage.FROM_STATION, Kind.CALL, "ocpp1.6", "MeterValues"), {"transactionId": 1}, Outcome.QUARANTINED),
        (Target(Stage.FROM_STATION, Kind.CALL, "ocpp1.6", "MeterValues"), {}, Outcome.DENIED),
        (Target(Stage.TO_STATION, Kind.RESULT, "ocpp2.0.1", "TransactionEvent"), {}, Outcome.DENIED),
        (Target(Stage.FROM_BACKEND, Kind.RESULT, "ocpp1.6", "StartTransaction"), {}, Outcome.DENIED),
        (Target(Stage.FROM_BACKEND, Kind.ERROR, "ocpp1.6", "StartTransaction"), {}, Outcome.DENIED),
        (STATUS, {"type": "Hard"}, Outcome.DENIED),
    ],
)
def test_money_is_what_a_station_calls_about(target: Target, payload: Payload, outcome: Outcome) -> None:
    assert Inspected(compiled("a"), target=target, payload=payload).verdict.outcome is outcome


def test_a_transform_may_not_hide_that_money_is_moved() -> None:
    target = Target(Stage.FROM_STATION, Kind.CALL, "ocpp1.6", "MeterValues")
    verdict = Inspected(change("a", {}), compiled("b"), target=target, payload={"transactionId": 1}).verdict

    assert (verdict.rule, verdict.outcome) == ("b", Outcome.QUARANTINED)


def test_a_recorder_hears_of_every_rule_that_was_asked() -> None:
    rules = (
        compiled("a", needed=[YES, NO]),
        compiled("b", alternatives=[NO]),
        limit("c", has_token=True),
        change("d", GOOD | {"iccid": "1"}),
        change("e", lambda payload: payload),
        compiled("f", Effect.AUDIT),
        compiled("g", observes=True, needed=[FAILS]),
        limit("h", has_token=False),
        compiled("i"),
    )
    said: list[tuple[str, Where | None, str]] = []

    def record(rule: Compiled, unmet: Where | None, did: str) -> None:
        said.append((rule.rule.id, unmet, did))

    bucket = Bucket(BOOT, rules, None, False, SCHEMAS, None, tuple(range(len(rules))))
    Evaluation(bucket, GOOD, surroundings(), nobody).verdict(bucket.always, record)

    assert said == [
        ("a", ("fields", 1), ""),
        ("b", ("any",), ""),
        ("c", None, "within the limit"),
        ("d", None, "transformed"),
        ("e", None, "changed nothing"),
        ("f", None, "noted"),
        ("g", None, "failed: no such field: x"),
        ("h", None, "over the limit: denied"),
    ]


@pytest.mark.parametrize(("has_token", "outcome"), [(True, Outcome.PASSED), (False, Outcome.DENIED)])
def test_where_nothing_is_remembered_no_token_is_taken(has_token: bool, outcome: Outcome) -> None:
    rule = limit("a", has_token)
    bucket = Bucket(BOOT, (rule,), None, False, SCHEMAS, None, (0,))

    assert Evaluation(bucket, GOOD, surroundings(remembers=False), nobody).verdict((0,)).outcome is outcome
    assert getattr(rule.limit, "taken", None) == 0


def test_the_rules_that_the_screen_does_not_know_are_always_asked_in_their_place() -> None:
    rules = (compiled("a", needed=[NO]), compiled("b", needed=[NO]), compiled("c"))
    asked: Callable[[Payload, Surroundings], Sequence[int]] = Bucket(
        BOOT, rules, None, False, SCHEMAS, Fake((0, 2)), (1,)
    ).candidates

    assert asked(GOOD, surroundings()) == [0, 1, 2]
    assert Bucket(BOOT, rules, None, False, SCHEMAS, Fake(()), (1,)).candidates(GOOD, surroundings()) == (1,)
