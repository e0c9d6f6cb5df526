"""A policy out of its files: read, checked for its form, joined with what it extends, its named values filled in.

Nothing here knows OCPP; what the rules say of messages is the compiler's to check (``policies.compiling``).
"""

import hashlib
import importlib.resources
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from policies import form
from policies.cases import SUFFIX
from policies.documents import Document, Where, contents, read
from policies.problems import Problem, spelled
from policies.rules import Match, Place, Rule, Source, nearest
from policies.values import Values, used_by
from policies.words import Effect, Kind, Mode, Stage

BUNDLED: Final = tuple(
    sorted(
        each.name.removesuffix(".yaml")
        for each in importlib.resources.files("policies").iterdir()
        if each.name.endswith(".yaml") and not each.name.endswith(SUFFIX)
    )
)
"""Names of the policies that come with Voltgate: those that lie beside this file."""
MAX_FILES: Final = 8
"""That one policy may be made of, by ``extends``."""
TESTS: Final = ("fields", "any")
_LAST: Final = "last"
_LISTS: Final = ("rules", _LAST)
"""The keys under which rules stand."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A policy as its files say it; not compiled. ``problems`` may hold errors: then the rest is what could be read.

    Two drafts of the same files are equal.
    """

    sources: tuple[Source, ...]
    """The policy's own file first, then what it extends."""
    name: str = field(compare=False)
    description: str = field(compare=False)
    mode: Mode = field(compare=False)
    default: Effect = field(compare=False)
    """ALLOW or DENY: what becomes of a message that no rule decides."""
    values: Mapping[str, Any] = field(compare=False)
    rules: tuple[Rule, ...] = field(compare=False)
    problems: tuple[Problem, ...] = field(compare=False)


@dataclass(slots=True)
class _Raw:
    """A rule as its file says it."""

    data: Mapping[str, Any]
    place: Place
    places: Mapping[Where, Place]
    is_last: bool
    """True when it stands under ``last``: it is asked behind all inherited ones."""


@dataclass(slots=True)
class _File:
    """One file of the chain, as far as its form is right."""

    document: Document
    sha256: str
    folder: Path | None
    """Where a relative ``extends`` begins; None for a bundled policy, which extends bundled ones only."""
    rules: list[_Raw] = field(default_factory=list)

    @property
    def says(self) -> Mapping[str, Any]:
        return self.document.data if isinstance(self.document.data, dict) else {}


def draft(name_or_path: str | Path) -> Draft:
    """Read a policy and what it extends. Never raises: see ``Draft.problems``."""
    problems: list[Problem] = []
    files = list(_chain(name_or_path, problems))
    values = Values(problems)
    for file in reversed(files):
        values.define(file.says.get("values"), file.document)
    raws = _joined(files, problems)
    mode = Mode(_first(files, "mode", [each.value for each in Mode]) or Mode.ENFORCE)
    rules = [rule for raw in raws if (rule := _rule(raw, mode, values, problems)) is not None]
    values.note_unused(name for raw in raws for name in used_by(_fillable(raw.data)))
    own = files[0].says if files else {}
    return Draft(
        name=str(own.get("name", "")),
        description=str(own.get("description") or ""),
        mode=mode,
        default=Effect(_first(files, "default", ("allow", "deny")) or Effect.ALLOW),
        values=values.all,
        rules=tuple(rules),
        sources=tuple(Source(file.document.source, file.sha256) for file in files),
        problems=tuple(problems),
    )


def _chain(name_or_path: str | Path, problems: list[Problem]) -> Iterator[_File]:
    """Yield the policy's own file, then the one that it extends, and so on."""
    reference, asked, key = str(name_or_path), Place(str(name_or_path), 0), ""
    folder: Path | None = Path()
    seen: set[str] = set()
    while True:
        bundled = reference in BUNDLED
        identity = reference if bundled or folder is None else os.path.abspath(folder / reference)  # noqa: PTH100 - resolve() raises for a NUL
        if identity in seen:
            problems.append(Problem(asked, f"{key}it extends itself, by way of {reference!r}"))
            return
        if len(seen) == MAX_FILES:
            problems.append(Problem(asked, f"{key}more than {MAX_FILES} files extend one another"))
            return
        seen.add(identity)
        file = _file(reference, None if bundled else folder, asked, key, problems)
        if file is None:
            return
        yield file
        onwards = file.says.get("extends")
        if not isinstance(onwards, str) or not onwards:
            return
        reference, folder, asked, key = onwards, file.folder, file.document.place(("extends",)), "extends: "


def _file(reference: str, folder: Path | None, asked: Place, key: str, problems: list[Problem]) -> _File | None:
    try:
        if folder is None:
            if reference not in BUNDLED:
                raise FileNotFoundError(2, "a bundled policy extends bundled ones only")
            source, beside = reference, None
            raw = (importlib.resources.files("policies") / f"{reference}.yaml").read_bytes()
        else:
            path = folder / reference
            source, beside = str(path), path.parent
            raw = contents(path)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        hint = f"give a file or a bundled name ({', '.join(BUNDLED)})"
        problems.append(Problem(asked, f"{key}{reference}: {why}; {hint}" if key else f"{why}; {hint}"))
        return None
    file = _File(read(raw, source), hashlib.sha256(raw).hexdigest(), beside)
    problems += file.document.problems
    if not file.document.problems or file.document.data is not None:
        _check_form(file, problems)
    return file


