"""What an answer that isn't 2xx says about what was asked: was it done, and is it worth another try?"""

import enum
from typing import Final

from pki.vault.failures import StatusError

_CAPABILITIES: Final = {"GET": "read", "LIST": "list", "DELETE": "delete"}
_NOT_DONE: Final = ("sealed", "standby", "local node not active", "not initialized", "in recovery mode")
"""In the words of a 500 or 503 that Vault gives before it looks at a request."""


class Verdict(enum.Enum):
    """Of an answer."""

    NOT_SERVING = "this node serves nobody now: nothing was done"
    LIMITED = "too many requests: nothing was done"
    DENIED = "the token is over, or its policy forbids it: nothing was done"
    REFUSED = "no"
    FAILED = "it may have been done"


def verdict(error: StatusError) -> Verdict:
    """Judge an answer. A 5xx proves that nothing was done where Vault itself says so: a balancer says 503, too."""
    status = error.status
    if status == 429:
        return Verdict.LIMITED
    if status in {401, 403}:
        return Verdict.DENIED
    if status in {472, 473} or 300 <= status < 400:
        return Verdict.NOT_SERVING
    if status >= 500:
        words = error.words.lower()
        return Verdict.NOT_SERVING if any(said in words for said in _NOT_DONE) else Verdict.FAILED
    return Verdict.REFUSED


def explained(error: StatusError) -> str:
    """Say what is wrong and what to do."""
    if error.status in {401, 403}:
        capability = _CAPABILITIES.get(error.method, "update")
        return f'the token\'s policy forbids it: add path "{error.path}" {{ capabilities = ["{capability}"] }}'
    if error.status == 404:
        return f"there is no {error.path} ({error.words}); check the mount and the namespace"
    if error.status == 429:
        return "Vault limits its requests (429); raise the rate limit quota"
    if 300 <= error.status < 400:
        return f"{error.path} is answered with a redirect ({error.status}), which isn't followed; name the active node"
    if error.status >= 500:
        return f"Vault failed at {error.path} (HTTP {error.status}: {error.words}); see Vault's own log"
    return f"Vault refuses {error.path} (HTTP {error.status}): {error.words}"
