"""What a server says, fit for a log; and what an error tells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.vault.failures import WORDS_MAX, StatusError, VaultUnavailable, printable


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("permission denied", "permission denied"),
        ("2 errors:\n\t* a\r\n\t* b\n\n", "2 errors: * a * b"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ('it\'s "so"', 'it\'s "so"'),
        ("caf\u00e9 \u202e", "caf\\xe9 \\u202e"),
        ("", ""),
    ],
)
def test_words(said: str, words: str) -> None:
    assert printable(said) == words


@given(st.text())
def test_whatever_is_said_is_one_short_printable_line(said: str) -> None:
    words = printable(said * 3)

    assert words.isascii()
    assert words.isprintable()
    assert len(words) <= WORDS_MAX


def test_words_are_cut_at_their_limit() -> None:
    assert len(printable("x" * WORDS_MAX)) == len(printable("x" * (WORDS_MAX + 1))) == WORDS_MAX


def test_an_outcome_is_known_unless_it_is_said() -> None:
    assert not VaultUnavailable("sealed").is_outcome_unknown
    assert VaultUnavailable("slow", is_outcome_unknown=True).is_outcome_unknown


def test_a_status() -> None:
    assert str(StatusError(403, "no", "GET", "pki/ca")) == "pki/ca: HTTP 403: no"
