"""All tests by the keys that they have in a policy file, and several of them on one value."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from policies.matchers.arguments import Where, meant
from policies.matchers.choices import compile_one_of, compile_owned
from policies.matchers.numbers import compile_number, compile_range
from policies.matchers.predicates import Holds, Predicate, all_of
from policies.matchers.texts import compile_length, compile_like, compile_pattern, compile_text
from policies.matchers.timestamps import compile_timestamp
from policies.matchers.urls import compile_url
from policies.vocabulary import Field
from policies.words import RuleError

TESTS: Final[Mapping[str, Callable[[object, Field, Where], Predicate]]] = {
    "length": compile_length,
    "like": compile_like,
    "number": compile_number,
    "one_of": compile_one_of,
    "owned": compile_owned,
    "pattern": compile_pattern,
    "range": compile_range,
    "text": compile_text,
    "timestamp": compile_timestamp,
    "url": compile_url,
}
"""Those that look at one value; ``present`` and ``register`` are of a whole entry, ``not`` of other tests."""

NOT: Final = "not"
PRESENT: Final = "present"
REGISTER: Final = "register"
NAMES: Final = (*TESTS, NOT, PRESENT, REGISTER)


def compile_tests(spec: Mapping[str, Any], field: Field, where: Where) -> Holds:
    """Compile the tests of ``spec``: all must hold of one value.

    Raises :class:`RuleError` for a test that isn't known, can't fit the field, or has a wrong argument.
    """
    return compile_predicate(spec, field, where).holds()


def compile_predicate(spec: object, field: Field, where: Where) -> Predicate:
    """Compile the tests of ``spec`` into one."""
    if not isinstance(spec, Mapping) or not spec:
        raise RuleError(where, f"must be a mapping of tests; there are {', '.join(NAMES)}")
    return all_of([_compile(name, argument, field, (*where, name)) for name, argument in spec.items()])


def _compile(name: str, argument: object, field: Field, where: Where) -> Predicate:
    if name == NOT:
        return compile_predicate(argument, field, where).negated()
    if name in TESTS:
        return TESTS[name](argument, field, where)
    if name == PRESENT:
        raise RuleError(where, "`present` can't be negated or nested: write `present: false`")
    if name == REGISTER:
        raise RuleError(where, "`register` stands alone in an entry of `fields`, or alone within its `not`")
    raise RuleError(where, f"no such test: {name!r}{meant(str(name), NAMES)}; there are {', '.join(NAMES)}")
