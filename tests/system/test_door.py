"""The door of the running gateway: identities, profiles, subprotocols, takeover, certificates."""

import asyncio
import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.exceptions import InvalidStatus

BOOT = {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V", "serialNumber": "SN1"}}


async def _refused(gateway: Any, identity: str, password: str | None, **options: Any) -> Any:
    with pytest.raises(InvalidStatus) as caught:
        async with gateway.station(identity, password, **options):
            pass
    return caught.value.response


async def test_unknown_station_and_wrong_password_look_the_same(gateway: Any) -> None:
    password = await gateway.add("CS1", 2, "SN1")
    answers = [
        await _refused(gateway, "CS9", password),
        await _refused(gateway, "CS1", "wrong password here"),
        await _refused(gateway, "CS1", password, user="CS9"),
        await _refused(gateway, "CS1", None),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({bytes(answer.body) for answer in answers}) == 1
    shapes = {tuple(sorted((k, v) for k, v in answer.headers.raw_items() if k != "Date")) for answer in answers}
    assert len(shapes) == 1
    assert password not in gateway.log


@pytest.mark.parametrize("offered", [None, ["ocpp1.5"], ["ocpp0.1"]])
async def test_no_common_subprotocol_is_closed_at_once(gateway: Any, offered: list[str] | None) -> None:
    password = await gateway.add("CS1", 2, "SN1")
    async with gateway.station("CS1", password, subprotocols=offered) as station:
        assert station.connection.subprotocol is None
        assert await station.closed() == 1002


async def test_the_first_common_subprotocol_is_taken(gateway: Any) -> None:
    password = await gateway.add("CS1", 2, "SN1")
    async with gateway.station("CS1", password, subprotocols=["ocpp0.1", "ocpp2.0.1"]) as station:
        assert station.connection.subprotocol == "ocpp2.0.1"


async def test_a_wrong_serial_number_ends_the_session(gateway: Any, backend: Any) -> None:
    password = await gateway.add("CS1", 2, "SN1")
    async with gateway.station("CS1", password) as station:
        other = {"model": "M", "vendorName": "V", "serialNumber": "SN2"}
        await station.send(json.dumps([2, "1", "BootNotification", BOOT | {"chargingStation": other}]))
        assert await station.closed() == 1008
    assert backend.log == []


async def test_the_holder_that_is_alive_stays(gateway: Any) -> None:
    password = await gateway.add("CS1", 2, "SN1")
    async with gateway.station("CS1", password) as holder:
        await holder.boot()
        assert (await _refused(gateway, "CS1", password)).status_code == 409
        assert (await holder.call("Heartbeat", {}))[0] == 3


async def test_a_station_may_come_back_after_its_connection_was_cut(gateway: Any) -> None:
    password = await gateway.add("CS1", 2, "SN1")
    async with gateway.station("CS1", password) as station:
        await station.boot()
        station.connection.transport.abort()
    async with gateway.station("CS1", password) as station:
        assert (await station.call("Heartbeat", {}))[0] == 3


def _csr(name: str, folder: Path) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "station.key").write_bytes(pem)
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject)).sign(key, hashes.SHA256())
    return csr.public_bytes(serialization.Encoding.PEM).decode()


async def _certified(gateway: Any, station: Any, name: str, folder: Path) -> tuple[Path, Path]:
    """Let a connected station renew its certificate on trigger, and return where chain and key lie."""
    asking = asyncio.create_task(gateway.api("POST", "stations/CS1/certificate"))
    trigger = await station.receive()
    assert trigger[2:] == ["TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"}]
    await station.send(json.dumps([3, trigger[1], {"status": "Accepted"}]))
    assert (await asking)[0] == 202
    assert (await station.call("SignCertificate", {"csr": _csr(name, folder)}))[2] == {"status": "Accepted"}
    signed = await station.receive()
    assert signed[2] == "CertificateSigned"
    await station.send(json.dumps([3, signed[1], {"status": "Accepted"}]))
    (folder / "station.pem").write_text(signed[3]["certificateChain"])
    return folder / "station.pem", folder / "station.key"


