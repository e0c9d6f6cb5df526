"""From CSR to certificate on a real store and the embedded CA, over restarts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from gateway.app.certificate_requests import certificate_kinds
from gateway.app.clock import now
from gateway.bridge.ports import PeerUnavailable
from gateway.config import Config
from gateway.services.certificate_delivery import DELIVERED_WITHIN
from gateway.session.certificate_requests import RequestState
from gateway.session.station import Station
from gateway.store.certificate_requests import CertificateRequests
from gateway.store.certificates import CertificateState
from gateway.wire.versions import Version
from tests.app.house import PATIENCE, FakeStation, House, open_house, runtime
from tests.services.certificate_desk import make_csr

OPERATOR = "Example CPO"


class Stubborn(FakeStation):
    """A station that gives no answer to CertificateSigned."""

    async def call_station(self, action: str, payload: Any) -> Any:
        await super().call_station(action, payload)
        raise PeerUnavailable("no answer")


def with_v2g(folder: Path, **more: Any) -> dict[str, Any]:
    return {"station": more, "v2g": {"local": {"dir": str(folder / "v2g-ca")}, **more}}


async def ask(house: House, station: FakeStation, csr: str, **more: str) -> Any:
    sign = house.services.by_action[station.version, "SignCertificate"]
    return await sign(runtime(station), {"csr": csr, **more})


async def states(house: House) -> list[str]:
    return [each.state.value for each in await house.requests.list()]


async def until(house: House, *wanted: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while await states(house) != list(wanted):  # noqa: ASYNC110 - the store has no event
            await asyncio.sleep(0.01)


def house_of(house: House, station: Station) -> None:
    house.services.joined(station)


async def test_accepted_is_on_file_and_survives_the_process(configured: Callable[..., Config], tmp_path: Path) -> None:
    config = configured()
    async with open_house(config, tmp_path) as before:
        assert await ask(before, FakeStation(), make_csr()) == {"status": "Accepted"}
        assert await states(before) == ["requested"]
        await before.tasks.close()  # what a kill leaves: nothing of it has begun
    async with open_house(config, tmp_path) as after:
        station = FakeStation()
        house_of(after, runtime(station))
        assert (await station.asked())[0] == "CertificateSigned"
        await after.idle()
        assert await states(after) == ["delivered"]
        (record,) = await after.services.pki.on_file.list("CS1")
        assert record.state is CertificateState.INSTALLED


async def test_what_was_issued_is_delivered_and_not_issued_anew(
    configured: Callable[..., Config], tmp_path: Path
) -> None:
    config = configured()
    async with open_house(config, tmp_path) as before:
        await ask(before, Stubborn(), make_csr())
        await until(before, "issued")
        (record,) = await before.services.pki.on_file.list("CS1")
        await before.tasks.close()
    async with open_house(config, tmp_path) as after:
        station = FakeStation()
        house_of(after, runtime(station))
        _, payload = await station.asked()
        leaf = x509.load_pem_x509_certificate(payload["certificateChain"].encode())
        assert format(leaf.serial_number, "x") == record.serial
        await after.idle()
        assert len(await after.services.pki.on_file.list("CS1")) == 1


async def test_what_was_issued_is_revoked_when_the_station_stays_away(
    configured: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured()
    async with open_house(config, tmp_path) as before:
        await ask(before, Stubborn(), make_csr())
        await until(before, "issued")
        await before.tasks.close()
    monkeypatch.setattr("gateway.app.certificate_requests.now", lambda: now() + DELIVERED_WITHIN)
    monkeypatch.setattr("gateway.services.overdue_requests.LOOK_EVERY", 0.01)
    async with open_house(config, tmp_path) as after:
        after.services.pki.start()
        await until(after, "failed")
        (record,) = await after.services.pki.on_file.list("CS1")
        assert record.state is CertificateState.REVOKED
        await after.tasks.close()


async def test_what_was_signed_but_not_noted_is_found_by_its_key(
    configured: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured()

    async def killed(*_: Any, **__: Any) -> Any:
        raise asyncio.CancelledError

    async with open_house(config, tmp_path) as before:
        with monkeypatch.context() as patched:
            patched.setattr(CertificateRequests, "move", killed)
            await ask(before, FakeStation(), make_csr())
            await before.idle()
        assert await states(before) == ["requested"]
        assert len(await before.services.pki.on_file.list("CS1")) == 1
    async with open_house(config, tmp_path) as after:
        house_of(after, runtime(FakeStation()))
        await after.idle()
        assert await states(after) == ["delivered"]
        assert len(await after.services.pki.on_file.list("CS1")) == 1


async def test_a_v2g_certificate_of_its_own_authority(configured: Callable[..., Config], tmp_path: Path) -> None:
    config = configured(authority=with_v2g(tmp_path))
    async with open_house(config, tmp_path) as house:
        station = FakeStation()
        assert (await ask(house, station, make_csr(), certificateType="V2GCertificate"))["status"] == "Accepted"
        _, payload = await station.asked()
        await house.idle()
        assert payload["certificateType"] == "V2GCertificate"
        leaf, issuing = x509.load_pem_x509_certificates(payload["certificateChain"].encode())
        assert leaf.subject.get_attributes_for_oid(x509.NameOID.DOMAIN_COMPONENT)[0].value == "CPO"
        assert issuing == (await house.services.pki.authorities.by_use["v2g"].chain())[0]
        (record,) = await house.services.pki.on_file.list("CS1")
        assert (record.usage, record.profile) == ("v2g", "secc")


async def test_a_16_stations_v2g_csr_comes_and_goes_in_data_transfer(
    configured: Callable[..., Config], tmp_path: Path
) -> None:
    async with open_house(configured(authority=with_v2g(tmp_path)), tmp_path) as house:
        station = FakeStation(version=Version.V16)
        csr = make_csr().replace("\n", "\\n")
        request = {"vendorId": "iso15118", "messageId": "SignCertificate", "data": f'{{"csr":"{csr}"}}'}
        answer = await house.services.by_action[Version.V16, "DataTransfer"](runtime(station), request)
        assert answer == {"status": "Accepted", "data": '{"status":"Accepted"}'}
        action, payload = await station.asked()
        assert (action, payload["vendorId"], payload["messageId"]) == ("DataTransfer", "iso15118", "CertificateSigned")
        await house.tasks.close()


# --- approval


@pytest.fixture
async def counter(configured: Callable[..., Config], tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(configured(authority={"station": {"approval": "operator"}}), tmp_path) as made:
        yield made


async def test_a_decision_in_the_store_is_seen_within_a_second(counter: House) -> None:
    counter.services.pki.start()
    station = FakeStation()
    await ask(counter, station, make_csr())
    (request,) = await counter.requests.list(states=[RequestState.WAITING])
    await counter.requests.decide(request.id, approved=True, detail="")
    async with asyncio.timeout(1):
        assert (await station.calls.get())[0] == "CertificateSigned"


async def test_a_refusal_in_the_store(counter: House) -> None:
    counter.services.pki.start()
    station = FakeStation()
    await ask(counter, station, make_csr())
    await counter.requests.decide(1, approved=False, detail="not ours")
    await until(counter, "refused")
    assert station.calls.empty()


async def test_what_may_be_asked_for(configured: Callable[..., Config], tmp_path: Path) -> None:
    async with open_house(configured(), tmp_path) as house:
        kinds = certificate_kinds(configured(), house.services.pki.authorities)
        assert list(kinds) == ["ChargingStationCertificate"]
    config = configured(authority=with_v2g(tmp_path, approval="operator"))
    (tmp_path / "second").mkdir()
    async with open_house(config, tmp_path / "second") as house:
        kinds = certificate_kinds(config, house.services.pki.authorities)
        assert {name: (kind.usage, kind.profile.name, kind.needs_approval) for name, kind in kinds.items()} == {
            "ChargingStationCertificate": ("station", "charging_station", True),
            "V2GCertificate": ("v2g", "secc", True),
            "V2G20Certificate": ("v2g", "secc_20", True),
        }
