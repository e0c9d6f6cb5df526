"""Charging contracts (ISO 15118): which vehicle has which, and what became of each request for a certificate."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.session.provisionings import ProvisioningEntry
from pki.iso15118.identifiers import Emaid, Pcid

PER_VEHICLE_MAX: Final = 20
"""Contracts of one vehicle: it gets a certificate for each (ISO 15118-20), and asks once for every one of them."""
BATCH_MAX: Final = 10_000
"""Contracts that are registered in one go."""
PROBLEMS_SHOWN: Final = 20
"""Problems of one batch that are told."""


class Outcome(enum.Enum):
    """What became of a vehicle's request for a contract certificate."""

    ISSUED = "issued"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class NewContract:
    """A contract that is to be registered: from ``valid_from`` on and before ``valid_until``; None: no such bound.

    Times are aware. Raises ValueError when it would never be valid.
    """

    pcid: Pcid
    emaid: Emaid
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    is_default: bool = False
    """The one that the vehicle gets where it can have only one (ISO 15118-2)."""

    def __post_init__(self) -> None:
        check_period(self.valid_from, self.valid_until)


@dataclass(frozen=True, slots=True)
class ContractRecord:
    """A registered contract. Times are aware, in UTC."""

    id: int
    """Rises in the order in which contracts were registered; no number is used twice."""
    pcid: str
    emaid: str
    """In its wire form: capitals, no hyphens."""
    valid_from: datetime | None
    valid_until: datetime | None
    is_default: bool
    added_at: datetime
    added_by: str
    changed_at: datetime
    changed_by: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the contracts of a batch; those that are there already keep what the batch doesn't change."""

    added: int
    changed: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class ProvisioningRecord:
    """What is kept of one request for a contract certificate."""

    id: int
    """Rises in the order in which they were kept; no number is used twice."""
    entry: ProvisioningEntry

    @property
    def outcome(self) -> Outcome:
        """What became of it."""
        return outcome_of(self.entry)


class ContractInvalid(ValueError):
    """It can't be a contract; the text says what is wrong."""


class ContractRefused(Exception):
    """The contract can't be registered as things stand; the text says why and what to do."""


class ContractUnknown(LookupError):
    """There is no such contract; the text says so."""


class BatchRefused(Exception):
    """Nothing of a batch was registered: ``problems`` are pairs of a line's number and what is wrong with it."""

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        self.problems = [*problems]
        shown = "; ".join(f"line {line}: {text}" for line, text in self.problems[:PROBLEMS_SHOWN])
        more = len(self.problems) - PROBLEMS_SHOWN
        super().__init__(f"nothing was registered: {shown}" + (f"; and {more} more" if more > 0 else ""))


def outcome_of(entry: ProvisioningEntry) -> Outcome:
    """Return what became of a request."""
    return Outcome.ISSUED if entry.refusal is None else Outcome.REFUSED


def check_period(valid_from: datetime | None, valid_until: datetime | None) -> None:
    """Return when a contract can be valid from the one to the other; None: no bound. Raises ContractInvalid."""
    if any(each is not None and each.tzinfo is None for each in (valid_from, valid_until)):
        raise ContractInvalid("a contract's times need a zone, such as 2026-01-31T00:00:00Z")
    if valid_from is not None and valid_until is not None and valid_from >= valid_until:
        raise ContractInvalid(f"it would never be valid: from {valid_from.isoformat()} until {valid_until.isoformat()}")
