"""Policies, loaded whole or not at all; and the guard that asks them about one station's messages."""

import contextlib
import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.app.policy_schemas import OfficialSchemas
from policies import engine
from policies.engine import BUNDLED, Decision, Guard, Policy, PolicyError
from policies.words import PASSED, Effect, Facts, Kind, Mode, Outcome, Payload, Reason, Stage, Surroundings

Write = Callable[[str], Path]

STATION = Facts("CS-7", group="depot", backend="legacy", address="192.0.2.1")
HEARTBEAT = (Stage.FROM_STATION, Kind.CALL, "ocpp2.0.1", "Heartbeat")
RESET = (Stage.FROM_BACKEND, Kind.CALL, "ocpp2.0.1", "Reset")
EVENT = (Stage.FROM_STATION, Kind.CALL, "ocpp2.0.1", "TransactionEvent")


def load(source: str | Path) -> Policy:
    return engine.load(source, OfficialSchemas())


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "own.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal_of(path: Path) -> str:
    with pytest.raises(PolicyError) as refusal:
        load(path)
    return str(refusal.value).replace(f"{path.parent}/", "")


def always(policy: Policy) -> Callable[[], Policy]:
    return lambda: policy


def rules(*texts: str, head: str = "") -> str:
    return f"name: x\n{head}rules:\n" + "".join(f"- {{{text}}}\n" for text in texts)


def surroundings_of(facts: Facts = STATION, **more: Any) -> Surroundings:
    return Surroundings(now=time.time, monotonic=lambda: 0.0, facts=lambda: facts, owns=lambda number: True, **more)


class Met:
    """A policy as it meets one station."""

    def __init__(self, policy: Policy, facts: Facts = STATION) -> None:
        self.policy = policy
        self.facts = facts
        self.heard: list[Decision] = []
        self.surroundings = Surroundings(
            now=time.time,
            monotonic=lambda: 0.0,
            facts=lambda: self.facts,
            owns=lambda number: True,
            revision=lambda: self.facts,
        )
        self.guard = Guard(lambda: self.policy, self.surroundings, self.heard.append)

    def decides(self, key: tuple[Stage, Kind, str, str], payload: Payload | None = None) -> tuple[str, str]:
        verdict = self.guard.inspect(*key, payload or {})
        return verdict.outcome.value, verdict.rule


# --- loading


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_policy_loads_by_its_name(name: str) -> None:
    policy = load(name)
    text = (Path(engine.__file__).parent / f"{name}.yaml").read_bytes()

    assert (policy.name, policy.sha256) == (name, hashlib.sha256(text).hexdigest())
    assert policy.warnings == ()


@pytest.mark.parametrize("as_text", [True, False], ids=["str", "Path"])
def test_a_policy_loads_from_a_file(write: Write, as_text: bool) -> None:
    path = write("name: mine\ndescription: of my own\nmode: observe\ndefault: deny\nvalues: {a: 1}\nrules: []\n")
    policy = load(str(path) if as_text else path)

    assert (policy.name, policy.description) == ("mine", "of my own")
    assert (policy.mode, policy.default, policy.values) == (Mode.OBSERVE, Effect.DENY, {"a": 1})
    assert (policy.rules, [each.name for each in policy.sources]) == ((), [str(path)])
    assert policy.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert policy.sha256[:12] in repr(policy)
    assert [each.text.partition(":")[0] for each in policy.warnings] == ["values.a"]


def test_files_that_have_not_changed_are_compiled_once(write: Write) -> None:
    path = write("name: base\n")
    own = path.with_name("mine.yaml")
    own.write_text("name: mine\nextends: own.yaml\n", "utf-8")
    before = load(own)

    assert load(own) is before
    write("name: base\ndefault: deny\n")
    assert load(own).default is Effect.DENY


