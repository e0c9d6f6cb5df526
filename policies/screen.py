"""Which rules of a bucket may concern a message: their first checks, all of them in one walk over the payload."""

from collections.abc import Sequence

from policies.matchers.field_checks import FieldCheck
from policies.matchers.walks import Leaf, walk


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
        absent = sum(bit_of[rule] for rule, check in checks if check.wants_absence)
        self.look = walk(leaves, absent)
        """Returns the bits of the rules whose check holds; 0 for nearly every message."""

    def positions(self, found: int) -> Sequence[int]:
        """Return the indexes of the rules of which :attr:`look` has found the bits, in order."""
        rules: list[int] = []
        while found:
            lowest = found & -found
            rules.append(self._rules[lowest.bit_length() - 1])
            found ^= lowest
        return rules
