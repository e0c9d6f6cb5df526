"""Attack A11 through the running gateway: a backend leads a station away by its configuration, or reads its secrets."""

from tests.attacks.town import Town

SECRET = "hunter2-of-the-wifi"
REJECTED = {"status": "Rejected"}


async def test_no_key_leads_a_station_away_or_opens_it(town: Town) -> None:
    town.station.answers["ChangeConfiguration"] = {"status": "Accepted"}

    for key in ("CentralSystemURL", " centralsystemurl", "BackendUrl", "OcppServerURL", "Wifi.Ssid", "ApnName"):
        assert await town.orders("ChangeConfiguration", key=key, value="ws://mallory.example.com") == REJECTED
    for key in ("WifiPassword", "SshAuthorizedKeys", "VPN.PSK", "SimPin", "AdminPasswd"):
        assert await town.orders("ChangeConfiguration", key=key, value=SECRET) == REJECTED

    assert town.asked("ChangeConfiguration") == town.asked("SetVariables") == []
    assert SECRET not in town.gateway.log


async def test_an_honest_key_gets_through(town_16: Town) -> None:
    town_16.station.answers["ChangeConfiguration"] = {"status": "Accepted"}

    assert await town_16.orders("ChangeConfiguration", key="HeartbeatInterval", value="60") == {"status": "Accepted"}

    assert town_16.asked("ChangeConfiguration") == [{"key": "HeartbeatInterval", "value": "60"}]


async def test_what_a_station_tells_of_its_secrets_stays_here(town_16: Town) -> None:
    told = [{"key": "HeartbeatInterval", "readonly": False, "value": "300"}]
    secrets = [{"key": key, "readonly": False, "value": SECRET} for key in ("WifiPassword", "vendor.apikey", "SIM_PIN")]
    town_16.station.answers["GetConfiguration"] = {"configurationKey": [*told, *secrets]}

    answer = await town_16.orders("GetConfiguration")

    assert answer["configurationKey"] == [*told, *({"key": each["key"], "readonly": False} for each in secrets)]
    assert SECRET not in town_16.gateway.log
