"""Rules as the lint looks at them: with the messages that they are for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from policies.lint.directions import can_come
from policies.problems import Problem, Severity
from policies.rules import Match, Rule
from policies.vocabulary import Vocabulary
from policies.words import Effect, Mode, RuleError, Target

ENDING: Final = frozenset({Effect.ALLOW, Effect.DENY, Effect.ANSWER, Effect.QUARANTINE})
"""Effects behind which no rule looks at a message. A limit ends only what is over it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One rule of a policy."""

    rule: Rule
    targets: tuple[Target, ...]
    messages: int
    """The targets of which there are messages, as a set: a bit for each. Many are compared."""

    @property
    def is_unconditional(self) -> bool:
        """True when nothing but its match decides whether it applies."""
        return not self.rule.fields and not self.rule.any and self.rule.when is None

    @property
    def ends(self) -> bool:
        """True when no later rule looks at a message that it applies to."""
        return self.rule.effect in ENDING and self.rule.mode is Mode.ENFORCE

    def meets(self, other: "Subject") -> bool:
        """Return whether there are messages that both are for."""
        return self.messages & other.messages != 0

    def is_within(self, other: "Subject") -> bool:
        """Return whether each message that it is for is one that ``other`` is for."""
        return not self.messages & ~other.messages

    def applies_whenever(self, other: "Subject") -> bool:
        """Return whether it surely applies to each message that ``other`` applies to, of those that both are for."""
        mine, its = self.rule, other.rule
        return (
            _is_as_wide(mine.match, its.match)
            and all(entry in its.fields for entry in mine.fields)
            and (not mine.any or mine.any == its.any)
            and (mine.when is None or mine.when == its.when)
        )

    def finding(self, text: str, *where: str | int) -> Problem:
        return Problem(self.rule.place_of(where), text, self.rule.id, Severity.WARNING)


def subjects_of(rules: Sequence[Rule], vocabulary: Vocabulary) -> Iterator[Subject]:
    """Yield each rule whose match can be read; of the others, the compiler says what is wrong."""
    places: dict[Target, int] = {}
    for rule in rules:
        try:
            targets = vocabulary.targets(rule)
        except RuleError:
            continue
        bits = (1 << places.setdefault(target, len(places)) for target in targets if can_come(target))
        yield Subject(rule, targets, sum(bits))


def _is_as_wide(one: Match, other: Match) -> bool:
    """Return whether a match is for every station that the other one is for."""
    pairs = ((one.stations, other.stations), (one.groups, other.groups), (one.backends, other.backends))
    return all(not mine or (its and set(its) <= set(mine)) for mine, its in pairs)