def _check_form(file: _File, problems: list[Problem]) -> None:
    """Note what the schema finds wrong, and take the rules whose form is right."""
    document = file.document
    rules = {key: found if isinstance(found := file.says.get(key), list) else [] for key in _LISTS}
    wrong = set()
    for where, text in form.faults(document.data):
        place = document.place(where)
        if len(where) > 1 and where[0] in _LISTS:
            wrong.add(where[:2])
            rule_id = _id_of(rules[str(where[0])][int(where[1])], where[1])
            problems.append(Problem(place, _keyed(where[2:], text), rule_id))
        else:
            problems.append(Problem(place, _keyed(where, text)))
    places: dict[Where, dict[Where, Place]] = {}
    for where, place in document.places.items():
        if len(where) > 1 and where[0] in _LISTS:
            places.setdefault(where[:2], {})[where[2:]] = place
    ids: dict[str, Place] = {}
    for key, found in rules.items():
        for index, rule in enumerate(found):
            if (key, index) in wrong:
                continue
            raw = _Raw(rule, places[key, index][()], places[key, index], is_last=key == _LAST)
            if rule["id"] in ids:
                text = f"id: the rule at {ids[rule['id']]} has the same one: give it another"
                problems.append(Problem(raw.place, text, rule["id"]))
            ids.setdefault(rule["id"], raw.place)
            file.rules.append(raw)


def _joined(files: list[_File], problems: list[Problem]) -> list[_Raw]:
    """Return the rules of all files in the order in which they are asked."""
    joined: list[_Raw] = []
    for file in reversed(files):
        inherited = {raw.data["id"]: raw for raw in joined}
        disabled = file.says.get("disable")
        for index, name in enumerate(disabled if isinstance(disabled, list) else ()):
            if isinstance(name, str) and inherited.pop(name, None) is None:
                place = file.document.place(("disable", index))
                problems.append(Problem(place, f"disable: no rule {name!r} is inherited"))
        own = [raw for raw in file.rules if raw.data["id"] not in inherited]
        inherited |= {raw.data["id"]: raw for raw in file.rules if raw.data["id"] in inherited}
        first = [raw for raw in own if not raw.is_last]
        joined = [*first, *inherited.values(), *(raw for raw in own if raw.is_last)]
    return joined


def _first(files: list[_File], key: str, known: Any) -> Any:
    return next((file.says[key] for file in files if file.says.get(key) in known), None)


def _fillable(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parts of a rule where named values may stand: its tests and its effect."""
    return {key: data[key] for key in (*TESTS, *Effect) if key in data}


def _rule(raw: _Raw, mode: Mode, values: Values, problems: list[Problem]) -> Rule | None:
    """Return a rule with its values filled in; None where one of them is wrong."""
    data = raw.data
    before = len(problems)
    rule_id = data["id"]
    for where, name in values.unknown(_fillable(data)):
        place = nearest(raw.places, where, raw.place)
        problems.append(Problem(place, _keyed(where, f"no value {name!r}: define it under `values`"), rule_id))
    filled = {**data, **values.fill(_fillable(data))}
    if len(problems) == before:
        for where, text in form.rule_faults(filled):
            said = f"{text} ({values.origin(data, where)})"
            problems.append(Problem(nearest(raw.places, where, raw.place), _keyed(where, said), rule_id))
    if len(problems) > before:
        return None
    effect = next(each for each in Effect if each.value in filled)
    return Rule(
        id=rule_id,
        threat=data.get("threat", ""),
        stages=tuple(map(Stage, _many(data["stage"]))),
        match=_match(data.get("match", {})),
        fields=tuple(filled.get("fields", ())),
        any=tuple(filled.get("any", ())),
        when=data.get("when"),
        effect=effect,
        spec=filled[effect.value],
        mode=Mode.OBSERVE if Mode.OBSERVE in {mode, data.get("mode")} else Mode.ENFORCE,
        place=raw.place,
        places=raw.places,
    )


def _match(data: Mapping[str, Any]) -> Match:
    return Match(
        kinds=tuple(map(Kind, _many(data.get("kind", Kind.CALL.value)))),
        actions=_many(data.get("action", ())),
        exceptions=_many(data.get("except", ())),
        protocols=_many(data.get("protocol", ())),
        stations=_many(data.get("station", ())),
        groups=_many(data.get("group", ())),
        backends=_many(data.get("backend", ())),
    )


def _many(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _id_of(rule: Any, index: str | int) -> str:
    found = rule.get("id") if isinstance(rule, dict) else None
    return found if isinstance(found, str) else f"number {int(index) + 1}"


def _keyed(where: Where, text: str) -> str:
    return f"{spelled(where)}: {text}" if where else text
