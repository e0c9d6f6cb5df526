"""All that the lint looks for, over a whole policy."""

import contextlib
from collections.abc import Iterator

from policies.lint import contradictions, fieldless, names, reach, undone, void
from policies.lint.names import Names
from policies.lint.subjects import Subject, subjects_of
from policies.problems import Problem, Severity, in_order
from policies.rules import Place
from policies.source import Draft
from policies.vocabulary import Vocabulary
from policies.words import Effect, RuleError, Schemas

UNKNOWN = Names()


def lint(draft: Draft, schemas: Schemas, configured: Names = UNKNOWN) -> tuple[Problem, ...]:
    """Return what a policy says in vain: warnings, by the order of their lines.

    What keeps a policy from loading is not among them: ``Draft.problems`` and the compiler have it.
    """
    vocabulary = Vocabulary(schemas)
    subjects = tuple(subjects_of(draft.rules, vocabulary))
    return in_order(_found(draft, subjects, vocabulary, configured))


def _found(draft: Draft, subjects: tuple[Subject, ...], vocabulary: Vocabulary, configured: Names) -> Iterator[Problem]:
    yield from reach.unreached(subjects, draft.sources)
    yield from reach.waved_through(subjects)
    yield from reach.doubled(subjects)
    yield from reach.nearly_replacing(subjects)
    yield from undone.overwritten(subjects)
    for subject in subjects:
        with contextlib.suppress(RuleError):  # a path that is none: the compiler says so
            yield from _found_in(subject, vocabulary, configured)
    if draft.default is Effect.DENY:
        yield from _closed(draft, subjects)


def _found_in(subject: Subject, vocabulary: Vocabulary, configured: Names) -> Iterator[Problem]:
    yield from names.wrong_way(subject)
    yield from names.matching_nobody(subject, configured)
    yield from void.limiting_answers(subject)
    yield from void.recoding_errors(subject)
    yield from void.denying_by_yes(subject)
    yield from void.meaning_all(subject)
    yield from contradictions.contradicting(subject)
    yield from contradictions.beyond_the_schema(subject, vocabulary)
    yield from undone.idle(subject, vocabulary)
    yield from fieldless.without_field(subject, vocabulary)


def _closed(draft: Draft, subjects: tuple[Subject, ...]) -> Iterator[Problem]:
    place = Place(draft.sources[0].name, 1)
    for stage, kind in reach.never_allowed(subjects):
        text = f"default: deny refuses every {kind.value} at {stage.value}: no rule allows one there"
        yield Problem(place, text, severity=Severity.WARNING)
