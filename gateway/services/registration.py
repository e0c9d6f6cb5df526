"""Registering stations: what `voltgate station ...` and the API do alike."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from gateway.session.identity import IdentityRejected
from gateway.session.ports import RegistrationRefused, StationRecord

PROFILES: Final = (1, 2, 3)
"""OCPP security profiles."""
SERIAL_MAX: Final = 25
"""Characters of BootNotification's serialNumber."""


class NotRegistered(LookupError):
    """No station has this identity."""


class StationBook(Protocol):
    """The registry, as far as registration changes it. What it refuses, it refuses with RegistrationRefused."""

    async def add(
        self, identity: str, *, profile: int, serial: str | None, backend: str | None, password_hash: str | None
    ) -> StationRecord:
        """Add a station."""

    async def find(self, identity: str) -> StationRecord | None:
        """Return a station or None."""

    async def list(self) -> Sequence[StationRecord]:
        """Return all stations, by identity."""

    async def remove(self, identity: str, *, force: bool = False) -> None:
        """Remove a station; refused while its journal holds messages unless ``force``."""

    async def set_password(self, identity: str, password_hash: str) -> None:
        """Replace the password's hash."""


@dataclass(frozen=True, slots=True)
class Passwords:
    """How passwords are made, judged and hashed; given by the edge."""

    generate: Callable[[], str]
    check: Callable[[str], None]
    """Raises ValueError for a password that no station may have."""
    hash: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Registered:
    """A new registration. ``password`` is the generated one, shown once and kept nowhere; None where one was given."""

    record: StationRecord
    password: str | None = field(repr=False)


class Registration:
    """Adds, lists and removes stations. ``backends`` are the configured names."""

    def __init__(self, book: StationBook, passwords: Passwords, backends: Sequence[str]) -> None:
        self._book = book
        self._passwords = passwords
        self._backends = backends

    async def add(
        self,
        identity: str,
        *,
        profile: int,
        serial: str | None = None,
        backend: str | None = None,
        password: str | None = None,
    ) -> Registered:
        """Register a station. Under profiles 1 and 2 a password is generated unless one is given.

        Raises RegistrationRefused.
        """
        self._check(profile, serial, backend)
        generated = self._passwords.generate() if password is None and profile < 3 else None
        chosen = password if password is not None else generated
        password_hash = await self._hash(chosen) if chosen is not None else None
        try:
            record = await self._book.add(
                identity, profile=profile, serial=serial, backend=backend, password_hash=password_hash
            )
        except IdentityRejected as error:
            raise RegistrationRefused(f"identity: {error}") from None
        return Registered(record, generated)

    async def show(self, identity: str) -> StationRecord:
        """Return one station. Raises :class:`NotRegistered`."""
        record = await self._book.find(identity)
        if record is None:
            raise NotRegistered(f"no station {identity[:60]!r} is registered")
        return record

    async def list(self) -> Sequence[StationRecord]:
        """Return all stations, by identity."""
        return await self._book.list()

    async def remove(self, identity: str, *, force: bool = False) -> None:
        """Remove a station. Raises :class:`NotRegistered`, and RegistrationRefused while its journal isn't empty."""
        await self.show(identity)
        await self._book.remove(identity, force=force)

    async def set_password(self, identity: str, password: str | None = None) -> str:
        """Replace a station's password, by a generated one unless one is given, and return it.

        Raises :class:`NotRegistered` and RegistrationRefused.
        """
        await self.show(identity)
        if password is None:
            password = self._passwords.generate()
        await self._book.set_password(identity, await self._hash(password))
        return password

    def _check(self, profile: int, serial: str | None, backend: str | None) -> None:
        if profile not in PROFILES:
            raise RegistrationRefused(f"security profile {profile} does not exist; use 1, 2 or 3")
        if serial is not None and not (0 < len(serial) <= SERIAL_MAX and serial.isascii() and serial.isprintable()):
            raise RegistrationRefused(f"a serial number has 1 to {SERIAL_MAX} printable ASCII characters")
        if backend is not None and backend not in self._backends:
            raise RegistrationRefused(f"no backend {backend!r} is configured; there is {', '.join(self._backends)}")

    async def _hash(self, password: str) -> str:
        try:
            self._passwords.check(password)
        except ValueError as error:
            raise RegistrationRefused(str(error)) from None
        return await asyncio.to_thread(self._passwords.hash, password)
