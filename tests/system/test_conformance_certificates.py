"""The certification's cases about the station's own certificates, by their ids (docs/conformance.md)."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509

from tests.system.stations import VERSIONS, Registered, asked, register, reply, signing_request

pytestmark = pytest.mark.asyncio(loop_scope="module")
both_versions = pytest.mark.parametrize("version", VERSIONS)
V2G = "V2GCertificate"
OCA = "org.openchargealliance.iso15118pnc"
ACCEPTED = {"status": "Accepted"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(new_deployment: Callable[[], AbstractAsyncContextManager[Any]]) -> AsyncIterator[Any]:
    async with new_deployment() as deployed:
        deployed.configure(lambda tree: tree["authority"].update(v2g={"local": {"dir": "certs/dev/v2g-ca"}}))
        await deployed.start()
        yield deployed


async def triggered(station: Registered, connection: Any, path: str, body: Any, action: str) -> Any:
    """Have the operator ask for a CSR, and the station take the trigger; return the frame."""
    asking = asyncio.create_task(station.gateway.api("POST", f"stations/{station.identity}/{path}", body))
    frame = await asked(connection, action)
    wrapped = {**ACCEPTED, "data": json.dumps(ACCEPTED)}
    await reply(connection, frame, wrapped if action == "DataTransfer" else ACCEPTED)
    assert (await asking)[0] in {200, 202}
    return frame[3]


async def certificates(station: Registered) -> list[Any]:
    shown = await station.gateway.api("GET", f"certificates?identity={station.identity}")
    found: list[Any] = shown[1]["certificates"]
    return found


@both_versions
async def test_tc_a_11_the_station_certificate_is_renewed_on_trigger_and_used(
    gateway: Any, tmp_path: Path, version: str
) -> None:
    station = await register(gateway, f"A11-{version}", version)
    csr, key = signing_request(tmp_path, station.serial)
    chain = tmp_path / "chain.pem"
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        action = "ExtendedTriggerMessage" if station.is_16 else "TriggerMessage"
        await triggered(station, connection, "certificate", None, action)
        assert (await connection.call("SignCertificate", {"csr": csr}))[2] == ACCEPTED
        signed = await asked(connection, "CertificateSigned")
        chain.write_text(signed[3]["certificateChain"])
        await reply(connection, signed, ACCEPTED)
        await gateway.told(event="certificate_signed", state="installed")
    async with station.comes(certificate=(chain, key)) as connection:
        assert await station.boots(connection) == "Accepted"
        assert await station.is_served(connection)
        assert (await station.shown())["profile"] == 3


async def test_tc_a_12_the_v2g_certificate_is_renewed_on_trigger(gateway: Any, tmp_path: Path) -> None:
    station = await register(gateway, "A12")
    csr, _ = signing_request(tmp_path, station.serial)
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        body = {"action": "TriggerMessage", "payload": {"requestedMessage": "SignV2GCertificate"}}
        await triggered(station, connection, "calls", body, "TriggerMessage")
        answer = await connection.call("SignCertificate", {"csr": csr, "certificateType": V2G})
        assert answer[2] == ACCEPTED
        signed = await asked(connection, "CertificateSigned")
        await reply(connection, signed, ACCEPTED)
    assert signed[3]["certificateType"] == V2G
    leaf, issuing = x509.load_pem_x509_certificates(signed[3]["certificateChain"].encode())
    leaf.verify_directly_issued_by(issuing)
    assert leaf.subject.get_attributes_for_oid(x509.NameOID.DOMAIN_COMPONENT)[0].value == "CPO"
    (found,) = await certificates(station)
    assert (found["usage"], int(found["serial"], 16)) == ("v2g", leaf.serial_number)


async def test_tc_a_12_and_that_of_a_16_station_in_data_transfer(gateway: Any, tmp_path: Path) -> None:
    station = await register(gateway, "A12-16", "ocpp1.6")
    csr, _ = signing_request(tmp_path, station.serial)
    wrapped = {"vendorId": OCA, "messageId": "SignCertificate", "data": json.dumps({"csr": csr})}
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        answer = (await connection.call("DataTransfer", wrapped))[2]
        assert (answer["status"], json.loads(answer["data"])) == ("Accepted", ACCEPTED)
        signed = await asked(connection, "DataTransfer")
        await reply(connection, signed, {**ACCEPTED, "data": json.dumps(ACCEPTED)})
    assert (signed[3]["vendorId"], signed[3]["messageId"]) == (OCA, "CertificateSigned")
    assert json.loads(signed[3]["data"])["certificateChain"].startswith("-----BEGIN CERTIFICATE-----")


@both_versions
async def test_tc_a_14_a_certificate_that_the_station_refuses_is_revoked_and_not_sent_again(
    gateway: Any, tmp_path: Path, version: str
) -> None:
    station = await register(gateway, f"A14-{version}", version)
    csr, _ = signing_request(tmp_path, station.serial)
    event = {"type": "InvalidChargingStationCertificate", "timestamp": "2026-01-01T00:00:00Z"}
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        assert (await connection.call("SignCertificate", {"csr": csr}))[2] == ACCEPTED
        signed = await asked(connection, "CertificateSigned")
        await reply(connection, signed, {"status": "Rejected"})
        assert (await connection.call("SecurityEventNotification", event))[2] == {}
        await gateway.told(event="certificate_dropped")
        assert await station.is_served(connection)
    async with station.comes() as connection:
        assert await station.is_served(connection)
    (found,) = await certificates(station)
    assert found["state"] == "revoked"
    status, requests = await gateway.api("GET", f"certificate-requests?identity={station.identity}")
    assert (status, [each["state"] for each in requests["certificate_requests"]]) == (200, ["rejected"])


async def test_a_kill_between_answer_and_certificate_costs_neither(gateway: Any, tmp_path: Path) -> None:
    station = await register(gateway, "KILLED")
    csr, _ = signing_request(tmp_path, station.serial)
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        assert (await connection.call("SignCertificate", {"csr": csr}))[2] == ACCEPTED
        first = await asked(connection, "CertificateSigned")
        await gateway.stop(signal.SIGKILL)
    await gateway.start()
    async with station.comes() as connection:
        again = await asked(connection, "CertificateSigned")
        await reply(connection, again, ACCEPTED)
        await gateway.told(event="certificate_signed", state="installed")
    assert again[3] == first[3]
    (found,) = await certificates(station)
    assert found["state"] == "installed"


async def test_a_csr_that_a_person_must_approve(
    new_deployment: Callable[[], AbstractAsyncContextManager[Any]], tmp_path: Path
) -> None:
    async with new_deployment() as deployed:
        deployed.configure(lambda tree: tree["authority"]["station"].update(approval="operator"))
        await deployed.start()
        station = await register(deployed, "WAITS")
        csr, _ = signing_request(tmp_path, station.serial)
        async with station.comes() as connection:
            assert await station.boots(connection) == "Accepted"
            assert (await connection.call("SignCertificate", {"csr": csr}))[2] == ACCEPTED
            status, out, err = await deployed.run("cert", "requests", "--json", "--config", str(deployed.config))
            assert (status, err) == (0, "")
            (waiting,) = json.loads(out)
            assert waiting["state"] == "waiting"
            status, _, err = await deployed.run("cert", "approve", str(waiting["id"]), "--config", str(deployed.config))
            assert (status, err) == (0, "")
            signed = await asked(connection, "CertificateSigned")
            await reply(connection, signed, ACCEPTED)
