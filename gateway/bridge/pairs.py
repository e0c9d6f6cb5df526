"""Which stations can be bridged to which backends. Messages are brought down to an older version, never up."""

from collections.abc import Mapping
from typing import Final

from gateway.wire.versions import Version

SERVED_BY: Final[Mapping[Version, frozenset[Version]]] = {
    Version.V16: frozenset({Version.V16, Version.V201}),
    Version.V201: frozenset({Version.V201}),
}
"""The OCPP version that a backend speaks -> those of the stations that it can serve."""