@pytest.mark.parametrize("text", ["name: mine", "name: mine\nrules:\n", "name: mine\nrules: []\n"])
def test_a_policy_may_have_no_rules(write: Write, text: str) -> None:
    assert load(write(text)).name == "mine"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "own.yaml:1: must be a mapping"),
        ("mine", "own.yaml:1: must be a mapping"),
        ("- name: mine", "own.yaml:1: must be a mapping"),
        ("name: mine\nrules: [deny]", "own.yaml:2: rule number 1: must be one rule"),
        ("name: mine\nrules: {deny: all}", "own.yaml:2: rules: must be a list"),
        ("name: mine\nrules: all", "own.yaml:2: rules: must be a list"),
        ("name: mine\n<<: {rules: [deny]}", "own.yaml:2: <<: unknown key '<<'"),
        ("name: mine\nrules: []\nrules: []", "own.yaml:3: the key 'rules' is doubled"),
        ("name: mine\nrule: []", "own.yaml:2: rule: unknown key 'rule'; did you mean 'rules'?"),
        ("name: mine\nnull: x", "own.yaml:2: null: unknown key 'null'"),
        ("rules: []", "own.yaml:1: `name` is missing"),
        ("name: [mine]", "own.yaml:1: name: must be"),
        ("name: mine: yours", "own.yaml:1: not YAML"),
        ("!!python/object/apply:os.system [id]", "own.yaml:1: tags aren't read"),
        ("[" * 600, "own.yaml:1: deeper than"),
        (
            rules("id: a, stage: from_station, match: {action: Hartbeat}, deny: {}"),
            "own.yaml:3: rule a: match.action[0]: ",
        ),
        (rules("id: a, stage: from_station, when: payload, deny: {}"), "own.yaml:3: rule a: when: "),
    ],
)
def test_what_is_not_understood_whole_is_not_loaded(write: Write, text: str, words: str) -> None:
    assert refusal_of(write(text)).startswith(words)


def test_what_is_wrong_with_the_form_and_with_the_rules_is_told_together(write: Write) -> None:
    refusal = refusal_of(
        write(
            rules(
                "id: a, stage: nowhere, deny: {}",
                "id: b, stage: from_backend, match: {action: Reset}, fields: [{path: typ, present: true}], deny: {}",
                "id: c, stage: from_backend, match: {action: Reset}, fields: [{path: type, like: $x}], deny: {}",
                head="values: {unused: 1}\n",
            )
        )
    )

    assert [line.split(": ")[0:2] for line in refusal.splitlines()] == [
        ["own.yaml:2", "values.unused"],
        ["own.yaml:4", "rule a"],
        ["own.yaml:5", "rule b"],
        ["own.yaml:6", "rule c"],
    ]


@pytest.mark.parametrize("name", ["legacy-1.5", "Legacy-1.6", "legacy-1.6.yaml", ""])
def test_a_missing_file_is_named_beside_the_bundled_policies(tmp_path: Path, name: str) -> None:
    with pytest.raises(PolicyError) as refusal:
        load(tmp_path / "nowhere" / name)

    names = ", ".join(BUNDLED)
    assert str(refusal.value) == (
        f"{tmp_path / 'nowhere' / name}: No such file or directory; give a file or a bundled name ({names})"
    )


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text(st.sampled_from("nameruls:[]{}-&*!? \n'\"#1"), max_size=40).map(str.encode))
def test_any_bytes_are_a_policy_or_a_policy_error(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text)
    with contextlib.suppress(PolicyError):
        assert load(path).name


# --- inspecting


def test_the_rules_for_a_message_decide_on_it_and_on_no_other(write: Write) -> None:
    met = Met(load(write(rules("id: a, stage: from_backend, match: {action: Reset}, deny: {text: no}"))))

    assert met.decides(RESET) == ("denied", "a")
    assert met.guard.inspect(*HEARTBEAT, {}) is PASSED
    assert met.decides((Stage.TO_STATION, *RESET[1:])) == ("passed", "default")
    assert met.decides((Stage.FROM_BACKEND, Kind.RESULT, "ocpp2.0.1", "Reset")) == ("passed", "default")
    assert met.decides((*RESET[:2], "ocpp1.6", "Reset")) == ("denied", "a")
    assert [each.rule for each in met.heard] == ["a", "a"]


def test_another_policy_is_in_force_from_the_next_message_on(write: Write) -> None:
    met = Met(load(write(rules("id: a, stage: from_backend, match: {action: Reset}, deny: {}"))))
    assert met.decides(RESET) == ("denied", "a")

    met.policy = load(write(rules("id: b, stage: from_backend, match: {action: Reset}, deny: {}")))

    assert met.decides(RESET) == ("denied", "b")


def test_tokens_are_not_given_back_by_another_policy(write: Write) -> None:
    text = rules("id: a, stage: from_station, match: {action: Heartbeat}, limit: {by: station, rate: 1/day}")
    met = Met(load(write(text)))
    assert met.decides(HEARTBEAT) == ("passed", "default")

    met.policy = load(write(text + "# anew\n"))

    assert met.decides(HEARTBEAT) == ("denied", "a")


