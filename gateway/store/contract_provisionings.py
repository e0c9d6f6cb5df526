"""The audit of contract certificates: each that was given to a vehicle, each request that was refused.

What was issued is kept for good. Of refusals the newest ``REFUSALS_KEPT`` of each station are: a station that asks
without end fills no disk, and pushes out nobody's entries but its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, Final

from cryptography import x509
from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, select
from sqlalchemy.exc import IntegrityError

from gateway.session.contracts import Outcome, ProvisioningRecord, outcome_of
from gateway.session.identity import IDENTITY_MAX
from gateway.session.provisionings import ProvisioningEntry
from gateway.store.certificate_records import CertificateKnown
from gateway.store.columns import UtcTime, bounded_text, utc_now
from gateway.store.contract_certificates import record_issued
from gateway.store.contract_models import ContractProvisioningRow
from gateway.store.database import Database
from pki.iso15118.identifiers import Emaid
from pki.iso15118.provisioning import Refusal

REFUSALS_KEPT: Final = 1000
"""Refusals that are kept of one station; the oldest go. What was issued never goes."""
TEXT_MAX: Final = 1024
"""Characters kept of what is said for a person."""
WORD_MAX: Final = 512
"""Characters kept of every other text."""

_SAID: Final = tuple(field.name for field in fields(ProvisioningEntry))
_COLUMNS: Final = (
    ContractProvisioningRow.id,
    *(getattr(ContractProvisioningRow, name) for name in _SAID),
)
_ADD: Final = insert(ContractProvisioningRow)
_NEWEST: Final = select(*_COLUMNS).order_by(ContractProvisioningRow.id.desc()).limit(bindparam("at_most"))
_FILTERS: Final = {
    "of_station": ContractProvisioningRow.station == bindparam("of_station"),
    "of_pcid": ContractProvisioningRow.pcid == bindparam("of_pcid"),
    "of_key": ContractProvisioningRow.emaid_key == bindparam("of_key"),
    "of_outcome": ContractProvisioningRow.outcome == bindparam("of_outcome"),
    "of_refusal": ContractProvisioningRow.refusal == bindparam("of_refusal"),
    "from_time": ContractProvisioningRow.at >= bindparam("from_time", type_=UtcTime()),
    "before_id": ContractProvisioningRow.id < bindparam("before_id"),
}
_REFUSALS: Final = (
    ContractProvisioningRow.station == bindparam("of_station"),
    ContractProvisioningRow.outcome == Outcome.REFUSED.value,
)
_FIRST_TO_GO: Final = (
    select(ContractProvisioningRow.id)
    .where(*_REFUSALS)
    .order_by(ContractProvisioningRow.id.desc())
    .offset(REFUSALS_KEPT)
    .limit(1)
    .scalar_subquery()
)
_ISSUED_FOR: Final = select(ContractProvisioningRow.id).where(
    ContractProvisioningRow.digest == bindparam("of_digest"),
    ContractProvisioningRow.outcome == Outcome.ISSUED.value,
)
_FORGET: Final = delete(ContractProvisioningRow).where(*_REFUSALS, ContractProvisioningRow.id <= _FIRST_TO_GO)


class ContractProvisionings:
    """What became of the vehicles' requests, at all stations; it outlives them."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def note(self, entry: ProvisioningEntry) -> None:
        """Keep a refusal; what is too long is cut. Durable on return. Raises StoreUnavailable.

        Raises ValueError for an entry without one: see :meth:`issued`.
        """
        if entry.refusal is None:
            raise ValueError("what was issued is recorded with its certificate")
        row = _row(entry)

        def work(connection: Connection) -> None:
            connection.execute(_ADD, row)
            connection.execute(_FORGET, {"of_station": row["station"]})

        await self._database.write(work)

    async def issued(
        self,
        entry: ProvisioningEntry,
        certificate: x509.Certificate,
        *,
        usage: str,
        predecessor: x509.Certificate | None = None,
    ) -> None:
        """Keep that a vehicle is given a contract certificate, and the certificate: before the vehicle has it.

        ``usage``: whose authority issued it, ``contract`` or ``contract_20``; ``seen`` for one that isn't ours to
        revoke. ``predecessor``, the certificate that the vehicle updates, is superseded if it was provided here; one
        that ours issued is revoked when the grace of ``revocation.superseded_after`` is over. One SQL transaction,
        durable on return. Raises StoreUnavailable, ValueError when the entry names no eMAID or a refusal, and
        CertificateKnown for a serial number that its authority has given before.
        """
        if entry.refusal is not None:
            raise ValueError("what was refused has no certificate")
        now = self._clock()

        def work(connection: Connection) -> None:
            record_issued(connection, certificate, entry, usage=usage, predecessor=predecessor, now=now)
            connection.execute(_ADD, _row(entry))

        try:
            await self._database.write(work)
        except IntegrityError as error:
            raise CertificateKnown(f"the certificate {certificate.serial_number:x} is recorded already") from error

    async def was_issued(self, digest: str) -> bool:
        """Return whether the request of this SHA-256 (hex) has ever brought a certificate. Raises StoreUnavailable."""
        found = await self._database.read(
            lambda connection: connection.execute(_ISSUED_FOR, {"of_digest": digest}).first()
        )
        return found is not None

    async def list(  # noqa: PLR0913 - the filters, each by its name
        self,
        *,
        station: str | None = None,
        pcid: str | None = None,
        emaid: str | None = None,
        outcome: Outcome | str | None = None,
        refusal: Refusal | str | None = None,
        since: datetime | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> Sequence[ProvisioningRecord]:
        """Return at most ``limit`` entries, the newest first; None: any. The next page begins before the last one's id.

        Raises StoreUnavailable, and ValueError for what isn't an eMAID, an outcome, a refusal or an aware time.
        """
        wanted = {
            "of_station": station,
            "of_pcid": None if pcid is None else pcid.upper(),
            "of_key": None if emaid is None else Emaid.of_peer(emaid).key,
            "of_outcome": None if outcome is None else Outcome(outcome).value,
            "of_refusal": None if refusal is None else Refusal(refusal).value,
            "from_time": since,
            "before_id": before_id,
        }
        given = {name: value for name, value in wanted.items() if value is not None}
        statement = _NEWEST.where(*(_FILTERS[name] for name in given))
        values = {**given, "at_most": limit}
        rows = await self._database.read(lambda connection: connection.execute(statement, values).mappings().all())
        return [_record(row) for row in rows]


def _row(entry: ProvisioningEntry) -> dict[str, Any]:
    row = {
        name: bounded_text(value, TEXT_MAX if name == "text" else WORD_MAX) if isinstance(value, str) else value
        for name, value in asdict(entry).items()
    }
    return row | {
        "station": bounded_text(entry.station, IDENTITY_MAX),
        "refusal": None if entry.refusal is None else entry.refusal.value,
        "outcome": outcome_of(entry).value,
        "emaid_key": _key(entry.emaid),
    }


def _key(emaid: str | None) -> str | None:
    """A request may name whatever its certificate does, which needn't be an eMAID."""
    try:
        return None if emaid is None else Emaid.of_peer(emaid).key
    except ValueError:
        return None


def _record(row: RowMapping) -> ProvisioningRecord:
    said: dict[str, Any] = {name: row[name] for name in _SAID}
    refusal = None if row["refusal"] is None else Refusal(row["refusal"])
    return ProvisioningRecord(row["id"], ProvisioningEntry(**{**said, "refusal": refusal}))
