"""The bridge between 1.6 stations and a 1.6 backend: what one says the other hears, but for money and security."""

from gateway.bridge.v16_v16.dialect import V16ToV16, check_direction

__all__ = ["V16ToV16", "check_direction"]
