"""Providers out of the configuration: what each kind is able to, and what a start fails on."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from gateway.app.authorities import open_authorities
from gateway.app.contract_offers import open_offers
from gateway.app.contract_trust import ContractTrust
from gateway.app.problems import StartFailed
from gateway.bridge.books import Books, Page
from gateway.config import Config
from gateway.services.contract_providers import BackendProvider, Offer
from gateway.wire.versions import Version
from pki.clock import utc_now
from pki.iso15118.development import write_plug_and_charge_pki
from pki.iso15118.native import NativeProvider
from pki.iso15118.opcp.provider import OpcpProvider
from pki.iso15118.opcp.signing import NativeWithOpcpCps
from pki.issuing import new_hierarchy
from tests.app.test_contract_trust import Operators
from tests.app.test_plug_and_charge import Stand

OPCP = {"opcp": {"url": "https://opcp.example.com"}}


class Opening:
    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.folder = folder
        self.stack = stack

    async def offer(
        self, provider: dict[str, Any], *, uses: tuple[str, ...] = ("contract",), backends: Any = None
    ) -> Offer:
        knowing = {"url": "wss://csms.example.com/{identity}"}
        authority = {use: {"local": {"dir": str(self.folder / use)}} for use in ("station", *uses)}
        config = Config.model_validate(
            {
                "operator": "Example CPO",
                "backends": {name: {**knowing, **keys} for name, keys in (backends or {"legacy": {}}).items()},
                "default_backend": next(iter(backends or {"legacy": {}})),
                "authority": authority,
                "plug_and_charge": {"providers": {"a": provider}, "oem_roots": str(self.folder / "oem-roots.pem")},
            }
        )
        assert config.plug_and_charge is not None
        self.authorities = await open_authorities(config, self.stack)
        trust = ContractTrust(config.plug_and_charge, Operators())
        await trust.open()
        return (await open_offers(config, config.plug_and_charge, self.authorities, trust, self.stack))["a"]

    def native(self, **keys: str) -> dict[str, Any]:
        files = {"chain": str(self.folder / "cps.pem"), "key": f"file:{self.folder}/cps.key"}
        return {"native": {"cps": {**files, **keys}}}


@pytest.fixture
async def opening(tmp_path: Path) -> AsyncIterator[Opening]:
    write_plug_and_charge_pki(tmp_path, operator="Example CPO")
    async with AsyncExitStack() as stack:
        yield Opening(tmp_path, stack)


async def test_native(opening: Opening) -> None:
    offer = await opening.offer(opening.native())
    assert (offer.knows_contracts, offer.is_ours) == (False, True)
    provider = offer.at(Stand(), "iso15118")
    assert isinstance(provider, NativeProvider)
    assert repr(provider) == "NativeProvider(ISO_2)"


async def test_what_does_not_reach_its_vehicle_is_revoked(opening: Opening) -> None:
    offer = await opening.offer(opening.native())
    authority = opening.authorities.by_use["contract"]
    issuing = (await authority.chain())[0]
    offer.withdraw(issuing)  # stands in for a contract
    await opening.stack.aclose()
    crl = x509.load_pem_x509_crl(await authority.crl())
    assert crl.get_revoked_certificate_by_serial_number(issuing.serial_number) is not None


async def test_a_certificate_of_a_generation_that_is_not_issued(opening: Opening) -> None:
    offer = await opening.offer(opening.native())
    now = utc_now()
    other = new_hierarchy("Other", "Other", now - timedelta(days=1), curve="P-521").root.certificate
    offer.withdraw(other)


@pytest.mark.parametrize("keys", [{"chain": "/nowhere.pem"}, {"key": "file:/nowhere.key"}])
async def test_a_provisioning_service_that_can_not_be_read(opening: Opening, keys: dict[str, str]) -> None:
    with pytest.raises(StartFailed, match=r"plug_and_charge\.providers\.a\.native\.cps\.(chain|key): .*nowhere"):
        await opening.offer(opening.native(**keys))


async def test_opcp(opening: Opening) -> None:
    offer = await opening.offer(OPCP, uses=())
    assert (offer.knows_contracts, offer.is_ours) == (True, False)
    assert isinstance(offer.at(Stand(), "iso15118"), OpcpProvider)
    offer.withdraw(x509.load_pem_x509_certificate((opening.folder / "oem-roots.pem").read_bytes()))


async def test_native_whose_answers_another_signs(opening: Opening) -> None:
    offer = await opening.offer({"native_opcp_cps": OPCP})
    assert (offer.knows_contracts, offer.is_ours) == (False, True)
    assert isinstance(offer.at(Stand(), "iso15118"), NativeWithOpcpCps)


@pytest.mark.parametrize("provider", [{}, {"native_opcp_cps": OPCP}])
async def test_what_the_rules_see_to(opening: Opening, provider: dict[str, Any]) -> None:
    with pytest.raises(StartFailed, match=r"plug_and_charge\.providers\.a: names nobody"):
        await opening.offer(provider, uses=())


@pytest.mark.parametrize(
    ("page", "version"),
    [
        ({"name": "new", "protocol": "ocpp2.0.1"}, Version.V201),
        ({"name": "knowing"}, Version.V16),
        ({"name": "old"}, None),
        ({"name": "deaf", "protocol": "ocpp2.0.1"}, None),
        ({"name": "gone"}, None),
        ({}, None),
    ],
)
async def test_the_backend_that_the_station_has_now(
    opening: Opening, page: dict[str, Any], version: Version | None
) -> None:
    new = {"protocol": "ocpp2.0.1"}
    deaf = {**new, "plug_and_charge": False}
    backends = {"old": {}, "new": new, "knowing": {"plug_and_charge": True}, "deaf": deaf}
    offer = await opening.offer({"backend": {}}, backends=backends)
    station = Stand(books=Books(pages={Page.BACKEND: page}))
    provider = offer.at(station, "iso15118")
    assert (offer.knows_contracts, offer.is_ours) == (True, False)
    assert isinstance(provider, BackendProvider)
    assert (provider._version, provider._vendor_id) == (version, "iso15118")
