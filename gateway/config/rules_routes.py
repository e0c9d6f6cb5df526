"""What must hold between routes, connector tables, mirrors and the backends that they name."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from gateway.config.routes import NUMBER_MAX, Selection
from gateway.config.source import Fault, KeyPath

if TYPE_CHECKING:
    from gateway.config.tree import Config

CONNECTORS_MAX: Final = 256
"""Connectors of one station."""


def broken_by_routing(config: "Config") -> Iterator[Fault]:
    """Yield every rule that the routes, connector tables and mirrors break."""
    for rule in _RULES:
        yield from rule(config)


def _routes_lead_somewhere(config: "Config") -> Iterator[Fault]:
    yield from unsound("routes", config.routes)
    for index, route in enumerate(config.routes):
        if route.backend not in config.backends:
            yield ("routes", index, "backend"), f"isn't one of the backends ({', '.join(config.backends)})"


def _tables_number_connectors(config: "Config") -> Iterator[Fault]:
    yield from unsound("connector_tables", config.connector_tables)
    for index, table in enumerate(config.connector_tables):
        here: KeyPath = ("connector_tables", index, "connectors")
        if not 0 < len(table.connectors) <= CONNECTORS_MAX:
            yield here, f"must name 1 to {CONNECTORS_MAX} connectors"
        taken: dict[int, str] = {}
        for key, place in table.named():
            if place is None or max(place) > NUMBER_MAX:
                yield (*here, key), 'isn\'t "EVSE.CONNECTOR", both numbered from 1, such as "1.2"'
            first = taken.setdefault(table.connectors[key], key)
            if first != key:
                yield (*here, key), f"has the connectorId of {first}; give each its own"


def unsound(name: str, selections: Sequence[Selection]) -> Iterator[Fault]:
    """Yield what is wrong with the entries of ``name``, of which the first that fits counts."""
    for index, selection in enumerate(selections):
        if selection.identity is None and selection.group is None:
            yield (name, index), "must say which stations it is for: identity, group, or both"
            continue
        earlier = next((other for other in range(index) if _has_condition(selections[other], selection)), None)
        if earlier is not None:
            yield (
                (name, index),
                f"is never reached: {name}[{earlier}] takes all its stations; put it before that one",
            )


def _has_condition(earlier: Selection, later: Selection) -> bool:
    return (earlier.identity is not None or earlier.group is not None) and earlier.covers(later)


def _mirrors_only_look(config: "Config") -> Iterator[Fault]:
    for name, backend in config.backends.items():
        for index, mirror in enumerate(backend.mirrors):
            key: KeyPath = ("backends", name, "mirrors", index)
            if mirror == name:
                yield key, "is the backend itself"
            elif mirror in backend.mirrors[:index]:
                yield key, "stands here twice; remove one"
            elif mirror not in config.backends:
                yield key, f"isn't one of the backends ({', '.join(config.backends)})"
            else:
                yield from ((key, text) for text in _unfit(config, name, mirror))


def _unfit(config: "Config", name: str, mirror: str) -> Iterator[str]:
    backend, other = config.backends[name], config.backends[mirror]
    if other.mirrors:
        yield f"has mirrors of its own: nothing is mirrored twice; take them from backends.{mirror}"
    if len({other.protocol, backend.protocol}) > 1:
        yield f"speaks {other.protocol}, not {backend.protocol}: what it would hear is in another language"
    earlier = backend.mirrors[: backend.mirrors.index(mirror)]
    for taken in (name, *(each for each in earlier if each in config.backends)):
        if other.url == config.backends[taken].url:
            yield f"has the URL of backends.{taken}: one would take each station's connection from the other"


_RULES: Final[tuple[Callable[["Config"], Iterator[Fault]], ...]] = (
    _routes_lead_somewhere,
    _tables_number_connectors,
    _mirrors_only_look,
)
