"""Connections to a real OpenBao, or to what stands in for one: those of the other transit key's tests."""

from tests.pki.iso15118.conftest import connect, standin

__all__ = ["connect", "standin"]
