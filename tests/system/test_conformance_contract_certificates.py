"""The certification's cases about contract certificates, and what no such case asks: thieves, liars, floods."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pki.authority.local import LocalAuthority
from pki.clock import utc_now
from pki.iso15118.contract_issuing import ContractIssuer
from pki.iso15118.cps import CpsChain, FileCps
from pki.iso15118.development import write_plug_and_charge_pki
from pki.iso15118.exi import Schema
from pki.iso15118.messages import Action
from pki.iso15118.native import NativeProvider
from pki.iso15118.provisioning import Contract
from pki.iso15118.signature import Suite
from pki.iso15118.trust import TrustedPaths
from pki.iso15118.verification import RequestVerifier
from pki.pem_files import certificates_pem
from pki.profiles import load_profile
from tests.charging_vehicle import EMAID, PCID, ChargingVehicle, HeldContract, ev_payload
from tests.system.stations import register

pytestmark = pytest.mark.asyncio(loop_scope="module")
ACTION = "Get15118EVCertificate"
OCA = "org.openchargealliance.iso15118pnc"
NATIVE = {"native": {"cps": {"chain": "certs/pnc/cps.pem", "key": "file:certs/pnc/cps.key"}}}


def with_provider(provider: dict[str, Any], **backend: Any) -> Callable[[dict[str, Any]], None]:
    def change(tree: dict[str, Any]) -> None:
        tree["authority"]["contract"] = {"local": {"dir": "certs/dev/mo-ca"}}
        tree["backends"]["legacy"].update(backend)
        tree["plug_and_charge"] = {
            "providers": {"own": provider},
            "oem_roots": "certs/pnc/oem-roots.pem",
            "oem_intermediates": "certs/pnc/oem-intermediates.pem",
            "v2g_roots": "certs/pnc/v2g-roots.pem",
        }

    return change


def pki_of(gateway: Any) -> Path:
    folder: Path = gateway.folder / "certs/pnc"
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(new_deployment: Callable[[], AbstractAsyncContextManager[Any]]) -> AsyncIterator[Any]:
    async with new_deployment() as deployed:
        write_plug_and_charge_pki(pki_of(deployed), operator="Example CPO")
        deployed.configure(with_provider(NATIVE))
        status, out, err = await deployed.run("check", "--config", str(deployed.config))
        assert status == 0, out + err
        await deployed.start()
        assert (await deployed.api("POST", "contracts", {"pcid": PCID, "emaid": EMAID[:14]}))[0] == 201
        yield deployed


async def hands_over(station: Any, exi: bytes, action: str = "Install") -> dict[str, Any]:
    frame = await station.call(ACTION, ev_payload(exi, action))
    assert frame[0] == 3, frame
    answer: dict[str, Any] = frame[2]
    return answer


def exi_of(answer: dict[str, Any]) -> bytes:
    return base64.b64decode(answer["exiResponse"])


def reason_of(answer: dict[str, Any]) -> str:
    assert answer["status"] == "Failed"
    return str(answer["statusInfo"]["reasonCode"])


async def provisionings(gateway: Any, station: str) -> list[Any]:
    """Return the audit of one station, the newest first."""
    found: list[Any] = (await gateway.api("GET", f"contract-provisionings?station={station}"))[1][
        "contract_provisionings"
    ]
    return found


def assert_nobody_has_the_key(gateway: Any, held: HeldContract) -> None:
    """A contract's private key is its vehicle's alone: neither the store nor the log has it."""
    store = b"".join(file.read_bytes() for file in gateway.folder.glob("voltgate.db*"))
    der = held.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    for form in (held.key.private_numbers().private_value.to_bytes(32), der):
        assert form not in store
        assert form.hex() not in gateway.log
        assert base64.b64encode(form).decode().rstrip("=")[:-2] not in gateway.log


async def test_tc_m_26_a_vehicle_gets_its_contract_certificate(gateway: Any, tmp_path: Path) -> None:
    vehicle = ChargingVehicle(pki_of(gateway), tmp_path)
    station = await register(gateway, "M26")
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        exi = vehicle.asks()
        answer = await hands_over(connection, exi)
        assert answer["status"] == "Accepted", answer
        held = vehicle.takes(exi_of(answer))
        assert await hands_over(connection, exi) == answer
        assert await station.is_served(connection)
    assert held.emaid == EMAID[:14]
    issuer = x509.load_pem_x509_certificate((gateway.folder / "certs/dev/mo-ca/issuing.pem").read_bytes())
    held.certificate.verify_directly_issued_by(issuer)
    (entry,) = await provisionings(gateway, "M26")
    assert (entry["action"], entry["outcome"], entry["emaid"]) == ("Install", "issued", EMAID[:14])
    assert entry["contract_serial"] == f"{held.certificate.serial_number:x}"
    assert_nobody_has_the_key(gateway, held)


async def test_tc_m_28_a_vehicle_gets_its_next_contract_certificate(gateway: Any, tmp_path: Path) -> None:
    vehicle = ChargingVehicle(pki_of(gateway), tmp_path)
    station = await register(gateway, "M28")
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        first = vehicle.takes(exi_of(await hands_over(connection, vehicle.asks())))
        answer = await hands_over(connection, vehicle.updates(first), "Update")
        assert answer["status"] == "Accepted", answer
        second = vehicle.takes(exi_of(answer))
    assert second.emaid == EMAID[:14]
    assert second.certificate != first.certificate
    shown = (await gateway.api("GET", f"contract-certificates/{first.certificate.serial_number:x}"))[1]
    assert shown["state"] == "superseded"
    metrics = await gateway.metrics()
    assert 'voltgate_contract_requests_total{action="Update",outcome="Issued",provider="own"}' in metrics
    assert_nobody_has_the_key(gateway, second)


async def wrapped(station: Any, vendor: str, message_id: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Say a message of the Plug & Charge note, and return what is in the answer."""
    conf = (
        await station.call("DataTransfer", {"vendorId": vendor, "messageId": message_id, "data": json.dumps(payload)})
    )[2]
    assert conf["status"] == "Accepted"
    answer: dict[str, Any] = json.loads(conf["data"])
    return answer


