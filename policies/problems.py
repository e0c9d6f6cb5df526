"""What is wrong with a policy, and where: all of it, not only the first."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from policies.rules import Place


class Severity(StrEnum):
    """Whether a policy with such a problem loads."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: ``text`` names the key, what is wrong with it and what to do."""

    place: Place
    text: str
    rule: str | None = None
    """The id of the rule; None outside of the rules."""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        rule = "" if self.rule is None else f"rule {self.rule}: "
        return f"{self.place}: {rule}{self.text}"


class PolicyError(Exception):
    """A policy that can't be loaded; ``problems`` are all that are wrong with it, in the order of their lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = in_order(problems)
        super().__init__("\n".join(map(str, self.problems)))


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return each problem once, file by file in the order of its lines."""
    once = dict.fromkeys(problems)
    files = {each.place.source: None for each in once}
    order = {name: place for place, name in enumerate(files)}
    return tuple(sorted(once, key=lambda each: (order[each.place.source], each.place.line)))


def spelled(where: Iterable[str | int]) -> str:
    """Return a path within a file as people write it: ``fields[0].range.max``."""
    text = ""
    for step in where:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")
