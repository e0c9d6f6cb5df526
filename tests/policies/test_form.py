"""The published schema is complete and strict, and its complaints are in a person's words."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from policies import form
from policies.documents import read
from policies.problems import spelled
from policies.words import Effect, Kind, Mode, Stage

SCHEMA: Any = json.loads((Path(form.__file__).parent / form.SCHEMA).read_text(encoding="utf-8"))


def faults_of(rule: str) -> list[str]:
    """What is wrong with a rule whose other keys are right."""
    rules = f"name: x\nrules:\n- {{id: a, stage: from_station, {rule}}}"
    return [f"{spelled(where[2:])}: {text}" for where, text in form.faults(read(rules.encode(), "f").data)]


def test_the_schema_is_one_of_draft_2020_12() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert jsonschema_rs.meta.is_valid(SCHEMA)


def test_the_schema_and_the_code_have_the_same_words() -> None:
    rule = SCHEMA["$defs"]["rule"]

    assert [each["required"] for each in rule["oneOf"]] == [[each.value] for each in Effect]
    assert SCHEMA["$defs"]["stage"]["enum"] == [each.value for each in Stage]
    assert SCHEMA["$defs"]["mode"]["enum"] == [each.value for each in Mode]
    assert SCHEMA["$defs"]["match"]["properties"]["kind"]["else"]["enum"] == [each.value for each in Kind]
    assert set(SCHEMA["$defs"]["tests"]["properties"]) == set(SCHEMA["$defs"]["entry"]["properties"]) - {"path"}


def test_no_mapping_of_the_language_takes_unknown_keys() -> None:
    def mappings(node: Any, path: str) -> list[str]:
        if isinstance(node, list):
            return [found for index, each in enumerate(node) for found in mappings(each, f"{path}/{index}")]
        if not isinstance(node, dict):
            return []
        is_open = (
            "properties" in node and node.get("additionalProperties") is not False and node.get("type") == "object"
        )
        found = [path] if is_open else []
        return found + [each for key, value in node.items() for each in mappings(value, f"{path}/{key}")]

    assert mappings(SCHEMA, "") == []


@pytest.mark.parametrize(
    "rule",
    [
        "allow: true",
        "deny: {}",
        "deny: {error: SecurityError, text: no}",
        "deny: {status: Rejected}",
        "deny: $refusal",
        "answer: {}",
        "answer: {currentTime: $now, list: [{x: 1}]}",
        "audit: true",
        "audit: seen",
        "quarantine: true",
        "quarantine: {answer: {}}",
        "limit: {by: station, rate: 10/hour}",
        "limit: {by: global, rate: 1/second, burst: 20, over: {quarantine: true}}",
        "limit: {by: address, rate: $rate, burst: $burst, over: {deny: {status: Rejected}}}",
        "limit: {by: action, rate: 1/day, over: {answer: {status: Rejected}}}",
        "transform: [{drop: x}, {drop: [a, 'b[].c'], where: {d: {one_of: [1]}}}]",
        "transform: [{set: x, to: {any: thing}}, {set: x, to: null}, {truncate: x, to: 0}, {truncate: x, to: $n}]",
        "transform: [{redact: x}, {redact: x, pattern: 'a+', with: '***'}, {hash: x}]",
        "transform: [{clamp: x, min: 0}, {clamp: x, min: 0, max: $n}, {clamp: t, past: 1, future: 2.5}]",
        "transform: [{map: x, table: {A: B}}, {map: x, table: $table, other: C}]",
        "transform: $steps",
        "allow: true, mode: observe, threat: t, when: 'true'",
        "allow: true, stage: [from_station, to_backend]",
        "allow: true, match: {}",
        "allow: true, match: {kind: [call, result, error], action: A*, protocol: ocpp1.6, station: [a, b], group: g}",
        "allow: true, any: [{path: x, present: false}]",
        "allow: true, fields: [{path: [x, y], length: {max: 3}, pattern: a, number: true, text: printable}]",
        "allow: true, fields: [{path: x, range: {above: 1, below: 2.5, min: $a, max: -3}, one_of: [1, a, null]}]",
        "allow: true, fields: [{path: x, like: 'A*', owned: true, register: {}}, {path: x, like: $vendors}]",
        "allow: true, fields: [{path: x, timestamp: {past: 1}, register: {tolerance_wh: 1, max_power_w: 2}}]",
        "allow: true, fields: [{path: x, url: {schemes: [https], hosts: [a], userinfo: true, private: $p}}]",
        "allow: true, fields: [{path: x, not: {not: {present: true}}}, {path: x, not: $tests}]",
    ],
)
def test_what_the_language_has_is_taken(rule: str) -> None:
    text = f"name: x\nrules:\n- {{id: a, {'' if 'stage:' in rule else 'stage: to_station, '}{rule}}}"

    assert list(form.faults(read(text.encode(), "f").data)) == []


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("threat: t", ": exactly one of allow, deny, answer, transform, limit, quarantine, audit, not none"),
        (
            "allow: true, deny: {}",
            ": exactly one of allow, deny, answer, transform, limit, quarantine, audit, not allow, d",
        ),
        ("denny: {}, allow: true", "denny: unknown key 'denny'; did you mean 'deny'?"),
        ("xyzzy: {}, allow: true", "xyzzy: unknown key 'xyzzy'; known: id, threat, stage,"),
        ("allow: false", "allow: not allowed: can only be true"),
        ("audit: false", "audit: not allowed: a text for the log, or true"),
        ("allow: true, mode: obsurve", "mode: must be one of enforce, observe"),
        ("allow: true, match: {kind: cal}", "match.kind: must be one of call, result, error"),
        ("allow: true, match: {action: []}", "match.action: is an empty list"),
        ("allow: true, match: {action: [A, 3]}", "match.action[1]: must be "),
        ("allow: true, match: [A]", "match: must be {kind, action, except, protocol, station, group, backend}"),
        ("allow: true, fields: []", "fields: is an empty list"),
        ("allow: true, fields: [{path: x}]", "fields[0]: says too little: {path: PATH} with one or more tests"),
        ("allow: true, fields: [{present: true, number: true}]", "fields[0]: `path` is missing: {path: PATH} with one"),
        ("allow: true, fields: [{path: x, range: {}}]", "fields[0].range: says too little: {min, max}"),
        ("allow: true, fields: [{path: x, range: {max: $}}]", "fields[0].range.max: must be a number"),
        (
            "allow: true, fields: [{path: x, range: {maxx: 3}}]",
            "fields[0].range.maxx: unknown key 'maxx'; did you mean",
        ),
        ("allow: true, fields: [{path: x, length: {max: -1}}]", "fields[0].length.max: less than 0"),
        ("allow: true, fields: [{path: x, length: {max: 1.5}}]", "fields[0].length.max: must be a whole number"),
        ("allow: true, fields: [{path: x, text: ascii}]", "fields[0].text: must be one of printable, printable_ascii"),
        ("allow: true, fields: [{path: x, number: false}]", "fields[0].number: not allowed: can only be true"),
        ("allow: true, fields: [{path: x, pattern: 3}]", "fields[0].pattern: must be a regular expression"),
        ("allow: true, fields: [{path: x, one_of: []}]", "fields[0].one_of: is an empty list"),
        ("allow: true, fields: [{path: x, url: {}}]", "fields[0].url: `schemes` is missing"),
        ("allow: true, fields: [{path: x, url: {schemes: [a], ports: [0]}}]", "fields[0].url.ports[0]: less than 1"),
        ("allow: true, any: [{path: x, not: {path: y, present: true}}]", "any[0].not.path: unknown key 'path'"),
        ("allow: true, when: ''", "when: is empty"),
        ("deny: {error: A, status: B}", "deny.error: doesn't go with what stands beside it"),
        ("deny: {code: A}", "deny.code: unknown key 'code'; known: error, status, text"),
        ("deny: true", "deny: must be {error, text} for a CALLERROR"),
        ("answer: x", "answer: must be the payload of the answer"),
        ("quarantine: false", "quarantine: not allowed: true, or {answer: PAYLOAD}"),
        ("quarantine: {}", "quarantine: `answer` is missing"),
        ("limit: {by: me, rate: 1/day}", "limit.by: must be one of station, address, action, global"),
        (
            "limit: {by: station, rate: 0/day}",
            "limit.rate: not of the right form: how many in what time, like 10/minute",
        ),
        ("limit: {by: station, rate: 5}", "limit.rate: must be how many in what time"),
        ("limit: {by: station}", "limit: `rate` is missing"),
        ("limit: {by: station, rate: 1/day, burst: 0}", "limit.burst: less than 1: how many at once"),
        (
            "limit: {by: station, rate: 1/day, over: {}}",
            "limit.over: exactly one of deny, answer, quarantine, not none",
        ),
        ("transform: []", "transform: is an empty list"),
        (
            "transform: [{drp: x}]",
            "transform[0]: exactly one of drop, set, truncate, redact, hash, clamp, map, not none",
        ),
        ("transform: [{drop: x, hash: y}]", "transform[0].hash: unknown key 'hash'"),
        ("transform: [{drop: x, to: 1}]", "transform[0].to: unknown key 'to'; known: drop, where"),
        ("transform: [{set: x}]", "transform[0]: `to` is missing: {set: PATH, to: VALUE}"),
        ("transform: [{clamp: x}]", "transform[0]: says too little: {clamp: PATH, min, max}"),
        ("transform: [{clamp: x, min: 1, past: 2}]", "transform[0].past: doesn't go with what stands beside it"),
        ("transform: [{drop: x, where: {y: {}}}]", "transform[0].where.y: says too little: one or more tests"),
        ("transform: [4]", "transform[0]: must be one step"),
    ],
)
def test_what_it_does_not_have_is_named(rule: str, fault: str) -> None:
    found = faults_of(rule)

    assert any(each.startswith(fault) for each in found), found


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", ": must be a mapping with `name` and `rules`"),
        ("[]", ": must be a mapping with `name` and `rules`"),
        ("rules: []", ": `name` is missing: a mapping with `name` and `rules`"),
        ("name: ''", "name: not of the right form: letters, digits"),
        ("name: 'a b'", "name: not of the right form"),
        ("name: 5", "name: must be letters, digits"),
        ("name: x\nrules: {}", "rules: must be a list of rules"),
        ("name: x\nrules: [3]", "rules[0]: must be one rule"),
        ("name: x\nrule: []", "rule: unknown key 'rule'; did you mean 'rules'?"),
        ("name: x\nRULES: []", "RULES: unknown key 'RULES'; did you mean 'rules'?"),
        ("name: x\nmode: watch", "mode: must be one of enforce, observe"),
        ("name: x\ndefault: maybe", "default: must be one of allow, deny"),
        ("name: x\nextends: []", "extends: must be a bundled policy's name, or a file beside this one"),
        (
            "name: x\nvalues: {now: 1}",
            "values: a name is not of the right form: a name: letters, digits and _, not `now`",
        ),
        ("name: x\nvalues: {a-b: 1}", "values: a name is not of the right form"),
        ("name: x\ndisable: a", "disable: must be ids of inherited rules"),
        ("name: x\nrules: [{id: default, stage: to_station, allow: true}]", "rules[0].id: not allowed: lower-case"),
        (
            "name: x\nrules: [{id: Ab, stage: to_station, allow: true}]",
            "rules[0].id: not of the right form: lower-case",
        ),
        ("name: x\nrules: [{id: a, stage: [], allow: true}]", "rules[0].stage: is an empty list"),
        (
            "name: x\nrules: [{id: a, stage: [to_bakend], allow: true}]",
            "rules[0].stage[0]: must be one of from_station",
        ),
        ("name: x\nrules: [{id: a, allow: true}]", "rules[0]: `stage` is missing"),
        ("name: x\nrules: [{stage: to_station, allow: true}]", "rules[0]: `id` is missing"),
    ],
)
def test_so_is_what_is_wrong_around_the_rules(text: str, fault: str) -> None:
    found = [f"{spelled(where)}: {said}" for where, said in form.faults(read(text.encode(), "f").data)]

    assert any(each.startswith(fault) for each in found), found


def test_all_faults_are_found() -> None:
    text = b"nam: x\nmode: y\nrules: [{id: a, stage: b, deny: 1}, {id: c}]"

    assert len(list(form.faults(read(text, "f").data))) >= 6


def test_one_rule_is_looked_at_by_itself() -> None:
    rule = {"id": "a", "stage": "to_station", "fields": [{"path": "x", "range": {"max": "y"}}], "allow": True}

    assert list(form.rule_faults(rule)) == [(("fields", 0, "range", "max"), "must be a number")]
