"""Security events of the running gateway: what it saw and what stations reported, in one list, log and metric."""

import asyncio
import base64
import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.system.scripted_station import ScriptedStation, Station16, Station201, until
from tests.system.stations import certify, client_tls, foreign_ca

TIME = "2026-01-01T00:00:00.000Z"
FLOOD = 500
AT_ONCE = 25
"""Connections of the flood that are open at one time."""
EXPECTED = {
    ("DowngradeAttempted", "gateway", "CS2"),
    ("DuplicateIdentity", "gateway", "CS1"),
    ("FailedToAuthenticateAtCsms", "gateway", "CS1"),
    ("InvalidChargingStationCertificate", "gateway", None),
    ("InvalidMessages", "gateway", "CS1"),
    ("InvalidTLSVersion", "gateway", None),
    ("FirmwareUpdated", "station", "CS1"),
    ("InvalidCsmsCertificate", "station", "CS3"),
    ("VendorOwn[31m", "station", "CS3"),  # what the default policy leaves of it
}
"""Type, who saw it, whose it is: all that the test makes happen."""


async def _new(gateway: Any, folder: Path, kind: type[ScriptedStation], identity: str, **registered: Any) -> Any:
    body = {"identity": identity, "profile": 2, "serial": f"SN-{identity}"} | registered
    status, made = await gateway.api("POST", "stations", body)
    assert status == 201, made
    password = made["password"] or registered["password"]
    return kind(gateway, folder, identity=identity, serial=f"SN-{identity}", password=password, profile=2)


def _shake(gateway: Any, tls: ssl.SSLContext) -> None:
    with (
        socket.create_connection(("127.0.0.1", gateway.port("wss"))) as plain,
        tls.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        secured.recv(1)


async def _shake_in_vain(gateway: Any, tls: ssl.SSLContext) -> None:
    with pytest.raises(ssl.SSLError):
        await asyncio.to_thread(_shake, gateway, tls)


def _with_tls_1_1(gateway: Any) -> ssl.SSLContext:
    tls = client_tls(gateway, ciphers="ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1
    return tls


async def test_all_kinds_in_one_list(gateway: Any, tmp_path: Path) -> None:
    station = await _new(gateway, tmp_path, Station201, "CS1")
    lowered = await _new(gateway, tmp_path, Station201, "CS2", profile=3, password="an older password 1")
    old = await _new(gateway, tmp_path, Station16, "CS3", pinned_version="ocpp1.6")
    secret, station.password = station.password, "a wrong password 17"
    assert (await station.refused()).status_code == 401
    station.password = secret
    await _shake_in_vain(gateway, _with_tls_1_1(gateway))
    await _shake_in_vain(gateway, client_tls(gateway, certificate=certify(tmp_path, foreign_ca(), "SN-CS1")))
    assert (await lowered.refused()).status_code == 401
    async with station.online(), old.online():
        newcomer = Station201(gateway, tmp_path, identity="CS1", serial="SN-CS1", password=secret, profile=2)
        assert (await newcomer.refused()).status_code == 409
        await station.send('[2,"1","Heartbeat",{}')
        reported = {"type": "FirmwareUpdated", "timestamp": TIME, "techInfo": "1.2.3"}
        assert (await station.call("SecurityEventNotification", reported))[2] == {}
        for kind in ("InvalidCentralSystemCertificate", "VendorOwn\x1b[31m"):
            assert (await old.call("SecurityEventNotification", {"type": kind, "timestamp": TIME}))[2] == {}
        answer = await until(
            lambda: gateway.api("GET", "security-events"),
            lambda answer: len(answer[1]["security_events"]) == len(EXPECTED),
        )
        metrics = await gateway.metrics()

    events = answer[1]["security_events"]
    assert {(each["type"], each["source"], each["identity"]) for each in events} == EXPECTED
    assert {each["remote"] for each in events} == {"127.0.0.1", None}
    (told,) = [each for each in events if each["type"] == "FirmwareUpdated"]
    assert (told["detail"], told["at"]) == ("1.2.3", "2026-01-01T00:00:00+00:00")
    (wrong,) = [each for each in events if each["type"] == "FailedToAuthenticateAtCsms"]
    assert wrong["detail"] == "password: CS1: wrong password"
    assert wrong["presented"]["offered"] == "ocpp2.0.1"

    _, printed, _ = await gateway.run("events", "--json", "--config", str(gateway.config))
    assert json.loads(printed) == events
    _, table, _ = await gateway.run("events", "CS3", "--config", str(gateway.config))
    assert "InvalidCsmsCertificate" in table
    assert "\x1b" not in table
    lines = [json.loads(line) for line in gateway.log.splitlines()]
    logged = {(each["kind"], each["source"]) for each in lines if each["event"] == "security_event"}
    assert logged == {(kind, source) for kind, source, _ in EXPECTED}
    for kind, source, _ in EXPECTED:
        shown = "other" if kind.startswith("VendorOwn") else kind
        assert f'voltgate_security_events_total{{source="{source}",type="{shown}"}} 1.0' in metrics

    for password in (secret, "a wrong password 17", "an older password 1", old.password):
        for form in (password, base64.b64encode(f"CS1:{password}".encode()).decode(), password[:12]):
            assert form not in gateway.log + printed + metrics


async def test_a_flood_leaves_few_rows(gateway: Any) -> None:
    token = base64.b64encode(b"CS1:a wrong password 17").decode()
    request = (
        "GET /ocpp/CS1 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: ocpp2.0.1\r\nAuthorization: Basic {token}\r\n\r\n"
    )
    assert (await gateway.api("POST", "stations", {"identity": "CS1", "profile": 1}))[0] == 201
    one_of = asyncio.Semaphore(AT_ONCE)

    async def fail(_: int) -> bytes:
        async with one_of:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port("ws"))
            writer.write(request.encode())
            status = (await reader.readline()).split()[1]
            writer.close()
            await writer.wait_closed()
            return status

    statuses = await asyncio.gather(*map(fail, range(FLOOD)))
    assert {status: statuses.count(status) > 0 for status in statuses} == {b"401": True, b"429": True}
    metrics = await gateway.metrics()
    assert await gateway.stop() == 0
    _, printed, _ = await gateway.run("events", "--limit", "1000", "--json", "--config", str(gateway.config))
    events = json.loads(printed)
    kinds = {"FailedToAuthenticateAtCsms": statuses.count(b"401"), "TooManyAttempts": statuses.count(b"429")}
    assert len(events) <= 2 * len(kinds)
    for kind, count in kinds.items():
        assert sum(each["count"] for each in events if each["type"] == kind) == count
        assert f'voltgate_security_events_total{{source="gateway",type="{kind}"}} {float(count)}' in metrics
    # The log tells it once too; what it says of each refusal is for whoever looks for one.
    assert gateway.log.count('"event": "security_event"') == len(events)
