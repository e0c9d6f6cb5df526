"""How many certificates there are, for the metrics."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, case, func, literal, not_, select

from gateway.store.certificate_records import HELD, CertificateState
from gateway.store.columns import UtcTime, utc_now
from gateway.store.database import Database
from gateway.store.models import CertificateRow

_NOW: Final = bindparam("now", type_=UtcTime())
_REVOKED: Final = CertificateState.REVOKED.value
_HELD: Final = [state.value for state in HELD]
# Each is answered out of an index alone: the certificates themselves are large.
_COUNTS: Final = select(
    CertificateRow.usage,
    case(
        (CertificateRow.state == _REVOKED, literal(_REVOKED)),
        (CertificateRow.not_after <= _NOW, literal(CertificateState.EXPIRED.value)),
        else_=CertificateRow.state,
    ).label("shown"),
    func.count().label("count"),
).group_by("usage", "shown")
_EARLIEST: Final = (
    select(CertificateRow.usage, func.min(CertificateRow.not_after).label("not_after"))
    .where(CertificateRow.state.in_(_HELD), CertificateRow.not_after > _NOW)
    .group_by(CertificateRow.usage)
)
_UNTOLD: Final = select(func.count()).where(not_(CertificateRow.authority_told), CertificateRow.not_after > _NOW)


@dataclass(frozen=True, slots=True)
class Census:
    """The inventory in numbers."""

    by_usage_and_state: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """States as they are shown, expired too."""
    earliest_expiry: Mapping[str, datetime] = field(default_factory=dict)
    """By usage: when the first of the certificates that are installed or in use expires, of those that haven't yet."""
    authority_untold: int = 0
    """Revocations that an authority must still hear of."""


class CertificateCensus:
    """Counts the inventory."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def take(self) -> Census:
        """Return the present numbers. Raises StoreUnavailable."""
        key = {"now": self._clock()}

        def work(connection: Connection) -> Census:
            return Census(
                {(row["usage"], row["shown"]): row["count"] for row in connection.execute(_COUNTS, key).mappings()},
                {row.usage: row.not_after for row in connection.execute(_EARLIEST, key)},
                connection.execute(_UNTOLD, key).scalar_one(),
            )

        return await self._database.read(work)
