"""What a scanner is told of the listener."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Target:
    """A listener to scan. The name is ``localhost``, for which its certificates are."""

    port: int
    roots: Path
    """The roots of its two certificates, ECDSA and RSA."""


Serve = Callable[..., contextlib.AbstractContextManager[Target]]
"""Runs the gateway, its configuration changed by what would stand in the environment: ``LIMITS__CALL_TIMEOUT="5"``."""
