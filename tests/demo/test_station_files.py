"""What the station loads and uploads: it takes nothing on trust but its roots."""

import json
from typing import Any

import pytest

from gateway.demo.station_files import StationFiles
from gateway.demo.station_folder import StationFolder
from tests.demo.conftest import IMAGE, Place
from tests.firmware_pki import FirmwarePki


class Link:
    """Keeps what the station says."""

    def __init__(self) -> None:
        self.said: list[str] = []

    async def call(self, payload: Any) -> None:
        assert payload.request_id == 7
        self.said.append(payload.status)


@pytest.fixture
def link() -> Link:
    return Link()


@pytest.fixture
def files(maker_known: StationFolder, link: Link, told: Any) -> StationFiles:
    return StationFiles(maker_known, link, told)  # type: ignore[arg-type]  # all that it uses of a StationLink


def ordered(location: str, maker: FirmwarePki, *, signature: str | None = None) -> dict[str, str]:
    signed = maker.ec.sign(IMAGE)
    return {
        "location": location,
        "signing_certificate": signed.signing_certificate,
        "signature": signed.signature if signature is None else signature,
    }


async def test_a_good_image(files: StationFiles, place: Place, link: Link, told: Any, maker: FirmwarePki) -> None:
    version = await files.update(7, ordered(place.url("firmware/s3cret"), maker))

    assert version == "1.1.0"
    assert link.said == ["Downloading", "Downloaded", "SignatureVerified", "Installing"]
    (verified,) = told.events
    assert (verified["status"], verified["size"], verified["version"]) == ("Verified", len(IMAGE), "1.1.0")
    assert "s3cret" not in json.dumps(told.events)


@pytest.mark.parametrize("wrong", ["one octet changed", "truncated", "another key's signature", "no base64"])
async def test_what_isnt_signed_is_not_installed(
    files: StationFiles, place: Place, link: Link, maker: FirmwarePki, wrong: str
) -> None:
    place.image = {"one octet changed": IMAGE[:-1] + b"\1", "truncated": IMAGE[:-1]}.get(wrong, IMAGE)
    signature = {"another key's signature": maker.other.sign(IMAGE).signature, "no base64": "!"}.get(wrong)

    version = await files.update(7, ordered(place.url("firmware/s3cret"), maker, signature=signature))

    assert version is None
    assert link.said == ["Downloading", "Downloaded", "InvalidSignature"]


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("https://localhost:{port}/firmware/gone", "404"),
        ("http://localhost:{port}/firmware/s3cret", "https"),
        ("https://127.0.0.1:{port}/firmware/s3cret", "SSLCertVerificationError"),
        ("https://localhost:1/firmware/s3cret", "ConnectionRefusedError"),
    ],
)
async def test_what_cannot_be_loaded(
    files: StationFiles, place: Place, link: Link, told: Any, maker: FirmwarePki, location: str, why: str
) -> None:
    assert await files.update(7, ordered(location.format(port=place.port), maker)) is None

    assert link.said == ["Downloading", "DownloadFailed"]
    assert why in told.events[0]["why"]


async def test_a_log_goes_to_where_it_is_wanted(files: StationFiles, place: Place, link: Link, told: Any) -> None:
    await files.upload_log(7, place.url("logs/s3cret/"), {"register": 1})

    ((path, octets),) = place.taken
    assert (path, json.loads(octets)) == ("/logs/s3cret/diagnostics.json", {"register": 1})
    assert link.said == ["Uploading", "Uploaded"]
    assert told.events == [
        {"event": "log", "status": "Uploaded", "size": len(octets), "place": f"https://localhost:{place.port}"}
    ]


@pytest.mark.parametrize(
    ("location", "why"),
    [("https://localhost:{port}/logs/s3cret/", "507"), ("https://localhost:1/logs/s3cret/", "Refused")],
)
async def test_a_log_that_nobody_takes(
    files: StationFiles, place: Place, link: Link, told: Any, location: str, why: str
) -> None:
    place.status = 507

    await files.upload_log(7, location.format(port=place.port), {})

    assert link.said == ["Uploading", "UploadFailure"]
    assert why in told.events[0]["why"]
