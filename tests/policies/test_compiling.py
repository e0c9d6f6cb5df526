"""Rules, compiled for each kind of message that they concern."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.app.policy_schemas import OfficialSchemas
from policies.compiling import MAX_PROBLEMS, Book, compile_rules
from policies.source import draft
from policies.words import Kind, Stage

Compile = Callable[..., tuple[Book, list[str]]]

RESET = (Stage.FROM_BACKEND, Kind.CALL, "ocpp1.6", "Reset")
EVENT = (Stage.FROM_STATION, Kind.CALL, "ocpp2.0.1", "TransactionEvent")
ALL = frozenset({0})


@pytest.fixture
def compile_(tmp_path: Path) -> Compile:
    def compile_(*rules: str, head: str = "") -> tuple[Book, list[str]]:
        path = tmp_path / "own.yaml"
        path.write_text("name: x\n" + head + "rules:\n" + "".join(f"- {{{rule}}}\n" for rule in rules), "utf-8")
        read = draft(path)
        assert read.problems == ()
        book, problems = compile_rules(read, OfficialSchemas())
        return book, [str(each).replace(f"{tmp_path}/", "") for each in problems]

    return compile_


def ids_of(book: Book, key: tuple[Stage, Kind, str, str], scopes: frozenset[int] = ALL) -> list[str]:
    bucket = book.bucket(key, scopes)
    return [each.rule.id for each in bucket.rules] if bucket else []


def test_a_rule_is_found_at_every_message_that_it_is_for(compile_: Compile) -> None:
    book, problems = compile_(
        "id: a, stage: [from_station, to_station], match: {kind: [call, result], action: Bo*}, deny: {}"
    )

    assert problems == []
    assert sorted(book.rules) == [
        (stage, kind, protocol, "BootNotification")
        for stage in (Stage.FROM_STATION, Stage.TO_STATION)
        for kind in (Kind.CALL, Kind.RESULT)
        for protocol in ("ocpp1.6", "ocpp2.0.1")
    ]


def test_where_no_rule_is_there_is_no_bucket_unless_the_default_is_deny(compile_: Compile) -> None:
    rule = "id: a, stage: from_backend, match: {action: Reset}, allow: true"

    assert compile_(rule)[0].bucket(EVENT, ALL) is None
    denying = compile_(rule, head="default: deny\n")[0].bucket(EVENT, ALL)
    assert denying is not None
    assert denying.default is not None


def test_a_rule_isnt_asked_where_the_fields_that_it_names_arent(compile_: Compile) -> None:
    book, problems = compile_(
        "id: a, stage: from_backend, fields: [{path: type, present: true}], deny: {}",
        "id: b, stage: from_backend, any: [{path: type, present: true}, {path: location, present: true}], deny: {}",
        "id: c, stage: from_backend, fields: [{path: location, present: false}], deny: {}",
    )

    assert problems == []
    assert ids_of(book, RESET) == ["a", "b", "c"]
    assert ids_of(book, (Stage.FROM_BACKEND, Kind.CALL, "ocpp1.6", "UpdateFirmware")) == ["b", "c"]
    assert ids_of(book, (Stage.FROM_BACKEND, Kind.CALL, "ocpp1.6", "ClearCache")) == ["c"]


def test_rules_are_kept_for_the_stations_that_they_are_for(compile_: Compile) -> None:
    book, _ = compile_(
        "id: a, stage: from_backend, match: {action: Reset, group: depot}, deny: {}",
        "id: b, stage: from_backend, match: {action: Reset}, deny: {}",
        "id: c, stage: from_backend, match: {action: [Reset, ClearCache], group: depot}, deny: {}",
        "id: d, stage: from_backend, match: {action: Reset, station: CS-*}, deny: {}",
    )

    assert len(book.scopes) == 3
    assert book.scopes_at(RESET) == {0, 1, 2}
    assert ids_of(book, RESET, ALL) == ["b"]
    assert ids_of(book, RESET, frozenset({0, 1})) == ["a", "b", "c"]
    assert ids_of(book, RESET, frozenset({0, 2})) == ["b", "d"]


def test_the_screen_looks_for_what_it_can_know(compile_: Compile) -> None:
    book, problems = compile_(
        *(
            f"id: {name}, stage: from_station, match: {{action: TransactionEvent}}, {rule}, audit: true"
            for name, rule in {
                "field": "fields: [{path: seqNo, range: {min: 5}}]",
                "any": "any: [{path: seqNo, range: {min: 5}}, {path: offline, present: true}]",
                "absent": "any: [{path: seqNo, range: {min: 5}}, {path: offline, present: false}]",
                "one-absent": "any: [{path: offline, present: false}]",
                "register": "fields: [{path: seqNo, range: {min: 5}}, {path: meterValue, not: {register: {}}}]",
                "cel": "when: payload.seqNo > 5",
                "field-and-cel": "fields: [{path: seqNo, range: {min: 5}}], when: payload.seqNo > 5",
            }.items()
        )
    )
    bucket = book.bucket(EVENT, ALL)

    assert problems == []
    assert bucket is not None
    assert [bucket.rules[position].rule.id for position in bucket.always] == ["absent", "register", "cel"]


def test_an_unscreened_bucket_asks_every_rule(compile_: Compile) -> None:
    book, _ = compile_(*(f"id: {name}, stage: from_backend, match: {{action: Reset}}, deny: {{}}" for name in "abc"))

    assert book.unscreened(RESET, ALL).always == (0, 1, 2)
    assert book.unscreened(EVENT, ALL).always == ()


def test_everything_that_is_wrong_is_told_with_its_line_and_key(compile_: Compile) -> None:
    reset = "stage: from_backend, match: {action: Reset, protocol: ocpp1.6}"
    _, problems = compile_(
        "id: action, stage: from_station, match: {action: [Reset, Rest]}, deny: {}",
        "id: protocol, stage: from_station, match: {protocol: ocpp3}, deny: {}",
        f"id: path, {reset}, fields: [{{path: typ, present: true}}], deny: {{}}",
        f"id: test, {reset}, any: [{{path: type, range: {{min: 1}}}}], deny: {{}}",
        f"id: when, {reset}, when: payload.typ == 'Hard', deny: {{}}",
        f"id: error, {reset}, deny: {{error: Wrong}}",
        "id: status, stage: from_station, match: {action: Heartbeat, protocol: ocpp1.6}, deny: {status: Rejected}",
        "id: answer, stage: from_station, match: {action: Heartbeat, protocol: ocpp1.6}, answer: {currentTime: 5}",
        f"id: keep, {reset}, quarantine: true",
        f"id: over, {reset}, limit: {{by: station, rate: 1/day, over: {{answer: {{}}}}}}",
        f"id: step, {reset}, transform: [{{drop: typ}}]",
        f"id: two, {reset}, fields: [{{path: tpe, present: true}}], deny: {{error: Wrong}}",
    )

    assert [each.partition(" rule ")[2].split(":")[0] for each in problems] == [
        *("action", "protocol", "path", "test", "when", "error"),
        *("status", "answer", "keep", "over", "step", "two", "two"),
    ]
    assert [each.split(": ")[2].split("[")[0].split(".")[0] for each in problems] == [
        *("match", "match", "fields", "any", "when", "deny"),
        *("deny", "answer", "quarantine", "limit", "transform", "fields", "deny"),
    ]
    assert [each.split(":")[1] for each in problems] == [*map(str, range(3, 15)), "14"]


def test_one_mistake_for_every_action_is_told_so_often_and_no_more(compile_: Compile) -> None:
    _, problems = compile_("id: a, stage: from_station, deny: {status: Sideways}")

    assert MAX_PROBLEMS <= len(problems) < MAX_PROBLEMS + 3


def test_each_wrong_step_of_a_transform_is_told(compile_: Compile) -> None:
    _, problems = compile_(
        "id: a, stage: from_backend, match: {action: Reset}, transform: [{drop: typ}, {hash: nobody}]",
    )

    assert [each.partition("transform")[2][:3] for each in problems] == ["[0]", "[1]"]
