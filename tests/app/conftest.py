"""A configuration that loads, and what every station's runtime stands on: a real store, backends that aren't there."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
import yaml

from gateway.app.clock import now
from gateway.app.foundation import Foundation
from gateway.app.tasks import Tasks
from gateway.config import Config, load
from gateway.session.security import SecurityEvent
from gateway.session.tally import Tally
from gateway.store.authorizations import Authorizations
from gateway.store.books import StoredBooks
from gateway.store.connectors import Connectors
from gateway.store.database import Database
from gateway.store.journal import Journal
from gateway.store.pages import Pages
from gateway.store.quarantine import Quarantine
from gateway.store.stations import Stations
from gateway.transport import HandshakePool, Limits
from gateway.upstream.authorizations import RememberedAuthorizations
from gateway.upstream.dialing import BackendAddress
from gateway.wire.versions import Version
from policies.words import PASSED

if TYPE_CHECKING:
    from policies.engine import Guard


@pytest.fixture
def configured(tmp_path: Path) -> Callable[..., Config]:
    """``configured(key=value)`` writes a file with these keys beside a backend, and loads it."""

    def make(**keys: Any) -> Config:
        tree = {"backends": {"legacy": {"url": "wss://csms.example.com/{identity}"}}} | keys
        path = tmp_path / "voltgate.yaml"
        path.write_text(yaml.safe_dump(tree))
        return load(path, {})

    return make


class Events:
    """A security log that keeps what is noted."""

    def __init__(self) -> None:
        self.noted: list[SecurityEvent] = []

    def note(self, event: SecurityEvent) -> None:
        """Keep it."""
        self.noted.append(event)


@pytest.fixture
async def foundation(configured: Callable[..., Any], tmp_path: Path) -> AsyncIterator[Foundation]:
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/voltgate.db", exclusive=True)
    pool, tasks = HandshakePool(), Tasks()
    nowhere = BackendAddress("legacy", lambda _: "ws://127.0.0.1:1/x", Version.V16, None, None)
    yield Foundation(
        config=configured(),
        stations=Stations(database),
        journal=Journal(database, 10),
        quarantine=Quarantine(database, 10),
        connectors=Connectors(database),
        pages=Pages(database),
        books=StoredBooks(database),
        authorizations=RememberedAuthorizations(Authorizations(database), ["legacy"], clock=now),
        addresses={"legacy": nowhere},
        guards=lambda _, __: cast("Guard", SimpleNamespace(inspect=lambda *_: PASSED)),
        tally=Tally(),
        limits=Limits(),
        pool=pool,
        services={},
        tasks=tasks,
        security=Events(),
        joined=lambda _: None,
        when_provisional=lambda _: None,
    )
    await tasks.close()
    pool.close()
    await database.close()
