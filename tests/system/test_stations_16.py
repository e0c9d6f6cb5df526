"""OCPP 1.6 stations with the security extension, through the same door: what passes, what doesn't, what is kept."""

import asyncio
import base64
import json
import signal
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from gateway.demo.typed_ocpp import ChargePoint16, call16, on, result16
from tests.system.scripted_station import Station16, Station201
from tests.system.stations import certify, station_ca

TIME = "2026-01-01T00:00:00.000Z"
START = {"connectorId": 1, "idTag": "TAG1", "meterStart": 1000, "timestamp": "2026-01-01T00:00:07+01:00"}
"""As a station wrote it: its zone and its precision are its own."""
VALUE = {"value": "1500.5", "unit": "Wh", "measurand": "Energy.Active.Import.Register", "context": "Sample.Periodic"}
STOP = {"transactionId": 1, "meterStop": 2345, "timestamp": TIME, "reason": "Local", "idTag": "TAG1"}


def meter_values(transaction: int, value: str = "1500.5") -> dict[str, Any]:
    sampled = [{**VALUE, "value": value}]
    return {
        "connectorId": 1,
        "transactionId": transaction,
        "meterValue": [{"timestamp": TIME, "sampledValue": sampled}],
    }


async def _new(gateway: Any, folder: Path, identity: str = "CS1", kind: Any = Station16, **registered: Any) -> Any:
    body = {"identity": identity, "profile": 2, "serial": f"SN-{identity}", "pinned_version": "ocpp1.6"} | registered
    status, made = await gateway.api("POST", "stations", body)
    assert status == 201, made
    return kind(gateway, folder, identity=identity, serial=body["serial"], password=made["password"], profile=2)


async def _events(gateway: Any) -> list[Any]:
    """Stop the gateway, so that all is written, and return the events, the oldest first."""
    await gateway.stop()
    _, out, _ = await gateway.run("events", "--json", "--config", str(gateway.config))
    return list(reversed(json.loads(out)))


async def test_a_day_of_a_station_with_each_credential(gateway: Any, backend: Any, tmp_path: Path) -> None:
    in_hex, as_bytes, certified = [await _new(gateway, tmp_path, identity) for identity in ("CS1", "CS2", "CS3")]
    as_bytes.password = bytes.fromhex(as_bytes.password)
    certified.come_with(certify(tmp_path, station_ca(gateway), certified.serial))
    for station in (in_hex, as_bytes, certified):
        async with station.online() as boot:
            await _says_all(station, backend, boot)
            await _is_asked_all(station, backend)


async def _says_all(station: Any, backend: Any, boot: Any) -> None:
    """What it says the backend hears, and the backend's answer is what it gets."""
    assert boot == {"status": "Accepted", "currentTime": TIME, "interval": 300}
    assert await backend.expect("BootNotification") == station.boot
    backend.answers["DataTransfer"] = {"status": "Accepted", "data": "back"}
    status = {"connectorId": 1, "errorCode": "NoError", "status": "Preparing", "vendorErrorCode": "x", "info": "i"}
    for action, said, answer in (
        ("Heartbeat", {}, {"currentTime": TIME}),
        ("StatusNotification", status, {}),
        ("Authorize", {"idTag": "TAG1"}, {"idTagInfo": {"status": "Accepted"}}),
        ("StartTransaction", START, {"transactionId": 1, "idTagInfo": {"status": "Accepted"}}),
        ("MeterValues", meter_values(1), {}),
        ("StopTransaction", STOP, {"idTagInfo": {"status": "Accepted"}}),
        ("DataTransfer", {"vendorId": "V", "data": "there"}, {"status": "Accepted", "data": "back"}),
        ("FirmwareStatusNotification", {"status": "Idle"}, {}),
    ):
        assert (await station.call(action, said))[2] == answer
        assert await backend.expect(action) == said


