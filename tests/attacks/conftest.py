"""What attacks are tried on: the transport's listener with a bare client, on asyncio's own loop; a peer; a process."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.town import Town, settled
from tests.session.conftest import clock, new_talk, registry, security, settle, talk
from tests.system.conftest import backend, deployment, gateway, new_deployment, scaffold, transaction_event
from tests.transport.conftest import authority, listen, new_frame, new_hello, new_request, until

__all__ = [
    "authority",
    "backend",
    "clock",
    "deployment",
    "gateway",
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


@pytest.fixture(params=["ocpp1.6", "ocpp2.0.1"])
async def town(request: Any, gateway: Any, backend: Any, tmp_path: Path) -> AsyncIterator[Town]:
    """A station that has booted, behind the default policy; of either version."""
    async with settled(gateway, backend, tmp_path, request.param) as made:
        yield made


@pytest.fixture
async def town_16(gateway: Any, backend: Any, tmp_path: Path) -> AsyncIterator[Town]:
    """A 1.6 station that has booted, behind the default policy."""
    async with settled(gateway, backend, tmp_path, "ocpp1.6") as town:
        yield town


@pytest.fixture
async def town_201(gateway: Any, backend: Any, tmp_path: Path) -> AsyncIterator[Town]:
    """A 2.0.1 station that has booted, behind the default policy."""
    async with settled(gateway, backend, tmp_path, "ocpp2.0.1") as town:
        yield town
