"""What stations have loaded and uploaded, as Prometheus reads it."""

from gateway.admin.metrics import Levels, Metrics
from gateway.session.tally import Tally


def exposed(tally: Tally, connections: int | None) -> list[str]:
    levels = Levels(0, 0, 0, 0, file_connections=connections)
    return [line for line in Metrics(tally, lambda: levels).expose().decode().splitlines() if "voltgate_file_" in line]


def test_requests_bytes_and_connections() -> None:
    tally = Tally()
    tally.file_moved("download", "done", 5)
    tally.file_moved("download", "broken_off", 2)
    tally.file_moved("unknown", "not_found", 0)
    lines = exposed(tally, 3)
    assert "voltgate_file_connections 3.0" in lines
    assert 'voltgate_file_requests_total{outcome="done",what="download"} 1.0' in lines
    assert 'voltgate_file_requests_total{outcome="not_found",what="unknown"} 1.0' in lines
    assert 'voltgate_file_bytes_total{what="download"} 7.0' in lines


def test_without_an_endpoint_there_is_nothing_to_say() -> None:
    assert exposed(Tally(), None) == []
