"""``trust_anchors``: what may be written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import Config, ConfigError, load
from gateway.config.trust_anchors import ENTRIES_MAX


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[..., Config]:
    def make(*entries: Any) -> Config:
        tree = {"backends": {"legacy": {"url": "wss://csms.example.com/{identity}"}}, "trust_anchors": list(entries)}
        path = tmp_path / "voltgate.yaml"
        path.write_text(yaml.safe_dump(tree))
        return load(path, {})

    return make


ENTRY = {"type": "V2GRootCertificate", "file": "v2g.pem"}


def test_an_entry_is_for_all_unless_it_says_for_whom(loaded: Callable[..., Config], tmp_path: Path) -> None:
    everybody, north = loaded(ENTRY, {**ENTRY, "group": "north", "exclusive": True}).trust_anchors
    assert everybody.file == tmp_path / "v2g.pem"
    assert (everybody.exclusive, everybody.remove, north.exclusive) == (False, False, True)
    assert everybody.matches("CS1", None)
    assert not north.matches("CS1", None)
    assert north.matches("CS1", "north")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"type": "OEMRootCertificate"}, "trust_anchors[0].type"),
        ({"type": "V2GCertificateChain"}, "trust_anchors[0].type"),
        ({"exclusive": True, "remove": True}, "exclusive and remove at once"),
        ({"group": "a b"}, "isn't a group's name"),
        ({"certificate": "x"}, "trust_anchors[0].certificate"),
    ],
)
def test_what_may_not_be_written(loaded: Callable[..., Config], change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded({**ENTRY, **change})
    assert words in str(refused.value)


def test_there_is_an_end_to_them(loaded: Callable[..., Config]) -> None:
    loaded(*[dict(ENTRY) for _ in range(ENTRIES_MAX)])
    with pytest.raises(ConfigError, match=f"more than {ENTRIES_MAX} entries"):
        loaded(*[dict(ENTRY) for _ in range(ENTRIES_MAX + 1)])
