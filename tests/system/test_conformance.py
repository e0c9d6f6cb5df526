"""The certification's cases for a CSMS, by their ids (docs/conformance.md names each), against the real process.

All but one setting of TC_B_58 share a process; every case has a station of its own.
"""

import asyncio
import base64
import datetime as dt
import json
import socket
import ssl
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from gateway.bridge.plug_and_charge_16 import VENDOR_ID as PNC_VENDOR
from pki.certificate_hash import certificate_hash
from pki.issuing import Hierarchy
from tests.responders import leaf_of, responding
from tests.system.stations import (
    OPERATOR,
    VERSIONS,
    Registered,
    answers_a_setting,
    asked,
    asked_for_a_password,
    certify,
    client_tls,
    foreign_ca,
    register,
    reply,
    signing_request,
    station_ca,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIME: Final = "2026-01-01T00:00:00Z"
both_versions = pytest.mark.parametrize("version", VERSIONS)
tls_versions = pytest.mark.parametrize("tls_version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(new_deployment: Callable[[], AbstractAsyncContextManager[Any]]) -> AsyncIterator[Any]:
    async with new_deployment() as deployed:
        ca = station_ca(deployed)
        async with responding(Hierarchy(ca, ca)) as responder:
            deployed.configure(
                lambda tree: tree.update(ocsp={"responders": [responder.url], "networks": ["127.0.0.0/8"]})
            )
            deployed.responder = responder
            await deployed.start()
            yield deployed


@pytest.fixture
def backend(gateway: Any) -> Iterator[Any]:
    """The backend behind it, whose word on boots a test may change."""
    yield gateway.backend
    gateway.backend.answers.clear()


def knock(gateway: Any, tls: ssl.SSLContext, request: bytes = b"") -> tuple[Any, bytes, bytes]:
    """Shake hands and say ``request``: the suite, the server's certificate, and the first that was heard."""
    with (
        socket.create_connection(("127.0.0.1", gateway.port("wss")), timeout=10) as plain,
        tls.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        secured.sendall(request or b"GET / HTTP/1.1\r\n\r\n")
        certificate = secured.getpeercert(binary_form=True)
        assert certificate is not None
        return secured.cipher(), certificate, secured.recv(4096)


# --- A: security


@both_versions
async def test_tc_a_01_the_right_password_lets_the_station_in(gateway: Any, version: str) -> None:
    station = await register(gateway, f"A01-{version}", version)
    async with station.comes() as connection:
        assert connection.connection.subprotocol == version
        assert await station.boots(connection) == "Accepted"
        assert await station.is_served(connection)


@both_versions
async def test_tc_a_02_a_user_name_that_is_not_the_identity_is_refused(gateway: Any, version: str) -> None:
    station = await register(gateway, f"A02-{version}", version)
    other = await register(gateway, f"A02-other-{version}", version)
    assert await station.refused(user=other.identity) == 401
    assert await station.refused(other.password, user=other.identity) == 401
    await gateway.told(event="not_admitted", reason="user_mismatch")


@both_versions
async def test_tc_a_03_a_wrong_password_is_refused(gateway: Any, version: str) -> None:
    station = await register(gateway, f"A03-{version}", version)
    assert await station.refused("a-password-that-is-wrong") == 401
    assert await station.refused("00" * 20) == 401
    assert await station.refused(station.password[:-1]) == 401
    event = await gateway.told(event="security_event", identity=station.identity)
    assert event["kind"] == "FailedToAuthenticateAtCsms"


@pytest.mark.parametrize(
    ("suite", "kind"),
    [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", ec.EllipticCurvePublicKey),
        ("ECDHE-ECDSA-AES256-GCM-SHA384", ec.EllipticCurvePublicKey),
        ("AES128-GCM-SHA256", rsa.RSAPublicKey),
        ("AES256-GCM-SHA384", rsa.RSAPublicKey),
    ],
)
async def test_tc_a_04_a_good_server_certificate_over_each_mandated_suite(
    gateway: Any, suite: str, kind: type[Any]
) -> None:
    tls = client_tls(gateway, ciphers=f"{suite}:@SECLEVEL=2")
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    cipher, shown, heard = await asyncio.to_thread(knock, gateway, tls)
    assert cipher[:2] == (suite, "TLSv1.2")
    assert heard.startswith(b"HTTP/1.1 ")
    leaf = x509.load_der_x509_certificate(shown)
    key = leaf.public_key()
    assert isinstance(key, kind)
    assert key.key_size >= (2048 if isinstance(key, rsa.RSAPublicKey) else 224)
    names = {each.oid: each.value for each in leaf.subject}
    assert (names[NameOID.COMMON_NAME], names[NameOID.ORGANIZATION_NAME]) == ("localhost", OPERATOR)


async def test_tc_a_04_no_other_suite_is_spoken(gateway: Any) -> None:
    tls = client_tls(gateway, ciphers="ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-CHACHA20-POLY1305:AES128-SHA")
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match=r"(?i)handshake.failure"):
        await asyncio.to_thread(knock, gateway, tls)
    await gateway.told(event="security_event", kind="InvalidTLSCipherSuite")


@pytest.mark.parametrize("old", ["TLSv1", "TLSv1_1"])
async def test_tc_a_06_tls_below_1_2_is_refused(gateway: Any, old: str) -> None:
    tls = client_tls(gateway, ciphers="ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that they are deprecated is the point
        tls.minimum_version = tls.maximum_version = ssl.TLSVersion[old]
    with pytest.raises(ssl.SSLError, match=r"(?i)alert.protocol.version"):
        await asyncio.to_thread(knock, gateway, tls)
    await gateway.told(event="security_event", kind="InvalidTLSVersion")


@pytest.mark.parametrize("use_rsa", [False, True], ids=["ecdsa", "rsa"])
@both_versions
async def test_tc_a_07_a_good_client_certificate_lets_the_station_in(
    gateway: Any, tmp_path: Path, version: str, use_rsa: bool
) -> None:
    station = await register(gateway, f"A07-{use_rsa}-{version}", version, profile=3)
    assert station.password == ""
    certificate = certify(tmp_path, station_ca(gateway), station.serial, use_rsa=use_rsa)
    async with station.comes(certificate=certificate) as connection:
        assert await station.boots(connection) == "Accepted"
        assert (await station.shown())["connected_profile"] == 3


@tls_versions
@pytest.mark.parametrize(
    ("wrong", "alert"), [("unknown-ca", r"(?i)unknown.ca"), ("expired", r"(?i)certificate.expired")]
)
async def test_tc_a_08_a_certificate_that_does_not_verify_hears_its_alert(
    gateway: Any, tmp_path: Path, tls_version: ssl.TLSVersion, wrong: str, alert: str
) -> None:
    station = await register(gateway, f"A08-{wrong}-{tls_version.name}", profile=3)
    issuer = foreign_ca() if wrong == "unknown-ca" else station_ca(gateway)
    ends_in = dt.timedelta(hours=-1) if wrong == "expired" else dt.timedelta(days=1)
    tls = client_tls(gateway, certificate=certify(tmp_path, issuer, station.serial, ends_in=ends_in))
    tls.minimum_version = tls.maximum_version = tls_version
    with pytest.raises(ssl.SSLError, match=alert):
        await asyncio.to_thread(knock, gateway, tls)
    await gateway.told(event="security_event", kind="InvalidChargingStationCertificate")


async def test_tc_a_08_the_certificate_of_another_station_is_refused(gateway: Any, tmp_path: Path) -> None:
    station = await register(gateway, "A08-cn", profile=3)
    other = await register(gateway, "A08-cn-other", profile=3)
    certificate = certify(tmp_path, station_ca(gateway), other.serial)
    assert await station.refused(certificate=certificate) == 401
    assert await station.refused("any password at all", certificate=certificate) == 401
    assert await station.refused("any password at all") == 401
    await gateway.told(event="security_event", kind="InvalidChargingStationCertificate", identity=station.identity)
    async with other.comes(certificate=certificate) as connection:
        assert await other.boots(connection) == "Accepted"


@both_versions
async def test_tc_a_09_after_a_password_was_accepted_only_the_new_one_lets_in(gateway: Any, version: str) -> None:
    station = await register(gateway, f"A09-{version}", version)
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        rotating = asyncio.create_task(gateway.api("POST", f"stations/{station.identity}/password"))
        frame, new = await asked_for_a_password(connection)
        await answers_a_setting(connection, frame, "Accepted")
        assert await rotating == (200, {"identity": station.identity, "password_rotation": "settled"})
    assert new != station.password
    assert await station.refused() == 401
    async with station.comes(new) as connection:
        assert await station.is_served(connection)


@both_versions
async def test_tc_a_10_after_a_password_was_refused_the_old_one_stays(gateway: Any, version: str) -> None:
    station = await register(gateway, f"A10-{version}", version)
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        rotating = asyncio.create_task(gateway.api("POST", f"stations/{station.identity}/password"))
        frame, new = await asked_for_a_password(connection)
        await answers_a_setting(connection, frame, "Rejected")
        status, answer = await rotating
        assert status == 409, answer
    assert await station.refused(new) == 401
    async with station.comes() as connection:
        assert await station.is_served(connection)


UPGRADE: Final = {
    "ocpp2.0.1": [
        *["InstallCertificate"] * 2,
        "SetVariables",
        "TriggerMessage",
        "CertificateSigned",
        "GetVariables",
        "SetNetworkProfile",
        "SetVariables",
        "Reset",
    ],
    "ocpp1.6": [
        "ChangeConfiguration",
        *["InstallCertificate"] * 2,
        "ExtendedTriggerMessage",
        "CertificateSigned",
        "ChangeConfiguration",
    ],
}
"""By version: what the CSMS asks on the way to security profile 3. One ECDSA and one RSA root are installed."""


async def takes_part(station: Registered, connection: Any, folder: Path) -> tuple[Path, Path]:
    """Answer everything on the way to profile 3, and return the new certificate and its key."""
    csr, key = signing_request(folder, station.serial)
    chain = folder / "chain.pem"
    for action in UPGRADE[station.version]:
        frame = await asked(connection, action)
        if action in {"SetVariables", "ChangeConfiguration"}:
            await answers_a_setting(connection, frame, "Accepted")
        elif action == "GetVariables":
            (data,) = frame[3]["getVariableData"]
            result = {**data, "attributeStatus": "Accepted", "attributeValue": "1"}
            await reply(connection, frame, {"getVariableResult": [result]})
        else:
            await reply(connection, frame, {"status": "Accepted"})
        if action.endswith("TriggerMessage"):
            assert (await connection.call("SignCertificate", {"csr": csr}))[2] == {"status": "Accepted"}
        elif action == "CertificateSigned":
            chain.write_text(frame[3]["certificateChain"])
    return chain, key


@both_versions
async def test_tc_a_19_after_an_upgrade_the_lower_profile_is_refused(
    gateway: Any, tmp_path: Path, version: str
) -> None:
    station = await register(gateway, f"A19-{version}", version)
    path = f"stations/{station.identity}/security-profile"
    async with station.comes() as connection:
        assert await station.boots(connection) == "Accepted"
        begun = asyncio.create_task(gateway.api("POST", path, {"profile": 3}))
        certificate = await takes_part(station, connection, tmp_path)
        assert (await begun)[0] == 202
    async with station.comes() as connection:  # it has not used the new one yet: the old one is still good
        assert await station.is_served(connection)
    async with station.comes(certificate=certificate) as connection:
        assert await station.boots(connection) == "Accepted"
        await gateway.told(identity=station.identity, detail="upgraded: the station uses security profile 3")
        shown = (await gateway.api("GET", path))[1]
        assert (shown["profile"], shown["upgrade"]["step"]) == (3, "done")
    assert await station.refused() == 401
    await gateway.told(event="security_event", kind="DowngradeAttempted", identity=station.identity)
    async with station.comes(certificate=certificate) as connection:
        assert await station.is_served(connection)


# --- B: provisioning


async def test_tc_b_30_a_call_before_the_boot_was_accepted_is_a_security_error(gateway: Any, backend: Any) -> None:
    station = await register(gateway, "B30")
    status = {"timestamp": TIME, "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
    async with station.comes() as connection:
        for boot in (None, "Pending", "Rejected"):
            if boot is not None:
                backend.answers["BootNotification"] = {"status": boot, "currentTime": TIME, "interval": 1}
                assert await station.boots(connection) == boot
            for action, payload in (("StatusNotification", status), ("Heartbeat", {})):
                answer = await connection.call(action, payload)
                assert (answer[0], answer[2]) == (4, "SecurityError"), boot
        del backend.answers["BootNotification"]
        assert await station.boots(connection) == "Accepted"
        assert (await connection.call("StatusNotification", status))[2] == {}


async def test_tc_b_31_a_pending_station_boots_when_it_is_asked_to(gateway: Any, backend: Any) -> None:
    station = await register(gateway, "B31")
    wanted = {"requestedMessage": "BootNotification"}
    call = {"action": "TriggerMessage", "payload": wanted}
    async with station.comes() as connection:
        await backend.joined("B31")
        backend.answers["BootNotification"] = {"status": "Rejected", "currentTime": TIME, "interval": 1}
        assert await station.boots(connection) == "Rejected"
        # Nothing is sent to a rejected station (B03.FR.03); it boots again by itself.
        status, problem = await gateway.api("POST", "stations/B31/calls", call)
        assert (status, problem["error"]["code"]) == (504, "no_answer")
        assert "Rejected" in problem["error"]["message"]
        backend.answers["BootNotification"]["status"] = "Pending"
        assert await station.boots(connection) == "Pending"
        asking = asyncio.create_task(gateway.api("POST", "stations/B31/calls", call))
        frame = await asked(connection, "TriggerMessage")
        assert frame[3] == wanted
        await reply(connection, frame, {"status": "Accepted"})
        assert (await asking)[0] == 200
        assert await station.boots(connection) == "Pending"
        asking = asyncio.create_task(backend.call("B31", "TriggerMessage", wanted))
        frame = await asked(connection, "TriggerMessage")
        await reply(connection, frame, {"status": "Accepted"})
        assert (await asking)[2] == {"status": "Accepted"}
        del backend.answers["BootNotification"]
        assert await station.boots(connection) == "Accepted"


async def test_tc_b_58_no_common_subprotocol_upgrades_and_closes_as_part_4_says(gateway: Any) -> None:
    station = await register(gateway, "B58")
    for offered in (["ocpp0.1"], None):
        async with station.comes(subprotocols=offered) as connection:
            assert connection.connection.subprotocol is None
            assert await connection.closed() == 1002
    async with station.comes(subprotocols=["ocpp0.1", "ocpp2.0.1"]) as connection:
        assert connection.connection.subprotocol == "ocpp2.0.1"


async def test_tc_b_58_no_common_subprotocol_is_refused_where_so_configured(
    new_deployment: Callable[[], AbstractAsyncContextManager[Any]],
) -> None:
    async with new_deployment() as refusing:
        refusing.configure(lambda tree: tree.update(no_common_subprotocol="refuse"))
        await refusing.start()
        station = await register(refusing, "B58")
        for offered in (["ocpp0.1"], None):
            assert await station.refused(subprotocols=offered) == 400
        async with station.comes(subprotocols=["ocpp0.1", "ocpp2.0.1"]) as connection:
            assert connection.connection.subprotocol == "ocpp2.0.1"


# --- M: certificates


@both_versions
async def test_tc_m_24_what_the_responder_of_a_certificate_says_is_fetched(gateway: Any, version: str) -> None:
    station, responder = await register(gateway, f"M24-{version}", version), gateway.responder
    ca = station_ca(gateway)
    leaf = leaf_of(ca, responder.now(), responder=responder.url)
    named = certificate_hash(leaf, ca.certificate).payload
    async with station.comes() as connection:
        await station.boots(connection)

        async def status_of(**fields: str) -> Any:
            request = {"ocspRequestData": {**named, "responderURL": responder.url, **fields}}
            if not station.is_16:
                return (await connection.call("GetCertificateStatus", request))[2]
            data = {"vendorId": PNC_VENDOR, "messageId": "GetCertificateStatus", "data": json.dumps(request)}
            answer = (await connection.call("DataTransfer", data))[2]
            assert answer["status"] == "Accepted"
            return json.loads(answer["data"])

        answer = await status_of()
        assert answer["status"] == "Accepted"
        said = ocsp.load_der_ocsp_response(base64.b64decode(answer["ocspResult"], validate=True))
        assert (said.serial_number, said.certificate_status) == (leaf.serial_number, ocsp.OCSPCertStatus.GOOD)
        assert said.hash_algorithm.name == "sha256"
        assert (await status_of(responderURL="http://127.0.0.1:1/"))["status"] == "Accepted", "it is known by now"

        # One that is not on the list, about a certificate of which nothing is known.
        stranger = f"{leaf_of(ca, responder.now()).serial_number:x}"
        assert (await status_of(serialNumber=stranger, responderURL="http://127.0.0.1:1/"))["status"] == "Failed"
        assert await station.is_served(connection)