SCOPED = rules(
    "id: depot, stage: from_backend, match: {action: Reset, group: dep*}, deny: {}",
    "id: street, stage: from_backend, match: {action: Reset, group: [street, road]}, deny: {}",
    "id: named, stage: from_backend, match: {action: Reset, station: CS-*, backend: new}, deny: {}",
)


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        (STATION, "depot"),
        (replace(STATION, group="road"), "street"),
        (replace(STATION, group=None), "default"),
        (replace(STATION, group=None, backend="new"), "named"),
        (replace(STATION, identity="X", group=None, backend="new"), "default"),
    ],
)
def test_a_rule_is_for_the_stations_that_it_names(write: Write, facts: Facts, rule: str) -> None:
    assert Met(load(write(SCOPED)), facts).decides(RESET)[1] == rule


def test_a_station_that_changes_its_group_meets_other_rules_from_the_next_message_on(write: Write) -> None:
    met = Met(load(write(SCOPED)))
    assert met.decides(RESET)[1] == "depot"

    met.facts = replace(STATION, group="street")

    assert met.decides(RESET)[1] == "street"


def test_facts_are_gathered_when_they_may_have_changed_and_never_where_no_rule_is_scoped(write: Write) -> None:
    asked = []

    def facts() -> Facts:
        asked.append(1)
        return STATION

    scoped, plain = load(write(SCOPED)), load("legacy-1.6")
    for policy, times in ((scoped, 1), (plain, 0)):
        asked.clear()
        surroundings = Surroundings(now=time.time, monotonic=lambda: 0.0, facts=facts, owns=lambda number: True)
        guard = Guard(always(policy), surroundings)
        for _ in range(3):
            guard.inspect(*HEARTBEAT, {})
        assert len(asked) == times


def test_ten_thousand_stations_share_what_is_compiled(write: Write) -> None:
    policy = load(write(SCOPED))
    guards = [
        Guard(lambda: policy, surroundings_of(replace(STATION, identity=f"CS-{number}", group=group)))
        for number in range(5_000)
        for group in ("depot", "street")
    ]
    for guard in guards:
        guard.inspect(*RESET, {"type": "Immediate"})

    assert len({id(guard._view) for guard in guards}) == 2
    assert len(policy._views) == 2


def test_what_is_no_message_is_not_kept(write: Write) -> None:
    met = Met(load(write("name: x\ndefault: deny\n")))
    for number in range(100):
        assert met.decides((*HEARTBEAT[:3], f"Made{number}Up")) == ("denied", "default")
        assert met.decides((*HEARTBEAT[:2], f"ocpp{number}", "Heartbeat")) == ("denied", "default")
    assert met.decides(HEARTBEAT) == ("denied", "default")

    assert list(met.guard._view) == [HEARTBEAT]


# --- explaining


def test_every_rule_is_explained(write: Write) -> None:
    mine = "stage: from_backend, match: {action: Reset"
    policy = load(
        write(
            rules(
                f"id: other, {mine}, group: street}}, deny: {{}}",
                f"id: idle, {mine}, protocol: ocpp2.0.1}}, fields: [{{path: type, one_of: [OnIdle]}}], deny: {{}}",
                f"id: cel, {mine}, protocol: ocpp2.0.1}}, when: payload.type == 'OnIdle', deny: {{}}",
                f"id: watch, {mine}}}, mode: observe, deny: {{}}",
                f"id: now, {mine}, group: depot}}, deny: {{status: Rejected, text: t}}",
                f"id: late, {mine}}}, allow: true",
                f"id: later, {mine}, backend: new}}, allow: true",
                "id: elsewhere, stage: from_backend, match: {action: ClearCache}, allow: true",
            )
        )
    )
    met = Met(policy)
    trace = met.guard.explain(*RESET, {"type": "Immediate"})

    assert [(step.rule, step.held, step.unmet, step.did) for step in trace.steps] == [
        ("other", False, ("match", "group"), ""),
        ("idle", False, ("fields", 0), ""),
        ("cel", False, ("when",), ""),
        ("watch", True, (), "denied"),
        ("now", True, (), "denied"),
        ("late", None, (), ""),
        ("later", False, ("match", "backend"), ""),
    ]
    assert [step.is_observed for step in trace.steps] == [False, False, False, True, False, False, False]
    assert trace.verdict == met.guard.inspect(*RESET, {"type": "Immediate"})
    assert (trace.policy, trace.target.action, trace.steps[1].place.line) == ("x", "Reset", 4)


LIMITED = rules("id: a, stage: from_station, match: {action: Heartbeat}, limit: {by: station, rate: 1/day}")


def test_explaining_takes_no_token_and_nobody_hears_of_it(write: Write) -> None:
    met = Met(load(write(LIMITED)))

    for _ in range(3):
        assert met.guard.explain(*HEARTBEAT, {}).steps[0].did == "within the limit"
    assert met.decides(HEARTBEAT) == ("passed", "default")
    for _ in range(3):
        assert met.guard.explain(*HEARTBEAT, {}).steps[0].did == "over the limit: denied"

    assert met.heard == []
    assert met.guard.explain(*HEARTBEAT, {}).verdict == met.guard.inspect(*HEARTBEAT, {})


