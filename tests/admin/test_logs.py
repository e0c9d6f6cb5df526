"""The logs over HTTP: lists, one of them, its file, its end, and asking for one."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from gateway.admin.logs import log_shown
from gateway.bridge.ports import PeerUnavailable
from gateway.session.firmware import FirmwareConflict, FirmwareUnknown, LogRecord, LogState
from gateway.session.ports import StationRecord
from tests.admin.conftest import NOON, Office

LOG = LogRecord(
    id=7,
    identity="CS1",
    by="csms",
    action="GetLog",
    log_type="SecurityLog",
    backend_request_id=3,
    request_id=12,
    destination="ftp://user:secret@files.example.com/in?token=secret",
    state=LogState.KEPT,
    reason=None,
    file_name="ä.zip",
    sha256="ab" * 32,
    size=3,
    is_told=True,
    created_at=NOON,
    changed_at=NOON,
)


class Logs:
    """The logs; only number 7 is there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.record = LOG
        self.asked: list[Any] = []
        self.problem: Exception | None = None

    async def list(self, **wanted: Any) -> Sequence[LogRecord]:
        self.asked.append(wanted)
        return [self.record]

    async def find(self, log_id: int) -> LogRecord | None:
        return self.record if log_id == 7 else None

    async def delete(self, log_id: int) -> LogRecord:
        if log_id != 7:
            raise FirmwareUnknown(f"there is no log {log_id}")
        if self.problem is not None:
            raise self.problem
        return replace(self.record, state=LogState.DELETED, sha256=None)

    async def request(self, station: Any, log_type: str, by: str) -> LogRecord:
        self.asked.append((station, log_type, by))
        if self.problem is not None:
            raise self.problem
        return self.record

    def path(self, log_id: int) -> Path:
        return self._folder / f"{log_id}.log"


@pytest.fixture
def logs(office: Office, tmp_path: Path) -> Logs:
    made = office.logs = Logs(tmp_path)
    return made


@pytest.fixture
async def api(office: Office, logs: Logs) -> AsyncIterator[TestClient[Any, Any]]:
    del logs
    async with office.client() as client:
        yield client


async def test_lists(api: TestClient[Any, Any], logs: Logs) -> None:
    answer = await (await api.get("/api/v1/logs?identity=CS1&state=kept,failed&after=3&limit=1")).json()

    assert answer["next"] == 7
    assert answer["logs"][0]["id"] == 7
    states = {LogState.KEPT, LogState.FAILED}
    assert logs.asked == [{"identity": "CS1", "states": states, "after_id": 3, "limit": 1}]
    assert (await (await api.get("/api/v1/logs")).json())["next"] is None


@pytest.mark.parametrize("query", ["state=lost", "limit=0", "limit=1001", "after=-1", "unknown=1"])
async def test_lists_that_make_no_sense(api: TestClient[Any, Any], query: str) -> None:
    assert (await api.get(f"/api/v1/logs?{query}")).status == 400


async def test_one_log_without_a_secret(api: TestClient[Any, Any]) -> None:
    response = await api.get("/api/v1/logs/7")

    shown = await response.json()
    assert shown == log_shown(LOG)
    assert shown["destination"] == "ftp://files.example.com/in"
    assert "secret" not in await response.text()


@pytest.mark.parametrize("number", ["8", "9" * 19, "9" * 400])
@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/content"), ("DELETE", "")])
async def test_a_log_that_is_not_there(api: TestClient[Any, Any], number: str, method: str, path: str) -> None:
    response = await api.request(method, f"/api/v1/logs/{number}{path}")

    assert response.status == 404
    assert (await response.json())["error"]["code"] == "unknown_log"


async def test_the_file_is_for_saving_only(api: TestClient[Any, Any], tmp_path: Path) -> None:
    (tmp_path / "7.log").write_bytes(b"<script>")

    response = await api.get("/api/v1/logs/7/content")

    assert await response.read() == b"<script>"
    assert response.content_type == "application/octet-stream"
    assert response.headers["Content-Disposition"] == "attachment; filename*=UTF-8''%C3%A4.zip"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("sha256", [None, "ab"])
async def test_a_log_without_a_file(api: TestClient[Any, Any], logs: Logs, sha256: str | None) -> None:
    logs.record = replace(LOG, sha256=sha256, state=LogState.DELETED)

    response = await api.get("/api/v1/logs/7/content")

    assert response.status == 404
    assert (await response.json())["error"]["message"] == "log 7 has no file: it is deleted"


async def test_a_log_is_deleted(api: TestClient[Any, Any], logs: Logs) -> None:
    assert (await (await api.delete("/api/v1/logs/7")).json())["state"] == "deleted"
    logs.problem = FirmwareConflict("wait until it is handed over")

    assert (await api.delete("/api/v1/logs/7")).status == 409


async def test_a_station_is_asked(api: TestClient[Any, Any], office: Office, logs: Logs) -> None:
    office.registry.records["CS1"] = StationRecord("CS1", 2)
    body = {"log_type": "SecurityLog"}
    assert (await api.post("/api/v1/stations/CS1/logs", json=body)).status == 409
    station = office.connect("CS1")

    response = await api.post("/api/v1/stations/CS1/logs", json=body)

    assert (response.status, (await response.json())["id"]) == (202, 7)
    assert logs.asked == [(station, "SecurityLog", "API")]
    for problem, status in ((FirmwareConflict("none"), 409), (PeerUnavailable("silence"), 504)):
        logs.problem = problem
        assert (await api.post("/api/v1/stations/CS1/logs", json=body)).status == status
    assert (await api.post("/api/v1/stations/CS1/logs", json={"log_type": "Other"})).status == 400
    assert (await api.post("/api/v1/stations/CS2/logs", json=body)).status == 404


async def test_without_the_section(office: Office) -> None:
    async with office.client() as client:
        for method, path in (("GET", "logs"), ("GET", "logs/7"), ("GET", "logs/7/content"), ("DELETE", "logs/7")):
            response = await client.request(method, f"/api/v1/{path}")
            assert (response.status, (await response.json())["error"]["code"]) == (409, "not_configured")
