"""Commands on the store: what it refuses is one line."""

from pathlib import Path
from typing import Any

import pytest

from gateway.cli.on_records import on_records, who
from gateway.cli.output import Failed
from gateway.config import load


def test_the_answer(config: Path) -> None:
    async def work(records: Any) -> list[Any]:
        return list(await records.stations.list())

    assert on_records(load(config, {}), work) == []


def test_a_refusal(config: Path) -> None:
    with pytest.raises(Failed, match="no station 'CS9' is registered"):
        on_records(load(config, {}), lambda records: records.stations.show("CS9"))


def test_a_store_that_is_none(config: Path) -> None:
    config.with_name("voltgate.db").write_text("no database at all, and long enough to be read as one" * 100)

    async def work(_: Any) -> None:
        raise AssertionError("there is nothing to work on")

    with pytest.raises(Failed, match=r"store\.url"):
        on_records(load(config, {}), work)


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError

    monkeypatch.setattr("getpass.getuser", nobody)
    assert who().startswith("user ")
