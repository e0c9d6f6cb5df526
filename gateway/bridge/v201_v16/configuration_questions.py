"""What must be asked of the station to answer for one configuration key, and how the value follows from the answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.bridge.books import Connector
from gateway.bridge.guarded_keys import OF_THE_BACKEND_LEG
from gateway.bridge.v201_v16.configuration_keys import (
    BY_SMALL_NAME,
    FEATURE_PROFILES,
    GET_CONFIGURATION_MAX_KEYS,
    LIMITS,
    PHASE_ROTATION,
    Key,
    Variable,
    vendor_variable,
)
from gateway.bridge.v201_v16.connectors import plugs
from gateway.bridge.v201_v16.context import Context

Found = Mapping[str, str]
"""Path of a variable -> its value, for those that the station gave."""

_LIMITS: Final = {name.casefold(): variable for name, variable in LIMITS.items()}


@dataclass(frozen=True, slots=True)
class Question:
    """One key: the variables that it needs, and how its value follows from theirs (None: the key is unknown)."""

    readonly: bool
    variables: Sequence[Variable]
    compose: Callable[[Found], str | None]


def question(context: Context, key: str) -> Question | None:
    """Return what must be asked to answer ``key``, whose case 1.6 ignores; None for a key that can't be known."""
    small = key.casefold()
    if small in OF_THE_BACKEND_LEG:
        return None
    if small == PHASE_ROTATION.casefold():
        return _phase_rotation(context)
    mapped = BY_SMALL_NAME.get(small)
    if mapped is not None:
        return _mapped(mapped)
    known = _known_here(context)
    return _constant(known[small]) if small in known else _vendor(key)


def derived(context: Context) -> dict[str, str]:
    """Return the read-only keys that Voltgate knows by itself."""
    connectors = str(len(plugs(context.books)))
    return {
        "ConnectorPhaseRotationMaxLength": connectors,
        "GetConfigurationMaxKeys": str(GET_CONFIGURATION_MAX_KEYS),
        "NumberOfConnectors": connectors,
        "SupportedFeatureProfiles": ",".join(FEATURE_PROFILES),
        "SupportedFeatureProfilesMaxLength": str(len(FEATURE_PROFILES)),
    }


def phase_rotation_of(connector: Connector) -> Variable:
    """Return the variable behind one item of ConnectorPhaseRotation."""
    return Variable("Connector", "PhaseRotation", evse_id=connector.evse_id, connector_id=connector.connector_id)


def _known_here(context: Context) -> dict[str, str | None]:
    """Return what is known without asking, by casefolded key: the derived keys, and the limits that were reported."""
    limits = {name: context.memory.limits.get(variable.path) for name, variable in _LIMITS.items()}
    return {
        **{name.casefold(): value for name, value in derived(context).items()},
        **{name: None if limit is None else str(limit) for name, limit in limits.items()},
    }


def _constant(value: str | None) -> Question:
    return Question(readonly=True, variables=(), compose=lambda _: value)


def _mapped(key: Key) -> Question:
    def compose(found: Found) -> str | None:
        value = found.get(key.variable.path)
        return None if value is None else key.words.to_backend(value)

    return Question(key.readonly, (key.variable,), compose)


def _vendor(key: str) -> Question | None:
    """A pseudo key. Whether it is read-only is the station's secret until somebody sets it."""
    variable = vendor_variable(key)
    if variable is None:
        return None
    return Question(readonly=False, variables=(variable,), compose=lambda found: found.get(variable.path))


def _phase_rotation(context: Context) -> Question:
    """``1.RST,2.RTS`` out of Connector.PhaseRotation of every connector."""
    variables = {connector.number: phase_rotation_of(connector) for connector in plugs(context.books)}

    def compose(found: Found) -> str | None:
        parts = [f"{number}.{found[v.path]}" for number, v in variables.items() if v.path in found]
        return ",".join(parts) or None

    return Question(readonly=False, variables=tuple(variables.values()), compose=compose)
