"""Policies as their authors write them, and what the lint says of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.app.policy_schemas import OfficialSchemas
from policies.lint import Names, lint
from policies.lint.subjects import Subject, subjects_of
from policies.source import Draft, draft
from policies.vocabulary import Vocabulary

SCHEMAS = OfficialSchemas()


@pytest.fixture
def drafted(tmp_path: Path) -> Callable[..., Draft]:
    """Read rules, each written as one line of YAML; with ``base``, those rules are inherited."""

    def read(*rules: str, base: tuple[str, ...] = (), default: str = "allow") -> Draft:
        if base:
            (tmp_path / "base.yaml").write_text("name: base\nrules:\n" + "".join(f"- {rule}\n" for rule in base))
        head = f"name: own\ndefault: {default}\n" + ("extends: base.yaml\n" if base else "")
        (tmp_path / "own.yaml").write_text(head + "rules:\n" + "".join(f"- {rule}\n" for rule in rules))
        found = draft(tmp_path / "own.yaml")
        assert found.problems == ()
        return found

    return read


@pytest.fixture
def subjects(drafted: Callable[..., Draft]) -> Callable[..., tuple[Subject, ...]]:
    """Read rules as the lint looks at them."""
    return lambda *rules, **more: tuple(subjects_of(drafted(*rules, **more).rules, Vocabulary(SCHEMAS)))


@pytest.fixture
def said(drafted: Callable[..., Draft]) -> Callable[..., list[str]]:
    """Return what the whole lint says of rules, without the file's name."""

    def texts(*rules: str, names: Names | None = None, **more: object) -> list[str]:
        found = lint(drafted(*rules, **more), SCHEMAS, names or Names())
        return [str(problem).partition(".yaml:")[2] for problem in found]

    return texts
