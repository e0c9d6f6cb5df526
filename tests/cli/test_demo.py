"""`voltgate demo` passes on what the demo says; the demo itself is in tests/system."""

from collections.abc import Callable
from typing import Any

import pytest

import gateway.demo


@pytest.mark.parametrize(("well", "status"), [(True, 0), (False, 1)])
def test_the_exit_status(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, well: bool, status: int) -> None:
    asked: list[bool] = []

    async def told(*, keep: bool, **_: Any) -> bool:
        asked.append(keep)
        return well

    monkeypatch.setattr(gateway.demo, "run", told)
    assert run("demo").exit_code == status
    assert run("demo", "--keep").exit_code == status
    assert asked == [False, True]


def test_which_story(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[bool, bool]] = []

    async def told(*, plug_and_charge: bool, firmware: bool, **_: Any) -> bool:
        asked.append((plug_and_charge, firmware))
        return True

    monkeypatch.setattr(gateway.demo, "run", told)
    assert run("demo", "--plug-and-charge").exit_code == 0
    assert run("demo", "--firmware").exit_code == 0
    assert run("demo", "--firmware", "--plug-and-charge").exit_code == 2
    assert asked == [(True, False), (False, True)]
