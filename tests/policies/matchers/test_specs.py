"""Several tests of one value, `not`, and what is no test."""

from collections.abc import Callable
from typing import Any

import pytest

Ask = Callable[..., Any]


@pytest.mark.parametrize(("value", "does"), [("ab", True), ("a", False), ("abcd", False), ("a\n", False)])
def test_all_tests_must_hold_of_one_value(holds: Ask, value: str, does: bool) -> None:
    spec = {"length": {"min": 2, "max": 3}, "text": "printable"}

    assert holds(spec, "string", value) is does
    assert holds({"not": spec}, "string", value) is not does
    assert holds({"not": {"not": spec}}, "string", value) is does


@pytest.mark.parametrize(
    ("spec", "where", "complaint"),
    [
        ({}, (), "must be a mapping of tests; there are length, like"),
        ({"not": {}}, ("not",), "must be a mapping of tests"),
        ({"not": "printable"}, ("not",), "must be a mapping of tests"),
        ({"lenght": {"max": 1}}, ("lenght",), "no such test: 'lenght' (did you mean length?)"),
        ({5: 1}, (5,), "no such test: 5"),
        ({"not": {"texts": "printable"}}, ("not", "texts"), "(did you mean text?)"),
        ({"not": {"present": True}}, ("not", "present"), "write `present: false`"),
        ({"register": {}}, ("register",), "`register` stands alone in an entry of `fields`"),
    ],
)
def test_what_is_no_test(refusal: Ask, spec: dict[str, Any], where: tuple[Any, ...], complaint: str) -> None:
    at, text = refusal(spec, "string")

    assert at == where
    assert complaint in text
