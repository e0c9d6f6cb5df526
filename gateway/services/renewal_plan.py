"""When a certificate is renewed, when people are alerted, and how long to wait after a failure. Nothing but arithmetic.

The station's own turn comes when one month is left (OCPP 2.0.1 A03.FR.02). With the defaults a certificate of a year is
renewed by the gateway between 122 and 61 days before its end, so before that: many stations never renew by themselves,
and those that do are the second chance of a renewal that failed, which then still has two weeks to the first alert.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.session.renewals import HeldCertificate


@dataclass(frozen=True, slots=True)
class RenewalRules:
    """The operator's wishes."""

    window: float
    """The share of a lifetime, at its end, in which a certificate is renewed."""
    jitter: float
    """The share of that window, at its beginning, over which the stations are spread."""
    alert: tuple[timedelta, ...]
    """How long before the end people hear of it."""

    def begins_at(self, held: HeldCertificate) -> datetime:
        """Return when the station may be asked: always the same for one certificate of one station."""
        window = self._window(held.not_before, held.not_after)
        return held.not_after - window + window * (self.jitter * _place(held))

    def alerts_at(self, not_before: datetime, not_after: datetime) -> tuple[datetime, ...]:
        """Return when the alerts are due, in that order.

        Not before the last station of such a lifetime has had its turn: for short-lived ones all come later than
        ``alert`` says, each in its part of the time that is left then.
        """
        left = self._window(not_before, not_after) * (1 - self.jitter)
        wanted = sorted(self.alert, reverse=True)
        return tuple(not_after - min(each, left / (place + 1)) for place, each in enumerate(wanted))

    def _window(self, not_before: datetime, not_after: datetime) -> timedelta:
        return (not_after - not_before) * self.window


def pause_after(attempts: int, first: float, longest: float) -> float:
    """Return the seconds to wait after ``attempts`` (1 at least) in vain: each pause is twice the one before."""
    return float(min(first * 2 ** min(attempts - 1, 64), longest))


def _place(held: HeldCertificate) -> float:
    """Return where in the crowd this station stands, 0 to 1: even over all, and the same after a restart."""
    digest = hashlib.sha256(f"{held.usage} {held.identity}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
