"""Nothing is installed that the manufacturer didn't sign: whole ways from a backend's order to what a station loads."""

import copy
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from pki.firmware import Signed
from tests.firmware_pki import manufacturer
from tests.system.firmware_site import IMAGE, PUBLIC_URL, FirmwareSite, new_station, signed_order, updates_of
from tests.system.scripted_station import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

AT = "2026-01-01T00:00:00Z"
FOREIGN = manufacturer("Elsewhere")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FirmwareSite]:
    made = FirmwareSite(tmp_path_factory.mktemp("maker"))
    await made.open()
    yield made
    await made.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(
    site: FirmwareSite, new_deployment: Callable[[], AbstractAsyncContextManager[Any]]
) -> AsyncIterator[Any]:
    def configure(tree: dict[str, Any]) -> None:
        site.configure(tree)
        backends = tree["backends"]
        backends["paper"] = copy.deepcopy(backends["legacy"]) | {"security_extension": True}
        tree["default_backend"] = "legacy"

    async with new_deployment() as deployed:
        deployed.configure(configure)
        await deployed.start()
        yield deployed


@pytest.fixture
def backend(gateway: Any) -> Any:
    """The backend behind it: of a test before, it has heard nothing."""
    while not gateway.backend.heard.empty():
        gateway.backend.heard.get_nowait()
    return gateway.backend


async def added(gateway: Any, location: str, signed: Signed) -> Any:
    """Put an image into the catalogue, where it is fetched and verified."""
    image = {"manufacturer": "maker", "version": location.rpartition("/")[2], "location": location}
    body = image | {"signature": signed.signature, "signing_certificate": signed.signing_certificate}
    status, made = await gateway.api("POST", "firmware", body)
    assert status == 201, made

    async def look() -> Any:
        return (await gateway.api("GET", f"firmware/{made['id']}"))[1]

    return await until(look, lambda image: image["state"] != "quarantined")


@pytest.mark.parametrize("version", ["ocpp2.0.1", "ocpp1.6"])
async def test_a_plain_order_becomes_a_signed_one_and_the_station_sees_for_itself(
    gateway: Any, backend: Any, site: FirmwareSite, tmp_path: Path, version: str
) -> None:
    name = f"good-{version}.bin"
    location = site.offer(name)
    image = await added(gateway, location, site.pki.ec.sign(IMAGE))
    assert image["state"] == "verified"
    station = await new_station(gateway, site, f"good-{version}", version, tmp_path)
    async with station.online():
        await backend.joined(station.identity)
        order = {"location": location, "retrieveDate": AT, "retries": 2}
        assert (await backend.call(station.identity, "UpdateFirmware", order))[2] == {}
        heard = [(await backend.expect("FirmwareStatusNotification"))["status"] for _ in station.tells]

    assert heard == ["Downloading", "Downloaded", "Installing", "Installing", "Installed"]
    assert (station.loaded, station.location.startswith(PUBLIC_URL)) == (IMAGE, True)
    (shown,) = await updates_of(gateway, station.identity)
    assert (shown["state"], shown["status"], shown["by"]) == ("installed", "Installed", "legacy")
    assert "http://127.0.0.1" in shown["location"]


def _refused(pki: Any) -> dict[str, tuple[Signed, bytes, str | None]]:
    """What is wrong -> signature, image as it is offered, and the answer at once; None: it is told by statuses."""
    good = pki.ec.sign(IMAGE)
    return {
        "another image": (good, IMAGE + b"!", None),
        "truncated": (good, IMAGE[:-1], None),
        "another key": (Signed(pki.other.sign(IMAGE).signature, pki.ec.pem), IMAGE, None),
        "no base64": (Signed("!!!", pki.ec.pem), IMAGE, None),
        "expired": (pki.expired.sign(IMAGE), IMAGE, "InvalidCertificate"),
        "revoked": (pki.revoked.sign(IMAGE), IMAGE, "RevokedCertificate"),
        "foreign vendor": (FOREIGN.ec.sign(IMAGE), IMAGE, "InvalidCertificate"),
        "no certificate": (Signed(good.signature, "none"), IMAGE, "InvalidCertificate"),
    }


WRONG = list(_refused(manufacturer("Names")))


