"""Files of cases: what they come to, and every fault of them with its line."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.app.policy_schemas import OfficialSchemas
from policies.case_files import CasesRefused, read_cases
from policies.cases import Case, CaseFile, Expected, Message
from policies.documents import MAX_BYTES
from policies.words import Facts, Kind, Outcome, Reason, Stage

SCHEMAS = OfficialSchemas()
HEARTBEAT = "stage: from_station, action: Heartbeat, expect: {outcome: passed}"

UNKNOWN_FIELD = "Heartbeat: the payload: has a field that the schema does not know"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "site.tests.yaml"


def cases_of(file: Path, text: str) -> CaseFile:
    file.write_text(f"policy: legacy-1.6\n{text}")
    return read_cases(file, SCHEMAS)


def only(file: Path, text: str) -> Case:
    (case,) = cases_of(file, text).cases
    return case


def faults_of(file: Path, text: str) -> list[str]:
    file.write_text(text)
    with pytest.raises(CasesRefused) as refused:
        read_cases(file, SCHEMAS)
    return [line.removeprefix(f"{file}:") for line in str(refused.value).splitlines()]


def test_a_case_in_one_line(file: Path) -> None:
    case = only(file, f"cases:\n- {{name: a beat, {HEARTBEAT}}}")
    (step,) = case.steps

    assert (case.name, str(case.place), case.now) == ("a beat", f"{file}:3", 1767225600.0)
    assert step.message == Message(Stage.FROM_STATION, Kind.CALL, "ocpp2.0.1", "Heartbeat", {})
    assert step.expected == Expected(Outcome.PASSED)
    assert (step.facts, step.owns, step.after, step.times) == (Facts("CS-1"), frozenset(), 0.0, 1)


def test_everything_that_a_case_may_say(file: Path) -> None:
    case = only(
        file,
        """
facts: {station: CS-7, group: depot, protocol: ocpp1.6, security_profile: 2, booted: true, running: 1}
now: 2026-11-23T12:00:00+01:00
owns: [7, tx]
base:
  start: {connectorId: 1, idTag: ABC, meterStart: 0, timestamp: 2026-11-23T11:00:00Z}
cases:
- name: an idTag of a peer
  stage: from_station
  action: StartTransaction
  base: start
  with: {idTag: "a b", reservationId: 5}
  facts: {group: null, address: 192.0.2.1}
  expect:
    outcome: quarantined
    rule: id-tag
    reason: matched
    payload: {transactionId: 0, idTagInfo: {status: Invalid}}
    audited: [noted]
    observed: []
""",
    )
    (step,) = case.steps

    assert case.now == 1795431600.0
    assert step.facts == Facts(
        "CS-7", protocol="ocpp1.6", security_profile=2, is_booted=True, running=1, address="192.0.2.1"
    )
    assert step.owns == {7, "tx"}
    assert step.message.protocol == "ocpp1.6"
    assert step.message.payload == {
        "connectorId": 1,
        "idTag": "a b",
        "meterStart": 0,
        "timestamp": "2026-11-23T11:00:00Z",
        "reservationId": 5,
    }
    assert step.expected == Expected(
        Outcome.QUARANTINED,
        rule="id-tag",
        reason=Reason.MATCHED,
        payload={"transactionId": 0, "idTagInfo": {"status": "Invalid"}},
        audited=frozenset({"noted"}),
        observed=frozenset(),
    )


def test_steps_take_from_the_case_what_they_dont_say(file: Path) -> None:
    case = only(
        file,
        """
cases:
- name: a flood
  stage: from_station
  action: DataTransfer
  payload: {vendorId: a}
  owns: [1]
  steps:
  - {times: 20, expect: {outcome: passed}}
  - {with: {vendorId: b}, repeat: {vendorId: 3}, expect: {outcome: denied, error: SecurityError}}
  - {after: 60.5, action: Heartbeat, payload: {}, owns: [2], facts: {station: CS-2}, expect: {outcome: passed}}
