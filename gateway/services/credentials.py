"""The rotation of a station's Basic password over OCPP (2.0.1 A01; 1.6 white paper A01, AuthorizationKey).

The new password's hash is durable before the station hears of it, and from then on both are accepted. The old one dies
exactly when the station has accepted. Where its answer is not known, because it didn't come or this process ended, both
stay accepted until the station uses one of them (``StationRegistry.password_used``).
"""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from gateway.bridge.ports import PeerUnavailable
from gateway.services.registration import Passwords
from gateway.services.station_commands import ConnectedStation, Outcome, Setting, change_setting
from gateway.session.ports import StationRecord
from gateway.session.security import Kind, SecurityEvent, SecurityLog
from gateway.wire.versions import Version

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger(__name__)

_OPEN: Final = (
    "the outcome of the last change of this station's password is not known yet: the station's next connection settles "
    "it; wait for that, or force another change (it forgets the password that was sent last, and a station that took "
    "it is locked out)"
)


class PasswordBook(Protocol):
    """The registry, as far as rotation changes it. All raise StoreAway."""

    async def find(self, identity: str) -> StationRecord | None:
        """Return the station, or None."""

    async def offer_password(self, identity: str, password_hash: str) -> None:
        """Accept this password too; durable on return. Raises KeyError when the station isn't registered."""

    async def settle_offer(self, identity: str, password_hash: str, *, accepted: bool) -> bool:
        """Make the offered password the only one, or forget it; False when it isn't on offer any more."""

    async def await_reboot(self, identity: str, password_hash: str) -> bool:
        """Let the offered password wait for the station's reboot; False when it isn't on offer any more."""


class RotationRefused(Exception):
    """No new password was sent; the text says why and what to do."""


class RotationRejected(Exception):
    """The station doesn't take a new password: the old one is valid as before (A01.FR.04). The text is its answer."""


class RotationUnanswered(Exception):
    """It is not known whether the station has taken the new password: both are accepted until it uses one."""


class CredentialRotation:
    """Gives stations new passwords, one at a time each. No password is returned, logged or kept (A01.FR.09)."""

    def __init__(self, book: PasswordBook, passwords: Passwords, security: SecurityLog) -> None:
        self._book = book
        self._passwords = passwords
        self._security = security
        self.when_settled: Callable[[], None] = lambda: None
        """Called when an old password has died: who was admitted by it in this very moment is to be looked at again."""
        self._rotating: set[str] = set()

    async def rotate(self, station: ConnectedStation, *, force: bool = False) -> Outcome:
        """Give the station a new password; return ACCEPTED, or REBOOT_REQUIRED when it uses the new one later.

        A station of security profile 3 gets one too: it needs it where it may go back to profile 2. ``force`` goes on
        although the last rotation isn't settled. Raises :class:`RotationRefused`, :class:`RotationRejected`,
        :class:`RotationUnanswered`, and StoreAway.
        """
        identity = station.identity
        if identity in self._rotating:
            raise RotationRefused("a new password is being sent to this station already; wait for its answer")
        self._rotating.add(identity)
        try:
            record = await self._check(station, force=force)
            return await self._rotate(station, record)
        finally:
            self._rotating.discard(identity)

    async def _check(self, station: ConnectedStation, *, force: bool) -> StationRecord:
        record = await self._book.find(station.identity)
        if record is None:
            raise RotationRefused("the station is not registered any more")
        if record.next_password_hash is not None and not force:
            raise RotationRefused(_OPEN)
        if not station.is_connected:
            raise RotationRefused("the station is not connected; a new password is sent over its connection")
        if not station.gate.may_send("SetVariables"):
            status = station.gate.status.value
            raise RotationRefused(
                f"the answer to the station's BootNotification is {status}: nothing may be sent to it"
            )
        return record

    async def _rotate(self, station: ConnectedStation, before: StationRecord) -> Outcome:
        identity = station.identity
        is_16 = station.version is Version.V16
        password = self._passwords.generate_key() if is_16 else self._passwords.generate()
        password_hash = await asyncio.to_thread(self._passwords.hash, password)
        try:
            await self._book.offer_password(identity, password_hash)
        except KeyError:
            raise RotationRefused("the station is not registered any more") from None
        try:
            reply = await change_setting(station, Setting.PASSWORD, password)
        except PeerUnavailable as away:
            self._note(station, f"a new password was sent, its fate is not known: {away}")
            raise RotationUnanswered(
                f"the station gave no answer ({away}): its old and its new password are accepted until it uses one"
            ) from None
        if reply.outcome is Outcome.REBOOT_REQUIRED:
            await self._book.await_reboot(identity, password_hash)
            self._note(station, "the password was changed, in force after the station's reboot")
            return reply.outcome
        # Before the caller hears: from here on the old one opens no door (A01.FR.03), or the new one none (FR.04).
        is_settled = await self._book.settle_offer(identity, password_hash, accepted=reply.is_accepted)
        if reply.is_accepted and not is_settled:
            await self._offer_again(station, password_hash, before)
        if not reply.is_accepted:
            log.warning("password_not_rotated", identity=identity, reason=reply.words)
            raise RotationRejected(f"the station answered {reply.words}; its old password is valid as before")
        self.when_settled()
        if station.proof.password_hash is not None:
            # The session goes on by the new one: nobody need cut it for having begun with the old.
            station.proof = replace(station.proof, password_hash=password_hash)
        self._note(station, "the password was changed")
        return reply.outcome

    async def _offer_again(self, station: ConnectedStation, password_hash: str, before: StationRecord) -> None:
        """The station has taken a password that is offered no more: a connection with the old one came in between.

        It holds all the same, or the station could never come in again; unless an operator has set another meanwhile.
        """
        record = await self._book.find(station.identity)
        if record is not None and record.password_hash == password_hash:
            return  # it has come with the new one before its answer was dealt with
        if record is None or record.password_hash != before.password_hash or record.next_password_hash is not None:
            log.error("password_set_meanwhile", identity=station.identity)
            self._note(station, "the station took a new password while an operator set another: set it anew")
            return
        await self._book.offer_password(station.identity, password_hash)
        await self._book.settle_offer(station.identity, password_hash, accepted=True)

    def _note(self, station: ConnectedStation, detail: str) -> None:
        log.info("password_rotation", identity=station.identity, detail=detail)
        self._security.note(SecurityEvent(Kind.RECONFIGURATION, detail, station.identity))