async def test_tc_m_26_and_at_a_16_station_in_data_transfer(gateway: Any, tmp_path: Path) -> None:
    vehicle = ChargingVehicle(pki_of(gateway), tmp_path)
    station = await register(gateway, "PNC16", "ocpp1.6")
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        for vendor in (OCA, "iso15118"):
            answer = await wrapped(connection, vendor, ACTION, ev_payload(vehicle.asks()))
            assert answer["status"] == "Accepted"
            assert vehicle.takes(exi_of(answer)).emaid == EMAID[:14]


async def test_tc_m_28_and_at_a_16_station_where_it_is_authorized_with_it(gateway: Any, tmp_path: Path) -> None:
    vehicle = ChargingVehicle(pki_of(gateway), tmp_path)
    station = await register(gateway, "M28-16", "ocpp1.6")
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        first = vehicle.takes(exi_of(await wrapped(connection, OCA, ACTION, ev_payload(vehicle.asks()))))
        update = ev_payload(vehicle.updates(first), "Update")
        second = vehicle.takes(exi_of(await wrapped(connection, OCA, ACTION, update)))
        assert second.certificate != first.certificate
        ders = (second.chain.certificate, *second.chain.sub_certificates)
        pem = certificates_pem([x509.load_der_x509_certificate(each) for each in ders])
        answer = await wrapped(connection, OCA, "Authorize", {"idToken": second.emaid, "certificate": pem})
    assert (answer["certificateStatus"], answer["idTokenInfo"]["status"]) == ("Accepted", "Accepted")


def flipped(exi: bytes, place: int) -> bytes:
    return exi[:place] + bytes([exi[place] ^ 0x10]) + exi[place + 1 :]


