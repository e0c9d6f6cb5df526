"""The certification's cases on firmware, TC_L_01 to 11 and 13, against the real process.

The backend is one of 1.6 that orders by SignedUpdateFirmware; stations of 2.0.1 hear UpdateFirmware.
"""

import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.system.firmware_site import IMAGE, SECURE, FirmwareSite, new_station, signed_order, updates_of
from tests.system.scripted_station import until
from tests.system.stations import VERSIONS

pytestmark = pytest.mark.asyncio(loop_scope="module")
both_versions = pytest.mark.parametrize("version", VERSIONS)
NUMBERS = itertools.count(1)
LATER = "2036-01-01T00:00:00Z"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FirmwareSite]:
    made = FirmwareSite(tmp_path_factory.mktemp("maker"))
    made.offer("fw.bin")
    await made.open()
    yield made
    await made.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(
    site: FirmwareSite, new_deployment: Callable[[], AbstractAsyncContextManager[Any]]
) -> AsyncIterator[Any]:
    async with new_deployment() as deployed:
        deployed.configure(site.configure)
        deployed.configure(lambda tree: tree["backends"]["legacy"].update(security_extension=True))
        await deployed.start()
        yield deployed


class Case:
    """One case: its station, the order, and what the backend hears."""

    def __init__(self, gateway: Any, site: FirmwareSite, station: Any) -> None:
        self.gateway, self.site, self.station = gateway, site, station
        self.backend = gateway.backend

    async def orders(self, request_id: int = 7, **times: str) -> Any:
        """The backend orders; return the status that it is answered."""
        location = self.site.offer("fw.bin")
        order = signed_order(location, self.site.pki.ec.sign(IMAGE), request_id, **times)
        return (await self.backend.call(self.station.identity, "SignedUpdateFirmware", order))[2]["status"]

    async def hears(self, statuses: Sequence[str], request_id: int = 7) -> None:
        """The backend hears all of these statuses, under its own requestId."""
        for status in statuses:
            told = await self.backend.expect("SignedFirmwareStatusNotification")
            assert told == {"status": status, "requestId": request_id}

    async def ends(self, state: str) -> Any:
        """Wait until the newest update is there, and return it."""
        found = await until(
            lambda: updates_of(self.gateway, self.station.identity), lambda found: found[-1]["state"] == state
        )
        return found[-1]

    def heard_by_the_station(self) -> list[Any]:
        return [payload for action, payload in self.station.asked if action.endswith("UpdateFirmware")]


@pytest_asyncio.fixture(loop_scope="module")
async def case(
    gateway: Any, site: FirmwareSite, tmp_path: Path, request: pytest.FixtureRequest, version: str
) -> AsyncIterator[Case]:
    while not gateway.backend.heard.empty():
        gateway.backend.heard.get_nowait()
    name = f"{request.node.name[5:12]}-{next(NUMBERS)}"
    station = await new_station(gateway, site, name, version, tmp_path)
    station.tells = ()
    async with station.online():
        await gateway.backend.joined(name)
        yield Case(gateway, site, station)


def answers(case: Case, status: str) -> None:
    """From now on the station answers an update so."""
    action = "SignedUpdateFirmware" if case.station.subprotocol == "ocpp1.6" else "UpdateFirmware"
    case.station.answers[action] = {"status": status}


@both_versions
async def test_tc_l_01_a_secure_update_succeeds(case: Case) -> None:
    case.station.tells = SECURE

    assert await case.orders() == "Accepted"
    await case.hears(SECURE)

    assert case.station.loaded == IMAGE
    assert (await case.ends("installed"))["status"] == "Installed"


@both_versions
async def test_tc_l_02_an_installation_is_scheduled(case: Case) -> None:
    told = ("Downloading", "Downloaded", "SignatureVerified", "InstallScheduled")
    case.station.tells = told

    await case.orders(installDateTime=LATER)
    await case.hears(told)

    (heard,) = case.heard_by_the_station()
    assert heard["firmware"]["installDateTime"] == LATER
    await case.station.tell("Installing", heard["requestId"])
    await case.station.tell("Installed", heard["requestId"])
    await case.hears(("Installing", "Installed"))


