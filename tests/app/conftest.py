"""A configuration that loads, for the parts that are built out of one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import Config, load


@pytest.fixture
def configured(tmp_path: Path) -> Callable[..., Config]:
    """``configured(key=value)`` writes a file with these keys beside a backend, and loads it."""

    def make(**keys: Any) -> Config:
        tree = {"backends": {"legacy": {"url": "wss://csms.example.com/{identity}"}}} | keys
        path = tmp_path / "voltgate.yaml"
        path.write_text(yaml.safe_dump(tree))
        return load(path, {})

    return make
