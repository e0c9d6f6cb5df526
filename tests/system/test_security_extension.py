"""A backend that knows the white paper, with a station of either version: what it hears, and what it may not do."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.system.scripted_station import ScriptedStation, Station16, Station201

TIME = "2026-01-01T00:00:00.000Z"
FTP = "ftp://files.example.com/in"
GET_LOG = {"logType": "SecurityLog", "requestId": 7, "log": {"remoteLocation": FTP}}
UPDATE = {"location": "https://example.com/fw", "retrieveDate": TIME}
REFUSED = [
    ("InstallCertificate", {"certificateType": "CentralSystemRootCertificate", "certificate": "x"}, "Rejected"),
    ("CertificateSigned", {"certificateChain": "x"}, "Rejected"),
    ("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}, "NotImplemented"),
]


async def _new(gateway: Any, folder: Path, kind: type[ScriptedStation]) -> Any:
    pinned = {"pinned_version": "ocpp1.6"} if kind is Station16 else {}
    _, made = await gateway.api("POST", "stations", {"identity": "CS1", "profile": 2, "serial": "SN1", **pinned})
    return kind(gateway, folder, identity="CS1", serial="SN1", password=made["password"], profile=2)


@pytest.mark.parametrize(
    ("kind", "event"),
    [(Station16, "InvalidCentralSystemCertificate"), (Station201, "InvalidCsmsCertificate")],
)
async def test_events_and_logs_go_to_it_certificates_and_firmware_do_not(
    deployment: Any, backend: Any, tmp_path: Path, kind: type[ScriptedStation], event: str
) -> None:
    deployment.configure(lambda tree: tree["backends"]["legacy"].update(security_extension=True))
    await deployment.start()
    station = await _new(deployment, tmp_path, kind)
    station.answers["GetLog"] = {"status": "Accepted", "filename": "log.zip"}
    async with station.online():
        reported = {"type": event, "timestamp": TIME, "techInfo": "x"}
        assert (await station.call("SecurityEventNotification", reported))[2] == {}
        assert (await backend.expect("SecurityEventNotification"))["type"] == "InvalidCentralSystemCertificate"

        answer = await backend.call("CS1", "GetLog", GET_LOG)
        assert answer[2] == {"status": "Accepted", "filename": "log.zip"}
        [(_, asked)] = [each for each in station.asked if each[0] == "GetLog"]
        assert (asked["requestId"] == 7) is (kind is Station16)
        uploaded = {"status": "Uploaded", "requestId": asked["requestId"]}
        assert (await station.call("LogStatusNotification", uploaded))[2] == {}
        assert await backend.expect("LogStatusNotification") == {"status": "Uploaded", "requestId": 7}

        before = len(station.asked)
        for action, payload, status in REFUSED:
            assert (await backend.call("CS1", action, payload))[2] == {"status": status}
        assert (await backend.call("CS1", "UpdateFirmware", UPDATE))[2] == "NotSupported"
        assert len(station.asked) == before

    await deployment.stop()
    _, out, _ = await deployment.run("events", "--json", "--config", str(deployment.config))
    assert sorted({(each["type"], each["source"]) for each in json.loads(out)}) == [
        ("InvalidCsmsCertificate", "station"),
        ("ReconfigurationOfSecurityParameters", "gateway"),
        ("UnverifiedFirmware", "gateway"),
    ]


@pytest.mark.parametrize("kind", [Station16, Station201])
async def test_a_plain_backend_hears_that_its_firmware_could_not_be_had(
    gateway: Any, backend: Any, tmp_path: Path, kind: type[ScriptedStation]
) -> None:
    station = await _new(gateway, tmp_path, kind)
    async with station.online():
        assert (await backend.call("CS1", "UpdateFirmware", UPDATE))[2] == {}
        assert await backend.expect("FirmwareStatusNotification") == {"status": "DownloadFailed"}
    assert station.asked == []
