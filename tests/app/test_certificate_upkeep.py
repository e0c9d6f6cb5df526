"""A replaced certificate, from the day that the new one is shown to the authority's list."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.app import certificate_upkeep
from gateway.config import Config
from gateway.session.ports import Proof, StoreAway
from gateway.store.certificates import CertificateState
from pki.authority import AuthorityUnavailable
from pki.crl import parse_crls
from tests.app.house import PATIENCE, FakeStation, House, open_house, runtime
from tests.bao import running_bao
from tests.bao_pki import make_pki, new_token


@pytest.fixture
async def house(configured: Callable[..., Config], tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(configured(revocation={"superseded_after": 0}), tmp_path) as made:
        yield made


async def test_the_old_certificate_ends_on_the_authoritys_list(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    pki, station = house.services.pki, FakeStation()
    older, newer = await house.certificate(station), await house.certificate(station)
    station.proof = Proof(3, path=(newer,))
    house.services.joined(runtime(station))
    await house.idle()
    authority = pki.authorities.by_use["station"]

    async def sealed(*_: object) -> None:
        raise AuthorityUnavailable("sealed")

    with monkeypatch.context() as down:
        down.setattr(authority, "revoke", sealed)
        assert await pki.upkeep.superseded.revoke_due() == 1
        assert not await pki.upkeep.notices.tell_all()
    assert await pki.on_file.revoked_fingerprints() == {older.fingerprint(SHA256()).hex()}
    assert await pki.upkeep.notices.tell_all()
    (crl,) = parse_crls(await authority.crl())
    assert crl.revoked == {older.serial_number: "superseded"}
    record = await pki.on_file.find(format(older.serial_number, "x"))
    assert record is not None
    assert [step.state.value for step in await pki.on_file.history(record.fingerprint)] == [
        "issued",
        "installed",
        "superseded",
        "revoked",
        "revoked",
    ]


async def test_a_sealed_vault_and_a_restart_lose_no_revocation(
    configured: Callable[..., Config], tmp_path: Path
) -> None:
    with running_bao(tmp_path) as bao:
        make_pki(bao)
        (tmp_path / "token").write_text(new_token(bao))
        vault = {"address": bao.address, "role": "station", "roots": str(bao.cacert), "auth": {"token": "file:token"}}
        config = configured(authority={"station": {"vault": vault}}, revocation={"superseded_after": 0})
        async with open_house(config, tmp_path) as house:
            station = FakeStation()
            older, newer = await house.certificate(station), await house.certificate(station)
            station.proof = Proof(3, path=(newer,))
            house.services.joined(runtime(station))
            await house.idle()
            bao.seal()
            assert await house.services.pki.upkeep.superseded.revoke_due() == 1
            assert not await house.services.pki.upkeep.notices.tell_all()
        bao.unseal()
        async with open_house(config, tmp_path) as house:
            assert await house.services.pki.upkeep.notices.tell_all()
            (crl,) = parse_crls(await house.services.pki.authorities.by_use["station"].crl())
            record = await house.services.pki.on_file.find(format(older.serial_number, "x"))
    assert set(crl.revoked) == {older.serial_number}
    assert record is not None
    assert record.authority_told


async def test_within_its_grace_it_is_left_alone(configured: Callable[..., Config], tmp_path: Path) -> None:
    assert configured().revocation.superseded_after == timedelta(days=1).total_seconds()
    async with open_house(configured(), tmp_path) as house:
        station = FakeStation()
        older, newer = await house.certificate(station), await house.certificate(station)
        for leaf in (older, newer):
            station.proof = Proof(3, path=(leaf,))
            house.services.joined(runtime(station))
            await house.idle()
        assert await house.services.pki.upkeep.superseded.revoke_due() == 0
        states = [each.state for each in await house.services.pki.on_file.list("CS1")]
        assert states == [CertificateState.SUPERSEDED, CertificateState.IN_USE]


async def test_the_inventory_is_counted_again_and_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate_upkeep, "CENSUS_EVERY", 0.001)
    upkeep = house.services.pki.upkeep
    counting = upkeep._counting.take
    problems: list[Exception] = [StoreAway("locked"), RuntimeError("a mistake of ours")]
    counted = asyncio.Event()

    async def take() -> object:
        if problems:
            raise problems.pop()
        if upkeep.census.by_usage_and_state:
            counted.set()
        return await counting()

    monkeypatch.setattr(upkeep._counting, "take", take)
    await house.certificate(FakeStation())
    upkeep.start(house.tasks)
    async with asyncio.timeout(PATIENCE):
        await counted.wait()
    assert upkeep.census.by_usage_and_state == {("station", "installed"): 1}
