"""Voltgate: the security gateway between charging stations and an operator's OCPP 1.6 backend."""

__version__ = "0.1.0"
