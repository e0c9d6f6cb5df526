"""A station whose certificate was revoked is out of the running gateway, and stays out."""

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web
from websockets.exceptions import InvalidStatus

from tests.responders import REVOKED, responding
from tests.system.certificates import (
    TLS_VERSIONS,
    Authority,
    Files,
    boot_of,
    client,
    enrolled,
    knock,
    serial_of,
)

CUT_WITHIN: Final = 5.0
"""Seconds from the word that revokes to the end of the session (issue 3)."""
NOT_ADMITTED: Final = 1008


async def _refused(gateway: Any, identity: str, certificate: Files) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with gateway.station(identity, certificate=certificate):
            pass
    assert caught.value.response.status_code == 401


async def _cut(station: Any) -> float:
    """Wait for the gateway to end the session; return when it did."""
    assert await station.closed() == NOT_ADMITTED
    return time.monotonic()


async def test_revoked_through_voltgate(
    gateway: Any, backend: Any, transaction_event: Any, token: Any, evse: Any, tmp_path: Path
) -> None:
    backup = tmp_path / "backup"
    papers = {name: await enrolled(gateway, name, f"SN-{name}", tmp_path) for name in ("CS1", "CS2")}
    old, new = TLS_VERSIONS
    contexts = {"CS1": client(gateway, papers["CS1"], old), "CS2": client(gateway, papers["CS2"], new)}
    await gateway.stop()
    shutil.copytree(gateway.folder, backup, ignore=shutil.ignore_patterns("certs", "secrets"))
    await gateway.start()

    # Each has a TLS session that it might resume; that of TLS 1.2 can be.
    sessions = {}
    for name, tls in contexts.items():
        before = await knock(gateway.port("wss"), name, tls)
        again = await knock(gateway.port("wss"), name, tls, before.session)
        assert (before.status, again.status, again.resumed) == (101, 101, tls is contexts["CS1"])
        sessions[name] = before.session

    async with (
        gateway.station("CS1", certificate=papers["CS1"]) as first,
        gateway.station("CS2", certificate=papers["CS2"]) as second,
    ):
        await second.call("Heartbeat", {})
        await first.call("TransactionEvent", transaction_event("Started", 0, wh=1000, idToken=token, evse=evse))
        # Its last register is on the way to a backend that doesn't answer when the word comes.
        backend.silent.add("StopTransaction")
        ended = transaction_event("Ended", 1, wh=3000)
        await first.send(json.dumps([2, "in hand", "TransactionEvent", ended]))
        stop = await backend.expect("StopTransaction")
        revoking = asyncio.create_task(
            gateway.run("cert", "revoke", f"{serial_of(papers['CS1']):x}", "--config", str(gateway.config))
        )
        revoked = asyncio.create_task(_cut(first))
        status, out, err = await revoking
        assert (status, "is revoked" in out) == (0, True), err
        told = time.monotonic()
        assert await revoked - told < CUT_WITHIN

        # The other by the API; nobody else's session has ended meanwhile.
        await second.call("Heartbeat", {})
        asked = time.monotonic()
        serial = f"{serial_of(papers['CS2']):x}"
        assert (await gateway.api("DELETE", f"certificates/{serial}?reason=keyCompromise"))[0] == 200
        assert await _cut(second) - asked < CUT_WITHIN

    # What was in hand comes through, though the backend has lost the connection on which it heard it first.
    backend.silent.clear()
    await backend.close()
    await backend.open()
    assert await backend.expect("StopTransaction") == stop

    await _stays_out(gateway, papers, contexts, sessions)
    await gateway.stop()
    await gateway.start()
    await _stays_out(gateway, papers, contexts, sessions)

    # The store of yesterday knows of no revocation; the CA's own list does.
    await gateway.stop()
    for file in gateway.folder.glob("voltgate.db*"):
        file.unlink()
    shutil.copytree(backup, gateway.folder, dirs_exist_ok=True)
    await gateway.start()
    assert {each["state"] for each in (await gateway.api("GET", "certificates"))[1]["certificates"]} == {"installed"}
    await _stays_out(gateway, papers, contexts, sessions)


async def test_revoked_while_a_newcomer_is_being_admitted(gateway: Any, tmp_path: Path) -> None:
    papers = await enrolled(gateway, "CS1", "SN-CS1", tmp_path)
    async with gateway.station("CS1", certificate=papers) as holder:
        await holder.call("Heartbeat", {})
        # It answers no ping, so that the newcomer waits at the door, its certificate checked, while that is revoked.
        pinged = asyncio.Event()
        holder.connection.protocol.send_frame = lambda frame: pinged.set()

        async def comes() -> float:
            async with gateway.station("CS1", certificate=papers) as newcomer:
                came = time.monotonic()
                return await _cut(newcomer) - came

        coming = asyncio.create_task(comes())
        await pinged.wait()
        assert (await gateway.api("DELETE", f"certificates/{serial_of(papers):x}"))[0] == 200
        assert await coming < CUT_WITHIN


async def _stays_out(gateway: Any, papers: Any, contexts: Any, sessions: Any) -> None:
    """By a new handshake and by the old session, over TLS 1.2 and 1.3; and the log says why."""
    for name, files in papers.items():
        gateway.log = ""
        await _refused(gateway, name, files)
        for session in (sessions[name], None):
            assert (await knock(gateway.port("wss"), name, contexts[name], session)).status == 401
        await gateway.logged("revoked", times=3, name="reason")


