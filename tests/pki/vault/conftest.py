"""A stand-in for a node, connections that are closed at the end, and an administrator of the module's OpenBao."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme

from pki.client_tls import TlsTrust
from pki.vault.bootstrap_connection import Administrator
from pki.vault.connection import VaultConnection
from pki.vault.logins import Login, TokenLogin
from tests.bao import Bao
from tests.pki.vault.bootstrapped import administrator
from tests.vault_standin import StandIn, standing_in

Connect = Callable[..., VaultConnection]


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def standin(tmp_path: Path, ca: trustme.CA) -> Iterator[StandIn]:
    with standing_in(tmp_path, ca) as server:
        yield server


@pytest.fixture
def other(tmp_path: Path, ca: trustme.CA) -> Iterator[StandIn]:
    with standing_in(tmp_path, ca) as server:
        yield server


@pytest.fixture
def vault(bao: Bao) -> Iterator[Administrator]:
    with administrator(bao) as opened:
        yield opened


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """``connect(node, node, login=...)``: a connection to stand-ins or to an OpenBao."""
    async with AsyncExitStack() as stack:

        def make(*nodes: Any, login: Login | None = None, trust: TlsTrust | None = None, **how: Any) -> VaultConnection:
            trust = trust or TlsTrust(getattr(nodes[0], "roots", None) or nodes[0].cacert)
            addresses = [node.address for node in nodes]
            connection = VaultConnection(addresses, login or TokenLogin(lambda: "t"), trust=trust, **how)
            stack.push_async_callback(connection.close)
            return connection

        yield make
