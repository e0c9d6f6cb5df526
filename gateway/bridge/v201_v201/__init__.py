"""2.0.1 stations to a 2.0.1 backend: messages pass as they are, but for what moves money and the station's security."""

from gateway.bridge.v201_v201.dialect import V201ToV201

__all__ = ["V201ToV201"]
