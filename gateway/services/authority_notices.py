"""Tells authorities of what was revoked here, until they have heard: nothing of it is forgotten in between."""

import asyncio
from collections.abc import Sequence
from typing import Final, Generic, Protocol, TypeVar

import structlog
from cryptography import x509

from gateway.services.certificate_flows import pause_or_wake
from gateway.services.looking import look_once
from pki.authority import AuthorityError, AuthorityUnavailable, RevocationUnsupported
from pki.reasons import FOR_GOOD

POLL: Final = 15.0
"""Seconds between two looks for revocations of which nobody has told: other processes revoke, too."""
RETRY_MAX: Final = 600.0
"""Seconds between two attempts, once an authority has long been away; the first ones are ``POLL`` apart."""
BATCH: Final = 100
"""Revocations that are read at once."""

log = structlog.get_logger(__name__)


class RevokedCertificate(Protocol):
    """A revoked certificate of the inventory."""

    @property
    def id(self) -> int:
        """Rises in the order in which certificates were recorded."""

    @property
    def serial(self) -> str:
        """Its serial number: lower-case hex without leading zeros."""

    @property
    def usage(self) -> str:
        """Whose authority issued it: station, v2g, server; or seen."""

    @property
    def reason(self) -> str | None:
        """The CRLReason, by the standard's name."""


R = TypeVar("R", bound=RevokedCertificate)


class Outbox(Protocol[R]):
    """The revocations that authorities haven't heard of. Both methods raise StoreAway."""

    async def untold(self, at_most: int, after_id: int) -> Sequence[R]:
        """Return the first of them behind ``after_id``."""

    async def told(self, record: R, detail: str) -> R:
        """The authority has heard, or needn't; return the record as it is now."""


class RevokingAuthority(Protocol):
    """An authority, as far as it is told."""

    async def revoke(self, serial: str, reason: x509.ReasonFlags) -> None:
        """Put a certificate on the authority's own list. Raises AuthorityError."""


class RevokingAuthorities(Protocol):
    """The authorities, by usage."""

    def revoking(self, usage: str) -> RevokingAuthority | None:
        """Return who issued certificates of this usage; None: no authority of ours, nobody is told.

        Raises AuthorityError when none is configured any more.
        """


class AuthorityNotices(Generic[R]):
    """Tells each revocation to the authority of the certificate's usage. To tell one twice does no harm."""

    def __init__(self, outbox: Outbox[R], authorities: RevokingAuthorities) -> None:
        self._outbox = outbox
        self._authorities = authorities
        self._news = asyncio.Event()

    def soon(self) -> None:
        """Something was revoked in this process: look for it now, not at the next poll."""
        self._news.set()

    async def tell(self, record: R) -> R:
        """Tell its authority, and return the record as it is now. Raises AuthorityError and StoreAway.

        One that can't ever be told isn't tried again: the error says what a person has to do.
        """
        authority = self._authorities.revoking(record.usage)
        if authority is None:
            return record
        reason = FOR_GOOD.get(record.reason or "", x509.ReasonFlags.unspecified)
        try:
            await authority.revoke(record.serial, reason)
        except RevocationUnsupported as error:
            await self._outbox.told(record, f"the authority of {record.usage} wasn't told: {error}")
            raise
        return await self._outbox.told(record, f"the authority of {record.usage} was told")

    async def run(self) -> None:
        """Tell what is waiting, for ever; ever more seldom while something of it can't be told."""
        delay = POLL
        while True:
            self._news.clear()
            is_done = await look_once(self.tell_all, "notices_failed")
            delay = POLL if is_done else min(2 * delay, RETRY_MAX)
            await pause_or_wake(self._news, delay)

    async def tell_all(self) -> bool:
        """Tell whatever waits; return whether nothing is left. One that is refused holds up no other.

        An authority that is away is asked once, not for each certificate. Raises StoreAway.
        """
        left = 0
        away: set[str] = set()
        after = 0
        while batch := await self._outbox.untold(BATCH, after):
            after = batch[-1].id
            for record in batch:
                left += record.usage in away or not await self._told(record, away)
        if left:
            log.warning("authority_notices_waiting", count=left)
        return not left

    async def _told(self, record: R, away: set[str]) -> bool:
        try:
            await self.tell(record)
        except AuthorityError as error:
            if isinstance(error, AuthorityUnavailable):
                away.add(record.usage)
            # The authority's own words say it; a traceback would not.
            log.error("authority_not_told", serial=record.serial, usage=record.usage, reason=str(error))  # noqa: TRY400 - see above
            return False
        log.info("authority_told", serial=record.serial, usage=record.usage)
        return True
