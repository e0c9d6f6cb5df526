"""Attack B2: a station chooses the URL that the gateway asks (SSRF), in GetCertificateStatus or in a certificate."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.app.responders import Responders
from gateway.config import load
from gateway.services.certificate_status import CertificateStatus
from gateway.session.security import Kind, SecurityEvent
from pki.certificate_hash import certificate_hash
from pki.issuing import Hierarchy, new_hierarchy
from tests.responders import leaf_of
from tests.services.conftest import ScriptedStation

NOW = datetime.now(UTC).replace(microsecond=0)
Ask = Callable[[str], Any]


class Inside:
    """A service on the gateway's own machine that nobody outside may reach, and whoever has come all the same."""

    def __init__(self) -> None:
        self.visits: list[bytes] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits.append(await reader.read(100))
        writer.close()


@pytest.fixture
async def inside() -> AsyncIterator[Inside]:
    made = Inside()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    return new_hierarchy("V2G", "CPO", NOW)


class World:
    """The service with an operator's configuration."""

    def __init__(self, hierarchy: Hierarchy, folder: Path, **ocsp: Any) -> None:
        tree = {"backends": {"legacy": {"url": "wss://csms.example.com/{identity}"}}, "ocsp": ocsp}
        (folder / "voltgate.yaml").write_text(yaml.safe_dump(tree))
        self.events: list[SecurityEvent] = []
        self.responders = Responders(load(folder / "voltgate.yaml", {}), self.chain)
        self._service = CertificateStatus(self.responders.client, self.responders, self)
        self._hierarchy = hierarchy
        self._leaf = leaf_of(hierarchy.issuing, NOW)

    async def chain(self) -> Any:
        return [self._hierarchy.issuing.certificate]

    def note(self, event: SecurityEvent) -> None:
        self.events.append(event)

    async def ask(self, url: str) -> str:
        named = certificate_hash(self._leaf, self._hierarchy.issuing.certificate)
        request = {"ocspRequestData": {**named.payload, "responderURL": url}}
        answer = await self._service.get_certificate_status(ScriptedStation(), request)
        assert answer["status"] == "Failed"
        return str(answer["statusInfo"]["reasonCode"])


URLS = [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://127.1:{port}/",
    "http://ocsp.example.com@127.0.0.1:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "https://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_x",
    "http://ocsp.example.com/\r\nHost: 127.0.0.1",
]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("ocsp", [{}, {"responders": ["ocsp.example.com"]}], ids=["no list", "a list"])
async def test_the_gateway_does_not_go_where_a_station_sends_it(
    hierarchy: Hierarchy, inside: Inside, tmp_path: Path, url: str, ocsp: dict[str, Any]
) -> None:
    world = World(hierarchy, tmp_path, **ocsp)
    assert await world.ask(url.format(port=inside.port)) == "ResponderNotAllowed"
    await world.responders.close()
    assert inside.visits == []
    assert [event.kind for event in world.events] == [Kind.UNSAFE_LOCATION]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_not_even_where_the_list_has_it_without_its_network(
    hierarchy: Hierarchy, inside: Inside, tmp_path: Path, host: str
) -> None:
    """A name on the list may be made to lead inside: what is connected to decides."""
    world = World(hierarchy, tmp_path, responders=[f"{host}:{inside.port}"])
    assert await world.ask(f"http://{host}:{inside.port}/") in {"ResponderNotAllowed", "ResponderAway"}
    await world.responders.close()
    assert inside.visits == []


async def test_with_its_network_it_does(hierarchy: Hierarchy, inside: Inside, tmp_path: Path) -> None:
    """The other tests would pass if it went nowhere at all."""
    world = World(hierarchy, tmp_path, responders=[f"127.0.0.1:{inside.port}"], networks=["127.0.0.0/8"])
    assert await world.ask(f"http://127.0.0.1:{inside.port}/") == "ResponderAway"
    await world.responders.close()
    assert inside.visits[0].startswith(b"POST / HTTP/1.1")
