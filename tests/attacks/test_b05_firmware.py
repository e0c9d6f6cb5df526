"""Attack B5: a backend, or who has taken it over, has stations install what their manufacturer didn't sign."""

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.app.firmware import FirmwareParts, open_firmware
from gateway.app.firmware_updates import StationUpdates
from gateway.app.tasks import Tasks
from gateway.bridge.books import Books, Json
from gateway.bridge.v16_v16 import V16ToV16
from gateway.bridge.v201_v16 import Settings, V201ToV16
from gateway.config import load
from gateway.session.firmware import NewImage
from gateway.session.security import Kind
from gateway.store.database import Database
from gateway.store.stations import Stations
from gateway.wire.versions import Version
from pki.firmware import Signed
from tests.firmware_pki import FirmwarePki, manufacturer
from tests.services.conftest import KeptEvents
from tests.services.firmware_town import OURS, FakeLinks, UpdatedStation

IMAGE = bytes(range(256)) * 64
AT = "2026-05-01T12:00:00Z"
INVALID = ["Downloading", "Downloaded", "InvalidSignature"]


async def _nothing(*_: Any) -> None: ...


class Town:
    """One station behind a bridge to a 1.6 backend, the real catalogue, and where the manufacturer's images lie."""

    def __init__(self, parts: FirmwareParts, updates: StationUpdates, tasks: Tasks, version: Version) -> None:
        self.parts, self.updates, self.tasks = parts, updates, tasks
        self.events = KeptEvents()
        self.heard: list[tuple[str, Json]] = []
        self.follow_ups: list[Any] = []
        self.images: dict[str, bytes] = {}
        self.place = ""
        self.station = UpdatedStation(version)
        given: dict[str, Any] = {
            "books": Books(),
            "ledger": None,
            "call_station": self.station.call_station,
            "call_backend": self._hear,
            "note": lambda topic, text: None,
            "report": lambda kind, detail: self.events.noted.append(cast("Any", (kind, detail))),
            "clock": lambda: None,
            "save_connector": _nothing,
            "afterwards": self.follow_ups.append,
            "firmware": updates.desk(cast("Any", self.station), "old"),
        }
        self.station.bridge = (
            V16ToV16(**given, security_extension=True)
            if version is Version.V16
            else V201ToV16(**given, save_page=_nothing, settings=Settings(security_extension=True))
        )

    async def orders(self, action: str, payload: Json) -> Json:
        """The backend orders, hears the answer, and what follows it."""
        answer: Json = await self.station.bridge.from_backend(action, payload)
        for follow_up in self.follow_ups:
            await follow_up()
        while working := [task for task in self.tasks._running if task.get_name().startswith("firmware of")]:
            await working[0]
        return answer

    async def _hear(self, action: str, payload: Json) -> Json:
        self.heard.append((action, payload))
        return {}

    @property
    def statuses(self) -> list[str]:
        return [payload["status"] for _, payload in self.heard]


@pytest.fixture(scope="module")
def pki() -> FirmwarePki:
    return manufacturer("Acme")


@pytest.fixture(params=list(Version), ids=lambda version: version.value)
async def town(request: pytest.FixtureRequest, tmp_path: Path, pki: FirmwarePki) -> AsyncIterator[Town]:
    async def serve(asked: web.Request) -> web.Response:
        return web.Response(body=made.images[asked.path])

    app = web.Application()
    app.router.add_get("/{name}", serve)
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(TestServer(app))
        pki.write(tmp_path / "acme")
        maker = {"vendors": ["Acme"], "roots": "acme/roots.pem", "intermediates": "acme/intermediates.pem"}
        section = {
            "manufacturers": {"acme": maker | {"crls": ["acme/signers.crl"]}},
            "sources": [f"{site.host}:{site.port}"],
            "trusted_networks": ["127.0.0.0/8"],
        }
        tree = {"backends": {"old": {"url": "wss://csms.example.com/{identity}"}}, "firmware": section}
        (tmp_path / "voltgate.yaml").write_text(yaml.safe_dump(tree))
        config = load(tmp_path / "voltgate.yaml", {})
        database = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/voltgate.db", exclusive=True)
        stack.push_async_callback(database.close)
        await Stations(database).add("CS1", profile=2, serial=None, backend=None, password_hash=None)
        tasks, security = Tasks(), KeptEvents()
        stack.push_async_callback(tasks.close)
        parts = await open_firmware(config, database, security, tasks, stack)
        assert parts is not None

        def here(_: str) -> Any:
            return made.station, "old"

        updates = StationUpdates(
            config, database, parts.catalogue, cast("Any", FakeLinks()), live=here, security=security, tasks=tasks
        )
        made = Town(parts, updates, tasks, request.param)
        made.events, made.place = security, str(site.make_url("/fw.bin"))
        made.images["/fw.bin"] = IMAGE
        yield made


