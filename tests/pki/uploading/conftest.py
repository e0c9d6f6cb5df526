"""What is sent, and where it may go."""

import ipaddress
from pathlib import Path

import pytest

from pki.destinations import UPLOAD_PORTS, AllowList, Destination


def allowed(*places: str, networks: bool = True) -> AllowList:
    """Return a list of places; this machine's own network is on it, or not."""
    own = [ipaddress.ip_network("127.0.0.1/32")] if networks else []
    return AllowList([Destination.parse(place, UPLOAD_PORTS) for place in places], own)


OCTETS = bytes(range(256)) * 2048


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A file that holds ``OCTETS``."""
    file = tmp_path / "7.log"
    file.write_bytes(OCTETS)
    return file


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    file = tmp_path / "8.log"
    file.write_bytes(b"")
    return file