@both_versions
async def test_tc_l_03_a_download_is_scheduled(case: Case) -> None:
    case.station.tells = ("DownloadScheduled",)

    await case.orders(retrieveDateTime=LATER)
    await case.hears(("DownloadScheduled",))

    (heard,) = case.heard_by_the_station()
    assert heard["firmware"]["retrieveDateTime"] == LATER
    assert (await case.ends("sent"))["status"] == "DownloadScheduled"


async def _station_refuses(case: Case, status: str) -> None:
    answers(case, status)

    assert await case.orders() == "Accepted"
    await case.hears(("DownloadFailed",))

    update = await case.ends("failed")
    assert status in update["reason"]
    event = await case.gateway.told(event="security_event", identity=case.station.identity)
    assert event["kind"] == "InvalidFirmwareSigningCertificate"


@both_versions
async def test_tc_l_04_a_station_finds_the_signing_certificate_revoked(case: Case) -> None:
    await _station_refuses(case, "RevokedCertificate")


@both_versions
async def test_tc_l_05_a_station_finds_the_signing_certificate_invalid(case: Case) -> None:
    await _station_refuses(case, "InvalidCertificate")


async def _station_fails(case: Case, *told: str) -> None:
    case.station.tells = told

    await case.orders()
    await case.hears(told)

    assert (await case.ends("failed"))["status"] == told[-1]


@both_versions
async def test_tc_l_06_a_station_finds_the_signature_invalid(case: Case) -> None:
    await _station_fails(case, "Downloading", "Downloaded", "InvalidSignature")
    event = await case.gateway.told(event="security_event", identity=case.station.identity)
    assert event["kind"] == "InvalidFirmwareSignature"


@both_versions
async def test_tc_l_07_a_download_fails(case: Case) -> None:
    await _station_fails(case, "Downloading", "DownloadFailed")


@both_versions
@pytest.mark.parametrize("status", ["InstallVerificationFailed", "InstallationFailed"])
async def test_tc_l_08_what_was_installed_does_not_verify(case: Case, status: str) -> None:
    await _station_fails(case, "Downloading", "Downloaded", "SignatureVerified", "Installing", status)


@both_versions
async def test_tc_l_09_an_installation_fails(case: Case) -> None:
    await _station_fails(case, "Downloading", "Downloaded", "SignatureVerified", "InstallationFailed")


@both_versions
async def test_tc_l_10_a_new_order_cancels_the_one_under_way(case: Case) -> None:
    case.station.tells = ("Downloading",)
    await case.orders()
    await case.hears(("Downloading",))
    answers(case, "AcceptedCanceled")

    await case.orders(8)

    await case.ends("sent")
    first, second = await until(
        lambda: updates_of(case.gateway, case.station.identity), lambda found: found[0]["state"] == "canceled"
    )
    assert (first["state"], second["state"]) == ("canceled", "sent")
    await case.station.tell("Installed", case.heard_by_the_station()[-1]["requestId"])
    await case.hears(("Installed",), 8)


@both_versions
async def test_tc_l_11_a_new_order_can_not_cancel_the_one_under_way(case: Case) -> None:
    case.station.tells = ("Downloading",)
    await case.orders()
    await case.hears(("Downloading",))
    answers(case, "Rejected")

    await case.orders(8)
    await case.hears(("DownloadFailed",), 8)

    await case.station.tell("Installed", case.heard_by_the_station()[0]["requestId"])
    await case.hears(("Installed",))
    assert [each["state"] for each in await updates_of(case.gateway, case.station.identity)] == ["installed", "failed"]


@pytest.mark.parametrize("version", ["ocpp2.0.1"])
async def test_tc_l_13_an_update_waits_for_a_transaction(
    case: Case, transaction_event: Any, token: dict[str, str], evse: dict[str, int]
) -> None:
    station = case.station
    started = transaction_event("Started", 0, idToken=token, evse=evse, state="Charging", wh=100)
    assert (await station.call("TransactionEvent", started))[0] == 3
    station.tells = ("DownloadScheduled",)

    assert await case.orders() == "Accepted"
    await case.hears(("DownloadScheduled",))
    ended = transaction_event("Ended", 1, trigger="StopAuthorized", wh=200)
    assert (await station.call("TransactionEvent", ended))[0] == 3
    await case.backend.expect("StopTransaction")

    request_id = case.heard_by_the_station()[0]["requestId"]
    for status in ("Downloading", "Downloaded", "SignatureVerified", "Installing", "Installed"):
        await station.tell(status, request_id)
    await case.hears(SECURE)
