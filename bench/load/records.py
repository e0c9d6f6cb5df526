"""TLS records as octets: no more of RFC 8446 than it takes to count them."""

from typing import Final

RECORD_HEADER: Final = 5
"""Octets of a TLS record's header: type, version, length."""
CONTROL_MAX: Final = 60
"""A TLS 1.3 record below this is no OCPP message, whose messageId alone has 36 octets, but a ping."""


class RecordCutter:
    """Counts the whole TLS records of a stream by their headers, without a look into them."""

    def __init__(self) -> None:
        self._rest = b""

    def messages(self, data: bytes) -> int:
        """Return how many records that can hold an OCPP message end in ``data``."""
        self._rest += data
        count = 0
        while len(self._rest) >= RECORD_HEADER:
            end = RECORD_HEADER + int.from_bytes(self._rest[3:5], "big")
            if len(self._rest) < end:
                break
            count += end >= CONTROL_MAX
            self._rest = self._rest[end:]
        return count

    @property
    def inside(self) -> bool:
        """Whether a part of a record is held."""
        return bool(self._rest)