async def test_what_is_forged_or_nobodys_brings_nothing(gateway: Any, tmp_path: Path) -> None:
    vehicle = ChargingVehicle(pki_of(gateway), tmp_path / "v")
    write_plug_and_charge_pki(tmp_path / "other", operator="Example CPO")
    foreign = ChargingVehicle(tmp_path / "other", tmp_path / "f")
    stranger = ChargingVehicle(pki_of(gateway), tmp_path / "s", pcid="WEXEXAMPLE00000099")
    held = (await gateway.api("GET", "contract-certificates"))[1]["contract_certificates"]
    station = await register(gateway, "PNC2")
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        signed = vehicle.asks()
        for exi, reason in (
            (b"\x80", "Malformed"),
            (b"", "Malformed"),
            (signed[: len(signed) // 2], "Malformed"),
            (signed + b"\0", "Malformed"),
            (foreign.asks(), "ChainUntrusted"),
            (stranger.asks(), "NoContract"),
        ):
            assert reason_of(await hands_over(connection, exi)) == reason
        assert reason_of(await hands_over(connection, signed, "Update")) == "Malformed"
        reasons = {reason_of(await hands_over(connection, flipped(signed, place))) for place in (80, 200, 400, 600)}
        assert reasons <= {"Malformed", "SignatureProfile", "DigestMismatch", "SignatureInvalid", "ChainUntrusted"}
        frame = await connection.call(ACTION, {**ev_payload(b""), "exiRequest": "A" * 5604})
        assert frame[0] == 4  # beyond the schema
        assert await station.is_served(connection)
    assert (await gateway.api("GET", "contract-certificates"))[1]["contract_certificates"] == held
    audit = await provisionings(gateway, "PNC2")
    assert len(audit) == 11
    assert {each["outcome"] for each in audit} == {"refused"}
    await gateway.logged("SuspiciousVehicleRequest", name="kind")


async def test_a_copied_request_is_a_replay(gateway: Any, tmp_path: Path) -> None:
    exi = ChargingVehicle(pki_of(gateway), tmp_path).asks()
    victim, thief = await register(gateway, "PNC3"), await register(gateway, "PNC4")
    async with victim.comes() as connection, thief.comes() as other:
        assert await victim.boots(connection) == await thief.boots(other) == "Accepted"
        assert (await hands_over(connection, exi))["status"] == "Accepted"
        assert reason_of(await hands_over(other, exi)) == "Replayed"
    await gateway.logged("AttemptedReplayAttacks", name="kind")


async def test_a_station_that_asks_without_end(gateway: Any) -> None:
    station = await register(gateway, "PNC5")
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        answers = [await hands_over(connection, b"\x80%d" % number) for number in range(62)]
    assert [reason_of(each) for each in answers] == ["Malformed"] * 60 + ["RateLimitExceeded"] * 2
    assert len(await provisionings(gateway, "PNC5")) == 61


# --- a backend that knows contract certificates


async def provided(folder: Path, pki: Path, exi: bytes) -> bytes:
    """Return what another operator's system provides for a request, under the same V2G root."""
    roots, subs = (
        x509.load_pem_x509_certificates((pki / name).read_bytes())
        for name in ("oem-roots.pem", "oem-intermediates.pem")
    )
    verifier = RequestVerifier(TrustedPaths(roots, subs), TrustedPaths(()), profiles="enforce")
    request = verifier.verify(exi, Schema.ISO_2, Action.INSTALL)
    profile = load_profile("contract")
    authority = LocalAuthority.open(folder / "their-mo", organization="Other MO", label="Other MO", profile=profile)
    chain = CpsChain((pki / "cps.pem").read_text(), Suite.ISO_2)
    signer = FileCps(chain, (pki / "cps.key").read_bytes(), clock=utc_now)
    provider = NativeProvider({Schema.ISO_2: ContractIssuer(authority, profile, "Other MO")}, {Schema.ISO_2: signer})
    return (await provider.provide(request, Contract(EMAID, PCID), remaining=0)).exi


def answered(exi: bytes) -> dict[str, str]:
    return {"status": "Accepted", "exiResponse": base64.b64encode(exi).decode()}


@pytest.mark.asyncio(loop_scope="function")
@pytest.mark.parametrize("protocol", ["ocpp1.6", "ocpp2.0.1"])
async def test_a_backend_that_knows_is_asked_and_not_believed(
    deployment: Any, backend: Any, tmp_path: Path, protocol: str
) -> None:
    pki = pki_of(deployment)
    write_plug_and_charge_pki(pki, operator="Example CPO")
    await backend.close()
    backend.subprotocol = protocol
    await backend.open()
    deployment.configure(with_provider({"backend": {}}, protocol=protocol, plug_and_charge=True))
    await deployment.start()
    station = await register(deployment, "CS1")
    vehicle = ChargingVehicle(pki, tmp_path / "v")
    action = ACTION if protocol == "ocpp2.0.1" else "DataTransfer"

    def says(answer: dict[str, str]) -> None:
        wrapped = {"status": "Accepted", "data": json.dumps(answer)}
        backend.answers[action] = wrapped if action == "DataTransfer" else answer

    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        exi = vehicle.asks()
        good = await provided(tmp_path, pki, exi)
        for lie in (good[:-1], flipped(good, len(good) - 40), flipped(good, len(good) // 2), exi, b""):
            says(answered(lie))
            assert reason_of(await hands_over(connection, exi)) == "ProviderAnswer"
        says({"status": "Failed", "exiResponse": ""})
        assert reason_of(await hands_over(connection, exi)) == "ProviderRefused"
        says(answered(good))
        answer = await hands_over(connection, exi)
        assert answer["status"] == "Accepted", answer
        assert vehicle.takes(exi_of(answer)).emaid == EMAID
        heard = [payload for said, payload in backend.log if said == action]
        asked = heard[-1] if action == ACTION else json.loads(heard[-1]["data"])
        assert asked == ev_payload(exi)
        forged = flipped(vehicle.asks(), 300)
        assert reason_of(await hands_over(connection, forged)) != "ProviderRefused"
        assert [payload for said, payload in backend.log if said == action] == heard  # nobody hears of it
    audit = await provisionings(deployment, "CS1")
    assert [each["outcome"] for each in audit].count("issued") == 1
    assert audit[1]["provider"] == "own"
