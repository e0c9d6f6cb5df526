"""Station passwords: generated, hashed with scrypt, compared off the event loop (OCPP 2.0.1 A00.FR.205, A01.FR.08).

One stored hash serves both OCPP versions. A 2.0.1 station sends its password as UTF-8 text. A 1.6 station's password is
an AuthorizationKey: 16 to 20 bytes, mostly given as hex digits, and sent raw or as those digits in either case (white
paper A00.FR.205). So text that can be such hex digits is hashed as the bytes that it stands for (``scrypt-key$...``),
any other as it is (``scrypt$...``); what is presented is brought into the form of the stored hash, and a comparison
costs one scrypt. Hex digits that were hashed as text, before 1.6 was spoken here, fit as they did.
"""

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
import string
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from gateway.edge.turns import Turns

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
KEY_BYTES: Final = 20
"""Random bytes of a generated AuthorizationKey (OCPP 1.6 white paper, 2.3: 16 to 20)."""
_HEX_KEY: Final = re.compile(rb"(?:[0-9A-Fa-f]{2}){16,20}")
_TEXT: Final = "scrypt"
_KEY: Final = "scrypt-key"
_ALPHABET: Final = string.ascii_letters + string.digits + "-_."
"""Valid under every reading of passwordString; what is accepted is wider."""
_MAX_MEMORY: Final = 64 * 1024 * 1024

COMPARISONS: Final = 2
"""scrypts that a password costs which fits nothing: a station may have two while one is changed, and the time mustn't
tell who has."""
WAITING_MAX: Final = 200
"""Passwords that may wait to be compared: some 5 to 10 seconds' work of two threads."""
PROOF_LIFETIME: Final = 3600.0
"""Seconds for which a password that fitted needs no new comparison."""
PROOFS_MAX: Final = 50_000
"""Proofs kept; some 150 bytes each."""


class PasswordRejected(ValueError):
    """A password that the standard doesn't allow; the text says why, never what it was."""


def generate() -> str:
    """Return a random password that every station can store."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(GENERATED_LENGTH))


def generate_authorization_key() -> str:
    """Return a random AuthorizationKey for an OCPP 1.6 station, as hex digits: 40 of them."""
    return secrets.token_hex(KEY_BYTES)


def check(password: str) -> None:
    """Return when ``password`` may be given to a station. Raises :class:`PasswordRejected`."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise PasswordRejected(f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters (OCPP 2.0.1 A00.FR.205)")
    if not password.isprintable():
        raise PasswordRejected("a password has no control characters")


def hash_password(password: str) -> str:
    """Return ``KIND$N$r$p$salt$hash``, salt and hash in base64. Takes some 45 ms of CPU."""
    salt = secrets.token_bytes(SALT_BYTES)
    presented = password.encode()
    kind = _TEXT if _key(presented) is None else _KEY
    return "$".join([kind, str(N), str(R), str(P), _b64(salt), _b64(_derive(_form(kind, presented), salt, N, R, P))])


def verify(password: bytes, stored: str) -> bool:
    """Return whether ``password`` (as sent, after Basic's colon) fits. Compares in constant time."""
    kind, n, r, p, salt, expected = stored.split("$")
    derived = _derive(_form(kind, password), base64.b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(derived, base64.b64decode(expected))


def _key(password: bytes) -> bytes | None:
    """Return the bytes that these hex digits stand for, None when they can't be an AuthorizationKey's."""
    return bytes.fromhex(password.decode()) if _HEX_KEY.fullmatch(password) else None


def _form(kind: str, password: bytes) -> bytes:
    return (_key(password) or password) if kind == _KEY else password


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
        self._turns = Turns(threads, WAITING_MAX)

    def proven(self, password: bytes, stored: Sequence[str]) -> str | None:
        """Return the hash of ``stored`` that the password was seen to fit of late, None when there is none."""
        now = self._clock()
        return next((each for each in stored if self._proofs.get(self._proof(password, each), 0.0) > now), None)

    async def fitting(self, password: bytes, stored: Sequence[str], address: str) -> str | None:
        """Return the hash of ``stored`` that the password fits: the first of two at most, None when it fits none.

        Without any (no such station, or none with a password) the same work is done as for a wrong password: the time
        tells nobody which identities exist (attack A1). Those who wait take turns by ``address``, that of
        the peer. Raises :class:`gateway.edge.turns.TooManyWaiting`.
        """
        async with self._turns.turn(address):
            loop = asyncio.get_running_loop()
            fitted = await loop.run_in_executor(self._threads, self._compare, password, stored)
        if fitted is not None:
            self._remember(self._proof(password, fitted))
        return fitted

    def _compare(self, password: bytes, stored: Sequence[str]) -> str | None:
        for each in stored:
            if verify(password, each):
                return each
        for _ in range(COMPARISONS - len(stored)):
            verify(password, self._nobody)
        return None

    def _proof(self, password: bytes, stored: str) -> bytes:
        return hmac.digest(self._secret, stored.encode() + b"\0" + password, "sha256")

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
