"""Attack A7 through the running gateway: a backend, or who has taken it over, names another station's transaction."""

from tests.attacks.town import TAG, Town, ago

PROFILE = {"chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxProfile"} | {
    "chargingProfileKind": "Relative",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 0.0}]},
}
REJECTED = {"status": "Rejected"}


async def test_only_a_stations_own_transaction_can_be_stopped_or_throttled(town_16: Town) -> None:
    own = (await town_16.says("StartTransaction", connectorId=1, idTag=TAG, meterStart=0, timestamp=ago()))[
        "transactionId"
    ]
    town_16.station.answers |= {
        name: {"status": "Accepted"} for name in ("RemoteStopTransaction", "SetChargingProfile")
    }

    for foreign in (own + 1, own - 1, own + 4711):
        assert (foreign, await town_16.orders("RemoteStopTransaction", transactionId=foreign)) == (foreign, REJECTED)
        profile = {**PROFILE, "transactionId": foreign}
        assert await town_16.orders("SetChargingProfile", connectorId=1, csChargingProfiles=profile) == REJECTED

    assert town_16.asked("RemoteStopTransaction") == town_16.asked("SetChargingProfile") == []
    assert await town_16.orders("RemoteStopTransaction", transactionId=own) == {"status": "Accepted"}
    assert town_16.asked("RemoteStopTransaction") == [{"transactionId": own}]


async def test_a_station_names_anothers_and_stops_nothing(town_16: Town) -> None:
    stop = {"transactionId": 4711, "meterStop": 9_999, "timestamp": ago(), "idTag": TAG}

    assert await town_16.says("StopTransaction", **stop) == {}

    assert town_16.heard("StopTransaction") == []
    await town_16.gateway.logged("quarantined")


async def test_nor_can_a_backend_through_the_words_of_1_6(town_201: Town) -> None:
    assert await town_201.orders("RemoteStopTransaction", transactionId=1) == REJECTED

    assert town_201.asked("RequestStopTransaction") == []
