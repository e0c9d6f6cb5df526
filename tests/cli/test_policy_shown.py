"""What `voltgate policy` prints: nothing that a terminal would obey, no colours where nobody sees them."""

import pytest

from gateway.cli.policy_shown import say, say_problem
from policies.problems import Problem, Severity
from policies.rules import Place

HERE = Place("site.yaml", 3)


def test_errors_and_warnings_as_compilers_write_them(capfd: pytest.CaptureFixture[str]) -> None:
    say_problem(Problem(HERE, "no such field", "a-rule"))
    say_problem(Problem(HERE, "x: nobody uses it", severity=Severity.WARNING))
    printed = capfd.readouterr()

    assert printed.err == "site.yaml:3: error: rule a-rule: no such field\n"
    assert printed.out == "site.yaml:3: warning: x: nobody uses it\n"


def test_what_a_terminal_would_obey_is_escaped_and_no_line_is_broken(capfd: pytest.CaptureFixture[str]) -> None:
    say("\x1b[31m[red]", ("\u202e" + "x" * 500, "bold"))

    assert capfd.readouterr().out == "\\x1b[31m[red]\\u202e" + "x" * 500 + "\n"
