"""How a certificate gets another state: the state and the step in its history, in one SQL transaction."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, or_, select, update

from gateway.store.certificate_records import (
    COLUMNS,
    DETAIL_MAX,
    REASON_MAX,
    SEEN,
    CertificateAmbiguous,
    CertificateState,
    canonical_serial,
)
from gateway.store.columns import bounded_text
from gateway.store.hot import HotStatement
from gateway.store.models import CertificateHistoryRow, CertificateRow

HISTORY_MAX: Final = 100
"""Steps kept of one certificate: a station that changes to and fro between two must not fill the disk."""

_NAMED: Final = (
    select(*COLUMNS)
    .where(
        or_(CertificateRow.serial == bindparam("of_serial"), CertificateRow.fingerprint == bindparam("of_fingerprint"))
    )
    .order_by(CertificateRow.id)
    .limit(10)
)
_STEP: Final = HotStatement(insert(CertificateHistoryRow), keys=("certificate_id", "state", "at", "detail"))
_KEPT: Final = (
    select(CertificateHistoryRow.id)
    .where(CertificateHistoryRow.certificate_id == bindparam("of_id"))
    .order_by(CertificateHistoryRow.id.desc())
    .offset(HISTORY_MAX)
    .limit(1)
    .scalar_subquery()
)
_FORGET: Final = HotStatement(
    delete(CertificateHistoryRow).where(
        CertificateHistoryRow.certificate_id == bindparam("of_id"), CertificateHistoryRow.id <= _KEPT
    )
)
_REVOKE: Final = (
    update(CertificateRow)
    .where(CertificateRow.id == bindparam("of_id"), CertificateRow.state != CertificateState.REVOKED.value)
    .values(
        state=CertificateState.REVOKED.value,
        changed_at=bindparam("at"),
        reason=bindparam("why"),
        authority_told=CertificateRow.usage == SEEN,
    )
)


def find_named(connection: Connection, name: str, *, ours: bool = False) -> RowMapping | None:
    """Return the certificate of this serial number or SHA-256 fingerprint, in hex as people write it, or None.

    ``ours``: one that we issued comes before those that were only seen. Raises :class:`CertificateAmbiguous`, and
    ValueError for what isn't hex.
    """
    key = {"of_serial": canonical_serial(name), "of_fingerprint": name.replace(":", "").lower()}
    found = connection.execute(_NAMED, key).mappings().all()
    if len(found) > 1 and ours:
        found = [each for each in found if each["usage"] != SEEN] or found
    if len(found) > 1:
        raise CertificateAmbiguous(name, [each["fingerprint"] for each in found])
    return found[0] if found else None


def note_step(connection: Connection, certificate: int, state: CertificateState, at: datetime, detail: str) -> None:
    """Add a step to the history of the certificate with this id; the oldest beyond ``HISTORY_MAX`` go."""
    values: dict[str, Any] = {"certificate_id": certificate, "state": state.value, "at": at}
    _STEP.count(connection, values | {"detail": bounded_text(detail, DETAIL_MAX)})
    _FORGET.count(connection, {"of_id": certificate})


def revoke_all(connection: Connection, certificates: Iterable[int], reason: str, at: datetime, detail: str) -> int:
    """Revoke those of these ids that aren't yet, and return how many that were.

    Their authorities are still to be told, but for those that none of ours issued. The caller moves the revision.
    """
    count = 0
    for certificate in certificates:
        values = {"of_id": certificate, "at": at, "why": bounded_text(reason, REASON_MAX)}
        if connection.execute(_REVOKE, values).rowcount:
            note_step(connection, certificate, CertificateState.REVOKED, at, detail)
            count += 1
    return count
