"""Station passwords: generated, hashed with scrypt, compared off the event loop (OCPP 2.0.1 A00.FR.205, A01.FR.08)."""

import asyncio
import base64
import hashlib
import hmac
import secrets
import string
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

N: Final = 2**14
"""scrypt's cost: 16 MiB and some 45 ms a comparison."""
R: Final = 8
"""scrypt's block size."""
P: Final = 1
"""scrypt's parallelism."""
SALT_BYTES: Final = 16
"""Random bytes of salt."""
HASH_BYTES: Final = 32
"""Bytes of the derived key."""
GENERATED_LENGTH: Final = 32
"""Characters of a generated password: between the 16 and 40 of A00.FR.205, some 190 bits."""
MIN_LENGTH: Final = 16
"""Shortest password in characters (A00.FR.205)."""
MAX_LENGTH: Final = 64
"""Longest password in characters (A00.FR.205 with the errata of 2025)."""
_ALPHABET: Final = string.ascii_letters + string.digits + "-_."
"""Valid under every reading of passwordString; what is accepted is wider."""
_MAX_MEMORY: Final = 64 * 1024 * 1024


WAITING_MAX: Final = 200
"""Comparisons that may wait at once: some 5 seconds' work of two threads."""
PROOF_LIFETIME: Final = 3600.0
"""Seconds for which a password that fitted needs no new comparison."""
PROOFS_MAX: Final = 50_000
"""Proofs kept; some 150 bytes each."""


class TooManyWaiting(Exception):
    """More comparisons wait than can be made in time: the newcomer had better try again later."""


class PasswordRejected(ValueError):
    """A password that the standard doesn't allow; the text says why, never what it was."""


def generate() -> str:
    """Return a random password that every station can store."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(GENERATED_LENGTH))


def check(password: str) -> None:
    """Return when ``password`` may be given to a station. Raises :class:`PasswordRejected`."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise PasswordRejected(f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters (OCPP 2.0.1 A00.FR.205)")
    if not password.isprintable():
        raise PasswordRejected("a password has no control characters")


def hash_password(password: str) -> str:
    """Return ``scrypt$N$r$p$salt$hash``, salt and hash in base64. Takes some 45 ms of CPU."""
    salt = secrets.token_bytes(SALT_BYTES)
    return "$".join(["scrypt", str(N), str(R), str(P), _b64(salt), _b64(_derive(password.encode(), salt, N, R, P))])


def verify(password: bytes, stored: str) -> bool:
    """Return whether ``password`` (as sent, after Basic's colon) fits. Compares in constant time."""
    _, n, r, p, salt, expected = stored.split("$")
    derived = _derive(password, base64.b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(derived, base64.b64decode(expected))


class PasswordChecker:
    """Compares passwords in threads of its own, so that the event loop and TLS handshakes go on meanwhile.

    A comparison that succeeded is remembered for ``PROOF_LIFETIME`` seconds, so that stations which come back after an
    outage neither wait for each other nor for somebody who guesses (docs/decisions/0009-password-storms.md).
    """

    def __init__(self, threads: int = 2, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="scrypt")
        self._clock = clock
        self._nobody = hash_password(generate())
        self._secret = secrets.token_bytes(HASH_BYTES)
        self._proofs: OrderedDict[bytes, float] = OrderedDict()
        """Keyed digest of stored hash and password -> when it expires; the oldest first."""
        self._waiting = 0

    async def verify(self, password: bytes, stored: str | None) -> bool:
        """Return whether ``password`` fits ``stored``.

        Without a stored hash (no such station, or none with a password) the same work is done, and the answer is no:
        the time tells nobody which identities exist (attack A1). Raises :class:`TooManyWaiting`.
        """
        proof = hmac.digest(self._secret, (stored or self._nobody).encode() + b"\0" + password, "sha256")
        if self._proofs.get(proof, 0.0) > self._clock():
            return stored is not None
        if self._waiting >= WAITING_MAX:
            raise TooManyWaiting(f"{WAITING_MAX} password comparisons wait already")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            fits = await loop.run_in_executor(self._threads, verify, password, stored or self._nobody)
        finally:
            self._waiting -= 1
        if fits and stored is not None:
            self._remember(proof)
        return fits and stored is not None

    def _remember(self, proof: bytes) -> None:
        self._proofs[proof] = self._clock() + PROOF_LIFETIME
        self._proofs.move_to_end(proof)
        while len(self._proofs) > PROOFS_MAX:
            self._proofs.popitem(last=False)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _derive(password: bytes, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=_MAX_MEMORY, dklen=HASH_BYTES)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
