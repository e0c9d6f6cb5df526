"""How often one identity's connection may be replaced, as tables over a clock (attack A4)."""

import pytest

from gateway.session.replacements import FREE, IDENTITIES_MAX, WAIT_FIRST, WAIT_MAX, WINDOW, Replacements


def after(count: int, *, at: float = 1000.0) -> Replacements:
    made = Replacements()
    for _ in range(count):
        made.happened("CS1", at)
    return made


@pytest.mark.parametrize(
    ("count", "wait"),
    [(0, 0), (FREE - 1, 0), (FREE, WAIT_FIRST), (FREE + 1, 2 * WAIT_FIRST), (FREE + 9, WAIT_MAX)],
)
def test_the_wait_doubles_beyond_the_free_ones(count: int, wait: float) -> None:
    assert after(count).wait("CS1", 1000.0) == wait


def test_it_runs_off() -> None:
    war = after(FREE)
    assert war.wait("CS1", 1000.0 + WAIT_FIRST - 1) == 1
    assert war.wait("CS1", 1000.0 + WAIT_FIRST) == 0


def test_what_was_before_the_window_is_forgotten() -> None:
    war = after(FREE + 3)
    assert war.wait("CS1", 1000.0 + WINDOW) == 0
    war.happened("CS1", 1000.0 + WINDOW)
    assert war.wait("CS1", 1000.0 + WINDOW) == 0


def test_identities_have_nothing_to_do_with_each_other() -> None:
    assert after(FREE + 3).wait("CS2", 1000.0) == 0


def test_the_memory_is_bounded() -> None:
    war = after(FREE)
    for number in range(IDENTITIES_MAX):
        war.happened(f"X{number}", 1000.0)
    assert war.wait("CS1", 1000.0) == 0
