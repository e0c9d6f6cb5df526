"""Conditions of rules in CEL (``when``): what is refused at load, and what they see of a message.

A condition sees ``payload``, ``station``, ``session`` and ``now``, of these only the values that it names. It can't
stall the event loop: its shape is bounded, and what it costs at most is measured when it is loaded.
"""

import contextlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from policies.cel.binding import Binding, bind
from policies.cel.evaluation import Run, compiled, failure
from policies.cel.examples import largest
from policies.cel.lexer import Where
from policies.cel.reading import ELEMENTS_MAX, reader_of
from policies.cel.syntax import parse
from policies.cel.types import check_types
from policies.cel.writing import dearest, write
from policies.vocabulary import Vocabulary
from policies.words import NOBODY, Facts, Payload, RuleError, RuleFailed, Surroundings, Target

CEL_LOAD_MAX: Final = 0.005
"""Seconds of CPU that one evaluation may take on the largest message."""

_RUNS: Final = 5
"""Times that each example is evaluated: the fastest counts, so that a busy machine refuses nothing."""

_LISTS: Final = (ELEMENTS_MAX // 16, ELEMENTS_MAX // 4, ELEMENTS_MAX)
"""Elements in the lists of examples, one after the other: what is too dear on short lists isn't tried on long ones."""

_SURROUNDINGS: Final = Surroundings(now=time.time, monotonic=time.monotonic, facts=lambda: NOBODY, owns=bool)
"""Of an example."""


class Condition:
    """One ``when``. ``cost`` is what it takes at most, in seconds of this machine's CPU."""

    __slots__ = ("_asked", "_facts", "_paths", "_read", "_run", "_uses_now", "constant", "cost", "text", "unasked")

    def __init__(self, text: str, binding: Binding, run: Run) -> None:
        self.text = text
        self.cost = 0.0
        self.constant: bool | None = None
        """What it says of every message, where it names nothing of any."""
        self.unasked = binding.unasked
        """Paths of optional fields that the condition takes without has(): where one is missing, it fails."""
        self._run = run
        self._read = reader_of(binding.payload)
        self._facts = tuple(binding.facts.items())
        self._asked = tuple(binding.asked.items())
        self._uses_now = binding.uses_now
        self._paths = binding.paths

    def holds(self, payload: Payload, surroundings: Surroundings) -> bool:
        """Return whether the condition holds of a message that fits its schema.

        Raises :class:`RuleFailed`, which bears no value of the message, for whatever goes wrong: a field that is
        missing, types that don't go together, a division by zero, a result that isn't true or false.
        """
        return self._evaluate(self._run, payload, surroundings)

    def _evaluate(self, run: Run, payload: Payload, surroundings: Surroundings) -> bool:
        try:
            values = self._read(payload)
            if self._facts or self._asked:
                self._add_facts(values, surroundings.facts())
            if self._uses_now:
                values["now"] = datetime.fromtimestamp(surroundings.now(), UTC)
            result = run(values)
        except BaseException as error:  # noqa: BLE001 - a panic in Rust is none; the end of the process is raised again
            raise failure(error, self._paths) from None
        if result is True or result is False:
            return result
        raise RuleFailed("the condition is neither true nor false")

    def _add_facts(self, values: dict[str, Any], facts: Facts) -> None:
        for name, attribute in self._facts:
            value = getattr(facts, attribute)
            if value is not None:
                values[name] = value
        for name, attribute in self._asked:
            values[name] = getattr(facts, attribute) is not None


def compile_condition(
    text: str, targets: Sequence[Target], vocabulary: Vocabulary, where: Where = ("when",)
) -> Condition:
    """Compile a condition for all messages that its rule is for.

    Raises :class:`RuleError` for what isn't CEL, what a condition may not do, what neither the schemas nor this module
    know, and what takes longer than ``CEL_LOAD_MAX``.
    """
    binding = bind(parse(text, where), targets, vocabulary, where)
    check_types(binding, where)
    compiled(text, where)  # its own errors speak of the text as it was written
    condition = Condition(text, binding, compiled(write(binding.node), where))
    _check_constant(condition, binding, where)
    condition.cost = _cost(condition, binding, compiled(write(dearest(binding.node)), where))
    if condition.cost > CEL_LOAD_MAX:
        raise RuleError(
            where,
            f"the condition takes {condition.cost * 1000:.1f} ms on a message as large as the schemas allow; at most "
            f"{CEL_LOAD_MAX * 1000:g}: look at less of it, or use `fields`",
        )
    return condition


def _check_constant(condition: Condition, binding: Binding, where: Where) -> None:
    """Say of a condition that names nothing what it says of every message. Raises RuleError for one that fails."""
    if binding.payload.slots or binding.facts or binding.asked or binding.uses_now:
        return
    try:
        condition.constant = condition.holds({}, _SURROUNDINGS)
    except RuleFailed as failed:
        raise RuleError(where, f"fails at every message, and so denies it: {failed}") from None


def _cost(condition: Condition, binding: Binding, run: Run) -> float:
    """Return the seconds of the dearest evaluation, or of the first that is too dear."""
    cost = 0.0
    for elements in _LISTS:
        for mixed in (False, True):
            payload = largest(binding.payload, mixed=mixed, elements=elements)
            took = [_seconds(condition, run, payload)]
            while len(took) < _RUNS and took[-1] < 20 * CEL_LOAD_MAX:
                took.append(_seconds(condition, run, payload))
            cost = max(cost, min(took))
            if cost > CEL_LOAD_MAX:
                return cost
    return cost


def _seconds(condition: Condition, run: Run, payload: Payload) -> float:
    """Return the CPU time of one evaluation: other work on the machine doesn't count."""
    began = time.thread_time()
    with contextlib.suppress(RuleFailed):
        condition._evaluate(run, payload, _SURROUNDINGS)  # noqa: SLF001 - measured is what holds() does
    return time.thread_time() - began
