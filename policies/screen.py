"""Which rules of a bucket may concern a message: their first checks, all of them in one walk over the payload."""

from collections.abc import Sequence
from typing import Final

from policies.matchers.field_checks import FieldCheck
from policies.matchers.walks import Leaf, walk
from policies.words import Payload, Surroundings

NONE: Final[tuple[int, ...]] = ()
"""The candidates of nearly every message: one object."""


class Screen:
    """The first check of every rule of one bucket (stage, kind, protocol, action), by the rule's index.

    A rule may have several: it is a candidate when one of them holds. None of these may want an absence.
    """

    def __init__(self, checks: Sequence[tuple[int, FieldCheck]]) -> None:
        self._rules = sorted({rule for rule, _ in checks})
        bit_of = {rule: 1 << place for place, rule in enumerate(self._rules)}
        leaves = [
            Leaf(leaf.steps, leaf.predicate, bit_of[rule], leaf.is_described)
            for rule, check in checks
            for leaf in check.leaves
        ]
        self._walk = walk(leaves)
        self._absent = sum(bit_of[rule] for rule, check in checks if check.wants_absence)

    def candidates(self, payload: Payload, surroundings: Surroundings) -> Sequence[int]:
        """Return the indexes of the rules whose check holds, in order; always the same empty tuple for none."""
        found = self._walk(payload, surroundings) ^ self._absent
        if not found:
            return NONE
        rules: list[int] = []
        while found:
            lowest = found & -found
            rules.append(self._rules[lowest.bit_length() - 1])
            found ^= lowest
        return rules
