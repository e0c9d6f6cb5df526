"""Registering stations: what `voltgate station ...` and the API do alike."""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from gateway.session.identity import IdentityRejected
from gateway.session.pending import PendingStation
from gateway.session.ports import RegistrationInvalid, StationRecord
from gateway.wire.versions import Version

PROFILES: Final = (1, 2, 3)
"""OCPP security profiles."""
SERIAL_MAX: Final = 25
"""Characters of BootNotification's serialNumber."""
GROUP: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What may name a group of stations."""


class NotRegistered(LookupError):
    """No station has this identity."""


class NotPending(LookupError):
    """No identity that came without being registered is recorded under this name."""


class StationBook(Protocol):
    """The registry, as far as registration changes it. What it refuses, it refuses with RegistrationRefused."""

    async def add(
        self,
        identity: str,
        *,
        profile: int,
        serial: str | None,
        backend: str | None,
        password_hash: str | None,
        pinned_version: Version | None,
        group: str | None,
    ) -> StationRecord:
        """Add a station; it is pending no more."""

    async def find(self, identity: str) -> StationRecord | None:
        """Return a station or None."""

    async def list(self) -> Sequence[StationRecord]:
        """Return all stations, by identity."""

    async def remove(self, identity: str, *, force: bool = False) -> None:
        """Remove a station; refused while its journal holds messages unless ``force``."""

    async def set_password(self, identity: str, password_hash: str) -> None:
        """Replace the password's hash."""

    async def set_serial(self, identity: str, serial: str | None) -> None:
        """Replace the serial number."""

    async def set_group(self, identity: str, group: str | None) -> None:
        """Put the station into a group, or into none."""

    async def set_backend(self, identity: str, backend: str | None) -> None:
        """Give the station a backend of its own, or leave it to the routes."""

    async def pin_version(self, identity: str, version: Version | None) -> None:
        """Let the station speak this OCPP version only, or any."""

    async def allow(self, identity: str, *, expired: bool | None = None, downgrade: bool | None = None) -> None:
        """Set the station's exceptions; None leaves one as it is."""


class PendingBook(Protocol):
    """The identities that wait for an operator's word."""

    async def find(self, identity: str) -> PendingStation | None:
        """Return one, or None."""

    async def list(self) -> Sequence[PendingStation]:
        """Return all, in the order in which they first came."""

    async def remove(self, identity: str) -> bool:
        """Forget one; False when it isn't there."""


