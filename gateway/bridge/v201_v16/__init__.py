"""The bridge between 2.0.1 stations and a 1.6 backend: one module per functional block of OCPP 2.0.1."""

from gateway.bridge.v201_v16.boot import boot_request, boot_response
from gateway.bridge.v201_v16.context import Settings
from gateway.bridge.v201_v16.dialect import V201ToV16

__all__ = ["Settings", "V201ToV16", "boot_request", "boot_response"]