async def _is_asked_all(station: Any, backend: Any) -> None:
    """What the backend asks it hears, and its answer is what the backend gets."""
    setting = {"key": "HeartbeatInterval", "readonly": False, "value": "300"}
    for action, asked, answer in (
        ("RemoteStartTransaction", {"idTag": "TAG1", "connectorId": 1}, {"status": "Accepted"}),
        ("RemoteStopTransaction", {"transactionId": 1}, {"status": "Rejected"}),
        ("Reset", {"type": "Soft"}, {"status": "Accepted"}),
        ("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "60"}, {"status": "RebootRequired"}),
        ("GetConfiguration", {"key": ["HeartbeatInterval"]}, {"configurationKey": [setting]}),
        ("UnlockConnector", {"connectorId": 1}, {"status": "NotSupported"}),
        ("TriggerMessage", {"requestedMessage": "Heartbeat"}, {"status": "Accepted"}),
    ):
        station.answers[action] = answer
        assert (await backend.call(station.identity, action, asked))[2] == answer
        assert await station.expect(action) == asked


async def test_the_security_extension_ends_at_the_gateway(gateway: Any, backend: Any, tmp_path: Path) -> None:
    station = await _new(gateway, tmp_path)
    guarded = [("AuthorizationKey", "secret" * 5), ("securityprofile ", "1"), ("CpoName", "Another")]
    async with station.online():
        reported = {"type": "FailedToAuthenticationAtCentralSystem", "timestamp": TIME, "techInfo": "three times"}
        for action, payload in (
            ("SecurityEventNotification", reported),
            ("LogStatusNotification", {"status": "Idle"}),
            ("SignedFirmwareStatusNotification", {"status": "Idle"}),
        ):
            assert (await station.call(action, payload))[2] == {}
        station.organization = "Example CPO"
        assert (await gateway.api("POST", "stations/CS1/certificate"))[0] == 202
        assert (await station.expect("CertificateSigned")).keys() == {"certificateChain"}

        asked = len(station.asked)
        for key, value in guarded:
            answer = await backend.call("CS1", "ChangeConfiguration", {"key": key, "value": value})
            assert answer[2] == {"status": "NotSupported"}
        for action, payload in (
            ("InstallCertificate", {"certificateType": "CentralSystemRootCertificate", "certificate": "x"}),
            ("CertificateSigned", {"certificateChain": "x"}),
            ("GetInstalledCertificateIds", {"certificateType": "CentralSystemRootCertificate"}),
            ("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}),
        ):
            assert (await backend.call("CS1", action, payload))[2] == "NotSupported"
        assert len(station.asked) == asked
    assert [action for action, _ in backend.log] == ["BootNotification"]

    station.profile = 3
    async with station.online(boots=False):
        # Nobody is turned away because the backend's leg is only being opened.
        assert (await station.call("Authorize", {"idTag": "TAG1"}))[2]["idTagInfo"]["status"] == "Accepted"
        assert (await gateway.api("GET", "stations/CS1"))[1]["connected_profile"] == 3
    station.profile = 2
    assert (await station.refused()).status_code == 401

    seen = [(each["type"], each["source"], each["identity"]) for each in await _events(gateway)]
    assert seen == [
        ("FailedToAuthenticateAtCsms", "station", "CS1"),
        ("ReconfigurationOfSecurityParameters", "gateway", "CS1"),
        ("DowngradeAttempted", "gateway", "CS1"),
        ("ReconfigurationOfSecurityParameters", "gateway", "CS1"),
        *[("ReconfigurationOfSecurityParameters", "gateway", "CS1")] * 3,
        ("DowngradeAttempted", "gateway", "CS1"),
    ]
    assert guarded[0][1] not in gateway.log


async def test_the_backend_is_away_and_the_gateway_killed(gateway: Any, backend: Any, tmp_path: Path) -> None:
    station = await _new(gateway, tmp_path)
    async with station.online():
        assert (await station.call("StartTransaction", START))[2]["transactionId"] == 1
        await backend.close()
        assert (await station.call("Authorize", {"idTag": "TAG1"}))[2]["idTagInfo"]["status"] == "Invalid"
        assert (await station.call("Heartbeat", {}))[0] == 3
        assert (await station.call("MeterValues", meter_values(1)))[2] == {}
        assert (await station.call("MeterValues", meter_values(1, "1600")))[2] == {}
        assert (await station.call("StopTransaction", STOP))[2] == {}
        # No transactionId is made up: the station keeps its start, and comes again.
        assert await station.unanswered("StartTransaction", START | {"meterStart": 2345}) == 1013
    await gateway.stop(signal.SIGKILL)
    await backend.open()
    await gateway.start()
    # The station isn't even back yet.
    assert await backend.expect("StopTransaction") == STOP
    async with station.online(boots=False):
        # What it has no answer to, or lost the answer to, it sends again at once: the backend's leg is waited for.
        assert (await station.call("StopTransaction", STOP))[2] == {}
        assert (await station.call("StartTransaction", START | {"meterStart": 2345}))[2]["transactionId"] == 2
    assert [entry for entry in backend.log if entry[0] != "Heartbeat"] == [
        ("BootNotification", station.boot),
        ("StartTransaction", START),
        ("MeterValues", meter_values(1)),
        ("MeterValues", meter_values(1, "1600")),
        ("StopTransaction", STOP),
        ("StartTransaction", START | {"meterStart": 2345}),
    ]


async def test_a_foreign_transaction_is_set_aside(gateway: Any, backend: Any, tmp_path: Path) -> None:
    victim, thief = await _new(gateway, tmp_path), await _new(gateway, tmp_path, "CS2")
    async with victim.online(), thief.online():
        assert (await victim.call("StartTransaction", START))[2]["transactionId"] == 1
        assert (await thief.call("StopTransaction", STOP))[2] == {}
        assert (await thief.call("MeterValues", meter_values(1)))[2] == {}
        assert (await victim.call("StopTransaction", STOP | {"meterStop": 9000}))[2]["idTagInfo"]
        metrics = await gateway.metrics()
    assert [payload for action, payload in backend.log if action == "StopTransaction"] == [STOP | {"meterStop": 9000}]
    assert "MeterValues" not in [action for action, _ in backend.log]
    for action in ("StopTransaction", "MeterValues"):
        assert f'voltgate_messages_set_aside_total{{action="{action}"}} 1.0' in metrics
    assert 'voltgate_security_events_total{source="gateway",type="ForeignTransaction"} 2.0' in metrics
    events = await _events(gateway)
    assert {(each["type"], each["identity"]) for each in events} == {("ForeignTransaction", "CS2")}
    assert sum(each["count"] for each in events) == 2
    assert "transaction 1 was not opened by this station" in events[0]["detail"]


async def test_another_ocpp_version_by_a_firmware_update_and_back(
    gateway: Any, backend: Any, tmp_path: Path, transaction_event: Any, token: Any, evse: Any
) -> None:
    old = await _new(gateway, tmp_path, pinned_version=None)
    new = Station201(gateway, tmp_path, identity="CS1", serial="SN-CS1", password=old.password, profile=2)
    async with old.online():
        assert (await old.call("StartTransaction", START))[2]["transactionId"] == 1
    async with new.online(subprotocols=["ocpp2.0.1", "ocpp1.6"]) as boot:
        assert (new.protocol, boot["status"]) == ("ocpp2.0.1", "Accepted")
        assert (await gateway.api("GET", "stations/CS1"))[1]["version"] == "ocpp2.0.1"
        started = transaction_event("Started", 0, wh=5000, idToken=token, evse=evse)
        assert (await new.call("TransactionEvent", started))[2] == {"idTokenInfo": {"status": "Accepted"}}
        assert (await new.call("TransactionEvent", transaction_event("Ended", 1, wh=6000)))[0] == 3
        assert (await backend.expect("StopTransaction"))["transactionId"] == 2
    async with old.online() as boot:
        assert boot["status"] == "Accepted"
        # The session of before is still its own.
        assert (await old.call("StopTransaction", STOP))[0] == 3
    assert [payload["meterStop"] for action, payload in backend.log if action == "StopTransaction"] == [6000, 2345]


class _ForeignStation(ChargePoint16):  # type: ignore[misc]  # `ocpp` ships no types: its class is Any
    """The `ocpp` package's own charge point, which checks each message against the official schema."""

    @on("RemoteStartTransaction")
    def remote_start(self, **_: object) -> Any:
        return result16.RemoteStartTransaction(status="Accepted")

    @on("ChangeConfiguration")
    def change_configuration(self, **_: object) -> Any:
        return result16.ChangeConfiguration(status="Accepted")


async def test_the_ocpp_packages_own_charge_point(gateway: Any, backend: Any, tmp_path: Path) -> None:
    registered = await _new(gateway, tmp_path, "CS9")
    token = base64.b64encode(b"CS9:" + bytes.fromhex(registered.password)).decode()
    url = f"wss://localhost:{gateway.port('wss')}/ocpp/CS9"
    basic = {"Authorization": f"Basic {token}"}
    spoken = [Subprotocol("ocpp1.6")]
    async with connect(url, ssl=registered._tls(), additional_headers=basic, subprotocols=spoken, proxy=None) as link:
        station = _ForeignStation("CS9", link, response_timeout=10)
        reader = asyncio.create_task(station.start(), name="reader of CS9")
        boot = await station.call(call16.BootNotification("M", "V", charge_point_serial_number="SN-CS9"))
        assert boot.status == "Accepted"
        assert (await station.call(call16.Heartbeat())).current_time == TIME
        await station.call(call16.StatusNotification(1, "NoError", "Available"))
        assert (await station.call(call16.Authorize("TAG1"))).id_tag_info["status"] == "Accepted"
        answer = await backend.call("CS9", "RemoteStartTransaction", {"idTag": "TAG1"})
        assert answer[2] == {"status": "Accepted"}
        started = await station.call(call16.StartTransaction(1, "TAG1", 1000, TIME))
        values = meter_values(started.transaction_id)
        await station.call(call16.MeterValues(1, values["meterValue"], started.transaction_id))
        await station.call(call16.StopTransaction(2345, TIME, started.transaction_id, "Local", "TAG1"))
        await station.call(call16.SecurityEventNotification("SettingSystemTime", TIME, "by hand"))
        reader.cancel()
        await asyncio.wait([reader])
    assert ("MeterValues", meter_values(1)) in backend.log
    assert ("StopTransaction", STOP) in backend.log
    assert "SecurityEventNotification" not in [action for action, _ in backend.log]
