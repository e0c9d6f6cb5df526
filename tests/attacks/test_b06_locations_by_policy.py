"""Attacks B2 and B6 through the running gateway: stations, and the gateway, are sent where nobody should be."""

from tests.attacks.town import Town

PASSWORD = "hunter2"
PLACES = [
    "http://127.0.0.1:9200/",
    "http://10.0.0.7/in",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://[::1]/",
    "http://[::ffff:10.0.0.7]/",
    "http://localhost/",
    "https://vault.internal/v1/sys/seal",
    "https://127.0.0.1.nip.io/",
    "https://printer.local/",
    f"ftp://user:{PASSWORD}@files.example.com/in",
    "gopher://files.example.com:6379/_FLUSHALL",
    "https://files.example.com/$(reboot)",
]


async def test_no_station_is_sent_there(town: Town) -> None:
    town.station.answers["GetLog"] = {"status": "Accepted", "filename": "log"}
    town.station.answers["GetDiagnostics"] = {"fileName": "log"}

    for place in PLACES:
        assert await town.orders("GetDiagnostics", location=place) == "SecurityError"
        assert (
            await town.orders("UpdateFirmware", location=place, retrieveDate="2026-01-01T00:00:00Z") == "SecurityError"
        )

    assert town.asked("GetDiagnostics") == town.asked("GetLog") == []
    assert PASSWORD not in town.gateway.log
    assert await town.orders("GetDiagnostics", location="https://files.example.com/in") == {"fileName": "log"}


async def test_the_gateway_asks_no_responder_of_such_a_form(town_201: Town) -> None:
    asked = {"hashAlgorithm": "SHA256", "issuerNameHash": "a1", "issuerKeyHash": "b2", "serialNumber": "c3"}

    for place in (f"http://user:{PASSWORD}@ocsp.example.com/", "file:///etc/passwd", "ldap://ocsp.example.com/"):
        answer = await town_201.says("GetCertificateStatus", ocspRequestData={**asked, "responderURL": place})
        assert answer == {"status": "Failed"}

    assert PASSWORD not in town_201.gateway.log
