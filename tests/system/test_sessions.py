"""Charging sessions through the running gateway: the good day, and every bad one."""

import asyncio
import json
import signal
from typing import Any

ACCEPTED = {"idTokenInfo": {"status": "Accepted"}}


async def test_a_whole_session(gateway: Any, backend: Any, transaction_event: Any, token: Any, evse: Any) -> None:
    password = await gateway.add("CS1", 2, "SN1")
    async with gateway.station("CS1", password) as station:
        boot = await station.boot()
        assert (boot["status"], boot["interval"]) == ("Accepted", 300)
        assert await backend.expect("BootNotification") == {
            "chargePointVendor": "V",
            "chargePointModel": "M",
            "chargePointSerialNumber": "SN1",
        }
        assert (await station.call("Heartbeat", {}))[2] == {"currentTime": "2026-01-01T00:00:00Z"}
        status = {"timestamp": "2026-01-01T00:00:00Z", "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
        assert (await station.call("StatusNotification", status))[2] == {}
        assert (await backend.expect("StatusNotification"))["status"] == "Available"
        assert (await station.call("Authorize", {"idToken": token}))[2] == ACCEPTED
        started = transaction_event("Started", 0, wh=1000, idToken=token, evse=evse)
        assert (await station.call("TransactionEvent", started))[2] == ACCEPTED
        assert await backend.expect("StartTransaction") == {
            "connectorId": 1,
            "idTag": "TAG1",
            "meterStart": 1000,
            "timestamp": "2026-01-01T00:00:00.000Z",
        }
        updated = transaction_event("Updated", 1, wh=1500, trigger="MeterValuePeriodic", state="Charging")
        assert (await station.call("TransactionEvent", updated))[2] == {}
        assert (await backend.expect("MeterValues"))["transactionId"] == 1
        ended = transaction_event("Ended", 2, wh=2345.6, trigger="StopAuthorized", idToken=token)
        assert (await station.call("TransactionEvent", ended))[2] == ACCEPTED
        stop = await backend.expect("StopTransaction")
        assert (stop["transactionId"], stop["meterStop"], stop["idTag"]) == (1, 2346, "TAG1")


async def test_remote_start_and_stop(gateway: Any, backend: Any, transaction_event: Any, token: Any, evse: Any) -> None:
    password = await gateway.add("CS1", 2)
    async with gateway.station("CS1", password) as station:
        await station.boot(chargingStation={"model": "M", "vendorName": "V"})
        await backend.joined("CS1")
        asking = asyncio.create_task(backend.call("CS1", "RemoteStartTransaction", {"idTag": "TAG1", "connectorId": 1}))
        asked = await station.receive()
        assert (asked[2], asked[3]["idToken"]["idToken"], asked[3]["evseId"]) == ("RequestStartTransaction", "TAG1", 1)
        await station.send(json.dumps([3, asked[1], {"status": "Accepted"}]))
        assert (await asking)[2] == {"status": "Accepted"}
        await station.call("TransactionEvent", transaction_event("Started", 0, wh=0, idToken=token, evse=evse))
        asking = asyncio.create_task(backend.call("CS1", "RemoteStopTransaction", {"transactionId": 1}))
        asked = await station.receive()
        assert asked[2:] == ["RequestStopTransaction", {"transactionId": "tx-1"}]
        await station.send(json.dumps([3, asked[1], {"status": "Accepted"}]))
        assert (await asking)[2] == {"status": "Accepted"}
        assert (await backend.call("CS1", "RemoteStopTransaction", {"transactionId": 99}))[2] == {"status": "Rejected"}


async def test_the_backend_is_away_for_a_whole_session(
    gateway: Any, backend: Any, transaction_event: Any, token: Any, evse: Any
) -> None:
    password = await gateway.add("CS1", 2, "SN1")
    async with gateway.station("CS1", password) as station:
        await station.boot()
        await backend.close()
        started = transaction_event("Started", 0, wh=1000, idToken=token, evse=evse, offline=True)
        assert (await station.call("TransactionEvent", started))[0] == 3
        assert (await station.call("TransactionEvent", transaction_event("Updated", 1, wh=1500)))[2] == {}
        assert (await station.call("Heartbeat", {}))[0] == 3
        assert (await station.call("TransactionEvent", transaction_event("Ended", 2, wh=2000)))[2] == {}
        await backend.open()
        assert (await backend.expect("StartTransaction"))["meterStart"] == 1000
        assert (await backend.expect("MeterValues"))["transactionId"] == 1
        stop = await backend.expect("StopTransaction")
        assert (stop["transactionId"], stop["meterStop"]) == (1, 2000)


async def test_kill_9_while_the_backend_is_away_loses_nothing(
    gateway: Any, backend: Any, transaction_event: Any, token: Any, evse: Any
) -> None:
    password = await gateway.add("CS1", 2, "SN1")
    async with gateway.station("CS1", password) as station:
        await station.boot()
        await backend.close()
        await station.call("TransactionEvent", transaction_event("Started", 0, wh=1000, idToken=token, evse=evse))
        await station.call("TransactionEvent", transaction_event("Updated", 1, wh=1500))
        await gateway.stop(signal.SIGKILL)
    await backend.open()
    await gateway.start()
    # The station isn't even back yet.
    assert (await backend.expect("StartTransaction"))["meterStart"] == 1000
    assert (await backend.expect("MeterValues"))["transactionId"] == 1
    async with gateway.station("CS1", password) as station:
        # Accepted stays accepted: no BootNotification on a mere reconnect.
        await station.call("TransactionEvent", transaction_event("Ended", 2, wh=2000))
        stop = await backend.expect("StopTransaction")
        assert (stop["transactionId"], stop["meterStop"]) == (1, 2000)
        # A repetition of what was answered is answered, and delivered no second time.
        await station.call("TransactionEvent", transaction_event("Ended", 2, wh=2000))
    assert [action for action, _ in backend.log if action.endswith("Transaction")] == [
        "StartTransaction",
        "StopTransaction",
    ]


async def test_a_station_that_comes_back_and_ends_without_a_register_is_billed_what_it_had_said(
    gateway: Any, backend: Any, transaction_event: Any, token: Any, evse: Any
) -> None:
    password = await gateway.add("CS1", 2, "SN1")
    async with gateway.station("CS1", password) as station:
        await station.boot()
        await station.call("TransactionEvent", transaction_event("Started", 0, wh=1000, idToken=token, evse=evse))
        await station.call("TransactionEvent", transaction_event("Updated", 1, wh=9500, state="Charging"))
    await backend.left("CS1")
    async with gateway.station("CS1", password) as station:
        await station.call("TransactionEvent", transaction_event("Ended", 2))
    assert (await backend.expect("StopTransaction"))["meterStop"] == 9500


async def test_a_boot_while_the_backend_is_away_is_pending(gateway: Any, backend: Any) -> None:
    password = await gateway.add("CS1", 2, "SN1")
    await backend.close()
    async with gateway.station("CS1", password) as station:
        boot = await station.boot()
        assert (boot["status"], boot["interval"]) == ("Pending", 30)
        assert (await station.call("Heartbeat", {}))[2] == "SecurityError"
        await backend.open()
        await backend.joined("CS1")
        assert (await station.boot())["status"] == "Accepted"


async def test_a_cached_boot_is_accepted_and_reported_later(deployment: Any, backend: Any) -> None:
    deployment.configure(lambda tree: tree["backends"]["legacy"].update(boot_offline="cached"))
    await deployment.start()
    password = await deployment.add("CS1", 2, "SN1")
    async with deployment.station("CS1", password) as station:
        assert (await station.boot())["status"] == "Accepted"
        await backend.expect("BootNotification")
        await backend.close()
        assert (await station.boot(reason="RemoteReset"))["status"] == "Accepted"
        await backend.open()
        assert (await backend.expect("BootNotification"))["chargePointSerialNumber"] == "SN1"


async def test_when_down_close_makes_the_station_queue(deployment: Any, backend: Any) -> None:
    deployment.configure(lambda tree: tree["backends"]["legacy"].update(when_down="close"))
    await deployment.start()
    password = await deployment.add("CS1", 2, "SN1")
    async with deployment.station("CS1", password) as station:
        await station.boot()
        await backend.close()
        assert await station.closed() == 1001


async def test_one_bad_station_does_not_disturb_another(gateway: Any, backend: Any) -> None:
    first, second = await gateway.add("CS1", 2, "SN1"), await gateway.add("CS2", 2)
    async with gateway.station("CS1", first) as good, gateway.station("CS2", second) as bad:
        await good.boot()
        for text in ("garbage", "[", "[2]", '[2,"x","Reset",{}]', "[" * 50_000, '[3,"nothing",{}]', '{"a":1}'):
            await bad.send(text)
        assert (await good.call("Heartbeat", {}))[0] == 3
