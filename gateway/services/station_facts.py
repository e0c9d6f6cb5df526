"""What a station says of itself that certificates depend on: how long a chain it takes, its ids towards vehicles."""

from collections.abc import AsyncIterator
from typing import Final

from gateway.services.station_commands import ConnectedStation, read_key, read_variable
from gateway.wire.versions import Version

CONTROLLERS_MAX: Final = 8
"""ISO 15118 controllers of one station that are asked for their ids, beside the station's own."""
_DIGITS_MAX: Final = 6
_CHAIN_SIZE: Final = ("SecurityCtrlr", "MaxCertificateChainSize")
_CHAIN_SIZE_KEY: Final = "CertificateSignedMaxChainSize"
_SECC_ID: Final = ("ISO15118Ctrlr", "SeccId")


class ChainSizes:
    """The characters of a certificateChain that stations take; each is asked once."""

    def __init__(self) -> None:
        self._known: dict[str, int | None] = {}
        self._doubtful: set[str] = set()

    async def of(self, station: ConnectedStation) -> int | None:
        """Return what the station says (2.0.1 A02.FR.16, 1.6 white paper), or None. Raises PeerUnavailable."""
        if station.identity not in self._known:
            if station.version is Version.V16:
                said = await read_key(station, _CHAIN_SIZE_KEY)
            else:
                said = await read_variable(station, _CHAIN_SIZE)
            self._known[station.identity] = _number(said)
        return self._known[station.identity]

    def has_refused(self, identity: str) -> None:
        """The station has refused a chain, maybe for its size: it is asked (anew) before it gets another."""
        self._doubtful.add(identity)
        self._known.pop(identity, None)

    def is_doubtful(self, station: ConnectedStation) -> bool:
        """Return whether the station has refused a chain."""
        return station.identity in self._doubtful


async def secc_ids(station: ConnectedStation) -> AsyncIterator[str]:
    """Yield the ids that a 2.0.1 station has towards vehicles: its own, then those of its EVSEs in turn.

    Raises PeerUnavailable.
    """
    if station.version is Version.V16:
        return
    own = await read_variable(station, _SECC_ID)
    if own:
        yield own
    for evse_id in range(1, CONTROLLERS_MAX + 1):
        found = await read_variable(station, _SECC_ID, evse_id)
        if not found:
            return
        yield found


def _number(said: str | None) -> int | None:
    """Return a size that can be one; None for anything else."""
    if said is None or not (said.isascii() and said.isdigit() and len(said) <= _DIGITS_MAX):
        return None
    return int(said) or None
