"""OCPP-J with no I/O: frames, error codes per version, JSON schemas, the RPC rules."""
