"""What commands print, and how they fail."""

from pathlib import Path

import pytest
from rich.table import Table

from gateway.cli.output import Failed, fail, load_config, print_json, print_table


def test_failing_prints_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail("what is wrong") == 1
    assert capsys.readouterr().err == "what is wrong\n"


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"missing\.yaml"):
        load_config(tmp_path / "missing.yaml")


def test_a_table_off_a_terminal_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("serial", "subject")
    table.add_row("a" * 60, "b" * 60)
    print_table(table)
    assert "a" * 60 in capsys.readouterr().out


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "Ä"})
    assert capsys.readouterr().out == '{\n  "name": "Ä"\n}\n'
