"""A provider that doesn't answer isn't waited for by every vehicle anew."""

import time
from collections.abc import Callable
from typing import Final

from pki.iso15118.provisioning import ProvisioningRefused, Refusal

FAILURES_MAX: Final = 3
"""In a row, after which nobody waits for it for a while."""
PAUSE: Final = 5.0
"""Seconds of that while; then one request goes and sees."""


class Circuit:
    """Counts failures to answer in a row; an answer that says no is an answer."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._until = float("-inf")
        self._reason = ""

    def __repr__(self) -> str:
        return f"Circuit({'open' if self._failures >= FAILURES_MAX else 'closed'}, failures={self._failures})"

    def check(self) -> None:
        """Return when a request would go; who asks isn't the one that does. Raises ProvisioningRefused."""
        now = self._clock()
        if self._failures >= FAILURES_MAX and now < self._until:
            raise ProvisioningRefused(
                Refusal.PROVIDER_UNAVAILABLE,
                f"hasn't answered {self._failures} times in a row ({self._reason}); asked again in "
                f"{self._until - now:.0f} s",
            )

    def pass_one(self) -> None:
        """Return when a request may go. Raises ProvisioningRefused."""
        self.check()
        if self._failures >= FAILURES_MAX:
            # This one goes and sees; the others aren't let through behind it.
            self._until = self._clock() + PAUSE

    def succeeded(self) -> None:
        """Take an answer, whatever it says."""
        self._failures = 0

    def failed(self, reason: str) -> None:
        """Take that there was none."""
        self._failures += 1
        self._until = self._clock() + PAUSE
        self._reason = reason
