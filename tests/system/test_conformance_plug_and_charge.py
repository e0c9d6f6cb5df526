"""The certification's cases about charging contracts, TC_C_50 to 52, against the real process and a real responder.

The backend is one of 1.6 that has never heard of Plug & Charge, unless a test says otherwise.
"""

import copy
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from pki.pem_files import certificates_pem
from tests.contracts import EMAID, Contract, MobilityOperator, mobility_operator
from tests.system.stations import VERSIONS, Registered, register

pytestmark = pytest.mark.asyncio(loop_scope="module")
both_versions = pytest.mark.parametrize("version", VERSIONS)
OCA = "org.openchargealliance.iso15118pnc"
GOOD = ("Accepted", "Accepted")
AT = {"timestamp": "2026-01-01T00:00:00.000Z", "seqNo": 0, "evse": {"id": 1, "connectorId": 1}}


@dataclass
class Site:
    """A gateway with a plain backend and one that knows contracts, and the mobility operator whom it trusts."""

    gateway: Any
    plain: Any
    knowing: Any
    operator: MobilityOperator


def plug_and_charge(knows: str) -> Callable[[dict[str, Any]], None]:
    """Return what makes a configuration one of Plug & Charge; ``knows``: the URL of a backend that knows contracts."""

    def change(tree: dict[str, Any]) -> None:
        tree["backends"]["knowing"] = copy.deepcopy(tree["backends"]["legacy"]) | {
            "url": knows,
            "plug_and_charge": True,
        }
        tree["default_backend"] = "legacy"
        tree["plug_and_charge"] = {
            "providers": {"csms": {"backend": {}}},
            "oem_roots": "mo-root.pem",
            "mo_roots": "mo-root.pem",
        }
        tree["ocsp"] = {"networks": ["127.0.0.0/8"], "issuers": ["mo-sub-cas.pem"]}

    return change


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(
    new_deployment: Callable[[], AbstractAsyncContextManager[Any]],
) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        operator = await stack.enter_async_context(mobility_operator())
        knowing = (await stack.enter_async_context(new_deployment())).backend  # that deployment never runs
        deployed = await stack.enter_async_context(new_deployment())
        (deployed.folder / "mo-root.pem").write_text(certificates_pem([operator.root.certificate]))
        (deployed.folder / "mo-sub-cas.pem").write_text(certificates_pem(operator.sub_cas))
        deployed.configure(plug_and_charge(knowing.url))
        await deployed.start()
        yield Site(deployed, deployed.backend, knowing, operator)


@pytest.fixture(autouse=True)
def quiet(site: Site) -> None:
    """What was heard, asked and revoked before is of other tests."""
    site.plain.log.clear()
    site.knowing.log.clear()
    site.operator.asked.clear()
    site.operator.revoked.clear()


async def authorize(station: Registered, connection: Any, vendor: str = OCA, **proof: Any) -> tuple[str, str]:
    """Ask about the contract in the words of the station's version; return certificateStatus and the token's status."""
    if station.is_16:
        data = json.dumps({"idToken": EMAID, **proof})
        wrapped = {"vendorId": vendor, "messageId": "Authorize", "data": data}
        conf = (await connection.call("DataTransfer", wrapped))[2]
        assert conf["status"] == "Accepted"
        answer = json.loads(conf["data"])
    else:
        answer = (await connection.call("Authorize", {"idToken": {"idToken": EMAID, "type": "eMAID"}, **proof}))[2]
    return answer["certificateStatus"], answer["idTokenInfo"]["status"]


async def charges(station: Registered, connection: Any) -> str:
    """Begin a session under the contract; return what is answered about its token."""
    if station.is_16:
        start = {"connectorId": 1, "idTag": EMAID, "meterStart": 0, "timestamp": AT["timestamp"]}
        return str((await connection.call("StartTransaction", start))[2]["idTagInfo"]["status"])
    event = {
        **AT,
        "eventType": "Started",
        "triggerReason": "Authorized",
        "transactionInfo": {"transactionId": f"tx-{station.identity}", "chargingState": "EVConnected"},
        "idToken": {"idToken": EMAID, "type": "eMAID"},
    }
    return str((await connection.call("TransactionEvent", event))[2]["idTokenInfo"]["status"])


