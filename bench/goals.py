"""The goals that a measurement stands for, each met or missed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final


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

    def as_json(self) -> dict[str, Any]:
        """Return it as it is kept in a file of results."""
        unit = f" {self.unit}" if self.unit else ""
        goal = f"{'>=' if self.at_least else '<='} {self.limit:g}{unit}"
        return {"what": self.what, "figure": f"{self.figure:g}{unit}", "goal": goal, "met": self.met}


def as_json(goals: Sequence[Goal]) -> list[dict[str, Any]]:
    """Return goals as they are kept."""
    return [goal.as_json() for goal in goals]


def handshakes(said: dict[str, Any]) -> list[Goal]:
    """Return the goals of ``handshakes.json``: the same work on both sides, a station's first time."""
    case = said["TLS 1.3, ECDSA P-256"]
    return [
        Goal(f"mutual TLS to an accepted WebSocket, {occasion}, CPU beside nginx", each["ratio"], 1.6)
        for occasion, each in case["gateway and leg"].items()
    ]


def storm(said: dict[str, Any]) -> list[Goal]:
    """Return the goals of ``storm.json``: the worst of the storms."""
    lag = [each["lag_ms"] for each in said["storms"]]
    name = f"lag of the event loop in a storm of {said['stations']}"
    return [
        Goal(f"{name}, p99", max(each["p99"] for each in lag), 20.0, "ms"),
        Goal(f"{name}, most", max(each["max"] for each in lag), 50.0, "ms"),
    ]


OF_FILES: Final = {"handshakes.json": handshakes, "storm.json": storm}
"""Files of results that hold no goals themselves."""


def everything(results: Path, since: float) -> list[dict[str, Any]]:
    """Return the goals of all files of results that were written after ``since``."""
    found: list[dict[str, Any]] = []
    for path in sorted(results.glob("*.json")):
        if path.stat().st_mtime >= since:
            said = json.loads(path.read_text(encoding="utf-8"))
            found += as_json(OF_FILES[path.name](said)) if path.name in OF_FILES else said.get("goals", [])
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of text, its columns as wide as they must be."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def goals_table(goals: Sequence[dict[str, Any]]) -> str:
    """Return the table of goals as they are kept."""
    rows = [(each["what"], each["figure"], each["goal"], "met" if each["met"] else "MISSED") for each in goals]
    return table(("goal", "measured", "limit", ""), rows)
