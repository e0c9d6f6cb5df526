"""How a request to Vault fails: what the caller sees, and what it is made of."""

import re
from typing import Final

WORDS_MAX: Final = 300
"""Characters of Vault's own words in an error."""


class VaultError(Exception):
    """Vault didn't do it; the text says why and what to do. It never holds a token or another secret."""


class VaultUnavailable(VaultError):
    """Vault can't be used now: away, sealed, too slow, or it takes no login."""

    def __init__(self, text: str, *, is_outcome_unknown: bool = False) -> None:
        super().__init__(text)
        self.is_outcome_unknown = is_outcome_unknown
        """Whether what was asked may have been done all the same."""


class VaultRefused(VaultError):
    """Vault has answered, and says no."""

    def __init__(self, text: str, *, status: int, words: str) -> None:
        super().__init__(text)
        self.status = status
        """Of HTTP."""
        self.words = words
        """What Vault said: printable, WORDS_MAX characters at most."""


class NotSent(Exception):
    """The request has not reached Vault: whatever it was, nothing was done."""


class NoAnswer(Exception):
    """The request was sent, and no answer can be had: it may have been done."""


class StatusError(Exception):
    """An answer that isn't 2xx."""

    def __init__(self, status: int, words: str, method: str, path: str, retry_after: float | None = None) -> None:
        super().__init__(f"{path}: HTTP {status}: {words}")
        self.status = status
        self.words = words
        """printable, WORDS_MAX characters at most."""
        self.method = method
        self.path = path
        """As a policy names it: ``pki/sign/station``."""
        self.retry_after = retry_after
        """Seconds."""


def printable(text: str) -> str:
    """Return what a server said on one line, in ASCII, WORDS_MAX characters at most."""
    line = re.sub(r"\s+", " ", text[: 10 * WORDS_MAX]).strip()
    return ascii(line)[1:-1].replace("\\'", "'").replace("\\\\", "\\")[:WORDS_MAX]
