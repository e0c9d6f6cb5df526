"""What a policy keeps for a person, through the running gateway: never lost, answered validly, and let go whole."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.system.scripted_station import Station16, until

POLICY = """\
name: no-bad-tags
extends: legacy-1.6
rules:
- id: no-bad-tags
  threat: "for this test, a token that begins with BAD is a hostile one"
  stage: from_station
  match: {action: [StartTransaction, TransactionEvent]}
  fields:
  - {path: [idTag, idToken.idToken], like: ["BAD*"]}
  deny: {error: SecurityError, text: "no bad tags here"}
- id: no-worse-tags
  threat: "for this test, the backend must not hear of one that begins with WORSE"
  stage: to_backend
  match: {action: StartTransaction}
  fields:
  - {path: idTag, like: ["WORSE*"]}
  quarantine: true
"""
pytestmark = pytest.mark.timeout(120)  # a gateway that is started four times

TIME = "2026-01-01T00:00:00.000Z"
START = {"connectorId": 1, "idTag": "BAD1", "meterStart": 1000, "timestamp": TIME}
ENERGY = "Energy.Active.Import.Register"


def meter_values(number: int) -> dict[str, Any]:
    sampled = [{"value": "1500", "measurand": ENERGY}]
    return {"connectorId": 1, "transactionId": number, "meterValue": [{"timestamp": TIME, "sampledValue": sampled}]}


def stop(number: int) -> dict[str, Any]:
    return {"transactionId": number, "meterStop": 2345, "timestamp": TIME}


@pytest.fixture
async def guarded(deployment: Any) -> Any:
    """A running deployment whose policy keeps some tokens."""
    (deployment.folder / "own.yaml").write_text(POLICY)
    deployment.configure(lambda tree: tree.update(policy="own.yaml"))
    await deployment.start()
    return deployment


async def _quarantine(gateway: Any, command: str, *arguments: str) -> Any:
    status, out, err = await gateway.run(
        "policy", "quarantine", command, *arguments, "--json", "--config", str(gateway.config)
    )
    assert status == 0, err
    return json.loads(out)


async def _listed(gateway: Any, query: str = "") -> Any:
    """Return what is listed by API: a command takes a second to start."""
    status, answer = await gateway.api("GET", f"quarantine{query}")
    assert status == 200, answer
    return answer["quarantine"]


async def _until_delivered(gateway: Any, count: int) -> None:
    await gateway.logged("released_message_delivered", times=count)


def _money(backend: Any) -> list[tuple[str, Any]]:
    actions = {"StartTransaction", "MeterValues", "StopTransaction"}
    return [(action, payload.get("transactionId")) for action, payload in backend.log if action in actions]


async def _station16(gateway: Any, folder: Path) -> Any:
    body = {"identity": "CS1", "profile": 2, "serial": "SN1", "pinned_version": "ocpp1.6"}
    status, made = await gateway.api("POST", "stations", body)
    assert status == 201, made
    return Station16(gateway, folder, identity="CS1", serial="SN1", password=made["password"], profile=2)


async def test_a_session_of_1_6_is_kept_and_let_go_whatever_is_killed(
    guarded: Any, backend: Any, tmp_path: Path
) -> None:
    station = await _station16(guarded, tmp_path)
    async with station.online():
        # Kept, and killed before the station has its answer.
        asking = asyncio.create_task(station.call("StartTransaction", START), name="a start")
        await guarded.logged("quarantined")
        await guarded.stop(signal.SIGKILL)
        await asyncio.wait([asking])
    await guarded.start()
    async with station.online():
        answer = (await station.call("StartTransaction", START))[2]
        number = answer["transactionId"]
        assert answer == {"transactionId": number, "idTagInfo": {"status": "Invalid"}}
        assert 2_146_483_648 <= number <= 2_147_483_647
        assert (await station.call("MeterValues", meter_values(number)))[2] == {}
    await guarded.stop(signal.SIGKILL)
    await guarded.start()
    async with station.online():
        assert (await station.call("StopTransaction", stop(number)))[2] == {}
        assert (await station.call("StopTransaction", stop(number)))[2] == {}
    kept = await _quarantine(guarded, "list", "--station", "CS1")
    assert [(each["action"], each["rule"], each["transaction"]) for each in kept] == [
        ("StartTransaction", "no-bad-tags", str(number)),
        ("MeterValues", "gateway:follows", str(number)),
        ("StopTransaction", "gateway:follows", str(number)),
    ]
    _, shown = await guarded.api("GET", f"quarantine/{kept[0]['id']}")
    assert (shown["payload"], shown["answer"]) == (START, answer)
    assert _money(backend) == []

    # Let go, and killed when the backend has it and has given no answer; the station isn't here.
    backend.silent.add("StartTransaction")
    assert (await _quarantine(guarded, "release", str(kept[0]["id"])))["released"] == [each["id"] for each in kept]
    assert await backend.expect("StartTransaction") == START
    await guarded.stop(signal.SIGKILL)
    backend.silent.clear()
    await guarded.start()
    assert await backend.expect("StartTransaction") == START
    await _until_delivered(guarded, 3)
    assert _money(backend)[2:] == [("MeterValues", 1), ("StopTransaction", 1)]
    assert await _listed(guarded) == []
    assert {each["state"] for each in await _listed(guarded, "?state=delivered")} == {"delivered"}

    async with station.online():  # late, and still the same session
        assert (await station.call("StopTransaction", stop(number)))[2] == {}
    assert len(_money(backend)) == 4


async def test_a_station_goes_on_with_its_number_when_its_start_is_let_go(
    guarded: Any, backend: Any, tmp_path: Path
) -> None:
    station = await _station16(guarded, tmp_path)
    async with station.online():
        number = (await station.call("StartTransaction", START))[2]["transactionId"]
        (kept,) = await _listed(guarded)
        assert (await guarded.api("POST", "quarantine/release", {"ids": [kept["id"]]}))[0] == 202
        assert await backend.expect("StartTransaction") == START
        await _until_delivered(guarded, 1)
        assert (await station.call("MeterValues", meter_values(number)))[2] == {}
        station.answers["RemoteStopTransaction"] = {"status": "Accepted"}
        answer = (await backend.call("CS1", "RemoteStopTransaction", {"transactionId": 1}))[2]
        assert answer == {"status": "Accepted"}
        assert await station.expect("RemoteStopTransaction") == {"transactionId": number}
        assert (await station.call("StopTransaction", stop(number)))[2] == {"idTagInfo": {"status": "Accepted"}}
    assert _money(backend) == [("StartTransaction", None), ("MeterValues", 1), ("StopTransaction", 1)]


async def test_a_session_of_2_0_1_becomes_one_of_1_6(
    guarded: Any, backend: Any, transaction_event: Any, evse: Any
) -> None:
    password = await guarded.add("CS1", 2)
    bad = {"idToken": "BAD1", "type": "ISO14443"}
    events = [
        transaction_event("Started", 0, idToken=bad, evse=evse, wh=1000),
        transaction_event("Updated", 1, wh=1500),
        transaction_event("Ended", 2, wh=2345, trigger="StopAuthorized"),
    ]
    async with guarded.station("CS1", password) as station:
        await station.boot(chargingStation={"model": "M", "vendorName": "V"})
        answers = [(await station.call("TransactionEvent", each))[2] for each in events]
        assert answers == [{"idTokenInfo": {"status": "Invalid"}}, {}, {}]
        metrics = await guarded.metrics()
        assert 'voltgate_messages_quarantined_total{action="TransactionEvent",rule="no-bad-tags"} 1.0' in metrics
        assert _money(backend) == []
        released = await _quarantine(guarded, "release", "--station", "CS1", "--transaction", "tx-1")
        assert len(released["released"]) == 3
        await _until_delivered(guarded, 3)
    (started, payload), *_ = [each for each in backend.log if each[0] == "StartTransaction"]
    assert (started, payload["meterStart"], payload["idTag"]) == ("StartTransaction", 1000, "BAD1")
    (stopped,) = [payload for action, payload in backend.log if action == "StopTransaction"]
    assert (stopped["transactionId"], stopped["meterStop"]) == (1, 2345)
    assert _money(backend).count(("StartTransaction", None)) == 1
    assert "voltgate_quarantine_deliveries_total" in await guarded.metrics()


async def test_what_the_backend_must_not_hear_follows_in_its_own_words(
    guarded: Any, backend: Any, transaction_event: Any, evse: Any
) -> None:
    password = await guarded.add("CS1", 2)
    worse = {"idToken": "WORSE1", "type": "ISO14443"}
    async with guarded.station("CS1", password) as station:
        await station.boot(chargingStation={"model": "M", "vendorName": "V"})
        for each in (
            transaction_event("Started", 0, idToken=worse, evse=evse, wh=1000),
            transaction_event("Updated", 1, wh=1500),
            transaction_event("Ended", 2, wh=2345, trigger="StopAuthorized"),
        ):
            assert (await station.call("TransactionEvent", each))[0] == 3
        await guarded.logged("quarantined", times=3)
        kept = await _listed(guarded)
        assert [(each["action"], each["leg"], each["rule"]) for each in kept] == [
            ("StartTransaction", "backend", "no-worse-tags"),
            ("MeterValues", "backend", "gateway:follows"),
            ("StopTransaction", "backend", "gateway:follows"),
        ]
        assert _money(backend) == []
        await _quarantine(guarded, "release", "--all", "--rule", "no-worse-tags")
        await _until_delivered(guarded, 3)
    assert _money(backend) == [("StartTransaction", None), ("MeterValues", 1), ("StopTransaction", 1)]


async def test_what_is_discarded_stays_to_be_looked_at(guarded: Any, backend: Any, tmp_path: Path) -> None:
    station = await _station16(guarded, tmp_path)
    async with station.online():
        number = (await station.call("StartTransaction", START))[2]["transactionId"]
        (kept,) = await _listed(guarded)
        answer = await guarded.api("DELETE", f"quarantine/{kept['id']}?reason=a%20test")
        assert answer == (200, {"discarded": [kept["id"]]})
        assert (await station.call("StopTransaction", stop(number)))[2] == {}
    listed = await _listed(guarded, "?state=discarded")
    assert [(each["action"], each["decision"], each["decided_by"]) for each in listed] == [
        ("StartTransaction", "a test", "API"),
        ("StopTransaction", "a test", "API"),
    ]
    assert await _listed(guarded) == []
    assert _money(backend) == []


async def test_what_the_backend_does_not_take_is_held_again(guarded: Any, backend: Any, tmp_path: Path) -> None:
    station = await _station16(guarded, tmp_path)
    async with station.online():
        await station.call("StartTransaction", START)
        backend.answers["StartTransaction"] = {"idTagInfo": {"status": "Accepted"}}  # breaks the schema
        (kept,) = await _listed(guarded)
        assert (await guarded.api("POST", "quarantine/release", {"ids": [kept["id"]]}))[0] == 202
        await guarded.logged("release_put_back")
        (again,) = await _listed(guarded)
        assert (again["id"], again["state"], again["attempts"]) == (kept["id"], "held", 1)
        assert "StartTransaction" in again["last_error"]
    await until(guarded.metrics, lambda metrics: 'voltgate_quarantined_messages{state="held"} 1.0' in metrics)
