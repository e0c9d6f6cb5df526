"""EXI's grammars from a complex type: states, and in each one its productions in the order of their event codes.

Build time alone (see :mod:`pki.iso15118.exi.generate`). EXI 1.0 section 8.5.4: what a state's first-level productions
are; the second level (deviations from the schema) isn't written down, since the reader refuses it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pki.iso15118.exi import QName
from pki.iso15118.exi.xsd import (
    UNBOUNDED,
    ComplexType,
    ElementParticle,
    Group,
    Particle,
    Wildcard,
    XsdError,
    by_local_name,
)

States = list[list["Production"]]


@dataclass(frozen=True)
class Attribute:
    """AT(name)."""

    name: QName
    then: int


@dataclass(frozen=True)
class Start:
    """SE(name)."""

    name: QName
    type_name: QName
    then: int


@dataclass(frozen=True)
class Characters:
    """CH with a value of the type."""

    type_name: QName
    then: int


@dataclass(frozen=True)
class AnyElement:
    """SE(*)."""


@dataclass(frozen=True)
class End:
    """EE."""


@dataclass(frozen=True)
class Text:
    """CH between elements, of mixed content."""


Production = Attribute | Start | Characters | AnyElement | End | Text


@dataclass(eq=False)
class _Place:
    """A place in a content model: what may come next, and the places that are the same as it."""

    edges: "list[tuple[int, Particle, _Place]]" = field(default_factory=list)
    """(position of the particle in the schema, the particle, the place behind it)."""
    same: "list[_Place]" = field(default_factory=list)


def _all_same(place: _Place) -> list[_Place]:
    """Return ``place`` and all that are the same as it."""
    found = [place]
    for each in found:  # grows on the way
        found += [other for other in each.same if other not in found]
    return found


def leaves(particle: Particle) -> Iterator[Particle]:
    """Yield the elements and wildcards of a content model in the schema's order."""
    if isinstance(particle, Group):
        for item in particle.items:
            yield from leaves(item)
    else:
        yield particle


def _repeated(particle: Particle, end: _Place, positions: dict[int, int]) -> _Place:
    """Return where ``particle`` begins, as often as it may occur, if after it comes ``end`` (EXI 8.5.4.1.5)."""
    if particle.most == UNBOUNDED:
        place = _Place(same=[end])
        place.same.append(_once(particle, place, positions))
    else:
        place = end
        for _ in range(particle.most - particle.least):
            place = _Place(same=[_once(particle, place, positions), end])
    for _ in range(particle.least):
        place = _once(particle, place, positions)
    return place


def _once(particle: Particle, end: _Place, positions: dict[int, int]) -> _Place:
    if not isinstance(particle, Group):
        return _Place(edges=[(positions[id(particle)], particle, end)])
    if particle.is_choice:
        return _Place(same=[_repeated(item, end, positions) for item in particle.items])
    for item in reversed(particle.items):
        end = _repeated(item, end, positions)
    return end


def content_states(content: Particle | None, *, first: int, is_mixed: bool) -> States:
    """Return the states of a content model, which are numbered from ``first``."""
    end = _Place()
    positions = {id(leaf): position for position, leaf in enumerate(leaves(content))} if content else {}
    places = [_repeated(content, end, positions) if content else end]
    states: States = []
    for place in places:  # grows on the way
        same = _all_same(place)
        edges = sorted((edge for each in same for edge in each.edges), key=lambda edge: edge[0])
        places += dict.fromkeys(target for _, _, target in edges if target not in places)
        state: list[Production] = [
            Start(name, type_name, first + places.index(target))
            for _, particle, target in edges
            if isinstance(particle, ElementParticle)
            for name, type_name in particle.choices
        ]
        if len({start.name for start in state if isinstance(start, Start)}) < len(state):
            raise XsdError("a content model in which one element leads to two places")
        state += [AnyElement()] if any(isinstance(particle, Wildcard) for _, particle, _ in edges) else []
        state += [End()] if end in same else []
        state += [Text()] if is_mixed else []
        states.append(state)
    return states


def type_states(type_: ComplexType) -> States:
    """Return the states of a complex type: its attributes by name, then its content (EXI 8.5.4.1.3, 8.5.4.3)."""
    attributes = sorted(type_.attributes, key=lambda attribute: by_local_name(attribute[0]))
    first = len(attributes)
    if type_.value is not None:
        content: States = [[Characters(type_.value, first + 1)], [End()]]
    else:
        content = content_states(type_.content, first=first, is_mixed=type_.is_mixed)
    states: States = []
    for index in range(first):
        state: list[Production] = []
        for later, (name, is_required) in enumerate(attributes[index:], index):
            state.append(Attribute(name, later + 1))
            if is_required:
                break
        else:
            state += content[0]
        states.append(state)
    return states + content
