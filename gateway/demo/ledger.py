"""What the backend will bill beside what the station's own meter counted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Session:
    """One charging session as one side has it: whose, and the energy register in Wh."""

    id_tag: str
    start: int
    samples: tuple[int, ...]
    stop: int

    @property
    def energy(self) -> int:
        """What was charged, in Wh."""
        return self.stop - self.start

    @classmethod
    def read(cls, account: Mapping[str, Any]) -> "Session":
        """Take what a process told. Raises ValueError when the session isn't whole."""
        start, samples, stop = account["start"], account["samples"], account["stop"]
        if None in (start, *samples, stop):
            raise ValueError(f"the session is not complete: {dict(account)}")
        return cls(account["id_tag"], start, tuple(samples), stop)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the comparison; what a side doesn't have is None."""

    what: str
    backend: str | None
    station: str | None

    @property
    def agrees(self) -> bool:
        """True when both sides say the same."""
        return self.backend == self.station


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides' sessions, line by line. They agree to the Wh or not at all."""

    backend: Session
    station: Session

    def lines(self) -> Iterator[Line]:
        """Yield the lines, energy last."""
        ours, theirs = self.backend, self.station
        yield Line("idTag", ours.id_tag, theirs.id_tag)
        yield Line("register at start", kwh(ours.start), kwh(theirs.start))
        for number, (booked, read) in enumerate(zip_longest(ours.samples, theirs.samples), start=1):
            yield Line(f"meter value {number}", _kwh_or_none(booked), _kwh_or_none(read))
        yield Line("register at stop", kwh(ours.stop), kwh(theirs.stop))
        yield Line("energy charged", kwh(ours.energy), kwh(theirs.energy))

    @property
    def agrees(self) -> bool:
        """True when every line does."""
        return all(line.agrees for line in self.lines())

    def table(self) -> Table:
        """Return the comparison for a person to read."""
        table = Table(title="The ledger, in kWh")
        table.add_column("")
        table.add_column("backend (OCPP 1.6)", justify="right")
        table.add_column("station's meter (OCPP 2.0.1)", justify="right")
        table.add_column("")
        for line in self.lines():
            mark = "[green]=[/]" if line.agrees else "[bold red]differs[/]"
            table.add_row(line.what, line.backend or "-", line.station or "-", mark)
        return table


def kwh(register: int) -> str:
    """Write whole Wh in kWh with three decimals, exactly."""
    sign = "-" if register < 0 else ""
    return f"{sign}{abs(register) // 1000}.{abs(register) % 1000:03}"


def _kwh_or_none(register: int | None) -> str | None:
    return None if register is None else kwh(register)
