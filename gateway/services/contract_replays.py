"""Requests of vehicles that have been answered with a certificate: neither answered twice so, nor replayed."""

import hashlib
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.iso15118.provisioning import ProvisioningRefused, Refusal, VerifiedRequest

REMEMBERED: Final = 3_600.0
"""Seconds in which a signed request has effect once: a vehicle that signs alike each time (RFC 6979), and has lost its
answer, is kept waiting as long."""
REMEMBERED_MAX: Final = 50_000
"""Requests that are remembered; of more, the oldest is forgotten."""


class SignedRequests:
    """The signed requests that had effect, in this process.

    A signature is known by its key and r. The header isn't signed, so that a replay may bear another SessionID; and of
    an ECDSA signature (r, s) everybody can make (r, -s).
    """

    def __init__(self) -> None:
        self._used: dict[bytes, float] = {}

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._used)

    def use(self, request: VerifiedRequest, now: float) -> bytes:
        """Note that a request takes effect, and return what :meth:`give_back` takes it back by.

        Raises ProvisioningRefused, REPLAYED.
        """
        while self._used and (oldest := next(iter(self._used.items())))[1] <= now:
            del self._used[oldest[0]]
        name = self.name_of(request)
        if name in self._used:
            text = (
                "the signed request was answered with a certificate before; a vehicle signs each of its requests anew"
            )
            raise ProvisioningRefused(Refusal.REPLAYED, text)
        if len(self._used) >= REMEMBERED_MAX:
            del self._used[next(iter(self._used))]
        self._used[name] = now + REMEMBERED
        return name

    def give_back(self, name: bytes) -> None:
        """The request had no effect: the vehicle may send it again."""
        self._used.pop(name, None)

    @staticmethod
    def name_of(request: VerifiedRequest) -> bytes:
        """Return what tells signatures apart."""
        signature = request.message.header.signature
        value = b"" if signature is None else signature.value
        key = request.key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return hashlib.sha256(key + value[: len(value) // 2]).digest()