@pytest.fixture
async def site() -> AsyncIterator[Any]:
    """A web server on loopback that gives one CRL."""
    given: dict[str, bytes] = {}

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=given["crl"])

    app = web.Application()
    app.router.add_get("/stations.crl", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    given["url"] = f"http://127.0.0.1:{runner.addresses[0][1]}/stations.crl".encode()
    yield given
    await runner.cleanup()


class Elsewhere:
    """Four CAs whose certificates are revoked elsewhere, and a gateway that trusts them and Voltgate's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file, self.url, self.stale, self.missing = (
            Authority(folder, label) for label in ("file", "url", "stale", "missing")
        )
        self.papers = {
            name: authority.leaf(f"SN-{name}")
            for name, authority in (
                ("FILE", self.file),
                ("URL", self.url),
                ("STALE", self.stale),
                ("LOST", self.stale),
                ("MISSING", self.missing),
            )
        }

    async def start(self, gateway: Any, site: dict[str, bytes], when_unknown: str) -> None:
        """Begin with a good CRL in a file and at a URL, a stale one that lists one of two, and one that isn't there."""
        site["crl"] = self.url.crl()
        self.path("file").write_bytes(self.file.crl())
        self.path("stale").write_bytes(self.stale.crl(self.papers["LOST"], stale=True))
        roots = gateway.folder / "certs/dev/station-roots.pem"
        trusted = (self.file, self.url, self.stale, self.missing)
        roots.write_text("".join([roots.read_text(), *(each.root for each in trusted)]))
        sources = [*(str(self.path(name)) for name in ("file", "stale", "missing")), site["url"].decode()]
        gateway.configure(
            lambda tree: tree.update(revocation={"crls": sources, "refresh": 1, "when_unknown": when_unknown})
        )
        await gateway.start()
        for name in self.papers:
            await gateway.add(name, 3, f"SN-{name}")
        missing = str(self.path("missing"))
        told = await gateway.told(event="crl_unavailable", source=missing)
        assert told["reason"] == f"{missing}: No such file or directory"

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.crl"

    async def entries(self, gateway: Any) -> dict[str, int]:
        """Who gets in: the status of each upgrade."""
        return {
            name: (await knock(gateway.port("wss"), name, client(gateway, files, TLS_VERSIONS[1]))).status
            for name, files in self.papers.items()
        }


async def test_revoked_elsewhere(deployment: Any, site: dict[str, bytes], tmp_path: Path) -> None:
    gateway, elsewhere = deployment, Elsewhere(tmp_path)
    await elsewhere.start(gateway, site, "refuse")
    assert await elsewhere.entries(gateway) == {"FILE": 101, "URL": 101, "STALE": 401, "LOST": 401, "MISSING": 401}
    await gateway.logged("revocation_unknown", times=2, name="reason")
    assert "stale since" in gateway.log
    assert "there is no CRL of" in gateway.log

    files = elsewhere.papers["FILE"], elsewhere.papers["URL"]
    async with (
        gateway.station("FILE", certificate=files[0]) as by_file,
        gateway.station("URL", certificate=files[1]) as by_url,
    ):
        # A list that is broken, or gone, ends nobody's session: what it said last holds.
        gateway.log = ""
        elsewhere.path("file").write_bytes(b"rubbish")
        await gateway.logged(str(elsewhere.path("file")), name="source")
        assert (await by_file.boot(**boot_of("SN-FILE")))["status"] == "Accepted"

        changed = time.monotonic()
        site["crl"] = elsewhere.url.crl(files[1])
        elsewhere.path("file").write_bytes(elsewhere.file.crl(files[0]))
        elsewhere.path("stale").write_bytes(elsewhere.stale.crl(elsewhere.papers["LOST"]))
        elsewhere.path("missing").write_bytes(elsewhere.missing.crl())
        for station in (by_file, by_url):
            assert await _cut(station) - changed < CUT_WITHIN
    # Those of whom nothing was known are let in, now that their CA speaks; each list is looked at in its own time.
    for name in ("stale", "missing"):
        await gateway.told(event="crl_available_again", source=str(elsewhere.path(name)))
    assert await elsewhere.entries(gateway) == {"FILE": 401, "URL": 401, "STALE": 101, "LOST": 401, "MISSING": 101}


async def test_what_is_unknown_is_accepted_where_that_is_configured(
    deployment: Any, site: dict[str, bytes], tmp_path: Path
) -> None:
    elsewhere = Elsewhere(tmp_path)
    await elsewhere.start(deployment, site, "accept")
    assert await elsewhere.entries(deployment) == {"FILE": 101, "URL": 101, "STALE": 101, "LOST": 401, "MISSING": 101}


async def test_revoked_by_a_responder(deployment: Any, tmp_path: Path) -> None:
    """OCSP at the door, and of a session that runs; a responder that goes away brings nobody back."""
    gateway, authority = deployment, Authority(tmp_path, "elsewhere")
    roots = gateway.folder / "certs/dev/station-roots.pem"
    roots.write_text(roots.read_text() + authority.root)
    papers = {name: authority.leaf(f"SN-{name}") for name in ("CS1", "CS2")}
    async with responding(authority.hierarchy) as responder:

        def ask_it(tree: dict[str, Any]) -> None:
            tree["ocsp"] = {"networks": ["127.0.0.0/8"]}
            tree["revocation"] = {"ocsp": responder.url, "ocsp_refresh": 1, "refresh": 1}

        gateway.configure(ask_it)
        await gateway.start()
        for name in papers:
            await gateway.add(name, 3, f"SN-{name}")
        async with gateway.station("CS1", certificate=papers["CS1"]) as station:
            await station.boot(**boot_of("SN-CS1"))
            responder.says = {"status": REVOKED}
            told = time.monotonic()
            assert await _cut(station) - told < CUT_WITHIN
        responder.status = 503
        gateway.log = ""
        await _refused(gateway, "CS1", papers["CS1"])
        await gateway.logged("revoked", name="reason")
        await _refused(gateway, "CS2", papers["CS2"])
        await gateway.logged("revocation_unknown", name="reason")
