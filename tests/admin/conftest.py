"""The admin application over real HTTP, on stand-ins for the parts behind it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from gateway.admin.api import RenewalRefused, StationApi
from gateway.admin.metrics import Levels, Metrics
from gateway.admin.server import application
from gateway.bridge.ports import PeerUnavailable
from gateway.session.ports import RegistrationRefused, StationRecord
from gateway.session.tally import Tally

TOKEN = "a-token-for-tests"


class LiveStation:
    """A connected station."""

    def __init__(self) -> None:
        self.is_connected = True
        self.profile = 3
        self.backend = SimpleNamespace(is_up=True)
        self.asked: list[tuple[str, Any]] = []
        self.answer: Any = {"status": "Accepted"}

    async def call_station(self, action: str, payload: Any) -> Any:
        self.asked.append((action, payload))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Office:
    """Everything behind the API."""

    def __init__(self) -> None:
        self.records: dict[str, StationRecord] = {}
        self.live: dict[str, LiveStation] = {}
        self.checks: dict[str, bool] = {"store": True, "listeners": True}
        self.tally = Tally()
        self.renewal: Exception | None = None

    async def add(
        self, identity: str, *, profile: int, serial: str | None, backend: str | None, password: str | None
    ) -> Any:
        if identity in self.records:
            raise RegistrationRefused(f"station {identity!r} is registered already")
        self.records[identity] = StationRecord(identity, profile, serial, backend, "scrypt$hash")
        return SimpleNamespace(record=self.records[identity], password=password or "generated")

    async def show(self, identity: str) -> StationRecord:
        try:
            return self.records[identity]
        except KeyError:
            raise LookupError("no such station is registered") from None

    async def list(self) -> Sequence[StationRecord]:
        return list(self.records.values())

    async def remove(self, identity: str, *, force: bool = False) -> None:
        if identity == "BUSY" and not force:
            raise RegistrationRefused("3 messages wait for the backend")
        del self.records[identity]

    async def readiness(self) -> Mapping[str, bool]:
        return self.checks

    async def renew(self, station: Any) -> None:
        if self.renewal is not None:
            raise self.renewal
        await station.call_station("TriggerMessage", {})

    def connect(self, identity: str) -> LiveStation:
        self.live[identity] = LiveStation()
        return self.live[identity]

    def client(self, token: str | None = TOKEN) -> TestClient[Any, Any]:
        api = StationApi(registration=self, live=self.live.get, renew=self.renew)  # type: ignore[arg-type]  # stand-ins
        metrics = Metrics(self.tally, lambda: Levels(len(self.live), 1, 2))
        app = application(token=token, api=api, metrics=metrics, readiness=self.readiness)
        return TestClient(TestServer(app), headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
async def client(office: Office) -> AsyncIterator[TestClient[Any, Any]]:
    async with office.client() as made:
        yield made


@pytest.fixture
def refused_renewal() -> Exception:
    return RenewalRefused("the station answered TriggerMessage with NotImplemented")


@pytest.fixture
def no_answer() -> Exception:
    return PeerUnavailable("no answer to Reset in time")
