"""``policies``, and the ``policy`` of a backend: what may be written, and which one governs a station."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import Config, ConfigError, load
from gateway.config.policies import ENTRIES_MAX, policy_keys, policy_of


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[..., Config]:
    def make(*entries: Any, environ: dict[str, str] | None = None, **legacy: Any) -> Config:
        backends = {
            "legacy": {"url": "wss://a.example.com/{identity}", **legacy},
            "new": {"url": "wss://b.example.com/{identity}"},
        }
        tree = {"backends": backends, "default_backend": "legacy", "policies": list(entries)}
        path = tmp_path / "voltgate.yaml"
        path.write_text(yaml.safe_dump(tree))
        return load(path, environ or {})

    return make


NORTH = {"group": "north", "policy": "strict.yaml"}


@pytest.mark.parametrize(
    ("identity", "group", "backend", "policy"),
    [
        ("CS1", "north", "legacy", "strict.yaml"),
        ("CS1", "north", "new", "strict.yaml"),
        ("ABB-1", None, "new", "observe"),
        ("ABB-1", "north", "new", "strict.yaml"),
        ("CS1", None, "legacy", "p/backend.yaml"),
        ("CS1", "south", "new", "legacy-1.6"),
        ("CS1", None, "gone", "legacy-1.6"),
    ],
)
def test_which_one_governs_a_station(
    loaded: Callable[..., Config], tmp_path: Path, identity: str, group: str | None, backend: str, policy: str
) -> None:
    config = loaded(NORTH, {"identity": "ABB-*", "policy": "observe"}, policy="p/backend.yaml")
    expected = tmp_path / policy if policy.endswith(".yaml") else policy

    assert policy_of(config, identity, group, backend) == expected


def test_each_key_that_names_one(loaded: Callable[..., Config], tmp_path: Path) -> None:
    assert [*policy_keys(loaded(NORTH, policy="observe"))] == [
        ("policy", "legacy-1.6"),
        ("policies[0].policy", tmp_path / "strict.yaml"),
        ("backends.legacy.policy", "observe"),
    ]


def test_a_backends_policy_out_of_the_environment(loaded: Callable[..., Config], tmp_path: Path) -> None:
    config = loaded(environ={"VOLTGATE__BACKENDS__LEGACY__POLICY": "own.yaml"})

    assert config.backends["legacy"].policy == tmp_path / "own.yaml"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"policy": "strict"}, "policies[1]: must say which stations"),
        ({"group": "north", "identity": "CS1", "policy": "observe"}, "policies[1]: is never reached: policies[0]"),
        ({"group": "south"}, "policies[1].policy"),
        ({"group": "south", "policy": "no such name"}, "bundled policy"),
        ({"group": "a b", "policy": "strict"}, "isn't a group's name"),
        ({"group": "south", "policy": "strict", "backend": "new"}, "policies[1].backend"),
    ],
)
def test_what_may_not_be_written(loaded: Callable[..., Config], entry: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(NORTH, entry)
    assert words in str(refused.value)


def test_there_is_an_end_to_them(loaded: Callable[..., Config]) -> None:
    entries = [{"identity": f"CS{number}", "policy": "strict"} for number in range(ENTRIES_MAX + 1)]
    loaded(*entries[:-1])
    with pytest.raises(ConfigError, match=f"more than {ENTRIES_MAX} entries"):
        loaded(*entries)
