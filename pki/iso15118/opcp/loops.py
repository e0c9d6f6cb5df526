"""Vehicles that fetch several contracts, one by one (ISO 15118-20): what is kept for the next request of each.

The provider gives all at once, each encrypted to the vehicle. What a vehicle doesn't fetch is forgotten.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from pki.iso15118.messages import CertificateInstallationReq20
from pki.iso15118.opcp.messages import Offer
from pki.iso15118.provisioning import VerifiedRequest

LOOPS_MAX: Final = 128
"""Vehicles at once; beyond it the oldest is forgotten, and asks the provider again."""
LOOP_TIME: Final = 60.0
"""Seconds from the first contract to the last."""

Key = tuple[str, bytes]
"""PCID and SessionID: another session begins anew."""


class Loops:
    """What is still to come, by vehicle and session."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rest: OrderedDict[Key, tuple[float, tuple[Offer, ...]]] = OrderedDict()

    def next(self, request: VerifiedRequest) -> tuple[Offer, ...]:
        """Return what is to come in this vehicle's session, the next one first; empty where none has begun."""
        key = _key(request)
        if key is None:
            return ()
        ends, rest = self._rest.pop(key, (0.0, ()))
        return rest if self._clock() < ends else ()

    def keep(self, request: VerifiedRequest, rest: Sequence[Offer]) -> None:
        """Keep ``rest`` for the next request of the session."""
        key = _key(request)
        if key is None or not rest:
            return
        now = self._clock()
        while self._rest and (len(self._rest) >= LOOPS_MAX or next(iter(self._rest.values()))[0] <= now):
            self._rest.popitem(last=False)
        self._rest[key] = (now + LOOP_TIME, tuple(rest))


def _key(request: VerifiedRequest) -> Key | None:
    if request.pcid is None or not isinstance(request.message, CertificateInstallationReq20):
        return None
    return request.pcid, request.message.header.session_id