def asked_about(backend: Any) -> list[Any]:
    """Return what a backend has heard of tokens."""
    return [(action, payload) for action, payload in backend.log if action in {"Authorize", "DataTransfer"}]


def serials(contract: Contract) -> list[int]:
    return sorted(each.serial_number for each in contract.path[:-1])


@both_versions
async def test_tc_c_50_a_contract_that_the_station_has_verified_is_accepted(site: Site, version: str) -> None:
    station = await register(site.gateway, f"C50-{version}", version)
    contract = site.operator.contract()
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        hashes = contract.hash_data(site.operator.responder)
        assert await authorize(station, connection, iso15118CertificateHashData=hashes) == GOOD
        assert site.operator.asked.count(contract.leaf.serial_number) == 1
        assert asked_about(site.plain) == [("Authorize", {"idTag": EMAID})]
        assert await charges(station, connection) == "Accepted"
        assert [payload["idTag"] for action, payload in site.plain.log if action == "StartTransaction"] == [EMAID]
        assert await authorize(station, connection, iso15118CertificateHashData=hashes) == GOOD
        assert site.operator.asked.count(contract.leaf.serial_number) == 1, "what was said is remembered"
    text = 'voltgate_contract_authorizations_total{certificate_status="Accepted",proof="hashes"}'
    assert text in await site.gateway.metrics()


@both_versions
async def test_tc_c_51_a_contract_that_is_revoked_is_refused(site: Site, version: str) -> None:
    station = await register(site.gateway, f"C51-{version}", version)
    contract = site.operator.contract()
    site.operator.revoked.add(contract.leaf.serial_number)
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        refused = ("CertificateRevoked", "Invalid")
        hashes = contract.hash_data(site.operator.responder)
        assert await authorize(station, connection, iso15118CertificateHashData=hashes) == refused
        assert await authorize(station, connection, certificate=contract.pem) == refused
    assert asked_about(site.plain) == []
    line = await site.gateway.told(event="contract_refused", identity=station.identity, fault="revoked")
    assert line["emsp"] == "DE8EX"
    await site.gateway.told(event="security_event", identity=station.identity, kind="CertificateRevoked")


@both_versions
async def test_tc_c_52_a_contract_that_the_station_can_not_verify_is_verified_by_its_chain(
    site: Site, version: str
) -> None:
    station = await register(site.gateway, f"C52-{version}", version)
    contract = site.operator.contract()
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        assert await authorize(station, connection, certificate=contract.pem) == GOOD
        assert set(serials(contract)) >= set(site.operator.asked) >= {contract.leaf.serial_number}
        assert asked_about(site.plain) == [("Authorize", {"idTag": EMAID})]
        assert await charges(station, connection) == "Accepted"
        foreign = MobilityOperator(responder=site.operator.responder).contract()
        another = site.operator.contract("DE8EXC00000001")
        for refused in (foreign, another):
            assert await authorize(station, connection, certificate=refused.pem) == ("CertChainError", "Invalid")
        assert await authorize(station, connection) == ("NoCertificateAvailable", "Invalid")
    assert len(asked_about(site.plain)) == 1


@both_versions
@pytest.mark.parametrize("vendor", [OCA, "iso15118"])
async def test_a_backend_that_knows_the_note_hears_of_the_certificate(site: Site, version: str, vendor: str) -> None:
    station = await register(site.gateway, f"KNOWING-{version}-{vendor[:4]}", version)
    assert (await site.gateway.api("PATCH", f"stations/{station.identity}", {"backend": "knowing"}))[0] == 200
    verdict = {"idTokenInfo": {"status": "Blocked"}, "certificateStatus": "Accepted"}
    site.knowing.answers["DataTransfer"] = {"status": "Accepted", "data": json.dumps(verdict)}
    contract = site.operator.contract()
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        found = await authorize(station, connection, vendor, certificate=contract.pem)
        assert found == ("ContractCancelled", "Blocked")
    ((_, heard),) = asked_about(site.knowing)
    assert (heard["vendorId"], heard["messageId"]) == (vendor if station.is_16 else OCA, "Authorize")
    assert json.loads(heard["data"]) == {"idToken": EMAID, "certificate": contract.pem}
