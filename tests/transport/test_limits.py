"""Limits: every default can be meant, and what can't be meant is refused by name."""

from dataclasses import fields

import pytest

from gateway.transport.limits import MAY_BE_ZERO, Limits

NAMES = [each.name for each in fields(Limits)]


def test_the_defaults_stand() -> None:
    limits = Limits()
    assert (limits.max_message, limits.max_head, limits.max_fragments) == (262_144, 8_192, 128)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [-1, float("nan")])
def test_no_limit_is_negative(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        Limits(**{name: value})  # type: ignore[arg-type]  # the table mixes whole numbers and seconds


@pytest.mark.parametrize("name", NAMES)
def test_zero_only_where_it_means_something(name: str) -> None:
    if name in MAY_BE_ZERO:
        assert getattr(Limits(**{name: 0}), name) == 0
    else:
        with pytest.raises(ValueError, match=f"{name} is 0, but must be more than 0"):
            Limits(**{name: 0})
