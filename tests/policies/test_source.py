"""A policy out of its files: joined, filled in, and every fault with its line."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from policies.documents import MAX_BYTES
from policies.problems import Severity
from policies.source import BUNDLED, MAX_FILES, Draft, draft
from policies.words import Effect, Kind, Mode, Stage

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "own.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def faults_of(found: Draft) -> list[str]:
    """The errors, without the folder that the files are in."""
    errors = [each for each in found.problems if each.severity is Severity.ERROR]
    return [str(each).replace(f"{Path(each.place.source).parent}/", "") for each in errors]


def ids_of(found: Draft) -> list[str]:
    assert found.problems == ()
    return [rule.id for rule in found.rules]


def allow(*ids: str) -> str:
    return "".join(f"- {{id: {each}, stage: to_station, allow: true}}\n" for each in ids)


def test_a_rule_is_read_whole(write: Write) -> None:
    path = write(
        "name: mine\n"
        "values: {limit: 5}\n"
        "rules:\n"
        "- id: a\n"
        "  threat: T1\n"
        "  stage: [from_station, to_backend]\n"
        "  match: {kind: [call, result], action: 'Bo*', protocol: ocpp1.6, station: [CS1, C2], group: g, backend: b}\n"
        "  fields:\n"
        "  - path: x\n"
        "    range: {max: $limit}\n"
        "  any: [{path: y, present: true}]\n"
        "  when: payload.x > 1\n"
        "  mode: observe\n"
        "  deny: {error: SecurityError}\n"
    )

    [rule] = draft(path).rules

    assert (rule.id, rule.threat, rule.when) == ("a", "T1", "payload.x > 1")
    assert rule.stages == (Stage.FROM_STATION, Stage.TO_BACKEND)
    assert (rule.effect, rule.spec, rule.mode) == (Effect.DENY, {"error": "SecurityError"}, Mode.OBSERVE)
    assert rule.fields == ({"path": "x", "range": {"max": 5}},)
    assert rule.any == ({"path": "y", "present": True},)
    assert (rule.match.kinds, rule.match.actions) == ((Kind.CALL, Kind.RESULT), ("Bo*",))
    assert (rule.match.protocols, rule.match.stations) == (("ocpp1.6",), ("CS1", "C2"))
    assert (rule.match.groups, rule.match.backends) == (("g",), ("b",))
    assert str(rule.place) == f"{path}:4"
    assert [rule.place_of(where).line for where in (("fields", 0, "range", "max"), ("deny", "text"), ("x",))] == [
        10,
        14,
        4,
    ]


def test_a_match_that_says_no_kind_means_calls(write: Write) -> None:
    [rule] = draft(write("name: x\nrules:\n" + allow("a"))).rules

    assert rule.match.kinds == (Kind.CALL,)
    assert rule.mode is Mode.ENFORCE


def test_own_rules_come_first_and_one_with_an_inherited_id_takes_its_place(write: Write) -> None:
    write(f"name: base\nrules:\n{allow('a', 'b', 'c')}", "base.yaml")
    write(f"name: mid\nextends: base.yaml\nrules:\n{allow('m', 'c')}", "mid.yaml")
    own = draft(write(f"name: own\nextends: mid.yaml\ndisable: [a]\nrules:\n{allow('x', 'b', 'y')}"))

    assert ids_of(own) == ["x", "y", "m", "b", "c"]
    assert [Path(rule.place.source).stem for rule in own.rules] == ["own", "own", "mid", "own", "mid"]
    assert [Path(each.name).name for each in own.sources] == ["own.yaml", "mid.yaml", "base.yaml"]
    assert len({each.sha256 for each in own.sources}) == 3


def test_last_rules_are_asked_behind_all_inherited_ones(write: Write) -> None:
    write(f"name: base\nlast:\n{allow('z')}rules:\n{allow('a')}", "base.yaml")
    own = draft(write(f"name: own\nextends: base.yaml\nrules:\n{allow('x')}last:\n{allow('a', 'y')}"))

    assert ids_of(own) == ["x", "a", "z", "y"]
    assert [rule.place.line for rule in own.rules] == [4, 6, 3, 7]


def test_faults_of_last_rules_are_told_at_their_line(write: Write) -> None:
    own = draft(write(f"name: own\nrules:\n{allow('x')}last:\n{allow('x')}- {{id: y, stage: nowhere, allow: true}}\n"))

    assert [fault.partition(": ")[0] for fault in faults_of(own)] == ["own.yaml:6", "own.yaml:5"]


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_policy_is_extended_by_its_name(write: Write, name: str) -> None:
    own = draft(write(f"name: own\nextends: {name}\n"))

    assert own.problems == ()
    assert own.rules == draft(name).rules
    assert own.sources[1:] == draft(name).sources


def test_values_are_overridden_and_rules_of_the_base_see_it(write: Write) -> None:
    write(
        "name: base\nvalues: {m: 5, n: 6}\nrules:\n"
        "- {id: a, stage: to_station, fields: [{path: x, range: {max: $m, min: $n}}], allow: true}",
        "base.yaml",
    )
    own = draft(write("name: own\nextends: base.yaml\nvalues: {m: 7}"))

    assert own.problems == ()
    assert own.values == {"m": 7, "n": 6}
    assert own.rules[0].fields[0]["range"] == {"max": 7, "min": 6}


@pytest.mark.parametrize(
    ("base", "own", "mode", "default"),
    [
        ("", "", Mode.ENFORCE, Effect.ALLOW),
        ("mode: observe\ndefault: deny", "", Mode.OBSERVE, Effect.DENY),
        ("mode: observe\ndefault: deny", "mode: enforce\ndefault: allow", Mode.ENFORCE, Effect.ALLOW),
        ("", "mode: observe\ndefault: deny", Mode.OBSERVE, Effect.DENY),
    ],
)
def test_mode_and_default_are_inherited(write: Write, base: str, own: str, mode: Mode, default: Effect) -> None:
    write(f"name: base\n{base}\nrules:\n{allow('a')}", "base.yaml")
    found = draft(write(f"name: own\nextends: base.yaml\n{own}"))

    assert (found.mode, found.default) == (mode, default)
    assert found.rules[0].mode is mode


def test_a_rule_of_an_observing_policy_observes_whatever_it_says(write: Write) -> None:
    found = draft(write("name: x\nmode: observe\nrules: [{id: a, stage: to_station, mode: enforce, allow: true}]"))

    assert found.rules[0].mode is Mode.OBSERVE


def test_every_fault_of_a_file_is_told_and_the_good_rules_are_read(write: Write) -> None:
    hint = f"give a file or a bundled name ({', '.join(BUNDLED)})"
    found = draft(
        write(
            "name: x\n"
            "extends: nowhere.yaml\n"
            "values: {a: $b}\n"
            "disable: [gone]\n"
            "rulez: 1\n"
            "rules:\n"
            "- {id: a, stage: to_station, fields: [{path: x, like: $nothing}], allow: true}\n"
            "- {id: b, stage: nowhere, allow: true}\n"
            "- {stage: to_station, allow: true}\n"
            "- {id: good, stage: to_station, allow: true}\n"
            "- {id: good, stage: to_station, allow: true}\n"
            "- {id: good2, stage: to_station, id: good2, allow: true}\n"
        )
    )

    assert sorted(faults_of(found)) == [
        "own.yaml:11: rule good: id: the rule at own.yaml:10 has the same one: give it another",
        "own.yaml:12: the key 'id' is doubled: keep one",
        f"own.yaml:2: extends: nowhere.yaml: No such file or directory; {hint}",
        "own.yaml:3: values.a: a value can't stand for another: write it out",
        "own.yaml:4: disable: no rule 'gone' is inherited",
        "own.yaml:5: rulez: unknown key 'rulez'; did you mean 'rules'?",
        "own.yaml:7: rule a: fields[0].like: no value '$nothing': define it under `values`",
        "own.yaml:8: rule b: stage: must be one of from_station, to_backend, from_backend, to_station",
        "own.yaml:9: rule number 3: `id` is missing: one rule",
    ]
    assert "good2" in [rule.id for rule in found.rules]


def test_a_value_of_the_wrong_type_is_told_where_it_is_used_and_where_it_is_set(write: Write) -> None:
    write(
        "name: base\nvalues: {m: 5}\nrules:\n"
        "- {id: a, stage: to_station, fields: [{path: x, range: {max: $m}}], allow: true}",
        "base.yaml",
    )
    found = draft(write("name: own\nextends: base.yaml\nvalues: {m: lots}"))

    assert faults_of(found) == ["base.yaml:4: rule a: fields[0].range.max: must be a number ($m is set at own.yaml:3)"]


@pytest.mark.parametrize(
    ("names", "fault"), [(["own"], "own.yaml"), (["b", "own"], "own.yaml"), (["b", "c", "b"], "b.yaml")]
)
def test_a_policy_never_extends_itself(write: Write, names: list[str], fault: str) -> None:
    chain = ["own", *names]
    for name, base in zip(chain, names, strict=False):
        if name != base or name == "own":
            write(f"name: {name}\nextends: ./{base}.yaml", f"{name}.yaml")

    found = draft(write(f"name: own\nextends: ./{names[0]}.yaml"))

    assert [each.split(":", 2)[2] for each in faults_of(found)] == [
        f" extends: it extends itself, by way of './{fault}'"
    ]


@pytest.mark.parametrize(("files", "is_read"), [(MAX_FILES, True), (MAX_FILES + 1, False)])
def test_the_chain_is_bounded(write: Write, files: int, is_read: bool) -> None:
    for number in range(1, files):
        onwards = f"extends: {number + 1}.yaml" if number + 1 < files else ""
        write(f"name: x\n{onwards}\n", f"{number}.yaml")

    found = draft(write("name: x\nextends: 1.yaml"))

    assert bool(found.problems) is not is_read
    assert len(found.sources) == MAX_FILES


def test_a_relative_base_lies_beside_its_file(write: Write, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(f"name: base\nrules:\n{allow('a')}", "base.yaml")
    write("name: mid\nextends: ../base.yaml", "sub/mid.yaml")

    assert ids_of(draft(write("name: own\nextends: sub/mid.yaml"))) == ["a"]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("nothing.yaml", "No such file or directory; give a file or a bundled name"),
        ("", "Is a directory; give a file or a bundled name"),
        ("a\0b", "embedded null byte; give a file or a bundled name"),
    ],
)
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str, fault: str) -> None:
    [found] = draft(f"{tmp_path}/{name}").problems

    assert str(found).startswith(f"{Path(f'{tmp_path}/{name}')}: {fault}") or str(found).startswith(
        f"{tmp_path}/{name}: "
    )
    assert fault in str(found)


def test_what_is_not_yaml_is_told_alone(write: Write) -> None:
    found = draft(write("name: x\nrules: [\n"))

    assert [each.split(":")[:3] for each in faults_of(found)] == [["own.yaml", "3", " not YAML"]]


def test_a_huge_file_is_not_read(write: Write) -> None:
    found = draft(write("#" * (MAX_BYTES + 500)))

    assert faults_of(found) == [f"own.yaml: too large: at most {MAX_BYTES} bytes"]


def test_an_unused_value_is_a_warning(write: Write) -> None:
    found = draft(write("name: x\nvalues: {a: 1}"))

    assert [(each.severity, each.place.line) for each in found.problems] == [(Severity.WARNING, 2)]


@pytest.mark.parametrize("extends", ["", "extends: pipe.yaml\n"])
def test_a_pipe_that_nobody_writes_to_is_refused_and_not_waited_for(tmp_path: Path, extends: str) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    own = tmp_path / "own.yaml"
    own.write_text(f"name: own\n{extends}rules: []\n")

    found = draft(own if extends else tmp_path / "pipe.yaml")

    assert ["not a regular file" in str(each) for each in found.problems] == [True]
