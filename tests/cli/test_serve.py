"""`voltgate serve` fails with one line; how it runs is tested on the real process (tests/system)."""

from collections.abc import Callable
from typing import Any

import pytest
import structlog


def test_what_keeps_it_from_starting_is_one_line(run: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    result = run("serve")
    structlog.reset_defaults()
    assert result.exit_code == 1
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    assert said.startswith("listeners[0].tls: ")
