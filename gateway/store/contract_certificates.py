"""The contract certificates that vehicles were given: in the inventory as all certificates are, with whose they are.

Those that an authority of ours issued have its usage there, ``contract`` or ``contract_20``, and are superseded,
revoked and told to it as a station's are; another's are only seen.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, RowMapping, bindparam, case, insert, or_, select, update

from gateway.session.provisionings import ContractStatus, ProvidedCertificate, ProvisioningEntry
from gateway.store import registry
from gateway.store.certificate_records import (
    COLUMNS,
    FOREIGN,
    SEEN,
    CertificateAmbiguous,
    CertificateRecord,
    CertificateState,
    canonical_serial,
    to_record,
    to_row,
)
from gateway.store.certificate_steps import note_step, revoke_all
from gateway.store.certificates import in_states
from gateway.store.columns import bounded_text, utc_now
from gateway.store.contract_models import ContractCertificateRow
from gateway.store.database import Database
from gateway.store.models import CertificateRow
from pki.iso15118.identifiers import Emaid
from pki.profiles import OF_USE

OF_VEHICLE: Final = ""
"""Identity of a contract certificate in the inventory: it is no station's."""
NAME_MAX: Final = 512
"""Characters kept of a distinguished name of another's certificate."""
STATES: Final = (
    CertificateState.ISSUED,
    CertificateState.SUPERSEDED,
    CertificateState.REVOKED,
    CertificateState.EXPIRED,
)
"""The states that a contract certificate has."""

_SIDE: Final = (
    ContractCertificateRow.emaid,
    ContractCertificateRow.pcid,
    ContractCertificateRow.station,
    ContractCertificateRow.provider,
    ContractCertificateRow.schema,
    ContractCertificateRow.issuer,
    ContractCertificateRow.predecessor_id,
)
_ALL: Final = (
    select(*COLUMNS, *_SIDE)
    .join(ContractCertificateRow, ContractCertificateRow.certificate_id == CertificateRow.id)
    .order_by(CertificateRow.id)
    .limit(bindparam("at_most"))
)
_FILTERS: Final = {
    "of_pcid": ContractCertificateRow.pcid == bindparam("of_pcid"),
    "of_key": ContractCertificateRow.emaid_key == bindparam("of_key"),
    "of_station": ContractCertificateRow.station == bindparam("of_station"),
    "of_provider": ContractCertificateRow.provider == bindparam("of_provider"),
    "after_id": CertificateRow.id > bindparam("after_id"),
}
_NAMED: Final = or_(
    CertificateRow.serial == bindparam("of_serial"), CertificateRow.fingerprint == bindparam("of_fingerprint")
)
_KNOWN: Final = (
    select(CertificateRow.id, ContractCertificateRow.certificate_id)
    .outerjoin(ContractCertificateRow, ContractCertificateRow.certificate_id == CertificateRow.id)
    .where(CertificateRow.fingerprint == bindparam("of_fingerprint"))
)
_WORST: Final = {CertificateState.REVOKED.value: 0, CertificateState.SUPERSEDED.value: 1}
# Of an ECDSA signature (r, s) everybody can make (r, -s), and so another fingerprint: a certificate that somebody comes
# with is looked for by its issuer and number, which another CA could repeat, and known by all that is signed.
_PROVIDED: Final = (
    select(
        CertificateRow.id,
        CertificateRow.state,
        CertificateRow.chain,
        CertificateRow.not_after,
        ContractCertificateRow.emaid,
        ContractCertificateRow.pcid,
        ContractCertificateRow.predecessor_id,
    )
    .join(ContractCertificateRow, ContractCertificateRow.certificate_id == CertificateRow.id)
    .where(CertificateRow.serial == bindparam("of_serial"), ContractCertificateRow.issuer == bindparam("of_issuer"))
    .order_by(
        case(_WORST, value=CertificateRow.state, else_=len(_WORST)),
        CertificateRow.id,
    )
)
_ADD: Final = insert(CertificateRow).returning(CertificateRow.id)
_ADD_SIDE: Final = insert(ContractCertificateRow)
_STATE: Final = select(CertificateRow.state).where(CertificateRow.id == bindparam("of_id"))
_SUPERSEDE: Final = update(CertificateRow).where(
    CertificateRow.id == bindparam("of_id"), CertificateRow.state == CertificateState.ISSUED.value
)


