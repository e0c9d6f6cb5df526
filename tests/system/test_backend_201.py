"""2.0.1 stations before a 2.0.1 backend: what passes, what doesn't, and what is lost by a kill (nothing)."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.system.scripted_station import Station201

ACCEPTED = {"status": "Accepted"}
AUTHORIZED = {"idTokenInfo": {**ACCEPTED, "personalMessage": {"format": "UTF8", "content": "Hello"}}}
STATUS = {"timestamp": "2026-01-01T00:00:00Z", "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1}
HEARTBEAT = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
PASSWORD = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
SECRET = "a-password-of-the-backends-choice"


def speaks_201(tree: dict[str, Any]) -> None:
    tree["backends"]["legacy"]["protocol"] = "ocpp2.0.1"


@pytest.fixture
async def station(deployment: Any, backend: Any, tmp_path: Path) -> Station201:
    """A registered station of a running gateway whose backend speaks 2.0.1."""
    await backend.close()
    backend.subprotocol = "ocpp2.0.1"
    await backend.open()
    deployment.configure(speaks_201)
    await deployment.start()
    password = await deployment.add("CS1", 2, "SN1")
    return Station201(deployment, tmp_path, identity="CS1", serial="SN1", password=password, profile=2)


def events(backend: Any) -> list[Any]:
    """What the backend heard of transactions."""
    return [payload for action, payload in backend.log if action == "TransactionEvent"]


async def test_a_day_of_a_station(
    station: Station201, backend: Any, transaction_event: Any, token: Any, evse: Any
) -> None:
    backend.answers |= {"Authorize": AUTHORIZED, "TransactionEvent": {**AUTHORIZED, "totalCost": 1.5}}
    report = {"requestId": 7, "generatedAt": STATUS["timestamp"], "seqNo": 0}
    async with station.online() as boot:
        assert boot["interval"] == 300
        assert await backend.expect("BootNotification") == station.boot
        for action, said, answer in (
            ("StatusNotification", STATUS, {}),
            ("Authorize", {"idToken": token}, AUTHORIZED),
            (
                "TransactionEvent",
                transaction_event("Started", 0, idToken=token, evse=evse),
                {**AUTHORIZED, "totalCost": 1.5},
            ),
            ("TransactionEvent", transaction_event("Updated", 1, wh=1500.5), {**AUTHORIZED, "totalCost": 1.5}),
            ("NotifyReport", report, {}),
            ("SecurityEventNotification", {"type": "ResetOrReboot", "timestamp": STATUS["timestamp"]}, {}),
        ):
            assert (await station.call(action, said))[2] == answer
            assert await backend.expect(action) == said
        station.answers["RequestStopTransaction"] = ACCEPTED
        for named, status in (("tx-1", "Accepted"), ("tx-2", "Rejected")):
            answer = await backend.call("CS1", "RequestStopTransaction", {"transactionId": named})
            assert answer[2]["status"] == status
        assert [payload for action, payload in station.asked if action == "RequestStopTransaction"] == [
            {"transactionId": "tx-1"}
        ]
        ended = transaction_event("Ended", 2, wh=2500)
        assert (await station.call("TransactionEvent", ended))[2]["totalCost"] == 1.5
        assert await backend.expect("TransactionEvent") == ended


async def test_the_stations_security_is_out_of_the_backends_reach(
    station: Station201, backend: Any, deployment: Any
) -> None:
    async with station.online():
        await backend.joined("CS1")
        station.answers["SetVariables"] = {"setVariableResult": [{**HEARTBEAT, "attributeStatus": "Accepted"}]}
        items = [{**PASSWORD, "attributeValue": SECRET}, {**HEARTBEAT, "attributeValue": "60"}]
        answer = await backend.call("CS1", "SetVariables", {"setVariableData": items})
        assert [each["attributeStatus"] for each in answer[2]["setVariableResult"]] == ["Rejected", "Accepted"]
        assert station.asked == [("SetVariables", {"setVariableData": items[1:]})]
        firmware = {"location": "https://example.com/fw", "retrieveDateTime": "2026-01-01T00:00:00Z"}
        for action, payload, status in (
            ("CertificateSigned", {"certificateChain": "x"}, "Rejected"),
            ("UpdateFirmware", {"requestId": 1, "firmware": firmware}, "Rejected"),
            ("UnpublishFirmware", {"checksum": "0"}, "NoFirmware"),
            ("TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"}, "Rejected"),
        ):
            assert (await backend.call("CS1", action, payload))[2]["status"] == status
        assert (await backend.call("CS1", "Heartbeat", {}))[2] == "NotSupported"
        assert len(station.asked) == 1
        await deployment.told(event="security_event", kind="ReconfigurationOfSecurityParameters")
        # What Voltgate itself asks the station ends at Voltgate.
        station.organization = "Example CPO"
        del station.answers["SetVariables"]
        assert (await deployment.api("POST", "stations/CS1/certificate"))[0] == 202
        assert "certificateChain" in await station.expect("CertificateSigned")
    assert [action for action, _ in backend.log] == ["BootNotification"]
    await deployment.stop()
    assert SECRET not in deployment.log


async def test_a_station_of_1_6_has_no_way_there(station: Station201, deployment: Any) -> None:
    station.subprotocol = "ocpp1.6"
    async with station.online(boots=False):
        assert await station.left() == 1002
    await deployment.told(event="not_admitted", reason="subprotocol")
    wish = {"identity": "CS2", "profile": 2, "pinned_version": "ocpp1.6"}
    status, told = await deployment.api("POST", "stations", wish)
    assert status == 400
    assert "its backend 'legacy' speaks ocpp2.0.1" in str(told)
    config = str(deployment.config)
    ended, _, complaint = await deployment.run(
        "station", "add", "CS2", "--profile", "2", "--protocol", "ocpp1.6", "--config", config
    )
    assert ended == 1
    assert "can't be pinned to ocpp1.6" in complaint


async def test_the_backend_is_away_and_the_gateway_killed(
    station: Station201, backend: Any, deployment: Any, transaction_event: Any, token: Any
) -> None:
    session = [
        transaction_event("Started", 0, wh=1000, idToken=token),
        transaction_event("Updated", 1, wh=1500),
        transaction_event("Ended", 2, wh=2000),
    ]
    async with station.online():
        await backend.expect("BootNotification")
        await backend.close()
        refused = await station.call("Authorize", {"idToken": token})
        assert refused[2]["idTokenInfo"]["status"] == "Unknown"
        assert (await station.call("Heartbeat", {}))[0] == 3
        for said in ({**STATUS, "connectorStatus": "Reserved"}, STATUS):
            assert (await station.call("StatusNotification", said))[2] == {}
        for each in session:
            assert (await station.call("TransactionEvent", each))[2] == {}
    await deployment.stop(signal.SIGKILL)
    await backend.open()
    await deployment.start()
    # The station isn't even back yet.
    assert await backend.expect("StatusNotification") == STATUS
    assert events(backend) == session
    async with station.online(boots=False):
        # The answer got lost, say: it comes again, and is known.
        assert (await station.call("TransactionEvent", session[2]))[2] == {}
        assert (await station.call("Heartbeat", {}))[0] == 3
    assert events(backend) == session


@pytest.mark.parametrize("kind", ["Started", "Ended"])
async def test_killed_between_the_journal_and_the_answer(
    station: Station201, backend: Any, deployment: Any, transaction_event: Any, kind: str
) -> None:
    started, ended = transaction_event("Started", 0, wh=1000), transaction_event("Ended", 1, wh=2000)
    uncertain = started if kind == "Started" else ended
    async with station.online():
        if kind == "Ended":
            assert (await station.call("TransactionEvent", started))[2] == {}
            await backend.expect("TransactionEvent")
        backend.silent.add("TransactionEvent")
        await station.send(f'[2, "lost", "TransactionEvent", {json.dumps(uncertain)}]')
        assert await backend.expect("TransactionEvent") == uncertain
        await deployment.stop(signal.SIGKILL)
    backend.silent.clear()
    await deployment.start()
    # Nobody knows what became of it: it is sent again, identically, and then not once more.
    assert await backend.expect("TransactionEvent") == uncertain
    async with station.online(boots=False):
        assert (await station.call("TransactionEvent", uncertain))[2] == {}
        if kind == "Started":
            # Answered once it is safe, which may be before the backend has it: it waits its turn there.
            assert (await station.call("TransactionEvent", ended))[2] == {}
            assert await backend.expect("TransactionEvent") == ended
        assert (await station.call("StatusNotification", STATUS))[2] == {}
        assert await backend.expect("StatusNotification") == STATUS
    expected = [started, started, ended] if kind == "Started" else [started, ended, ended]
    assert events(backend) == expected


async def test_a_token_that_is_refused_late_is_stopped(
    station: Station201, backend: Any, transaction_event: Any, token: Any
) -> None:
    station.answers["RequestStopTransaction"] = ACCEPTED
    async with station.online():
        await backend.expect("BootNotification")
        await backend.close()
        assert (await station.call("TransactionEvent", transaction_event("Started", 0, idToken=token)))[2] == {}
        backend.answers["TransactionEvent"] = {"idTokenInfo": {"status": "Blocked"}}
        await backend.open()
        assert await station.expect("RequestStopTransaction") == {"transactionId": "tx-1"}
