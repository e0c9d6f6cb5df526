"""The OCPP versions spoken on either leg, by their WebSocket subprotocol (OCPP-J 2.0.1 Part 4, 3.1.2)."""

import enum


class Version(enum.Enum):
    """One OCPP-J version; the value is its registered WebSocket subprotocol name."""

    V16 = "ocpp1.6"
    V201 = "ocpp2.0.1"

    @property
    def subprotocol(self) -> str:
        return self.value
