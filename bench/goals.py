"""The goals that a measurement stands for, each met or missed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal and what was measured."""

    what: str
    figure: float
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether it is met."""
        return self.figure >= self.limit if self.at_least else self.figure <= self.limit

    def row(self) -> tuple[str, str, str, str]:
        """Return its line of a table."""
        bound = "at least" if self.at_least else "at most"
        unit = f" {self.unit}" if self.unit else ""
        return self.what, f"{self.figure:g}{unit}", f"{bound} {self.limit:g}{unit}", "met" if self.met else "MISSED"


def as_json(goals: Sequence[Goal]) -> list[dict[str, Any]]:
    """Return the goals as they are kept in a file of results."""
    return [asdict(goal) | {"met": goal.met} for goal in goals]


def from_json(said: Sequence[dict[str, Any]]) -> list[Goal]:
    """Read the goals of a file of results."""
    return [Goal(**{name: value for name, value in each.items() if name != "met"}) for each in said]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of text, its columns as wide as they must be."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def goals_table(goals: Sequence[Goal]) -> str:
    """Return the table of goals."""
    return table(("goal", "measured", "limit", ""), [goal.row() for goal in goals])