@dataclass(frozen=True, slots=True)
class Passwords:
    """How passwords are made, judged and hashed; given by the edge."""

    generate: Callable[[], str]
    check: Callable[[str], None]
    """Raises ValueError for a password that no station may have."""
    hash: Callable[[str], str]
    generate_key: Callable[[], str]
    """Makes an AuthorizationKey of 1.6: 40 hex digits (security white paper, A00.FR.205)."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A new registration. ``password`` is the generated one, shown once and kept nowhere; None where one was given."""

    record: StationRecord
    password: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What an operator asks for."""

    profile: int
    serial: str | None
    backend: str | None
    password: str | None = field(repr=False)
    version: Version | None
    group: str | None


class Registration:
    """Adds, lists, changes and removes stations. ``backends`` are the configured names.

    ``check_pin(record)`` raises :class:`RegistrationInvalid` when the backend that a station with this record would
    have can't serve the version to which it is pinned.
    """

    def __init__(
        self,
        book: StationBook,
        pending: PendingBook,
        passwords: Passwords,
        backends: Sequence[str],
        check_pin: Callable[[StationRecord], None] = lambda _: None,
    ) -> None:
        self._book = book
        self._pending = pending
        self._passwords = passwords
        self._backends = backends
        self._check_pin = check_pin

    async def add(
        self,
        identity: str,
        *,
        profile: int,
        serial: str | None = None,
        backend: str | None = None,
        password: str | None = None,
        version: Version | None = None,
        group: str | None = None,
    ) -> Registered:
        """Register a station. Under profiles 1 and 2 a password is generated unless one is given.

        ``version`` pins it to one OCPP version (attack A12); a station of 1.6 gets an AuthorizationKey for a password.
        ``group`` names the stations that are routed alike.
        Raises RegistrationRefused, of it :class:`RegistrationInvalid` for what is malformed.
        """
        return await self._add(identity, _Wanted(profile, serial, backend, password, version, group), version)

    async def approve(
        self,
        identity: str,
        *,
        profile: int,
        serial: str | None = None,
        backend: str | None = None,
        group: str | None = None,
    ) -> Registered:
        """Register a station that is pending, as :meth:`add` does.

        Of what it presented nothing is taken over unless the operator passes it here: whoever knows an identity may
        have come under it. Only the kind of password follows the version that it spoke. Raises :class:`NotPending`.
        """
        seen = await self._pending.find(identity)
        if seen is None:
            raise NotPending(f"no station {identity[:60]!a} is pending")
        return await self._add(identity, _Wanted(profile, serial, backend, None, None, group), seen.version)

    async def pending(self) -> Sequence[PendingStation]:
        """Return the identities that came without being registered, in the order in which they first came."""
        return await self._pending.list()

    async def dismiss(self, identity: str) -> None:
        """Forget an identity that is pending. Raises :class:`NotPending`."""
        if not await self._pending.remove(identity):
            raise NotPending(f"no station {identity[:60]!a} is pending")

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

        Raises :class:`NotRegistered` and :class:`RegistrationInvalid`.
        """
        record = await self.show(identity)
        if password is None:
            password = self._generate(record.pinned_version or record.version)
        await self._book.set_password(identity, await self._hash(password))
        return password

    async def set_serial(self, identity: str, serial: str | None) -> None:
        """Replace a station's serial number, the CN of its certificate; without one that is its identity.

        Raises :class:`NotRegistered` and RegistrationRefused.
        """
        _check_serial(serial)
        await self.show(identity)
        await self._book.set_serial(identity, serial)

    async def set_group(self, identity: str, group: str | None) -> None:
        """Put a station into a group of those that are routed alike, or into none.

        Raises :class:`NotRegistered` and :class:`RegistrationInvalid`.
        """
        _check_group(group)
        self._check_pin(replace(await self.show(identity), group=group))
        await self._book.set_group(identity, group)

    async def set_backend(self, identity: str, backend: str | None) -> None:
        """Give a station a backend of its own, or leave it to the routes.

        Raises :class:`NotRegistered` and :class:`RegistrationInvalid`.
        """
        self._check_backend(backend)
        self._check_pin(replace(await self.show(identity), backend=backend))
        await self._book.set_backend(identity, backend)

    async def pin_version(self, identity: str, version: Version | None) -> None:
        """Let a station speak one OCPP version only, or any (attack A12).

        Raises :class:`NotRegistered`, and :class:`RegistrationInvalid` for one that its backend can't serve.
        """
        self._check_pin(replace(await self.show(identity), pinned_version=version))
        await self._book.pin_version(identity, version)

    async def allow(self, identity: str, *, expired: bool | None = None, downgrade: bool | None = None) -> None:
        """Set a station's exceptions; None leaves one as it is. Raises :class:`NotRegistered`.

        ``expired``: its expired certificate lets it in, to be renewed at once (A00.FR.429). ``downgrade``: from
        security profile 3 it may go back to 2, never to 1 (A00.FR.005 with the errata of 2025).
        """
        await self.show(identity)
        await self._book.allow(identity, expired=expired, downgrade=downgrade)

    async def _add(self, identity: str, wanted: _Wanted, speaks: Version | None) -> Registered:
        self._check(wanted)
        self._check_pin(
            StationRecord(
                identity, wanted.profile, backend=wanted.backend, group=wanted.group, pinned_version=wanted.version
            )
        )
        needs_one = wanted.password is None and wanted.profile < 3
        generated = self._generate(speaks) if needs_one else None
        chosen = generated if wanted.password is None else wanted.password
        try:
            record = await self._book.add(
                identity,
                profile=wanted.profile,
                serial=wanted.serial,
                backend=wanted.backend,
                password_hash=None if chosen is None else await self._hash(chosen),
                pinned_version=wanted.version,
                group=wanted.group,
            )
        except IdentityRejected as error:
            raise RegistrationInvalid(f"identity: {error}") from None
        return Registered(record, generated)

    def _check(self, wanted: _Wanted) -> None:
        if wanted.profile not in PROFILES:
            raise RegistrationInvalid(f"security profile {wanted.profile} does not exist; use 1, 2 or 3")
        _check_serial(wanted.serial)
        _check_group(wanted.group)
        self._check_backend(wanted.backend)

    def _check_backend(self, backend: str | None) -> None:
        if backend is not None and backend not in self._backends:
            there_is = ", ".join(self._backends)
            raise RegistrationInvalid(f"no backend {backend[:60]!r} is configured; there is {there_is}")

    def _generate(self, version: Version | None) -> str:
        return self._passwords.generate_key() if version is Version.V16 else self._passwords.generate()

    async def _hash(self, password: str) -> str:
        try:
            self._passwords.check(password)
        except ValueError as error:
            raise RegistrationInvalid(str(error)) from None
        return await asyncio.to_thread(self._passwords.hash, password)


def _check_serial(serial: str | None) -> None:
    if serial is None:
        return
    is_plain = serial.isascii() and serial.isprintable() and serial == serial.strip()
    if not (0 < len(serial) <= SERIAL_MAX and is_plain):
        raise RegistrationInvalid(
            f"a serial number has 1 to {SERIAL_MAX} printable ASCII characters and no space at its ends"
        )


def _check_group(group: str | None) -> None:
    if group is not None and not GROUP.fullmatch(group):
        raise RegistrationInvalid("a group's name has up to 64 letters, digits, and . _ - behind the first")
