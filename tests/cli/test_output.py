"""What commands print, and how they fail."""

from pathlib import Path

import pytest

from gateway.cli.output import Failed, fail, load_config, print_json


def test_failing_prints_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail("what is wrong") == 1
    assert capsys.readouterr().err == "what is wrong\n"


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"missing\.yaml"):
        load_config(tmp_path / "missing.yaml")


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "Ä"})
    assert capsys.readouterr().out == '{\n  "name": "Ä"\n}\n'
