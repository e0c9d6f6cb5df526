"""What stands behind a test's key, and how it is shown in an error."""

import pytest

from policies.matchers.arguments import SHOWN_MAX, keys_of, meant, shown, texts
from policies.words import RuleError


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        (True, "true"),
        (False, "false"),
        (None, "null"),
        (0, "0"),
        ("a", "'a'"),
        ("a" * 100, "'" + "a" * (SHOWN_MAX - 1) + "..."),
    ],
)
def test_how_arguments_are_shown(argument: object, text: str) -> None:
    assert shown(argument) == text


def test_what_may_have_been_meant() -> None:
    assert meant("schems", ("schemes", "hosts")) == " (did you mean schemes?)"
    assert meant("zzz", ("schemes", "hosts")) == ""


def test_one_text_is_a_list_of_one() -> None:
    assert texts("a", ()) == ("a",)
    assert texts(["a", "b"], ()) == ("a", "b")


def test_keys_that_are_no_texts() -> None:
    with pytest.raises(RuleError, match="unknown key 5; known are only") as refusal:
        keys_of({5: 1}, ("only",), ("range",))

    assert refusal.value.where == ("range", 5)