def test_tracing_is_deciding(write: Write) -> None:
    met = Met(load(write(LIMITED)))
    traces = [met.guard.trace(*HEARTBEAT, {}) for _ in range(2)]

    assert [trace.verdict.outcome for trace in traces] == [Outcome.PASSED, Outcome.DENIED]
    assert [each.reason for each in met.heard] == [Reason.LIMITED]


# --- the screen

_FIELDS = [
    "path: seqNo, range: {min: 5}",
    "path: seqNo, not: {one_of: [1, 2]}",
    "path: offline, present: true",
    "path: offline, present: false",
    "path: transactionInfo.transactionId, like: ['a*']",
    "path: '**', not: {text: printable}",
    "path: '**', pattern: '[bc]'",
    "path: '**.customData', present: true",
    "path: meterValue, length: {min: 2}",
    "path: 'meterValue[].sampledValue[].value', range: {above: 10}",
    "path: meterValue, not: {register: {tolerance_wh: 1, max_power_w: 1000}}",
    "path: [reservationId, seqNo], number: true, range: {max: 3}",
]
_WHENS = ["payload.seqNo > 3", "has(payload.offline) && payload.offline", "payload.reservationId == 1"]
_EFFECTS = [
    "allow: true",
    "deny: {}",
    "deny: {error: GenericError}",
    "answer: {totalCost: 1}",
    "quarantine: true",
    "audit: note",
    "limit: {by: station, rate: 1/day, burst: 1}",
    "transform: [{drop: '**.customData'}]",
    "transform: [{set: seqNo, to: 9}]",
    "transform: [{redact: 'transactionInfo.transactionId', pattern: a, with: b}]",
]
_ENTRIES = st.lists(st.sampled_from(_FIELDS).map(lambda entry: f"{{{entry}}}"), max_size=2)
_RULE = st.tuples(
    _ENTRIES, _ENTRIES, st.none() | st.sampled_from(_WHENS), st.sampled_from(_EFFECTS), st.sampled_from(Mode)
)
_READING = st.fixed_dictionaries({"value": st.sampled_from([0, 9.5, 11, 1e6])})
_TEXT = st.text("ab\x07", min_size=1, max_size=3)
_EVENT = st.fixed_dictionaries(
    {
        "eventType": st.just("Updated"),
        "timestamp": st.just("2026-01-01T00:00:00Z"),
        "triggerReason": st.just("MeterValuePeriodic"),
        "seqNo": st.integers(0, 7),
        "transactionInfo": st.fixed_dictionaries({"transactionId": _TEXT}),
    },
    optional={
        "offline": st.booleans(),
        "reservationId": st.integers(0, 2),
        "customData": st.fixed_dictionaries({"vendorId": _TEXT}),
        "meterValue": st.lists(
            st.fixed_dictionaries(
                {
                    "timestamp": st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"]),
                    "sampledValue": st.lists(_READING, min_size=1, max_size=2),
                }
            ),
            min_size=1,
            max_size=2,
        ),
    },
)


def _spelled(number: int, rule: Any) -> str:
    fields, any_of, when, effect, mode = rule
    parts = [f"id: r{number}, stage: from_station, match: {{action: TransactionEvent}}, mode: {mode}, {effect}"]
    parts += [f"fields: [{', '.join(fields)}]"] if fields else []
    parts += [f"any: [{', '.join(any_of)}]"] if any_of else []
    parts += [f"when: '{when}'"] if when else []
    return ", ".join(parts)


@settings(deadline=None, max_examples=60)
@given(st.lists(_RULE, min_size=1, max_size=6), st.booleans(), st.lists(_EVENT, min_size=1, max_size=4))
def test_with_the_screen_it_is_decided_as_without(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[Any], denies: bool, events: list[Payload]
) -> None:
    path = tmp_path_factory.getbasetemp() / "drawn.yaml"
    head = "default: deny\n" if denies else ""
    path.write_text(rules(*(_spelled(number, rule) for number, rule in enumerate(drawn)), head=head), "utf-8")
    policy = load(path)
    screened, naive = Met(policy), Met(policy)

    for event in events:
        verdict = screened.guard.inspect(*EVENT, event)

        assert naive.guard.trace(*EVENT, event).verdict == verdict
        assert naive.heard == screened.heard
        assert naive.surroundings.memory.registers == screened.surroundings.memory.registers
        assert (verdict is PASSED) == (verdict.outcome is Outcome.PASSED and verdict.rule == "default")
