"""What commands print, and how they fail."""

from pathlib import Path

import pytest

from gateway.cli.output import Failed, fail, load_config, print_fields, print_json, print_table, printable, tell_of_more


def test_failing_prints_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail("what is wrong") == 1
    assert capsys.readouterr().err == "what is wrong\n"


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"missing\.yaml"):
        load_config(tmp_path / "missing.yaml")


def test_a_table_off_a_terminal_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("serial", "subject"), [("a" * 60, "b" * 60)])
    assert "a" * 60 in capsys.readouterr().out


def test_a_list_that_was_cut_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    tell_of_more([{"id": 4}, {"id": 7}], 3)
    assert capsys.readouterr().err == ""
    tell_of_more([{"id": 4}, {"id": 7}], 2)
    assert capsys.readouterr().err == "these are 2; what may follow: --after 7\n"


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "Ä"})
    assert capsys.readouterr().out == '{\n  "name": "Ä"\n}\n'


def test_a_table_shows_words_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither markup nor a terminal's codes are obeyed (attack C7)."""
    print_table(("detail", "count", "remote"), [("[red]x[/red]\x1b]0;title\x07\n", 3, None)])
    out = capsys.readouterr().out
    assert "[red]x[/red]\\x1b]0;title\\x07\\n" in out
    assert "\x1b" not in out
    assert "None" not in out


def test_fields(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields({"serial": None, "profile": 2, "subject": "CN=a\x1b[1m"})
    assert capsys.readouterr().out == "serial: -\nprofile: 2\nsubject: CN=a\\x1b[1m\n"


@pytest.mark.parametrize(("text", "safe"), [("Ä b", "Ä b"), ("a\r\nb", "a\\r\\nb"), ("\u202eabc", "\\u202eabc")])
def test_what_a_terminal_would_obey(text: str, safe: str) -> None:
    assert printable(text) == safe
