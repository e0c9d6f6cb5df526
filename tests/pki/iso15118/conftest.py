"""Connections to a real OpenBao, or to what stands in for one; closed at the end."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme

from pki.client_tls import TlsTrust
from pki.vault.connection import VaultConnection
from pki.vault.logins import TokenLogin
from tests.bao import ROOT_TOKEN
from tests.vault_standin import StandIn, standing_in

Connect = Callable[..., VaultConnection]


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[StandIn]:
    with standing_in(tmp_path, trustme.CA()) as server:
        yield server


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """``connect(node, token)``"""
    async with AsyncExitStack() as stack:

        def make(node: Any, token: str = ROOT_TOKEN, **how: Any) -> VaultConnection:
            trust = TlsTrust(getattr(node, "roots", None) or node.cacert)
            connection = VaultConnection([node.address], TokenLogin(lambda: token), trust=trust, **how)
            stack.push_async_callback(connection.close)
            return connection

        yield make
