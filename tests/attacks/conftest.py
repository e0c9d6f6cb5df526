"""What attacks are tried on: the transport's listener with a bare client, on asyncio's own loop; a peer; a process."""

from tests.session.conftest import clock, new_talk, registry, security, settle, talk
from tests.system.conftest import new_deployment, scaffold, transaction_event
from tests.transport.conftest import authority, listen, new_frame, new_hello, new_request, until

__all__ = [
    "authority",
    "clock",
    "listen",
    "new_deployment",
    "new_frame",
    "new_hello",
    "new_request",
    "new_talk",
    "registry",
    "scaffold",
    "security",
    "settle",
    "talk",
    "transaction_event",
    "until",
]
