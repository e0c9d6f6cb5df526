"""PublishFirmware of a 2.0.1 backend, from the order to what another station loads, against the real process."""

import hashlib
import signal
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
import pytest_asyncio

from tests.firmware_pki import FirmwarePki, manufacturer
from tests.system.scripted_station import ACCEPTED, Station201

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATUS: Final = "PublishFirmwareStatusNotification"
PUBLIC_URL: Final = "https://files.example.com:8444"
IMAGE: Final = bytes(range(256)) * 400
WAY: Final = ["Downloading", "Downloaded", "ChecksumVerified", "Published"]


@pytest.fixture(scope="module")
def maker() -> FirmwarePki:
    return manufacturer("Maker")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(
    maker: FirmwarePki, new_deployment: Callable[[], AbstractAsyncContextManager[Any]]
) -> AsyncIterator[Any]:
    def configure(tree: dict[str, Any]) -> None:
        tree["backends"]["legacy"]["protocol"] = "ocpp2.0.1"
        named = {"roots": "maker/roots.pem", "intermediates": "maker/intermediates.pem", "crls": ["maker/signers.crl"]}
        tree["firmware"] = {"manufacturers": {"maker": {"vendors": ["V"], **named}}}
        tree["files"] = {"bind": "127.0.0.1:0", "public_url": PUBLIC_URL}

    async with new_deployment() as deployed:
        maker.write(deployed.folder / "maker")
        await deployed.backend.close()
        deployed.backend.subprotocol = "ocpp2.0.1"
        await deployed.backend.open()
        deployed.configure(configure)
        await deployed.start()
        yield deployed


@pytest.fixture
def backend(gateway: Any) -> Any:
    """The backend behind it: of a test before, it has heard nothing."""
    while not gateway.backend.heard.empty():
        gateway.backend.heard.get_nowait()
    return gateway.backend


async def new_station(gateway: Any, identity: str, folder: Path) -> Station201:
    password = await gateway.add(identity, 2, identity)
    station = Station201(gateway, folder, identity=identity, serial=identity, password=password, profile=2)
    station.answers["UpdateFirmware"] = ACCEPTED
    return station


async def added(gateway: Any, maker: FirmwarePki, name: str, image: bytes = IMAGE) -> str:
    """Put an image that its maker has signed into the catalogue; return its location."""
    signed, location = maker.ec.sign(image), f"https://firmware.example.com/{name}"
    body = {"manufacturer": "maker", "version": name, "location": location, "upload": True}
    body |= {"signature": signed.signature, "signing_certificate": signed.signing_certificate}
    status, made = await gateway.api("POST", "firmware", body)
    assert status == 201, made
    token = (gateway.folder / "secrets/admin-token").read_text().strip()
    url = f"http://127.0.0.1:{gateway.port('http')}/api/v1/firmware/{made['id']}/content"
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
        session.put(url, data=image) as response,
    ):
        assert (await response.json())["state"] == "verified"
    return location


async def loaded(gateway: Any, station: Station201, url: str) -> tuple[int, bytes]:
    """Return status and octets of what a station loads: its DNS says that the endpoint is here."""
    assert url.startswith(f"{PUBLIC_URL}/firmware/")
    here = f"https://localhost:{gateway.port('https')}"
    tls = ssl.create_default_context(cadata="\n".join(station.roots))
    async with aiohttp.ClientSession() as session, session.get(url.replace(PUBLIC_URL, here), ssl=tls) as response:
        return response.status, await response.read()


def publish(location: str, image: bytes = IMAGE) -> dict[str, Any]:
    checksum = hashlib.md5(image, usedforsecurity=False).hexdigest()
    return {"location": location, "checksum": checksum, "requestId": 7}


async def told(backend: Any, count: int) -> list[Any]:
    """Return what the backend hears next of a publication."""
    return [await backend.expect(STATUS) for _ in range(count)]


async def test_what_is_published_is_loaded_and_ordered_by_its_url_until_it_is_unpublished(
    gateway: Any, backend: Any, maker: FirmwarePki, tmp_path: Path
) -> None:
    wanted = publish(await added(gateway, maker, "good.bin"))
    unpublish, trigger = {"checksum": wanted["checksum"]}, {"requestedMessage": STATUS}
    controller, other = [await new_station(gateway, name, tmp_path) for name in ("controller", "other")]
    async with controller.online(), other.online():
        await backend.joined("controller")
        await backend.joined("other")
        assert (await backend.call("controller", "PublishFirmware", wanted))[2] == ACCEPTED
        heard = await told(backend, 4)
        assert [each["status"] for each in heard] == WAY
        (url,) = heard[-1]["location"]
        assert await loaded(gateway, other, url) == (200, IMAGE)

        firmware = {"location": url, "retrieveDateTime": "2026-01-01T00:00:00Z"}
        assert (await backend.call("other", "UpdateFirmware", {"requestId": 8, "firmware": firmware}))[2] == ACCEPTED
        sent = (await other.expect("UpdateFirmware"))["firmware"]
        assert sent["signingCertificate"] == maker.ec.pem
        assert sent["location"] != url
        assert await loaded(gateway, other, sent["location"]) == (200, IMAGE)

        assert (await backend.call("controller", "TriggerMessage", trigger))[2] == ACCEPTED
        assert await told(backend, 1) == [{"status": "Idle"}]
        for status in ("Unpublished", "NoFirmware"):
            assert (await backend.call("controller", "UnpublishFirmware", unpublish))[2] == {"status": status}
        assert (await loaded(gateway, other, url))[0] == 404
        assert (await loaded(gateway, other, sent["location"]))[0] == 200
        _, shown = await gateway.api("GET", "stations/controller/publications")
        assert [each["status"] for each in shown["publications"]] == ["Unpublished"]
        assert url not in str(shown)
    assert [action for action, _ in controller.asked if "Firmware" in action] == []


async def test_what_is_not_good_is_not_published(
    gateway: Any, backend: Any, maker: FirmwarePki, tmp_path: Path
) -> None:
    location = await added(gateway, maker, "other.bin", b"other")
    station = await new_station(gateway, "bad", tmp_path)
    async with station.online():
        await backend.joined("bad")
        for payload, ending in (
            (publish(location, b"another"), ["Downloading", "Downloaded", "InvalidChecksum"]),
            (publish("https://firmware.example.com/unsigned.bin", b"x"), ["Downloading", "PublishFailed"]),
        ):
            assert (await backend.call("bad", "PublishFirmware", payload))[2] == ACCEPTED
            assert [each["status"] for each in await told(backend, len(ending))] == ending
        await gateway.told(event="security_event", kind="UnverifiedFirmware")


async def test_a_kill_before_the_backend_has_heard_of_it(
    gateway: Any, backend: Any, maker: FirmwarePki, tmp_path: Path
) -> None:
    wanted = publish(await added(gateway, maker, "again.bin", b"again"), b"again")
    station = await new_station(gateway, "again", tmp_path)
    async with station.online():
        await backend.joined("again")
        backend.silent.add(STATUS)
        assert (await backend.call("again", "PublishFirmware", wanted))[2] == ACCEPTED
        await backend.expect(STATUS)
        await gateway.stop(signal.SIGKILL)
    backend.silent.clear()
    await gateway.start()
    async with station.online(boots=False):
        heard = await told(backend, 4)
        assert [each["status"] for each in heard] == WAY
        assert await loaded(gateway, station, heard[-1]["location"][0]) == (200, b"again")