""",
    )

    assert [(step.after, step.times) for step in case.steps] == [(0.0, 20), (0.0, 1), (60.5, 1)]
    assert [step.message.payload for step in case.steps] == [{"vendorId": "a"}, {"vendorId": "bbb"}, {}]
    assert [step.owns for step in case.steps] == [{1}, {1}, {2}]
    assert [step.facts.identity for step in case.steps] == ["CS-1", "CS-1", "CS-2"]
    assert [str(step.place).removeprefix(f"{file}:") for step in case.steps] == ["10", "11", "12"]


def test_what_is_expected_as_what_differs_from_the_message(file: Path) -> None:
    case = only(
        file,
        """
cases:
- name: cut
  stage: from_station
  action: DataTransfer
  payload: {vendorId: abc, data: x}
  expect: {outcome: transformed, with: {vendorId: a, data: null}}
""",
    )

    assert case.steps[0].expected.payload == {"vendorId": "a"}


def test_a_message_that_is_meant_to_break_its_schema(file: Path) -> None:
    message = "stage: from_station, action: Heartbeat, payload: {x: 1}, fits: false"
    text = f"cases: [{{name: x, {message}, expect: {{outcome: denied}}}}]"

    assert only(file, text).steps[0].message.payload == {"x": 1}


@pytest.mark.parametrize("kind", ["result", "error"])
def test_answers_have_cases_too(file: Path, kind: str) -> None:
    payload = {
        "result": "{currentTime: 2026-01-01T00:00:00Z}",
        "error": "{errorCode: InternalError, errorDescription: '', errorDetails: {}}",
    }[kind]
    said = f"name: x, stage: from_backend, kind: {kind}, action: Heartbeat, payload: {payload}"
    text = f"cases: [{{{said}, expect: {{outcome: passed}}}}]"
    message = only(file, text).steps[0].message

    assert (message.kind, message.protocol) == (Kind(kind), "ocpp1.6")


def test_the_policy_is_a_file_beside_the_cases_or_a_bundled_one(file: Path) -> None:
    assert cases_of(file, f"cases: [{{name: x, {HEARTBEAT}}}]").policy == "legacy-1.6"
    (file.parent / "legacy-1.6").touch()
    assert cases_of(file, f"cases: [{{name: x, {HEARTBEAT}}}]").policy == file.parent / "legacy-1.6"


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ["1: must be a mapping"]),
        ("- a", ["1: must be a mapping"]),
        ("policy: x", ["1: `cases` is missing"]),
        ("policy: x\ncases: []", ["2: cases: is an empty list"]),
        (
            "policy: 1\ncases: [{}]\nx: 1",
            [
                "1: policy: must be a bundled policy's name, or a file, relative to this one",
                "2: cases[0]: `name` is missing",
                "3: x: unknown key 'x'; known: policy, description, facts, now, owns, base, cases",
            ],
        ),
        ("policy: x\npolicy: x\ncases: [{name: x}]", ["2: the key 'policy' is doubled: keep one"]),
        (
            "policy: x\nnow: today\ncases: [{name: x}]",
            ["2: now: not of the right form: a time with its zone, as in 2026-11-23T12:00:00Z"],
        ),
        (
            "policy: x\ncases:\n- {name: ''}\n- name: y\n  stages: z\n  stage: z\n  repeat: {a: -1, b: 100001}",
            [
                "3: cases[0].name: is empty",
                "5: cases[1].stages: unknown key 'stages'; did you mean 'stage'?",
                "6: cases[1].stage: must be one of from_station, to_backend, from_backend, to_station",
                "7: cases[1].repeat.a: less than 0",
                "7: cases[1].repeat.b: more than 100000",
            ],
        ),
        ("policy: x\nfacts: {group: 1}\ncases: [{name: x}]", ["2: facts.group: must be nothing, a text"]),
    ],
    ids=str,
)  # fmt: skip - a table
def test_what_has_not_the_form_of_cases(file: Path, text: str, faults: list[str]) -> None:
    assert sorted(faults_of(file, text)) == sorted(faults)


@pytest.mark.parametrize(
    ("case", "fault"),
    [
        ("{stage: from_station, action: Heartbeat}", "cases[0]: has no `expect`, and no `steps` that have"),
        (
            f"{{{HEARTBEAT}, steps: [{{expect: {{outcome: passed}}}}]}}",
            "cases[0].expect: stands in each of the `steps`, not beside them",
        ),
        ("{action: Heartbeat, expect: {outcome: passed}}", "cases[0]: has no `stage`"),
        ("{stage: to_station, steps: [{expect: {outcome: passed}}]}", "cases[0].steps[0]: has no `action`"),
        (
            "{stage: to_station, action: Beat, expect: {outcome: passed}}",
            "cases[0].action: ocpp2.0.1 has no action 'Beat'",
        ),
        (
            "{stage: to_backend, action: NotifyReport, protocol: ocpp1.6, expect: {outcome: passed}, payload: {a: 1}}",
            "cases[0].action: ocpp1.6 has no action 'NotifyReport'",
        ),
        (
            f"{{{HEARTBEAT}, payload: {{x: 1}}}}",
            f"cases[0]: the message breaks its official schema: {UNKNOWN_FIELD}; is it meant to, say `fits: false`",
        ),
        (f"{{{HEARTBEAT}, fits: false}}", "cases[0].fits: the message fits its official schema"),
        (f"{{{HEARTBEAT}, payload: {{}}, base: x}}", "cases[0].base: stands beside a `payload`; take one of them"),
        (f"{{{HEARTBEAT}, base: x}}", "cases[0].base: the file has no base 'x'"),
        (f"{{{HEARTBEAT}, with: {{a..b: x}}}}", "cases[0]: 'a..b' is no path; write it as in meterValue[0].timestamp"),
        (f"{{{HEARTBEAT}, now: 2026-13-01T00:00:00Z}}", "cases[0].now: 2026-13-01T00:00:00Z is no time"),
        (
            "{stage: from_station, action: Heartbeat, expect: {outcome: passed, payload: {}}}",
            "cases[0].expect: what passed is as it was; take `payload` and `with` out, or expect `transformed`",
        ),
        (
            "{stage: from_station, action: Heartbeat, expect: {outcome: answered, error: SecurityError}}",
            "cases[0].expect.error: only what is denied has an error",
        ),
        (
            "{stage: from_station, action: Heartbeat, expect: {outcome: denied, error: Security}}",
            "cases[0].expect.error: ocpp2.0.1 has no errorCode 'Security'",
        ),
        (
            "{stage: from_station, action: Heartbeat, expect: {outcome: transformed, with: {}, payload: {}}}",
            "cases[0].expect.with: is for what is transformed, in the place of `payload`",
        ),
        (
            "{stage: from_station, action: Heartbeat, expect: {outcome: transformed, with: {a: null}}}",
            "cases[0].expect: 'a': there is nothing to take out",
        ),
    ],
    ids=str,
)  # fmt: skip - a table
def test_what_is_wrong_with_a_case(file: Path, case: str, fault: str) -> None:
    named = case.replace("{", "{name: x, ", 1)

    assert faults_of(file, f"policy: legacy-1.6\ncases:\n- {named}") == [f"3: {fault}"]


def test_the_example_of_the_documentation_is_one(file: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/policy-tools.md").read_text()
    file.write_text(page.partition("```yaml\n")[2].partition("```")[0])

    assert [len(case.steps) for case in read_cases(file, SCHEMAS).cases] == [1, 3]


def test_all_faults_are_told_at_once(file: Path) -> None:
    text = f"""policy: legacy-1.6
