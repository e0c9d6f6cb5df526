"""A station as the services see it, with a script of answers, and a security log that keeps what it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable
from gateway.session.boot import BootGate
from gateway.session.ports import BootStatus, Proof, StationRecord
from gateway.session.security import SecurityEvent
from gateway.wire.schemas import operation
from gateway.wire.versions import Version
from tests.services.log_house import House, migrated
from tests.services.log_house import log_house as open_log_house

Answer = Json | Exception | Callable[[Json], Any]
"""What a station answers: a payload, an exception, or a function of the request (whose result may be awaitable)."""


class ScriptedStation:
    """Fulfils ``ConnectedStation``. What it is sent, and what it answers, is held against the official schemas."""

    def __init__(
        self,
        identity: str = "CS1",
        *,
        version: Version = Version.V201,
        proof: Proof | None = None,
        record: StationRecord | None = None,
    ) -> None:
        self.record = record or StationRecord(identity, 2, serial="SN1")
        self.version = version
        self.proof = proof or Proof(2)
        self.gate = BootGate(BootStatus.ACCEPTED)
        self.note_vendor: str | None = None
        self.is_connected = True
        self.calls: list[tuple[str, Json]] = []
        self.answers: dict[str, list[Answer]] = {}
        """By action: one for each CALL; the last one is for all that follow. Without any: Accepted."""
        self.closed: list[tuple[int, str]] = []

    @property
    def identity(self) -> str:
        return self.record.identity

    def says(self, action: str, *answers: Answer) -> None:
        """From now on ``action`` is answered so."""
        self.answers[action] = list(answers)

    @property
    def actions(self) -> list[str]:
        """The actions that it was sent, in order."""
        return [action for action, _ in self.calls]

    async def call_station(self, action: str, payload: Json) -> Json:
        if not self.is_connected:
            raise PeerUnavailable("the station is not connected")
        schemas = operation(self.version, action)
        schemas.request.check(payload)
        self.calls.append((action, payload))
        left = self.answers.get(action, [])
        answer: Any = (left.pop(0) if len(left) > 1 else left[0]) if left else self._accepted
        if callable(answer):
            answer = answer(payload)
            if asyncio.iscoroutine(answer) or isinstance(answer, asyncio.Future):
                answer = await answer
        if isinstance(answer, Exception):
            raise answer
        schemas.response.check(answer)
        assert isinstance(answer, dict)
        return answer

    def disconnect(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))
        self.is_connected = False

    @staticmethod
    def _accepted(payload: Json) -> Json:
        if "setVariableData" in payload:
            return set_variables("Accepted")(payload)
        return {"status": "Accepted"}


def set_variables(status: str, reason_code: str | None = None) -> Callable[[Json], Json]:
    """Return a station's way to answer SetVariables."""
    info = {} if reason_code is None else {"attributeStatusInfo": {"reasonCode": reason_code}}

    def answer(payload: Json) -> Json:
        results = [
            {"attributeStatus": status, "component": each["component"], "variable": each["variable"], **info}
            for each in payload["setVariableData"]
        ]
        return {"setVariableResult": results}

    return answer


def get_variables(value: str | None, status: str = "Accepted") -> Callable[[Json], Json]:
    """Return a station's way to answer GetVariables."""
    told = {} if value is None else {"attributeValue": value}

    def answer(payload: Json) -> Json:
        results = [
            {"attributeStatus": status, "component": each["component"], "variable": each["variable"], **told}
            for each in payload["getVariableData"]
        ]
        return {"getVariableResult": results}

    return answer


class KeptEvents:
    """Fulfils ``SecurityLog``."""

    def __init__(self) -> None:
        self.noted: list[SecurityEvent] = []

    def note(self, event: SecurityEvent) -> None:
        self.noted.append(event)

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.noted]


class FakeTime:
    """Monotonic seconds that move when a test says so; ``sleep`` ends when they have moved far enough."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, wake))
        await wake

    async def pass_by(self, seconds: float) -> None:
        """Let time pass, and everybody do what it wakes them for."""
        self.now += seconds
        due = [wake for at, wake in self._sleepers if at <= self.now and not wake.done()]
        self._sleepers = [each for each in self._sleepers if each[0] > self.now and not each[1].done()]
        for wake in due:
            wake.set_result(None)
        await settle()


async def settle() -> None:
    """Let every task that can go on do so. Tasks here wait for made-up things alone, so some turns are enough."""
    for _ in range(50):
        await asyncio.sleep(0)


class Owned:
    """The tasks that a service began."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.append(task)
        return task

    async def finished(self) -> None:
        await asyncio.gather(*self.tasks)

    async def cancel(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@pytest.fixture
def events() -> KeptEvents:
    return KeptEvents()


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture(scope="session")
def migrated_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated(tmp_path_factory.mktemp("migrated"))


@pytest.fixture
async def log_house(tmp_path: Path, migrated_store: Path) -> AsyncIterator[House]:
    async with open_log_house(tmp_path, migrated_store) as house:
        yield house
