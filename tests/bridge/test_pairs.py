"""The table of pairs."""

from gateway.bridge.pairs import SERVED_BY
from gateway.wire.versions import Version


def test_each_backend_serves_stations_of_its_own_version_and_none_that_is_older() -> None:
    assert SERVED_BY.keys() == set(Version)
    for backend, stations in SERVED_BY.items():
        assert backend in stations
        assert all(station.value >= backend.value for station in stations)