@pytest.mark.parametrize("wrong", WRONG)
async def test_what_is_wrong_with_a_signed_order_is_told_and_the_station_hears_nothing(
    gateway: Any, backend: Any, site: FirmwareSite, tmp_path: Path, wrong: str
) -> None:
    signed, image, answer = _refused(site.pki)[wrong]
    name = wrong.replace(" ", "-")
    location = site.offer(f"wrong-{name}.bin", image)
    station = await new_station(gateway, site, f"wrong-{name}", "ocpp2.0.1", tmp_path, "paper")
    async with station.online():
        await backend.joined(station.identity)
        said = (await backend.call(station.identity, "SignedUpdateFirmware", signed_order(location, signed)))[2]
        assert said == {"status": answer or "Accepted"}
        if answer is None:
            told = [await backend.expect("SignedFirmwareStatusNotification") for _ in range(3)]
            assert [each["status"] for each in told] == ["Downloading", "Downloaded", "InvalidSignature"]
            assert {each["requestId"] for each in told} == {7}
        event = await gateway.told(event="security_event", identity=station.identity)

    kind = "InvalidFirmwareSignature" if answer is None else "InvalidFirmwareSigningCertificate"
    assert event["kind"] == kind
    assert [action for action, _ in station.asked if "Firmware" in action] == []


@pytest.mark.parametrize(
    ("wrong", "location"),
    [
        ("missing", None),
        ("elsewhere", "http://169.254.169.254/latest/meta-data"),
        ("unsigned", "http://127.0.0.1:1/unknown.bin"),
    ],
)
async def test_what_can_not_be_had_is_told_as_a_download_that_failed(
    gateway: Any, backend: Any, site: FirmwareSite, tmp_path: Path, wrong: str, location: str | None
) -> None:
    signed = site.pki.ec.sign(IMAGE)
    location = location or f"http://127.0.0.1:{site.port}/missing.bin"
    station = await new_station(gateway, site, f"had-{wrong}", "ocpp2.0.1", tmp_path, "paper")
    plain = {"location": location, "retrieveDate": AT}
    async with station.online():
        await backend.joined(station.identity)
        if wrong == "unsigned":
            assert (await backend.call(station.identity, "UpdateFirmware", plain))[2] == "NotSupported"
        else:
            order = signed_order(location, signed)
            said = await backend.call(station.identity, "SignedUpdateFirmware", order)
            assert said[2] == {"status": "Accepted"}
            told = await backend.expect("SignedFirmwareStatusNotification")
            assert told == {"status": "DownloadFailed", "requestId": 7}

    assert [action for action, _ in station.asked if "Firmware" in action] == []


async def test_a_file_that_is_swapped_after_the_check_is_sent_to_nobody(
    gateway: Any, backend: Any, site: FirmwareSite, tmp_path: Path
) -> None:
    content = IMAGE + b"to be swapped"
    location = site.offer("swapped.bin", content)
    image = await added(gateway, location, site.pki.ec.sign(content))
    (kept,) = [path for path in (gateway.folder / "firmware").rglob("*") if path.name.startswith(image["sha256"])]
    kept.chmod(0o600)
    kept.write_bytes(content[::-1])
    station = await new_station(gateway, site, "swapped", "ocpp2.0.1", tmp_path)
    async with station.online():
        await backend.joined(station.identity)
        order = {"location": location, "retrieveDate": AT}
        assert (await backend.call(station.identity, "UpdateFirmware", order))[2] == {}
        heard = [(await backend.expect("FirmwareStatusNotification"))["status"] for _ in range(3)]

    assert heard == ["Downloading", "Downloaded", "InstallationFailed"]
    assert [action for action, _ in station.asked if "Firmware" in action] == []


async def test_an_operators_order_outlives_the_process_and_the_stations_absence(
    gateway: Any, site: FirmwareSite, tmp_path: Path
) -> None:
    image = await added(gateway, site.offer("later.bin"), site.pki.rsa.sign(IMAGE))
    station = await new_station(gateway, site, "later", "ocpp2.0.1", tmp_path)
    async with station.online():
        pass  # by its BootNotification it is known whose station it is
    status, ordered = await gateway.api("POST", "stations/later/firmware", {"image_id": image["id"]})
    assert (status, ordered["by"]) == (202, "API")
    await until(lambda: updates_of(gateway, "later"), lambda found: found[0]["state"] == "waiting")

    await gateway.stop()
    await gateway.start()
    async with station.online():
        await until(lambda: updates_of(gateway, "later"), lambda found: found[0]["state"] == "installed")

    assert station.loaded == IMAGE
