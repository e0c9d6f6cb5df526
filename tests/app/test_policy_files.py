"""One policy and its files: what changes is taken over when it is whole and in order, and the last good one kept."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.app import policy_files
from gateway.app.policy_files import RETRY, PolicyFiles
from gateway.app.policy_schemas import OfficialSchemas
from gateway.session.tally import Tally
from policies.engine import Policy, load

RULE = "- {id: %s, stage: from_backend, match: {action: Reset}, deny: {text: no}}\n"


def text(*rules: str, name: str = "site", extends: str | None = None) -> str:
    head = f"name: {name}\n" + (f"extends: {extends}\n" if extends else "")
    return head + ("rules:\n" + "".join(RULE % rule for rule in rules) if rules else "rules: []\n")


class Desk:
    """A policy's file, what reads it, and a clock."""

    def __init__(self, folder: Path, source: Path, objection: Callable[[Policy], str | None]) -> None:
        self.folder, self.file = folder, source
        self.tally = Tally()
        self.now = 0.0
        schemas = OfficialSchemas()
        self.files = PolicyFiles(
            "policy",
            load(source, schemas),
            source,
            schemas=schemas,
            tally=self.tally,
            objection=objection,
            clock=lambda: self.now,
        )

    @property
    def rules(self) -> list[str]:
        return [rule.id for rule in self.files.policy.rules]

    async def look(self, times: int = 2) -> None:
        for _ in range(times):
            await self.files.look()


@pytest.fixture
def new_desk(tmp_path: Path) -> Callable[..., Desk]:
    def make(content: str | None = None, objection: Callable[[Policy], str | None] = lambda _: None) -> Desk:
        file = tmp_path / "site.yaml"
        file.write_text(content or text("one"))
        return Desk(tmp_path, file, objection)

    return make


@pytest.fixture
def desk(new_desk: Callable[..., Desk]) -> Desk:
    return new_desk()


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with capture_logs() as captured:
        yield captured


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str | Path]:
    """Each time that a policy is compiled."""
    seen: list[str | Path] = []

    def counted(source: str | Path, schemas: OfficialSchemas) -> Policy:
        seen.append(source)
        return load(source, schemas)

    monkeypatch.setattr(policy_files, "load", counted)
    return seen


def replaced(file: Path, content: str) -> None:
    """Put another file in its place, as editors and deployments do."""
    beside = file.with_suffix(".new")
    beside.write_text(content)
    beside.rename(file)


def swapped(file: Path, content: str) -> None:
    """Swap the folder behind a link, as Kubernetes does with a ConfigMap."""
    folder = file.parent / f"..{len(list(file.parent.iterdir()))}"
    folder.mkdir()
    (folder / file.name).write_text(content)
    link = file.parent / "..data_tmp"
    link.symlink_to(folder.name)
    link.rename(file.parent / "..data")
    if not file.is_symlink():
        file.unlink()
        file.symlink_to(f"..data/{file.name}")


def overwritten(file: Path, content: str) -> None:
    file.write_text(content)


def test_what_is_in_force_is_said(lines: list[Any], desk: Desk) -> None:
    assert lines == []  # a gateway that doesn't start says nothing but why
    desk.files.announce()
    (line,) = lines
    assert (line["event"], line["key"], line["policy"], line["rules"]) == ("policy_in_force", "policy", "site", 1)
    assert line["sha256"] == desk.files.policy.sha256


async def test_nothing_is_compiled_while_nothing_changes(desk: Desk, loads: list[Any], lines: list[Any]) -> None:
    await desk.look(5)
    os.utime(desk.file)
    await desk.look(5)

    assert (loads, lines, desk.tally.policy_reloads) == ([], [], {})


@pytest.mark.parametrize("change", [overwritten, replaced, swapped])
async def test_what_is_new_is_taken_over_at_the_second_look(
    desk: Desk, lines: list[Any], change: Callable[[Path, str], None]
) -> None:
    await desk.look()
    for number in range(2, 5):
        before = desk.files.policy
        change(desk.file, text("one", f"rule-{number}"))
        await desk.files.look()
        assert desk.files.policy is before
        await desk.files.look()
        assert desk.rules == ["one", f"rule-{number}"]

    assert desk.tally.policy_reloads == {("site", "taken"): 3}
    assert [(line["event"], line["rules"]) for line in lines] == [("policy_reloaded", 2)] * 3
    assert lines[-1]["sha256"] == desk.files.policy.sha256


async def test_at_once_is_at_once(desk: Desk) -> None:
    desk.file.write_text(text("one", "two"))
    await desk.files.look(at_once=True)

    assert desk.rules == ["one", "two"]


async def test_a_file_that_is_being_written_is_waited_for(desk: Desk) -> None:
    """Cut between two rules it would load, and lack what forbids."""
    await desk.look()
    for length in range(3):
        desk.file.write_text(text("one", "two", *[f"rule-{number}" for number in range(length)]))
        await desk.files.look()
        assert desk.rules == ["one"]
    await desk.files.look()
    assert desk.rules == ["one", "two", "rule-0", "rule-1"]


