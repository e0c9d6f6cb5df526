"""The certification's cases on logs, TC_N_25 and 34 to 36 (of 1.6: TC_079), against the real process.

The station uploads as it is told, to the gateway's own endpoint: by PUT, POST or a form.
"""

import asyncio
import base64
import hashlib
import itertools
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from tests.system.scripted_station import ScriptedStation, Station16, Station201, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

PUBLIC_URL: Final = "https://files.example.com:8444"
"""What stations are told; their DNS says that it is here."""
TEXT: Final = b"what the station has to say\n" * 1000
POLICY: Final = """
name: vpn
extends: legacy-1.6
values: {url_schemes: [http, https], url_private: true, url_userinfo: true}
"""
"""Backends may name file servers in a network of their own, with a password."""
AUTHORIZATION: Final = "Basic " + base64.b64encode(b"u:s3cret").decode()
NUMBERS: Final = itertools.count(1)
both_versions = pytest.mark.parametrize("kind", [Station201, Station16])


class Place:
    """Where a backend wants logs: it takes what has its password."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://u:s3cret@127.0.0.1:{self.port}/in/"

    async def take(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != AUTHORIZATION:
            return web.Response(status=401)
        self.taken.append((request.path, await request.read()))
        return web.Response(status=201)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place() -> AsyncIterator[Place]:
    made, app = Place(), web.Application()
    app.router.add_put("/{path:.*}", made.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(new_deployment: Callable[[], AbstractAsyncContextManager[Any]], place: Place) -> AsyncIterator[Any]:
    def change(tree: dict[str, Any]) -> None:
        tree["files"] = {"bind": "127.0.0.1:0", "public_url": PUBLIC_URL}
        tree["policy"] = "vpn.yaml"
        tree["logs"] = {"destinations": [f"127.0.0.1:{place.port}"], "trusted_networks": ["127.0.0.1/32"]}

    async with new_deployment() as deployed:
        (deployed.folder / "vpn.yaml").write_text(POLICY)
        deployed.configure(change)
        await deployed.start()
        yield deployed


async def new(gateway: Any, folder: Path, kind: type[ScriptedStation]) -> Any:
    """Return a station of its own for each test, which is registered."""
    identity = f"CS{next(NUMBERS)}"
    pinned = {"pinned_version": "ocpp1.6"} if kind is Station16 else {}
    _, made = await gateway.api("POST", "stations", {"identity": identity, "profile": 2, **pinned})
    return kind(gateway, folder, identity=identity, serial=identity, password=made["password"], profile=2)


async def upload(station: Any, location: str, method: str = "PUT", text: bytes = TEXT) -> int:
    """Upload a log to where the station was told; return the HTTP status."""
    assert location.startswith(f"{PUBLIC_URL}/logs/")
    here = location.replace(PUBLIC_URL, f"https://localhost:{station.gateway.port('https')}")
    tls = ssl.create_default_context(cadata="\n".join(station.roots))
    body: Any = text
    if method == "form":
        body = aiohttp.FormData()
        body.add_field("file", text, filename="log.zip", content_type="application/zip")
    async with (
        aiohttp.ClientSession() as session,
        session.request("PUT" if method == "PUT" else "POST", f"{here}log.zip", data=body, ssl=tls) as response,
    ):
        return response.status


async def ask(station: Any, log_type: str, *, exit_code: int = 0) -> Any:
    """The operator asks for a log; return what is on record of it."""
    arguments = (
        "log",
        "request",
        station.identity,
        "--type",
        log_type,
        "--json",
        "--config",
        str(station.gateway.config),
    )
    code, out, err = await station.gateway.run(*arguments)
    assert code == exit_code, err
    return json.loads(out) if out else err


async def record(gateway: Any, number: int, state: str) -> Any:
    """Wait until a log is so, and return what is on record of it."""

    async def look() -> Any:
        return (await gateway.api("GET", f"logs/{number}"))[1]

    return await until(look, lambda shown: shown["state"] == state)


def asked(station: Any) -> tuple[str, int | None]:
    """Return where the station was last asked to upload to, and the requestId."""
    action, payload = station.asked[-1]
    if action == "GetDiagnostics":
        return payload["location"], None
    return payload["log"]["remoteLocation"], payload["requestId"]


async def tell(station: Any, status: str, number: int | None) -> None:
    action = "DiagnosticsStatusNotification" if number is None else "LogStatusNotification"
    payload = {"status": status} if number is None else {"status": status, "requestId": number}
    assert (await station.call(action, payload))[2] == {}


def agrees(station: Any) -> None:
    station.answers["GetLog"] = {"status": "Accepted", "filename": "log.zip"}
    station.answers["GetDiagnostics"] = {"fileName": "log.zip"}


# --- the operator's


@both_versions
async def test_tc_n_25_the_diagnostics_are_uploaded(gateway: Any, tmp_path: Path, kind: type[ScriptedStation]) -> None:
    await uploaded_and_saved(await new(gateway, tmp_path, kind), "diagnostics", tmp_path / "saved.zip")


@both_versions
async def test_tc_n_35_the_security_log_is_uploaded(gateway: Any, tmp_path: Path, kind: type[ScriptedStation]) -> None:
    await uploaded_and_saved(await new(gateway, tmp_path, kind), "security", tmp_path / "saved.zip")


async def uploaded_and_saved(station: Any, log_type: str, out: Path) -> None:
    gateway = station.gateway
    agrees(station)
    async with station.online():
        made = await ask(station, log_type)
        location, number = asked(station)
        await tell(station, "Uploading", number)
        assert await upload(station, location) == 201
        await tell(station, "Uploaded", number)

        shown = await record(gateway, made["id"], "kept")
        assert (shown["size"], shown["sha256"]) == (len(TEXT), hashlib.sha256(TEXT).hexdigest())
        assert await upload(station, location) == 404
    arguments = ("log", "save", str(made["id"]), "--out", str(out), "--config", str(gateway.config))
    assert (await gateway.run(*arguments))[0] == 0
    assert await asyncio.to_thread(out.read_bytes) == TEXT


@both_versions
async def test_tc_n_34_there_is_no_log(gateway: Any, tmp_path: Path, kind: type[ScriptedStation]) -> None:
    station = await new(gateway, tmp_path, kind)
    station.answers |= {"GetLog": {"status": "Rejected"}, "GetDiagnostics": {}}
    async with station.online():
        assert "has no such log" in await ask(station, "diagnostics", exit_code=1)

        assert await upload(station, asked(station)[0]) == 404
        _, listed = await gateway.api("GET", f"logs?identity={station.identity}")
        assert [each["state"] for each in listed["logs"]] == ["failed"]


async def test_tc_n_36_a_second_request_takes_the_place_of_the_first(gateway: Any, tmp_path: Path) -> None:
    station = await new(gateway, tmp_path, Station201)
    agrees(station)
    async with station.online():
        first = await ask(station, "diagnostics")
        _, first_number = asked(station)
        station.answers["GetLog"] = {"status": "AcceptedCanceled", "filename": "log.zip"}
        second = await ask(station, "diagnostics")
        location, number = asked(station)
        assert number != first_number

        await tell(station, "AcceptedCanceled", first_number)
        assert await upload(station, location) == 201
        await tell(station, "Uploaded", number)
        assert "AcceptedCanceled" in (await record(gateway, first["id"], "failed"))["reason"]
        await record(gateway, second["id"], "kept")


# --- the backend's


@both_versions
@pytest.mark.parametrize("method", ["PUT", "form"])
async def test_diagnostics_go_on_to_where_the_backend_wants_them(
    gateway: Any, place: Place, tmp_path: Path, kind: type[ScriptedStation], method: str
) -> None:
    station = await new(gateway, tmp_path, kind)
    agrees(station)
    async with station.online():
        assert (await gateway.backend.call(station.identity, "GetDiagnostics", {"location": place.url}))[2] == {
            "fileName": "log.zip"
        }
        location, number = asked(station)
        await tell(station, "Uploading", number)
        assert await gateway.backend.expect("DiagnosticsStatusNotification") == {"status": "Uploading"}

        assert await upload(station, location, method) == 201
        await tell(station, "Uploaded", number)
        assert await gateway.backend.expect("DiagnosticsStatusNotification") == {"status": "Uploaded"}

    assert place.taken.pop() == ("/in/log.zip", TEXT)
    assert "s3cret" not in gateway.log + json.dumps((await gateway.api("GET", "logs"))[1])
    assert location.split("/")[4] not in gateway.log


async def test_a_gateway_that_is_killed_brings_the_log_all_the_same(gateway: Any, place: Place, tmp_path: Path) -> None:
    station = await new(gateway, tmp_path, Station201)
    agrees(station)
    async with station.online():
        await gateway.backend.call(station.identity, "GetDiagnostics", {"location": place.url})
        location, number = asked(station)
    await gateway.stop(9)
    await gateway.start()
    async with station.online(boots=False):
        assert await upload(station, location) == 201
        await tell(station, "Uploaded", number)
        assert await gateway.backend.expect("DiagnosticsStatusNotification") == {"status": "Uploaded"}
    assert place.taken.pop() == ("/in/log.zip", TEXT)


async def test_a_place_where_nothing_is_sent(gateway: Any, tmp_path: Path) -> None:
    station = await new(gateway, tmp_path, Station201)
    agrees(station)
    async with station.online():
        await gateway.backend.call(station.identity, "GetDiagnostics", {"location": "http://169.254.169.254/latest/"})
        location, number = asked(station)
        assert await upload(station, location) == 201
        await tell(station, "Uploaded", number)
        assert await gateway.backend.expect("DiagnosticsStatusNotification") == {"status": "UploadFailed"}

        _, listed = await gateway.api("GET", f"logs?identity={station.identity}")
        shown = await record(gateway, listed["logs"][0]["id"], "failed")
        assert "isn't on the list" in shown["reason"]
        assert shown["sha256"] is not None
