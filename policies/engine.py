"""What a policy decides, and the loading of one.

A policy sees every message four times on its way (design: the way of a frame) and says whether it may go on. The only
policy so far, ``legacy-1.6``, has no rules of its own: it lets pass what the official schemas let pass.
"""

import hashlib
import importlib.resources
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from policies.words import PASSED, Kind, Payload, Schemas, Stage, Surroundings, Verdict

BUNDLED: Final = ("legacy-1.6",)
"""Names of the policies that come with Voltgate."""


class PolicyError(Exception):
    """A policy that can't be loaded; the text names the file and what is wrong."""


class _StrictLoader(yaml.SafeLoader):
    """YAML where a key may stand once: of two ``rules`` the first would be ignored."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for place, key in enumerate(seen):
            if key in seen[:place]:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is doubled", node.start_mark)
        return super().construct_mapping(node, deep)


@dataclass(frozen=True, slots=True)
class Policy:
    """One loaded policy. ``sha256`` is the hex digest of the file it came from."""

    name: str
    sha256: str


class Guard:
    """The policy in force as it meets one station: one per station, on both its legs and over its reconnects.

    ``policy()`` is asked at each message, so that another one is in force from the next message on.
    """

    def __init__(self, policy: Callable[[], Policy], surroundings: Surroundings) -> None:
        self._policy = policy
        self._surroundings = surroundings

    def inspect(self, stage: Stage, kind: Kind, protocol: str, action: str, payload: Payload) -> Verdict:  # noqa: ARG002 - a seam
        """Decide on one message that fits its official schema. Never raises; ``payload`` isn't changed."""
        return PASSED


def load(name_or_path: str | Path, schemas: Schemas) -> Policy:  # noqa: ARG001 - a seam
    """Load a bundled policy by name, or one from a file.

    Raises :class:`PolicyError` for a file that is missing, isn't YAML, or says what this version doesn't know: a
    policy whose rules would be ignored never loads.
    """
    text = _read(name_or_path)
    try:
        document = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader that refuses doubled keys
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise PolicyError(f"policy {name_or_path}: not YAML: {error}") from None
    if not isinstance(document, dict):
        raise PolicyError(f"policy {name_or_path}: must be a mapping with `name` and `rules`")
    unknown = sorted(str(key) for key in document.keys() - {"name", "description", "rules"})
    if unknown:
        raise PolicyError(f"policy {name_or_path}: unknown key {unknown[0]!r}")
    if document.get("rules"):
        raise PolicyError(f"policy {name_or_path}: `rules` must be empty: this version checks schemas only")
    name = document.get("name")
    if not isinstance(name, str) or not name:
        raise PolicyError(f"policy {name_or_path}: `name` is missing")
    return Policy(name, hashlib.sha256(text).hexdigest())


def _read(name_or_path: str | Path) -> bytes:
    if str(name_or_path) in BUNDLED:
        return (importlib.resources.files("policies") / f"{name_or_path}.yaml").read_bytes()
    path = Path(name_or_path)
    try:
        return path.read_bytes()
    except OSError as error:
        names = ", ".join(BUNDLED)
        raise PolicyError(f"policy {path}: {error.strerror}; give a file or a bundled name ({names})") from None