cases:
- {{name: x, stage: from_station, action: Beat, expect: {{outcome: passed}}}}
- name: y
  stage: from_station
  action: Heartbeat
  steps:
  - {{base: nothing, expect: {{outcome: passed}}}}
  - {{protocol: ocpp1.6, action: GetLog, expect: {{outcome: passed}}}}
- {{name: x, {HEARTBEAT}}}
"""

    assert [fault.partition(": ")[0] for fault in faults_of(file, text)] == ["3", "8", "9", "10"]


def test_a_time_that_is_none_is_told_once(file: Path) -> None:
    case = "{name: x, stage: from_station, action: Heartbeat, expect: {outcome: passed}}"

    assert faults_of(
        file, f"policy: x\nnow: 2026-02-30T00:00:00Z\ncases: [{case}, {case.replace('name: x', 'name: y')}]"
    ) == ["2: now: 2026-02-30T00:00:00Z is no time"]


def test_a_file_that_is_too_large(file: Path) -> None:
    assert "too large" in faults_of(file, "#" * (MAX_BYTES + 1))[0]


def test_a_file_that_isnt_there(tmp_path: Path) -> None:
    with pytest.raises(CasesRefused, match="No such file or directory: give the file of a policy's cases"):
        read_cases(tmp_path / "nowhere.tests.yaml", SCHEMAS)


@pytest.mark.parametrize("text", ["[" * 500, "a: &x [*x]", "!!python/object/apply:os.system [id]", "\0"], ids=repr)
def test_what_isnt_yaml_as_we_read_it(file: Path, text: str) -> None:
    assert len(faults_of(file, text)) == 1


A_CASE: dict[str, Any] = {"name": "x", "stage": "from_station", "action": "Heartbeat", "expect": {"outcome": "passed"}}


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text(st.sampled_from("policyases:[]{}-&*!? \n'\"#1"), max_size=40).map(str.encode))
def test_any_bytes_are_cases_or_refused(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.tests.yaml"
    path.write_bytes(text)
    with contextlib.suppress(CasesRefused):
        assert read_cases(path, SCHEMAS).cases


VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 10**17)
    | st.sampled_from(
        ["from_station", "error", "a[0].b", "..", "2026-99-01T00:00:00Z", "Heartbeat", "GetLog", "transformed", ""]
    )
    | st.dictionaries(st.sampled_from(["a", "x", "outcome", "with", "payload", "station"]), st.integers(), max_size=2)
)
KEYS = ["with", "repeat", "base", "payload", "kind", "protocol", "fits", "now", "owns", "facts", "steps", "action"]


@settings(deadline=None)
@given(changes=st.dictionaries(st.sampled_from(KEYS), VALUES | st.lists(VALUES, max_size=2), max_size=3), expect=VALUES)
def test_any_case_is_one_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any], expect: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / "some.tests.yaml"
    case = A_CASE | changes | ({"expect": expect} if isinstance(expect, dict) else {})
    path.write_text(json.dumps({"policy": "legacy-1.6", "cases": [case]}))  # JSON is YAML
    with contextlib.suppress(CasesRefused):
        assert read_cases(path, SCHEMAS).cases


def test_a_pipe_is_no_file_of_cases(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tests.yaml")

    with pytest.raises(CasesRefused, match="not a regular file"):
        read_cases(tmp_path / "pipe.tests.yaml", SCHEMAS)


@pytest.mark.parametrize(
    "payload",
    [
        '{errorCode: GenericError, errorDescripton: "", errorDetails: {}}',
        '{errorCode: GenericError, errorDescription: ""}',
        "{errorCode: GenericError, errorDescription: [], errorDetails: {}}",
    ],
)
def test_what_is_no_callerror_is_a_fault_for_it_would_pass_every_rule(file: Path, payload: str) -> None:
    case = f"stage: from_station, kind: error, action: Reset, payload: {payload}, expect: {{outcome: passed}}"

    (fault,) = faults_of(file, f"policy: legacy-1.6\ncases:\n- {{name: x, {case}}}")
    assert "a CALLERROR is {errorCode, errorDescription, errorDetails}" in fault
