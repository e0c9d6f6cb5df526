"""Which policy governs a station: by identity or group, by its backend, or the one of all."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from gateway.config.routes import Selection
from gateway.config.rules_routes import unsound
from gateway.config.source import Fault, spell
from gateway.config.values import PolicySource

if TYPE_CHECKING:
    from gateway.config.tree import Config

ENTRIES_MAX: Final = 64


class PolicyChoice(Selection):
    """The policy of the stations that are meant."""

    policy: PolicySource


def policy_keys(config: "Config") -> Iterator[tuple[str, PolicySource]]:
    """Yield each key that names a policy, as a person writes it, with what stands there."""
    yield "policy", config.policy
    for index, choice in enumerate(config.policies):
        yield spell(("policies", index, "policy")), choice.policy
    for name, backend in config.backends.items():
        if backend.policy is not None:
            yield spell(("backends", name, "policy")), backend.policy


def policy_of(config: "Config", identity: str, group: str | None, backend: str) -> PolicySource:
    """Return what governs a station that has ``backend``.

    The first of ``policies`` that fits, else the backend's, else ``policy``. A backend that isn't configured any more
    has none of its own.
    """
    for choice in config.policies:
        if choice.matches(identity, group):
            return choice.policy
    section = config.backends.get(backend)
    return config.policy if section is None or section.policy is None else section.policy


def broken_by_policies(config: "Config") -> Iterator[Fault]:
    """Yield every rule that ``policies`` breaks."""
    if len(config.policies) > ENTRIES_MAX:
        yield ("policies",), f"has more than {ENTRIES_MAX} entries; stations of one policy may share a group"
    yield from unsound("policies", config.policies)