async def test_from_password_to_certificate_and_never_back(gateway: Any, tmp_path: Path) -> None:
    password = await gateway.add("CS1", 2, "SN1")
    async with gateway.station("CS1", password) as station:
        await station.boot()
        certificate = await _certified(gateway, station, "SN1", tmp_path)
    leaf = x509.load_pem_x509_certificate(certificate[0].read_bytes())
    assert leaf.subject.rfc4514_string() == "CN=SN1,O=Example CPO"
    async with gateway.station("CS1", certificate=certificate) as station:
        assert (await station.call("Heartbeat", {}))[0] == 3
        assert (await gateway.api("GET", "stations/CS1"))[1]["connected_profile"] == 3
    assert (await _refused(gateway, "CS1", password)).status_code == 401
    await gateway.told(event="not_admitted", reason="downgrade")
    status, out, _ = await gateway.run("cert", "list", "--json", "--config", str(gateway.config))
    assert (status, [each["state"] for each in json.loads(out)]) == (0, ["in_use"])


async def test_a_certificate_opens_no_other_stations_door(gateway: Any, tmp_path: Path) -> None:
    password = await gateway.add("CS1", 2, "SN1")
    await gateway.add("CS2", 2, "SN2")
    async with gateway.station("CS1", password) as station:
        await station.boot()
        certificate = await _certified(gateway, station, "SN1", tmp_path)
        elsewhere = tmp_path / "other"
        elsewhere.mkdir()
        foreign = {"csr": _csr("SN2", elsewhere)}
        assert (await station.call("SignCertificate", foreign))[2]["status"] == "Rejected"
    assert (await _refused(gateway, "CS2", None, certificate=certificate)).status_code == 401
    assert (await _refused(gateway, "CS9", None, certificate=certificate)).status_code == 401


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_foreign_certificate_hears_the_alert(gateway: Any, version: ssl.TLSVersion) -> None:
    dev = gateway.folder / "certs/dev"
    tls = ssl.create_default_context(cafile=dev / "csms-root.pem")
    tls.minimum_version = tls.maximum_version = version
    # A server certificate of ours is no station's.
    tls.load_cert_chain(dev / "gateway-ecdsa.pem", dev / "gateway-ecdsa.key")

    def knock() -> None:
        with (
            socket.create_connection(("127.0.0.1", gateway.port("wss"))) as plain,
            tls.wrap_socket(plain, server_hostname="localhost") as secured,
        ):
            secured.recv(1)

    with pytest.raises(ssl.SSLError, match=r"(?i)unknown.ca"):
        await asyncio.to_thread(knock)


async def test_calls_before_acceptance_and_bad_frames_get_the_standards_answer(gateway: Any, backend: Any) -> None:
    password = await gateway.add("CS1", 2, "SN1")
    async with gateway.station("CS1", password) as station:
        assert (await station.call("Heartbeat", {}))[2] == "SecurityError"
        assert (await station.call("Explode", {}))[2] == "NotImplemented"
        await station.boot()
        for text, message_id, code in (
            ("{", "-1", "RpcFrameworkError"),
            ('[2,"a","Heartbeat",{},1]', "a", "FormatViolation"),
            ('[2,"b","Heartbeat",{"x":1}]', "b", "FormatViolation"),
            ('[2,"c","Authorize",{}]', "c", "OccurrenceConstraintViolation"),
            ('[2,"d","Authorize",{"idToken":{"idToken":5,"type":"Central"}}]', "d", "TypeConstraintViolation"),
            ('[2,"e","Authorize",{"idToken":{"idToken":"x","type":"No"}}]', "e", "PropertyConstraintViolation"),
            ('[2,"f","Heartbeat",{"a":1,"a":2}]', "-1", "RpcFrameworkError"),
            ('[9,"g",{}]', "g", "MessageTypeNotSupported"),
            ('[2,"h","Reset",{"type":"OnIdle"}]', "h", "NotSupported"),
        ):
            await station.send(text)
            assert (await station.receive())[:3] == [4, message_id, code], text
        assert (await station.call("Heartbeat", {}))[0] == 3
    assert [action for action, _ in backend.log] == ["BootNotification", "Heartbeat"]
