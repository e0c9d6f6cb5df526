"""Dialects with no I/O: how one OCPP version is spoken to a peer that knows only another."""
