"""What must be asked of the station to answer for one configuration key, and how the value follows from the answers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.bridge.books import Connector
from gateway.bridge.guarded_keys import OF_THE_BACKEND_LEG
from gateway.bridge.v201_v16.configuration_keys import (
    BY_SMALL_NAME,
    FEATURES,
    GET_CONFIGURATION_MAX_KEYS,
    KEYS,
    LIMITS,
    PHASE_ROTATION,
    Feature,
    Key,
    Variable,
    vendor_variable,
)
from gateway.bridge.v201_v16.configuration_words import is_exact
from gateway.bridge.v201_v16.connectors import plugs
from gateway.bridge.v201_v16.context import Context
from gateway.bridge.v201_v16.device_model import connectors_of, facts_of, is_known, is_missing, value_of

Found = Mapping[str, str]
"""Path of a variable -> its value, for those that the station gave."""


def _count(names: list[str]) -> str:
    return str(len(names))


_LIMITS: Final = {name.casefold(): variable for name, variable in LIMITS.items()}
SUPPORTED_PROFILES: Final = {"SupportedFeatureProfiles": ",".join, "SupportedFeatureProfilesMaxLength": _count}
"""What follows from the supported feature profiles."""
_PROFILES: Final = {name.casefold(): say for name, say in SUPPORTED_PROFILES.items()}


@dataclass(frozen=True, slots=True)
class Question:
    """One key: the variables that it needs, and how its value follows from theirs (None: the key is unknown)."""

    readonly: bool
    variables: Sequence[Variable]
    compose: Callable[[Found], str | None]


def all_keys() -> list[str]:
    """Return the keys that GetConfiguration without any asks for: those that 1.6 names."""
    return [*KEYS, *LIMITS, PHASE_ROTATION, *COUNTED, *SUPPORTED_PROFILES]


def question(context: Context, key: str) -> Question | None:
    """Return what must be asked to answer ``key``, whose case 1.6 ignores; None for a key that can't be known."""
    small = key.casefold()
    if small in OF_THE_BACKEND_LEG:
        return None
    if small == PHASE_ROTATION.casefold():
        return _phase_rotation(context)
    if small in _PROFILES:
        return _feature_profiles(context, _PROFILES[small])
    mapped = BY_SMALL_NAME.get(small)
    if mapped is not None:
        return _mapped(context, mapped)
    if small in _LIMITS:
        facts = facts_of(context.books, _LIMITS[small].path)
        return _constant(None if facts is None or facts.limit is None else str(int(facts.limit)))
    counted = {name.casefold(): count for name, count in COUNTED.items()}
    return _constant(str(counted[small](context))) if small in counted else _vendor(context, key)


def connector_count(context: Context) -> int:
    """Return the number of connectors: of the inventory, or where that names none, of those that were heard of."""
    return len(connectors_of(context.books)) or len(plugs(context.books))


COUNTED: Final[dict[str, Callable[[Context], int]]] = {
    f"{PHASE_ROTATION}MaxLength": connector_count,
    "GetConfigurationMaxKeys": lambda _: GET_CONFIGURATION_MAX_KEYS,
    "NumberOfConnectors": connector_count,
}
"""Read-only keys that Voltgate knows by itself."""


def phase_rotation_of(connector: Connector) -> Variable:
    """Return the variable behind one item of ConnectorPhaseRotation."""
    return Variable("Connector", "PhaseRotation", evse_id=connector.evse_id, connector_id=connector.connector_id)


def may_set(context: Context, variable: Variable) -> bool:
    """True unless the station's inventory says that the variable is read-only."""
    return _access(context, variable) != "R"


def _constant(value: str | None) -> Question:
    return Question(readonly=True, variables=(), compose=lambda _: value)


def _access(context: Context, variable: Variable) -> str:
    """Return ``R``, ``W`` or ``RW``, which stands too for what isn't known."""
    facts = facts_of(context.books, variable.path)
    return "RW" if facts is None else facts.access


def _mapped(context: Context, key: Key) -> Question | None:
    access = _access(context, key.variable)

    def compose(found: Found) -> str | None:
        value = found.get(key.variable.path)
        return None if value is None else _to_backend(context, key, value)

    return None if access == "W" else Question(key.readonly or access == "R", (key.variable,), compose)


def _to_backend(context: Context, key: Key, value: str) -> str:
    translated = key.words.to_backend(value)
    if not is_exact(key.words, value, translated):
        context.note("configuration-measurands", "measurands that 1.6 doesn't know are left out of a configuration key")
    return translated


def _vendor(context: Context, key: str) -> Question | None:
    """A pseudo key. Whether it is read-only is the station's secret until its inventory, or a try, tells."""
    variable = vendor_variable(key)
    if variable is None or is_missing(context.books, variable.path) or _access(context, variable) == "W":
        return None
    return Question(not may_set(context, variable), (variable,), lambda found: found.get(variable.path))


def _phase_rotation(context: Context) -> Question:
    """``1.RST,2.RTS`` out of Connector.PhaseRotation of every connector."""
    variables = {connector.number: phase_rotation_of(connector) for connector in plugs(context.books)}

    def compose(found: Found) -> str | None:
        parts = [f"{number}.{found[v.path]}" for number, v in variables.items() if v.path in found]
        return ",".join(parts) or None

    readonly = bool(variables) and not any(may_set(context, variable) for variable in variables.values())
    return Question(readonly=readonly, variables=tuple(variables.values()), compose=compose)


def _feature_profiles(context: Context, say: Callable[[list[str]], str]) -> Question:
    """The profiles that the bridge carries and the station has; the station is asked where no inventory tells."""
    carried = {name: each for name, each in FEATURES.items() if each.actions <= set(context.carried)}
    asked = [v for each in carried.values() for v in (each.available, each.implied_by) if v is not None]
    told = _reported(context, asked) if is_known(context.books) else None

    def compose(found: Found) -> str:
        return say([name for name, each in carried.items() if _has(each, found if told is None else told)])

    return Question(readonly=True, variables=() if told is not None else tuple(asked), compose=compose)


def _reported(context: Context, variables: Iterable[Variable]) -> Found:
    """Return what the inventory tells of variables: the value where it is kept, else "" where there is one."""
    told = {}
    for variable in variables:
        facts = facts_of(context.books, variable.path)
        if facts is not None and facts.has_value:
            told[variable.path] = value_of(context.books, variable.path) or ""
    return told


def _has(feature: Feature, found: Found) -> bool:
    if feature.available is None or feature.implied_by is None:
        return True
    available = found.get(feature.available.path)
    return feature.implied_by.path in found if available is None else available.strip().casefold() == "true"
