"""The story with an update, on a stage with actors that only recite."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from gateway.demo import story as story_module
from gateway.demo.child import DemoFailed
from gateway.demo.firmware_story import ALTERED, FOREIGN, GOOD, STRANGER, FirmwareStory
from gateway.demo.story import IDENTITY
from gateway.demo.timeline import Outcome
from pki.firmware.development import write_firmware_pki
from tests.demo.stage import Stage

REFUSED = ("Downloading", "Downloaded", "InstallationFailed")
EVENTS = ("InvalidFirmwareSignature", "InvalidFirmwareSigningCertificate")
VERIFIED = {"status": "Verified", "size": 1_000_000, "sha256": "ab" * 32, "place": "https://localhost:4"}


def said(*statuses: str) -> Any:
    return iter([{"status": status} for status in statuses])


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage(tmp_path, monkeypatch, FirmwareStory)
    write_firmware_pki(stage.gateway.development_pki, manufacturer="Example Chargers")
    (tmp_path / "backend-files" / "firmware").mkdir(parents=True)
    stage.gateway.images = {
        GOOD: {"state": "verified", "reason": None},
        ALTERED: {"state": "refused", "refusal": "signature_invalid"},
        FOREIGN: {"state": "refused", "refusal": "certificate_untrusted"},
    }
    stage.script |= {
        "backend.listening": {"port": 4711, "files": 4712},
        "backend.firmware_status": said("Downloading", "Downloaded", "Installing", "Installed", *REFUSED, *REFUSED),
        "backend.diagnostics_status": said("Uploading", "Uploaded"),
        "backend.log": {"name": "diagnostics.json"},
        "station.update_firmware": {"status": "Accepted"},
        "station.firmware": VERIFIED,
        "station.log": {"status": "Uploaded", "size": 3_000, "place": "https://localhost:4"},
    }
    return stage


async def test_the_whole_story(stage: Stage) -> None:
    await stage.story.play()
    assert await stage.story.end() == 0

    assert stage.story.comparison is not None
    assert stage.story.comparison.agrees
    assert {step.outcome for step in stage.timeline.steps} == {Outcome.OK}
    assert {"init Example CPO --firmware", "files Voltgate Demo 4712"} <= set(stage.log)
    (started,) = [line for line in stage.log if line.startswith("start backend")]
    assert started.endswith("--lose-wh 7 --files ./backend-files")
    images = [f"http://127.0.0.1:4712/firmware/two-oh-one-{version}.bin" for version in (GOOD, ALTERED, FOREIGN)]
    assert [line for line in stage.log if line.startswith("backend: update")] == [
        f"backend: update_firmware {{'station': '{IDENTITY}', 'location': '{url}'}}" for url in images
    ]
    assert [line for line in stage.log if line.startswith("add http")] == [
        f"add {url} {version}" for url, version in zip(images, (GOOD, ALTERED, FOREIGN), strict=True)
    ]
    shown = stage.screen.getvalue()
    assert f"Downloading, Downloaded, Installing, Installed; it boots with {GOOD}" in shown
    assert "Downloading, Downloaded, InstallationFailed; the station has heard nothing" in shown
    assert all(f"{event}: firmware" in shown for event in EVENTS)


async def test_the_forgeries_are_what_they_are_called(stage: Stage) -> None:
    """One octet differs, under the signature of the good image; the other one is signed by somebody else."""
    await stage.story.play()

    good, altered = (image(stage, version) for version in (GOOD, ALTERED))
    assert len(good) == len(altered)
    assert sum(one != other for one, other in zip(good, altered, strict=True)) == 1
    signatures = {version: (stage.folder / f"two-oh-one-{version}.sig").read_text() for version in (GOOD, ALTERED)}
    assert signatures[GOOD] == signatures[ALTERED]
    assert image(stage, FOREIGN)[:20] != good[:20]
    assert [line for line in stage.log if line.startswith("sign")] == [
        f"sign two-oh-one-{GOOD}.bin by dev/firmware.pem",
        f"sign two-oh-one-{FOREIGN}.bin by another-manufacturer/firmware.pem",
    ]
    stranger = x509.load_pem_x509_certificate((stage.folder / "another-manufacturer" / "firmware.pem").read_bytes())
    assert STRANGER in stranger.subject.rfc4514_string()


def image(stage: Stage, version: str) -> bytes:
    return (stage.folder / "backend-files" / "firmware" / f"two-oh-one-{version}.bin").read_bytes()


async def test_the_station_knows_its_manufacturer(stage: Stage) -> None:
    await stage.story.play()

    kept, made = stage.story.station_folder, stage.gateway.development_pki
    assert (kept / "firmware-roots.pem").read_bytes() == (made / "firmware-roots.pem").read_bytes()
    assert (kept / "firmware-cas.pem").read_bytes() == (made / "firmware-intermediates.pem").read_bytes()


def says(line: str, facts: Any) -> Callable[[Stage], None]:
    return lambda stage: stage.script.update({line: facts})


def finds(version: str, **found: str) -> Callable[[Stage], None]:
    return lambda stage: stage.gateway.images.update({version: found})


def tells_the_station(stage: Stage) -> None:
    stage.told = {"station.update_firmware"}


@pytest.mark.parametrize(
    ("mishap", "failure"),
    [
        (finds(GOOD, state="refused", reason="no such place"), "isn't verified: no such place"),
        (says("station.update_firmware", {"status": "InvalidCertificate"}), "refuses the signer"),
        (says("station.firmware", {"status": "InvalidSignature"}), "doesn't take the image"),
        (says("backend.firmware_status", said("Downloading", "DownloadFailed")), "hears Downloading, DownloadFailed"),
        (finds(ALTERED, state="verified"), "is verified, though it is one octet changed"),
        (finds(FOREIGN, state="quarantined"), "is quarantined, though it is signed by another manufacturer"),
        (tells_the_station, "was told to install what its manufacturer didn't sign"),
        (says("station.log", {"status": "UploadFailure", "why": "507"}), "log didn't come: .*507"),
    ],
)
async def test_what_makes_it_fail(stage: Stage, mishap: Callable[[Stage], None], failure: str) -> None:
    mishap(stage)

    with pytest.raises(DemoFailed, match=failure):
        await stage.story.play()

    assert stage.story.comparison is None


async def test_an_alarm_has_its_deadline(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.gateway.is_silent = True
    monkeypatch.setattr(story_module, "DEADLINE", 0.1)

    with pytest.raises(DemoFailed, match=r"security event, 1.1.1: did not happen within 0\.1 s"):
        await stage.story.play()
