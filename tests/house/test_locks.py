"""The lock files: every package pinned and hashed, dev holds all of the others, and no registry is named."""

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements"

LOCKS = ["build.txt", "dev.txt", "iso15118.txt", "runtime.txt", "scanners.txt"]


def pins(lock: str) -> dict[str, tuple[str, int]]:
    """Return each package of a lock with its pinned requirement and its number of hashes."""
    text = (REQUIREMENTS / lock).read_text().replace("\\\n", "")
    entries = [line.partition("--hash") for line in text.splitlines() if line and not line.startswith("#")]
    return {
        requirement.partition("==")[0]: (requirement.strip(), (mark + rest).count("--hash=sha256:"))
        for requirement, mark, rest in entries
    }


def canonical(requirement: str) -> str:
    """Return the package's name as the locks spell it: ``types-PyYAML>=6`` -> ``types-pyyaml``."""
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower().replace("_", "-").replace(".", "-")


def declared() -> dict[str, set[str]]:
    """Return the packages that pyproject.toml names, by the group that names them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = {
        "runtime": project["project"]["dependencies"],
        "build": project["build-system"]["requires"],
        **project["project"]["optional-dependencies"],
    }
    return {group: {canonical(requirement) for requirement in named} for group, named in groups.items()}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_and_hashed(lock: str) -> None:
    locked = pins(lock)

    assert locked
    for requirement, hashes in locked.values():
        assert re.match(r"[a-z0-9-]+==[^ ]+( ; .+)?$", requirement), requirement
        assert hashes, requirement


@pytest.mark.parametrize("lock", ["build.txt", "runtime.txt"])
def test_dev_holds_it_at_the_same_versions(lock: str) -> None:
    dev = {name: requirement.partition(" ;")[0] for name, (requirement, _) in pins("dev.txt").items()}
    other = {name: requirement.partition(" ;")[0] for name, (requirement, _) in pins(lock).items()}

    assert other.items() <= dev.items()


def test_everything_declared_is_locked() -> None:
    groups = declared()

    assert groups["runtime"] | groups["object-store"] | groups["postgres"] <= pins("runtime.txt").keys()
    assert groups["build"] <= pins("build.txt").keys()
    assert set().union(*groups.values()) <= pins("dev.txt").keys()


def test_every_dependency_has_its_reason_on_record() -> None:
    page = (ROOT / "docs" / "decisions" / "dependencies.md").read_text()
    reasoned = {canonical(name) for name in re.findall(r"^- \*\*([^*]+)\*\*", page, re.MULTILINE)}

    assert reasoned == set().union(*declared().values())


@pytest.mark.parametrize("lock", LOCKS)
def test_no_index_is_named(lock: str) -> None:
    text = (REQUIREMENTS / lock).read_text()

    assert "://" not in text
    assert "index" not in text


def test_the_npm_lock_names_no_download_address() -> None:
    packages = json.loads((ROOT / "tests" / "interop" / "package-lock.json").read_text())["packages"]

    assert packages["node_modules/ocpp-rpc"]["version"] == "2.2.1"
    for name, package in packages.items():
        assert "resolved" not in package, name
        assert not name or package["integrity"].startswith("sha512-"), name