@dataclass(frozen=True, slots=True)
class ContractCertificate:
    """A contract certificate that a vehicle was given."""

    certificate: CertificateRecord
    """Its state is one of ``STATES``; ``usage`` is ``seen`` where none of our authorities issued it."""
    emaid: str
    """In its wire form."""
    pcid: str | None
    station: str
    """The identity of the station at which the vehicle was."""
    provider: str
    """Its key in ``plug_and_charge.providers``."""
    schema: str
    """iso15118SchemaVersion."""
    issuer: str
    """RFC 4514."""
    predecessor_id: int | None
    """The id of the certificate that the vehicle updated."""


class ContractCertificates:
    """The contract certificates of all vehicles. They are recorded with the audit (:class:`ContractProvisionings`)."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def list(
        self,
        *,
        pcid: str | None = None,
        emaid: str | None = None,
        station: str | None = None,
        provider: str | None = None,
        states: Collection[CertificateState | str] | None = None,
        after_id: int = 0,
        limit: int = 1000,
    ) -> Sequence[ContractCertificate]:
        """Return at most ``limit`` of those that fit, in the order in which they were issued; None: any.

        ``states`` are members or their values, as they are shown: expired too. The next page begins after the id of
        the last one's. Raises ValueError for what isn't an eMAID or a state.
        """
        now = self._clock()
        wanted = {
            "of_pcid": None if pcid is None else pcid.upper(),
            "of_key": None if emaid is None else Emaid.of_peer(emaid).key,
            "of_station": station,
            "of_provider": provider,
            "after_id": after_id,
        }
        given = {name: value for name, value in wanted.items() if value is not None}
        conditions = [_FILTERS[name] for name in given]
        if states is not None:
            conditions.append(in_states({CertificateState(state) for state in states}, now))
        statement, values = _ALL.where(*conditions), {**given, "at_most": limit}
        rows = await self._database.read(lambda connection: connection.execute(statement, values).mappings().all())
        return [_record(row, now) for row in rows]

    async def find(self, name: str) -> ContractCertificate | None:
        """Return the one of this serial number or SHA-256 fingerprint (hex as people write it), or None.

        Raises :class:`CertificateAmbiguous`, and ValueError for what isn't hex.
        """
        now = self._clock()
        key = {"of_serial": canonical_serial(name), "of_fingerprint": name.replace(":", "").lower(), "at_most": 10}
        statement = _ALL.where(_NAMED)
        rows = await self._database.read(lambda connection: connection.execute(statement, key).mappings().all())
        if len(rows) > 1:
            raise CertificateAmbiguous(name, [row["fingerprint"] for row in rows])
        return _record(rows[0], now) if rows else None

    async def end_superseded(self, number: int) -> bool:
        """Revoke the certificate of this id if it is superseded, and leave it to be told; True: it was revoked now.

        Raises StoreUnavailable.
        """
        found = await self._database.read(lambda connection: connection.execute(_STATE, {"of_id": number}).scalar())
        if found != CertificateState.SUPERSEDED.value:
            return False
        now = self._clock()

        def work(connection: Connection) -> bool:
            reason = x509.ReasonFlags.superseded.value
            if not revoke_all(connection, [number], reason, now, "its vehicle has the next one"):
                return False
            registry.revise(connection)
            return True

        return await self._database.write(work)

    async def provided(self, certificate: x509.Certificate) -> ProvidedCertificate | None:
        """Return how one stands, whether or not its time is over; None: no vehicle was given it here.

        Raises StoreUnavailable.
        """
        row = await self._database.read(lambda connection: _provided(connection, certificate))
        return None if row is None else _known(row)

    async def named(self, serial: int, issuer: x509.Name) -> ProvidedCertificate | None:
        """Return how one stands of which only issuer and number are known: the worst, should there be two.

        Its dates aren't known to who asks: EXPIRED when it isn't revoked and its time is over. Raises StoreUnavailable.
        """
        key = {"of_serial": format(serial, "x"), "of_issuer": _issuer(issuer)}
        row = await self._database.read(lambda connection: connection.execute(_PROVIDED, key).mappings().first())
        if row is None:
            return None
        known = _known(row)
        is_over = known.status is not ContractStatus.REVOKED and row["not_after"] < self._clock()
        return replace(known, status=ContractStatus.EXPIRED) if is_over else known


def record_issued(
    connection: Connection,
    certificate: x509.Certificate,
    entry: ProvisioningEntry,
    *,
    usage: str,
    predecessor: x509.Certificate | None,
    now: datetime,
) -> None:
    """Record in a SQL transaction that a vehicle is given ``certificate``, and that it supersedes ``predecessor``.

    ``usage``: whose authority issued it, ``contract`` or ``contract_20``, or ``seen``: none of ours did. One that is
    recorded already (a provider may give the same again) gets a step in its history.
    """
    said = f"given to a vehicle at station {entry.station}"
    known = connection.execute(_KNOWN, {"of_fingerprint": fingerprint_of(certificate)}).first()
    former = None if predecessor is None else _provided(connection, predecessor)
    if known is None:
        record = _new_record(certificate, usage, now)
        number = connection.execute(_ADD, to_row(record)).scalar_one()
    else:
        number = known.id
    note_step(connection, number, CertificateState.ISSUED, now, said)
    if known is None or known.certificate_id is None:
        connection.execute(_ADD_SIDE, _side(number, certificate, entry, former))
    if former is not None and former["id"] != number:
        values = {"of_id": former["id"], "state": CertificateState.SUPERSEDED.value, "changed_at": now}
        if connection.execute(_SUPERSEDE, values).rowcount:
            serial = format(certificate.serial_number, "x")
            note_step(connection, former["id"], CertificateState.SUPERSEDED, now, f"the vehicle was given {serial}")


def fingerprint_of(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate's DER in hex, as the inventory has it."""
    return certificate.fingerprint(SHA256()).hex()


