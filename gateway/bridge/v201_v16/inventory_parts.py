"""An inventory out of its parts (NotifyReport: requestId, seqNo, tbc), in whatever order they come."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from gateway.bridge.books import Json
from gateway.bridge.v201_v16.configuration_keys import BEHIND_KEYS
from gateway.bridge.v201_v16.device_model import MODEL_BYTES_MAX, VARIABLES_MAX, Entry, enter_variable, size_of

PARTS_MAX: Final = 5_000
"""Parts of one report: a station that sends each variable by itself needs as many."""
CONNECTORS_READ_MAX: Final = 256
"""Connector components of one report."""


@dataclass(slots=True)
class InventoryParts:
    """What came so far of the whole inventory that was asked for. Each part counts once."""

    request_id: int
    firmware: str
    """The station's firmwareVersion when it was asked."""
    heard_at: datetime
    """When it was asked for, or the last part came."""
    variables: Json = field(default_factory=dict)
    values: Json = field(default_factory=dict)
    connectors: set[tuple[int, int]] = field(default_factory=set)
    is_cut: bool = False
    _seen: set[int] = field(default_factory=set)
    _last: int | None = None
    _kept: int = 0
    _size: int = 0

    def take(self, seq_no: int, entries: list[Entry], *, is_last: bool) -> None:
        """Enter one part; one that was there before, or whose seqNo can't be, changes nothing."""
        if seq_no in self._seen or not 0 <= seq_no < PARTS_MAX:
            return
        self._seen.add(seq_no)
        if is_last:
            self._last = seq_no
        for entry in entries:
            self._enter(entry)

    @property
    def is_whole(self) -> bool:
        """True once every part is there."""
        return (
            self._last is not None
            and len(self._seen) > self._last
            and all(number in self._seen for number in range(self._last))
        )

    def _enter(self, entry: Entry) -> None:
        if entry.connector is not None and len(self.connectors) < CONNECTORS_READ_MAX:
            self.connectors.add(entry.connector)
        if entry.value is not None:
            self.values[entry.path] = entry.value
        if entry.path not in self.variables and entry.path not in BEHIND_KEYS:
            size = size_of(entry.path, entry.facts)
            if self._kept >= VARIABLES_MAX or self._size + size > MODEL_BYTES_MAX:
                self.is_cut = True
                return
            self._kept += 1
            self._size += size
        enter_variable(self.variables, entry.path, entry.facts)