def signed_order(location: str, signed: Signed) -> Json:
    firmware = {"location": location, "retrieveDateTime": AT}
    signature = {"signature": signed.signature, "signingCertificate": signed.signing_certificate}
    return {"requestId": 7, "firmware": firmware | signature}


async def _known(town: Town, signed: Signed) -> Any:
    """The catalogue has the image."""
    new = NewImage(
        manufacturer="acme",
        version="2.0",
        location=town.place,
        signature=signed.signature,
        signing_certificate=signed.signing_certificate,
    )
    return await town.parts.catalogue.add(new, "ann")


async def test_a_good_one_gets_there_by_our_own_link(town: Town, pki: FirmwarePki) -> None:
    answer = await town.orders("SignedUpdateFirmware", signed_order(town.place, pki.ec.sign(IMAGE)))

    assert answer == {"status": "Accepted"}
    ((_, payload),) = town.station.calls
    assert payload["firmware"]["location"].startswith(OURS)  # the cleartext place is never handed on
    assert town.events.kinds == []


@pytest.mark.parametrize("signer", ["other", "expired", "revoked", "foreign"])
async def test_a_wrong_signer(town: Town, pki: FirmwarePki, signer: str) -> None:
    found = manufacturer("Elsewhere").ec if signer == "foreign" else getattr(pki, signer)
    signed = found.sign(IMAGE)
    if signer == "other":
        signed = Signed(signed.signature, pki.ec.pem)

    answer = await town.orders("SignedUpdateFirmware", signed_order(town.place, signed))

    expected = {"other": "Accepted", "revoked": "RevokedCertificate"}.get(signer, "InvalidCertificate")
    assert answer == {"status": expected}
    assert town.station.calls == []
    assert town.statuses == (INVALID if signer == "other" else [])
    kind = Kind.INVALID_FIRMWARE_SIGNATURE if signer == "other" else Kind.INVALID_FIRMWARE_CERTIFICATE
    assert town.events.kinds == [kind]


@pytest.mark.parametrize(
    "damage", [b"", IMAGE[:-1], IMAGE + b"\0", IMAGE[::-1]], ids=["empty", "cut", "longer", "other"]
)
async def test_another_image_than_the_one_that_was_signed(town: Town, pki: FirmwarePki, damage: bytes) -> None:
    town.images["/fw.bin"] = damage

    await town.orders("SignedUpdateFirmware", signed_order(town.place, pki.rsa.sign(IMAGE)))

    assert (town.station.calls, town.statuses) == ([], INVALID)
    assert town.events.kinds == [Kind.INVALID_FIRMWARE_SIGNATURE]


async def test_a_signature_that_is_bent(town: Town, pki: FirmwarePki) -> None:
    octets = bytearray(pki.ec.signature(IMAGE))
    octets[-1] ^= 1
    bent = Signed(base64.b64encode(octets).decode(), pki.ec.pem)

    await town.orders("SignedUpdateFirmware", signed_order(town.place, bent))

    assert (town.station.calls, town.statuses) == ([], INVALID)


async def test_one_that_is_swapped_after_it_was_looked_at(town: Town, pki: FirmwarePki, tmp_path: Path) -> None:
    signed = pki.ec.sign(IMAGE)
    image = await _known(town, signed)
    (kept,) = (tmp_path / "firmware").rglob(image.sha256)
    kept.chmod(0o600)
    kept.write_bytes(IMAGE[::-1])

    await town.orders("SignedUpdateFirmware", signed_order(town.place, signed))

    assert (town.station.calls, town.statuses) == ([], INVALID)
    assert town.events.kinds == [Kind.INVALID_FIRMWARE_SIGNATURE]


async def test_one_that_another_signature_of_the_same_place_would_cover(town: Town, pki: FirmwarePki) -> None:
    """The catalogue's good one isn't sent in the place of a bad one that was ordered."""
    await _known(town, pki.ec.sign(IMAGE))

    await town.orders("SignedUpdateFirmware", signed_order(town.place, pki.ec.sign(IMAGE[::-1])))

    assert (town.station.calls, town.statuses) == ([], INVALID)


async def test_one_that_was_withdrawn(town: Town, pki: FirmwarePki) -> None:
    signed = pki.ec.sign(IMAGE)
    image = await _known(town, signed)
    await town.parts.catalogue.withdraw(image.id, "it burns", "ann")

    await town.orders("SignedUpdateFirmware", signed_order(town.place, signed))

    assert (town.station.calls, town.statuses) == ([], ["DownloadFailed"])
    assert town.events.kinds == [Kind.UNVERIFIED_FIRMWARE]