def _known(row: RowMapping) -> ProvidedCertificate:
    return ProvidedCertificate(ContractStatus(row["state"]), row["emaid"], row["pcid"], row["predecessor_id"])


def _provided(connection: Connection, certificate: x509.Certificate) -> RowMapping | None:
    """Return how a contract certificate that was provided here stands: the worst, should there be two of its number."""
    key = {"of_serial": format(certificate.serial_number, "x"), "of_issuer": _issuer(certificate.issuer)}
    rows = connection.execute(_PROVIDED, key).mappings()
    return next((row for row in rows if _signed_part(row["chain"]) == certificate.tbs_certificate_bytes), None)


def _signed_part(pem: str) -> bytes:
    return x509.load_pem_x509_certificate(pem.encode("ascii")).tbs_certificate_bytes


def _issuer(name: x509.Name) -> str:
    return bounded_text(name.rfc4514_string(), NAME_MAX)


def _new_record(certificate: x509.Certificate, usage: str, now: datetime) -> CertificateRecord:
    return CertificateRecord(
        OF_VEHICLE,
        format(certificate.serial_number, "x"),
        fingerprint_of(certificate),
        bounded_text(certificate.subject.rfc4514_string(), NAME_MAX),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        CertificateState.ISSUED,
        certificate.public_bytes(Encoding.PEM).decode("ascii"),
        now,
        now,
        usage=usage,
        profile=FOREIGN if usage == SEEN else OF_USE[usage],
    )


def _side(
    number: int, certificate: x509.Certificate, entry: ProvisioningEntry, former: RowMapping | None
) -> dict[str, str | int | None]:
    emaid = entry.emaid or ""
    return {
        "certificate_id": number,
        "emaid": emaid,
        "emaid_key": Emaid.of_peer(emaid).key,
        "pcid": entry.pcid or (former["pcid"] if former is not None else None),
        "station": entry.station,
        "provider": entry.provider or "",
        "schema": entry.schema,
        "issuer": _issuer(certificate.issuer),
        "predecessor_id": former["id"] if former is not None else None,
    }


def _record(row: RowMapping, now: datetime) -> ContractCertificate:
    values: dict[str, Any] = dict(row)
    side = {column.key: values.pop(column.key) for column in _SIDE}
    return ContractCertificate(to_record(values, now), **side)
