"""The station against a CSMS over TLS, and as a process."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.charging import now
from gateway.demo.device_model import AUTHORIZE_REMOTE_START, SIGNING_REPEATS, SIGNING_WAIT, DeviceModel
from gateway.demo.station import BOOT_RETRY, FIRST_REGISTER, FIRST_VERSION, Station, live, parse
from gateway.demo.station_folder import StationFolder
from gateway.demo.station_link import Pause
from gateway.demo.typed_ocpp import call201, result201
from pki.firmware import Signed
from tests.demo.conftest import IMAGE, PASSWORD, Place
from tests.firmware_pki import FirmwarePki, manufacturer

TOKEN = {"id_token": "D0A1B2C3", "type": "ISO14443"}
Start = Callable[..., Awaitable[Station]]


@pytest.fixture
async def start(folder: StationFolder, told: Any, csms: Any) -> AsyncIterator[Start]:
    """Connects a station to the CSMS and waits until it has booted."""
    tasks: list[asyncio.Task[None]] = []

    async def connect(pause: Pause = asyncio.sleep) -> Station:
        variables = DeviceModel(identity="CS001", operator="Example CPO")
        station = Station("CS001", "SN-1", folder, variables, told, pause)
        tasks.append(asyncio.create_task(station.stay_connected(csms.url), name="station"))
        await told.until("status", connector="Available")
        return station

    yield connect
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def remote_start(csms: Any, number: int = 7) -> str:
    answer = await csms.peer.call(
        call201.RequestStartTransaction(id_token=TOKEN, remote_start_id=number, evse_id=1), suppress=False
    )
    return str(answer.status)


def steps(events: list[dict[str, Any]]) -> list[str]:
    """Return the TransactionEvents among what the CSMS heard, in short."""
    return [
        f"{event['event_type']} {event['trigger_reason']}" for event in events if event["event"] == "TransactionEvent"
    ]


async def test_boot_then_status(start: Start, csms: Any) -> None:
    await start()

    boot = await csms.told.until("BootNotification", reason="PowerUp")
    assert boot["station"]["serial_number"] == "SN-1"
    await csms.told.until("StatusNotification", status="Available")


async def test_a_pending_station_asks_again_and_an_accepted_one_beats(start: Start, csms: Any) -> None:
    intervals = [("Pending", 17), ("Rejected", 0), ("Accepted", 300)]
    waits: list[float] = []

    def boot() -> Any:
        status, interval = intervals.pop(0)
        return result201.BootNotification(current_time=now(), interval=interval, status=status)

    async def pause(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 5:
            await asyncio.Event().wait()

    csms.answers["BootNotification"] = boot

    await start(pause)

    for _ in range(2):
        await csms.told.until("Heartbeat")
    assert intervals == []
    assert waits[:4] == [17, BOOT_RETRY, 300, 300]


async def test_the_certificate_on_demand_and_the_reconnect_without_a_boot(
    start: Start, csms: Any, told: Any, operator_ca: Any
) -> None:
    await start()

    await csms.peer.call(call201.TriggerMessage(requested_message="SignChargingStationCertificate"), suppress=False)
    asked = await csms.told.until("SignCertificate", certificate_type="ChargingStationCertificate")
    answer = await csms.peer.call(call201.CertificateSigned(certificate_chain=operator_ca.sign(asked["csr"])))

    assert answer.status == "Accepted"
    assert (await csms.told.until("entered"))["subject"] == "CN=SN-1,O=Example CPO"
    await told.until("connected", profile=3)
    assert await remote_start(csms) == "Accepted"
    await csms.told.until("Authorize")
    assert "BootNotification" not in [event["event"] for event in csms.told.events]


async def test_a_bad_certificate_is_a_security_event(start: Start, csms: Any, stranger_ca: Any) -> None:
    await start()

    await csms.peer.call(call201.TriggerMessage(requested_message="SignChargingStationCertificate"))
    asked = await csms.told.until("SignCertificate")
    answer = await csms.peer.call(call201.CertificateSigned(certificate_chain=stranger_ca.sign(asked["csr"])))

    assert answer.status == "Rejected"
    event = await csms.told.until("SecurityEventNotification", type="InvalidChargingStationCertificate")
    assert "no valid path" in event["tech_info"]


async def test_no_certificate_comes_so_it_asks_again_with_the_same_csr(start: Start, csms: Any, told: Any) -> None:
    station = await start()
    station.variables[SIGNING_WAIT] = "0"
    station.variables[SIGNING_REPEATS] = "1"

    station.triggered("SignChargingStationCertificate")
    station.triggered("SignChargingStationCertificate")

    first = await csms.told.until("SignCertificate")
    second = await csms.told.until("SignCertificate")
    assert first["csr"] == second["csr"]
    await csms.peer.call(call201.TriggerMessage(requested_message="Heartbeat"))
    await csms.told.until("Heartbeat")
    assert "SignCertificate" not in [event["event"] for event in csms.told.events]


async def test_a_csr_that_is_rejected_is_not_repeated(start: Start, csms: Any, told: Any) -> None:
    csms.answers["SignCertificate"] = lambda: result201.SignCertificate(
        status="Rejected", status_info={"reason_code": "InvalidCSR"}
    )
    station = await start()
    station.variables[SIGNING_WAIT] = "0"

    station.triggered("SignChargingStationCertificate")

    assert (await told.until("csr", status="Rejected"))["info"] == {"reason_code": "InvalidCSR"}
    station.triggered("Heartbeat")
    await csms.told.until("Heartbeat")
    assert "SignCertificate" not in [event["event"] for event in csms.told.events]


@pytest.mark.parametrize(
    ("message", "heard"),
    [("BootNotification", {"reason": "Triggered"}), ("StatusNotification", {"status": "Available"}), ("Heartbeat", {})],
)
async def test_what_a_trigger_brings(start: Start, csms: Any, message: str, heard: dict[str, str]) -> None:
    await start()
    csms.told.events.clear()

    await csms.peer.call(call201.TriggerMessage(requested_message=message), suppress=False)

    await csms.told.until(message, **heard)


async def test_the_inventory_that_it_is_asked_for(start: Start, csms: Any) -> None:
    await start()

    await csms.peer.call(call201.GetBaseReport(request_id=7, report_base="FullInventory"), suppress=False)

    report = await csms.told.until("NotifyReport", request_id=7)
    assert (report["seq_no"], report["tbc"]) == (0, False)
    assert {"id": 1, "connector_id": 1} in [each["component"].get("evse") for each in report["report_data"]]


async def test_a_remote_session_from_plug_in_to_unplug(start: Start, csms: Any, told: Any) -> None:
    station = await start()

    assert await remote_start(csms) == "Accepted"
    assert await remote_start(csms) == "Rejected", "one remote start waits for its car already"
    assert (await csms.told.until("Authorize"))["id_token"] == TOKEN
    await told.until("authorize", status="Accepted")
    station.obey({"command": "plug_in"})
    await told.until("transaction", state="Charging")
    station.obey({"command": "plug_in"})
    station.obey({"command": "charge", "samples": 2, "energy": 1_000})
    await told.until("meter", register=FIRST_REGISTER + 2_000)
    station.obey({"command": "stop", "energy": 11})
    ended = await told.until("transaction", state="Ended")
    station.obey({"command": "unplug"})
    await told.until("status", connector="Available")

    assert steps(csms.told.events) == [
        "Started CablePluggedIn",
        "Updated Authorized",
        "Updated ChargingStateChanged",
        "Updated MeterValuePeriodic",
        "Updated MeterValuePeriodic",
        "Ended StopAuthorized",
    ]
    assert ended["account"] == {
        "id_tag": "D0A1B2C3",
        "start": FIRST_REGISTER,
        "samples": [FIRST_REGISTER + 1_000, FIRST_REGISTER + 2_000],
        "stop": FIRST_REGISTER + 2_011,
    }
    assert await remote_start(csms) == "Accepted", "the next one may come"


async def test_the_car_may_be_there_first_and_the_token_go_unasked(start: Start, csms: Any, told: Any) -> None:
    station = await start()
    station.variables[AUTHORIZE_REMOTE_START] = "false"
    station.obey({"command": "plug_in"})
    started = await told.until("transaction", state="Started")

    await remote_start(csms)
    await told.until("transaction", state="Charging")
    stopped = await csms.peer.call(call201.RequestStopTransaction(transaction_id=started["transaction_id"]))

    await told.until("transaction", state="Ended")
    assert stopped.status == "Accepted"
    assert steps(csms.told.events)[-1] == "Ended RemoteStop"
    assert "Authorize" not in [event["event"] for event in csms.told.events]
    again = await csms.peer.call(call201.RequestStopTransaction(transaction_id=started["transaction_id"]))
    assert again.status == "Rejected"


async def test_a_token_that_may_not_charge(start: Start, csms: Any, told: Any) -> None:
    csms.answers["Authorize"] = lambda: result201.Authorize(id_token_info={"status": "Invalid"})
    await start()

    await remote_start(csms)

    await told.until("authorize", status="Invalid")
    assert await remote_start(csms) == "Accepted", "it does not wait any more"


async def test_a_session_that_the_backend_refuses_ends(start: Start, csms: Any, told: Any) -> None:
    station = await start()
    await remote_start(csms)
    await told.until("authorize")
    csms.answers["TransactionEvent"] = lambda: result201.TransactionEvent(id_token_info={"status": "Blocked"})

    station.obey({"command": "plug_in"})

    await told.until("transaction", state="Ended")
    assert steps(csms.told.events)[-1] == "Ended Deauthorized"


async def test_unplugging_ends_a_session_and_nothing_charges_without_one(start: Start, csms: Any, told: Any) -> None:
    station = await start()
    station.obey({"command": "charge", "samples": 1, "energy": 1})
    station.obey({"command": "plug_in"})
    await told.until("transaction", state="Started")

    station.obey({"command": "unplug"})

    await told.until("status", connector="Available")
    assert steps(csms.told.events) == ["Started CablePluggedIn", "Ended EVDeparted"]


async def order_update(csms: Any, signed: Signed, location: str) -> str:
    """Order an update; ``signed`` is what is said of its image."""
    firmware = {
        "location": location,
        "retrieve_date_time": now(),
        "signing_certificate": signed.signing_certificate,
        "signature": signed.signature,
    }
    answer = await csms.peer.call(call201.UpdateFirmware(request_id=7, firmware=firmware), suppress=False)
    return str(answer.status)


async def statuses(csms: Any, action: str, last: str) -> list[str]:
    """Return what the CSMS hears until ``last``."""
    heard: list[str] = []
    while not heard or heard[-1] != last:
        heard.append((await csms.told.until(action, request_id=7))["status"])
    return heard


async def test_an_update_is_verified_and_booted(
    start: Start, csms: Any, place: Place, maker_known: StationFolder, maker: FirmwarePki
) -> None:
    await start()
    await csms.told.until("BootNotification")

    assert await order_update(csms, maker.ec.sign(IMAGE), place.url("firmware/s3cret")) == "Accepted"

    heard = await statuses(csms, "FirmwareStatusNotification", "Installing")
    assert heard == ["Downloading", "Downloaded", "SignatureVerified", "Installing"]
    boot = await csms.told.until("BootNotification", reason="FirmwareUpdate")
    assert boot["station"]["firmware_version"] == "1.1.0"
    assert await statuses(csms, "FirmwareStatusNotification", "Installed") == ["Installed"]


async def test_an_update_that_isnt_signed_changes_nothing(
    start: Start, csms: Any, place: Place, told: Any, maker_known: StationFolder, maker: FirmwarePki
) -> None:
    station = await start()

    assert await order_update(csms, maker.ec.sign(b"another"), place.url("firmware/s3cret")) == "Accepted"

    assert (await statuses(csms, "FirmwareStatusNotification", "InvalidSignature"))[-1] == "InvalidSignature"
    station.triggered("BootNotification")
    boot = await csms.told.until("BootNotification", reason="Triggered")
    assert boot["station"]["firmware_version"] == FIRST_VERSION


async def test_a_foreign_signer_is_a_security_event(start: Start, csms: Any, maker_known: StationFolder) -> None:
    await start()

    answer = await order_update(csms, manufacturer("Another").ec.sign(IMAGE), "https://localhost/fw")

    assert answer == "InvalidCertificate"
    await csms.told.until("SecurityEventNotification", type="InvalidFirmwareSigningCertificate")


async def test_its_diagnostics(start: Start, csms: Any, place: Place) -> None:
    await start()

    log = {"remote_location": place.url("logs/s3cret/")}
    answer = await csms.peer.call(call201.GetLog(log=log, log_type="DiagnosticsLog", request_id=7), suppress=False)

    assert (answer.status, answer.filename) == ("Accepted", "diagnostics.json")
    assert await statuses(csms, "LogStatusNotification", "Uploaded") == ["Uploading", "Uploaded"]
    ((_, octets),) = place.taken
    diagnostics = json.loads(octets)
    assert (diagnostics["serial_number"], diagnostics["firmware_version"]) == ("SN-1", FIRST_VERSION)
    assert PASSWORD not in octets.decode()


def test_an_unknown_command_is_an_error(folder: StationFolder, told: Any) -> None:
    station = Station("CS001", "SN-1", folder, DeviceModel(identity="CS001", operator="O"), told)

    with pytest.raises(ValueError, match="'dance'"):
        station.obey({"command": "dance"})


async def test_it_lives_until_its_director_goes(
    csms: Any, folder: StationFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--identity", "CS001", "--serial", "SN-1", "--operator", "Example CPO", "--folder", str(tmp_path)]
    reader = asyncio.StreamReader()
    life = asyncio.create_task(live(parse(words), reader), name="station")

    reader.feed_data(json.dumps({"command": "connect", "url": csms.url}).encode() + b"\n")
    await csms.told.until("StatusNotification")
    reader.feed_data(b'{"command": "plug_in"}\n')
    await csms.told.until("TransactionEvent")
    reader.feed_eof()
    await life
    await csms.told.until("left")

    events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert events[:3] == ["ready", "connected", "boot"]
    assert "fault" not in events


async def test_the_process(tmp_path: Path) -> None:
    words = ["--identity", "CS001", "--serial", "SN-1", "--operator", "Example CPO", "--folder", str(tmp_path)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.demo.station",
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )

    out, _ = await process.communicate(b"")

    assert (out, process.returncode) == (b'{"event": "ready"}\n', 0)