async def test_a_broken_one_is_told_once_and_the_last_good_one_kept(desk: Desk, lines: list[Any]) -> None:
    await desk.look()
    good = desk.files.policy
    desk.file.write_text(f"{text('one')}rulez: []\nmodus: x\n")
    await desk.look(10)

    assert desk.files.policy is good
    assert (desk.files.is_stale, len(desk.files.faults)) == (True, 2)
    assert all(f"{desk.file}:" in fault for fault in desk.files.faults)
    assert [(line["event"], line["log_level"], line["count"]) for line in lines] == [
        ("policy_not_reloaded", "error", 2)
    ]
    assert lines[0]["faults"] == list(desk.files.faults)
    assert desk.files.refused_at is not None
    assert desk.tally.policy_reloads == {("site", "refused"): 1}

    desk.file.write_text(f"{text('one')}rulez: []\n")
    await desk.look(10)
    assert len(desk.files.faults) == 1
    assert desk.tally.policy_reloads == {("site", "refused"): 2}


@pytest.mark.parametrize("rules", [["one"], ["one", "two"]], ids=["as before", "mended"])
async def test_a_mended_one_is_taken_over(desk: Desk, lines: list[Any], rules: list[str]) -> None:
    desk.file.write_text("rules: [")
    await desk.look()
    desk.file.write_text(text(*rules))
    await desk.look()

    assert (desk.files.is_stale, desk.rules) == (False, rules)
    assert [line["event"] for line in lines] == ["policy_not_reloaded", "policy_reloaded"]
    assert desk.tally.policy_reloads == {("site", "refused"): 1, ("site", "taken"): 1}


async def test_a_file_that_goes_away_takes_nothing_with_it(desk: Desk) -> None:
    desk.file.unlink()
    await desk.look()
    assert (desk.files.is_stale, desk.rules) == (True, ["one"])

    desk.file.write_text(text("two"))
    await desk.look()
    assert (desk.files.is_stale, desk.rules) == (False, ["two"])


async def test_each_file_of_the_chain_is_looked_at(new_desk: Callable[..., Desk], tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(text("base", name="base", extends="deep.yaml"))
    (tmp_path / "deep.yaml").write_text(text("deep", name="deep"))
    desk = new_desk(text("one", extends="base.yaml"))
    assert desk.rules == ["one", "base", "deep"]

    replaced(tmp_path / "deep.yaml", text("deep", "deeper", name="deep"))
    await desk.look()
    assert desk.rules == ["one", "base", "deep", "deeper"]

    (tmp_path / "base.yaml").write_text(text("base", name="base", extends="gone.yaml"))
    await desk.look()
    assert desk.files.is_stale

    (tmp_path / "gone.yaml").write_text(text("found", name="gone"))
    desk.now += RETRY
    await desk.look()
    assert desk.rules == ["one", "base", "found"]

    replaced(tmp_path / "gone.yaml", text("found-again", name="gone"))
    await desk.look(3)
    assert desk.rules == ["one", "base", "found-again"]


async def test_what_was_replaced_while_it_was_read_is_read_again(
    new_desk: Callable[..., Desk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two files that go together, one could be the old one."""
    base = tmp_path / "base.yaml"
    base.write_text(text("base", name="base"))
    desk = new_desk(text("one", extends="base.yaml"))
    to_be_swapped = [text("new-base", name="base")]

    def loaded(source: str | Path, schemas: OfficialSchemas) -> Policy:
        policy = load(source, schemas)
        if to_be_swapped:
            replaced(base, to_be_swapped.pop())
        return policy

    monkeypatch.setattr(policy_files, "load", loaded)
    replaced(tmp_path / "site.yaml", text("two", extends="base.yaml"))
    await desk.look()
    assert desk.rules == ["one", "base"]

    await desk.look(2)
    assert desk.rules == ["two", "new-base"]


async def test_what_is_broken_is_tried_again_now_and_then(desk: Desk, loads: list[Any], lines: list[Any]) -> None:
    desk.file.write_text("rules: [")
    await desk.look(10)
    assert len(loads) == 1

    desk.now += RETRY
    await desk.look(10)
    assert len(loads) == 2
    assert [line["event"] for line in lines] == ["policy_not_reloaded"]
    assert desk.tally.policy_reloads == {("site", "refused"): 1}


async def test_what_others_object_to_is_not_taken_over(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(objection=lambda new: f"{new.name} is taken" if new.name == "other" else None)
    desk.file.write_text(text("two", name="other"))
    await desk.look(4)

    assert (desk.rules, desk.files.faults) == (["one"], ["other is taken"])
    assert desk.tally.policy_reloads == {("site", "refused"): 1}


async def test_a_bundled_one_has_no_files(loads: list[Any]) -> None:
    schemas = OfficialSchemas()
    policy = load("legacy-1.6", schemas)
    files = PolicyFiles("policy", policy, "legacy-1.6", schemas=schemas, tally=Tally())
    for _ in range(3):
        await files.look()

    assert (files.policy is policy, loads) == (True, [])


def test_where_a_rule_stands(desk: Desk) -> None:
    assert desk.files.place_of("one") == f"{desk.file}:3"
    assert desk.files.place_of("default") == ""


async def test_a_pipe_in_the_place_of_a_policy_is_told_and_not_waited_for(desk: Desk) -> None:
    desk.file.unlink()
    os.mkfifo(desk.file)
    await desk.look()

    assert desk.rules == ["one"]
    assert "not a regular file" in desk.files.faults[0]
