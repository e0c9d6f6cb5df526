"""What the inventory tells of a certificate, and the errors of those that ask for one."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gateway.store.models import CertificateRow

STATION: Final = "station"
"""Usage of a station's own certificate, with which it comes to our doors."""
SERVER: Final = "server"
"""Usage of one of the gateway's own: it has no identity."""
CONTRACTS: Final = ("contract", "contract_20")
"""Usages of vehicles' contract certificates: they have no identity either, and no station's door opens to one."""
SEEN: Final = "seen"
"""Usage of a certificate that a station came with and none of our authorities issued."""
FOREIGN: Final = ""
"""Profile of a certificate that wasn't issued by a profile of ours."""
REASON_MAX: Final = 200
"""Characters kept of the reason why a certificate was revoked."""
DETAIL_MAX: Final = 300
"""Characters kept of a step's detail."""


class CertificateState(enum.Enum):
    """What became of a certificate."""

    ISSUED = "issued"
    """Its authority has signed it; nobody has taken it yet."""
    INSTALLED = "installed"
    """The station accepted it, and has not come with it yet."""
    IN_USE = "in_use"
    """It was shown at a door, or a listener of ours shows it; no newer one has been since."""
    REJECTED = "rejected"
    """The station refused it (CertificateSigned answered Rejected)."""
    SUPERSEDED = "superseded"
    """A newer one is in use; this one is revoked when the grace is over."""
    REVOKED = "revoked"
    """Revoked for good: no other state follows."""
    EXPIRED = "expired"
    """Its time is over, and it wasn't revoked before. Never stored: it follows from the dates."""


HELD: Final = (CertificateState.INSTALLED, CertificateState.IN_USE)
"""The states of a certificate that its station has."""


@dataclass(frozen=True, slots=True)
class CertificateRecord:
    """One certificate.

    ``serial`` is the certificate's serial number in lower-case hex without leading zeros, ``fingerprint`` the SHA-256
    of its DER in hex, ``chain`` the PEM of leaf and intermediates, ``changed_at`` when it got its state (of an expired
    one: the last that was stored). Times are UTC.
    """

    identity: str
    """The station's; empty for one of the gateway's own, and for a vehicle's contract."""
    serial: str
    fingerprint: str
    subject: str
    not_before: datetime
    not_after: datetime
    state: CertificateState
    chain: str
    issued_at: datetime
    """Of one that was only seen: its notBefore."""
    changed_at: datetime
    reason: str | None = None
    """Why it was revoked."""
    usage: str = STATION
    """What it is for: station, v2g, server, contract, contract_20; or seen: none of our authorities issued it."""
    profile: str = "charging_station"
    """The certificate profile that it was issued by; empty where that isn't known."""
    authority_told: bool = True
    """False while it is revoked here and its authority must still hear of it."""
    last_seen: datetime | None = None
    """When it was last shown at a door: the first time of that day."""
    id: int = 0
    """Rises in the order in which certificates were recorded."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step in the life of a certificate: the state that it got, when, and what there is to say of it."""

    state: CertificateState
    at: datetime
    detail: str


class CertificateKnown(Exception):
    """A certificate of this fingerprint, or of this authority's serial number, is recorded already."""


class CertificateUnknown(KeyError):
    """No certificate of this serial number or fingerprint is recorded."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"no certificate with the serial number {self.name!r} is recorded"


class CertificateAmbiguous(LookupError):
    """Several certificates have this serial number: each issuer has its own numbers."""

    def __init__(self, name: str, fingerprints: list[str]) -> None:
        super().__init__(
            f"several certificates have the serial number {name!r}, of different issuers: "
            f"name it by its SHA-256 fingerprint ({', '.join(fingerprints)})"
        )


COLUMNS: Final = (
    CertificateRow.identity,
    CertificateRow.serial,
    CertificateRow.fingerprint,
    CertificateRow.subject,
    CertificateRow.not_before,
    CertificateRow.not_after,
    CertificateRow.state,
    CertificateRow.chain,
    CertificateRow.issued_at,
    CertificateRow.changed_at,
    CertificateRow.reason,
    CertificateRow.usage,
    CertificateRow.profile,
    CertificateRow.authority_told,
    CertificateRow.last_seen,
    CertificateRow.id,
)
"""What a record is read from."""


def to_record(row: Mapping[Any, Any], now: datetime) -> CertificateRecord:
    """Return the record of a row of ``COLUMNS`` as it is at ``now``: expired, if its time is over."""
    values: dict[str, Any] = dict(row)
    state = CertificateState(values["state"])
    if state is not CertificateState.REVOKED and values["not_after"] <= now:
        state = CertificateState.EXPIRED
    values["state"] = state
    return CertificateRecord(**values)


def to_row(record: CertificateRecord) -> dict[str, Any]:
    """Return the values of a new certificate's row."""
    values = {column.key: getattr(record, column.key) for column in COLUMNS if column.key != "id"}
    return values | {"state": record.state.value}


def canonical_serial(serial: str) -> str:
    """Return a serial number in the form that is stored: lower-case hex, no colons, no leading zeros.

    ``0A:FF`` and ``aff`` are the same. Raises ValueError for what isn't hex.
    """
    return format(int(serial.replace(":", ""), 16), "x")
