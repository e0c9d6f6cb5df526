"""A gateway between two third parties: npm's ocpp-rpc in strict mode, as backend and as stations."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

import pytest

from tests.interop.child import Json
from tests.interop.gateway_process import Gateway
from tests.interop.josev import MISSING, PYTHON, Josev
from tests.interop.peers import Backend, Station, Stations

HERE: Final = Path(__file__).parent


class NewStation(Protocol):
    """Registers a station that may use a security profile from this one up."""

    def __call__(self, profile: int, protocol: str = "ocpp2.0.1", *, by_command: bool = False) -> Station:
        """Return it, not connected."""


@pytest.fixture(scope="session")
def ocpp_rpc() -> None:
    """The third party itself; without it there is nothing to test against."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed; the third-party peers (npm's ocpp-rpc) need it")
    if not (HERE / "node_modules/ocpp-rpc").is_dir():
        pytest.skip("npm's ocpp-rpc is not installed; run make interop-deps")


@pytest.fixture(scope="session")
def backend(ocpp_rpc: None) -> Iterator[Backend]:  # skips where there is no ocpp-rpc
    """One backend for all stations of the session."""
    backend = Backend()
    yield backend
    assert backend.stop() == 0


@pytest.fixture(scope="session")
def gateway(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway for all stations of the session."""
    gateway = Gateway(tmp_path_factory.mktemp("interop") / "d", backend.port)
    yield gateway
    assert gateway.stop() == 0
    assert_healthy(gateway.news())


@pytest.fixture(scope="session")
def third_party(ocpp_rpc: None) -> Iterator[Stations]:  # skips where there is no ocpp-rpc
    """One process for the stations of the session."""
    stations = Stations()
    yield stations
    assert stations.stop() == 0


@pytest.fixture(scope="session")
def josev() -> Iterator[Josev]:
    """PyPI's iso15118, a third party of its own; without it there is nothing to test against."""
    if not PYTHON.exists():
        pytest.skip(MISSING)
    josev = Josev()
    yield josev
    assert josev.stop() == 0


@pytest.fixture
def new_station(third_party: Stations, gateway: Gateway, backend: Backend) -> Iterator[NewStation]:
    """Register stations. After the test, neither side may have found fault."""
    stations: list[Station] = []

    def new(profile: int, protocol: str = "ocpp2.0.1", *, by_command: bool = False) -> Station:
        stations.append(third_party.new(gateway, profile, protocol, by_command=by_command))
        return stations[-1]

    yield new
    for station in stations:
        station.leave()
    backend.do("reset")
    complaints = [*backend.complaints(), *third_party.complaints()]
    assert not complaints, complaints
    assert_healthy(gateway.news())


def assert_healthy(log: Sequence[Json]) -> None:
    """Nothing in the gateway's log is the gateway's own fault, or a fault that the gateway finds with a strict peer."""
    faults = {"not_sendable", "handler_failed", "invalid_answer", "stray_answer"}
    found = [line for line in log if line["event"] in faults or line["level"] in {"error", "critical"}]
    assert not found, found
