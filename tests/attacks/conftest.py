"""The transport's listener and bare client, for attacks on the wire; here on one event loop, asyncio's own."""

from tests.transport.conftest import authority, listen, new_frame, new_hello, new_request, until

__all__ = ["authority", "listen", "new_frame", "new_hello", "new_request", "until"]
