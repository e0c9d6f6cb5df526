"""The stations' PKI on a real store and the embedded CA."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.config import Config
from gateway.session.boot import BootGate
from gateway.session.ports import BootStatus, Proof, Provisional
from gateway.store.certificates import CertificateState
from tests.app.house import FakeStation, House, open_house, runtime


@pytest.fixture
async def house(configured: Callable[..., Config], tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(configured(), tmp_path) as made:
        yield made


async def test_a_certificate_is_signed_delivered_and_in_the_inventory(house: House) -> None:
    leaf = await house.certificate(FakeStation())
    (record,) = await house.services.pki.on_file.list("CS1")
    assert (int(record.serial, 16), record.state) == (leaf.serial_number, CertificateState.INSTALLED)


async def test_whoever_comes_with_a_newer_certificate_has_given_up_the_older(house: House) -> None:
    station = FakeStation()
    older, newer = await house.certificate(station), await house.certificate(station)
    station.proof = Proof(3, path=(newer, older))
    house.services.joined(runtime(station))
    await house.idle()
    states = {int(each.serial, 16): each.state for each in await house.services.pki.on_file.list("CS1")}
    assert states == {
        older.serial_number: CertificateState.SUPERSEDED,
        newer.serial_number: CertificateState.IN_USE,
    }


@pytest.mark.parametrize("moment", ["joined", "allowed to speak"])
async def test_a_provisional_station_is_asked_for_a_csr_by_itself(house: House, moment: str) -> None:
    station = FakeStation(proof=Proof(3, provisional=Provisional.FACTORY))
    begin = house.services.joined if moment == "joined" else house.services.pki.renew_provisional
    begin(runtime(station))
    assert await station.asked() == ("TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"})


async def test_one_that_has_not_booted_is_not_asked_yet(house: House) -> None:
    station = FakeStation(proof=Proof(3, provisional=Provisional.FACTORY), gate=BootGate(BootStatus.NONE))
    house.services.joined(runtime(station))
    await house.idle()
    assert station.calls.empty()
