"""Rules that no message reaches, because one before them has decided."""

import difflib
from collections.abc import Iterator, Sequence
from typing import Final

from policies.lint.directions import can_come
from policies.lint.subjects import Subject
from policies.problems import Problem
from policies.rules import Source
from policies.words import Effect, Kind, Mode, Stage

ALIKE: Final = 0.9
"""How much two ids must have in common (0 to 1) to be taken for the same one, mistyped."""
NAMED_MAX: Final = 5
"""Rules or actions that one finding names."""


def unreached(subjects: Sequence[Subject], sources: Sequence[Source]) -> Iterator[Problem]:
    """Find rules all of whose messages are decided by rules before them.

    A rule that a policy has inherited, and decides before, is no finding: that is how policies are narrowed.
    """
    depth = {source.name: place for place, source in enumerate(sources)}
    for place, later in enumerate(subjects):
        before = list(_covering(subjects[:place], later))
        left = later.messages
        for each in before:
            left &= ~each.messages
        outer = min((depth.get(each.rule.place.source, 0) for each in before), default=0)
        if before and not left and outer >= depth.get(later.rule.place.source, 0):
            names = listed([each.rule.id for each in before])
            yield later.finding(f"never reached: {names} decided before; move it up, or make what is before narrower")


def _covering(earlier: Sequence[Subject], later: Subject) -> Iterator[Subject]:
    for place, each in enumerate(earlier):
        if not each.ends or not each.meets(later) or not each.applies_whenever(later):
            continue
        if each.is_unconditional or not any(_may_change(between, later) for between in earlier[place + 1 :]):
            yield each


def _may_change(between: Subject, later: Subject) -> bool:
    return between.rule.effect is Effect.TRANSFORM and between.meets(later)


def waved_through(subjects: Sequence[Subject]) -> Iterator[Problem]:
    """Find rules that allow whole actions before the rules that would check them."""
    for place, each in enumerate(subjects):
        if each.rule.effect is not Effect.ALLOW or not each.ends or not each.is_unconditional:
            continue
        skipped = [later for later in subjects[place + 1 :] if _checks(later) and later.meets(each)]
        if skipped:
            checked = {target for later in skipped for target in later.targets if can_come(target)}
            actions = listed(sorted({target.action for target in each.targets if target in checked}))
            rules = listed([later.rule.id for later in skipped])
            text = f"allows {actions} whatever it holds, before {rules} look at it: give it `fields`, or move it down"
            yield each.finding(text, "allow")


def _checks(subject: Subject) -> bool:
    return subject.rule.effect not in {Effect.ALLOW, Effect.AUDIT}


def doubled(subjects: Sequence[Subject]) -> Iterator[Problem]:
    """Find rules that say the same as one before them."""
    for place, each in enumerate(subjects):
        twin = next((other for other in subjects[:place] if _says_the_same(other, each)), None)
        if twin is not None:
            yield each.finding(f"says the same as {twin.rule.id}: one of the two is enough")


def _says_the_same(one: Subject, other: Subject) -> bool:
    mine, its = one.rule, other.rule
    return (
        one.messages == other.messages
        and (mine.effect, mine.spec, mine.fields, mine.any, mine.when, mine.mode)
        == (its.effect, its.spec, its.fields, its.any, its.when, its.mode)
        and (mine.match.stations, mine.match.groups, mine.match.backends)
        == (its.match.stations, its.match.groups, its.match.backends)
    )


def nearly_replacing(subjects: Sequence[Subject]) -> Iterator[Problem]:
    """Find rules whose id is that of an inherited one but for a letter: they stand beside it, and don't replace it."""
    known = {each.rule.id: (place, each) for place, each in enumerate(subjects)}
    sources = {each.rule.place.source for each in subjects}
    of_others = {source: [each.rule.id for each in subjects if each.rule.place.source != source] for source in sources}
    for place, each in enumerate(subjects):
        for name in difflib.get_close_matches(
            each.rule.id, of_others[each.rule.place.source], n=NAMED_MAX, cutoff=ALIKE
        ):
            later, other = known[name]
            if later > place and each.meets(other) and _letters(each.rule.id) != _letters(name):
                yield each.finding(f"stands beside the inherited {name}: was that one to be replaced?", "id")


def _letters(rule_id: str) -> str:
    return "".join(sign for sign in rule_id if not sign.isdigit())


def never_allowed(subjects: Sequence[Subject]) -> Iterator[tuple[Stage, Kind]]:
    """Yield where ``default: deny`` refuses whatever comes, because no rule allows any of it."""
    allowed: set[tuple[Stage, Kind]] = {
        (target.stage, target.kind)
        for each in subjects
        if each.rule.effect is Effect.ALLOW and each.rule.mode is Mode.ENFORCE
        for target in each.targets
    }
    for stage in Stage:
        for kind in (Kind.CALL, Kind.RESULT):
            if (stage, kind) not in allowed:
                yield stage, kind


def listed(names: Sequence[str]) -> str:
    """Write names in a row, not more than a line of them."""
    more = len(names) - NAMED_MAX
    return ", ".join(names[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
