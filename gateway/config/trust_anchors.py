"""Which roots stations are to trust: declared once, by identity or group."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

from gateway.config.routes import Selection
from gateway.config.source import Fault
from gateway.config.values import FilePath

if TYPE_CHECKING:
    from gateway.config.tree import Config

ENTRIES_MAX: Final = 64

TrustAnchorType = Literal[
    "CSMSRootCertificate", "V2GRootCertificate", "MORootCertificate", "ManufacturerRootCertificate"
]


class TrustAnchors(Selection):
    """The roots of one file, for the stations that are meant; with neither identity nor group: for all."""

    type: TrustAnchorType
    file: FilePath
    """One or more roots in PEM; read again when it is replaced."""
    exclusive: bool = False
    """These stations are to have no other root of this type than those declared for them: others are deleted."""
    remove: bool = False
    """The roots of the file are deleted where they are."""


def broken_by_trust_anchors(config: "Config") -> Iterator[Fault]:
    """Yield every rule that ``trust_anchors`` breaks."""
    if len(config.trust_anchors) > ENTRIES_MAX:
        yield ("trust_anchors",), f"has more than {ENTRIES_MAX} entries; a file may hold several roots"
    for index, entry in enumerate(config.trust_anchors):
        if entry.exclusive and entry.remove:
            yield ("trust_anchors", index), "is exclusive and remove at once; what is to be removed can't stay alone"
