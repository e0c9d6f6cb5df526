"""The bundled policies and those of the cookbook (docs/policies.md), played through their cases."""

import re
from pathlib import Path
from typing import Final

import pytest
import yaml

from gateway.app.policy_schemas import OfficialSchemas
from policies.case_files import read_cases
from policies.cases import CaseFile
from policies.engine import BUNDLED, Policy, load
from policies.rehearsal import rehearse, unknown_rules

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs/policies.md").read_text("utf-8")
BLOCK: Final = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
RECIPES: Final = 10
SCHEMAS: Final = OfficialSchemas()


def cookbook() -> dict[str, tuple[str, str]]:
    """Return the policies of the cookbook with their cases, by name."""
    blocks = BLOCK.findall(PAGE[PAGE.index("## Cookbook") : PAGE.index("## Threats")])
    names = [yaml.safe_load(block)["name"] for block in blocks[::2]]
    return dict(zip(names, zip(blocks[::2], blocks[1::2], strict=True), strict=True))


def assert_holds(policy: Policy, cases: CaseFile) -> None:
    assert not list(unknown_rules(policy, cases))
    found = rehearse(policy, cases)
    assert not found.failures, "\n".join(f"{each.place}: {each.case}: {each.differences}" for each in found.failures)
    assert not found.coverage.missing
    assert not policy.warnings


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_policy(name: str) -> None:
    assert_holds(load(name, SCHEMAS), read_cases(ROOT / f"policies/{name}.tests.yaml", SCHEMAS))


@pytest.mark.parametrize("name", BUNDLED)
def test_each_rule_says_what_it_is_against(name: str) -> None:
    assert all(rule.threat for rule in load(name, SCHEMAS).rules)


@pytest.mark.parametrize("name", cookbook())
def test_a_recipe(name: str, tmp_path: Path) -> None:
    policy, cases = cookbook()[name]
    (tmp_path / f"{name}.yaml").write_text(policy, "utf-8")
    (tmp_path / f"{name}.tests.yaml").write_text(cases, "utf-8")

    assert_holds(load(tmp_path / f"{name}.yaml", SCHEMAS), read_cases(tmp_path / f"{name}.tests.yaml", SCHEMAS))


def test_the_page_has_ten_recipes_and_every_rule_in_its_table() -> None:
    assert len(cookbook()) == RECIPES
    threats = PAGE[PAGE.index("## Threats") :]
    for rule in load("legacy-1.6", SCHEMAS).rules:
        short = re.sub(r"^.*(-(?:201|in-money|in-amperes))$", r"\1", rule.id)
        assert rule.id in threats or short in threats or rule.id in PAGE, rule.id
    for named in re.findall(r"`(test_\w+\.py)`", threats):
        assert (ROOT / "tests/attacks" / named).is_file(), named
