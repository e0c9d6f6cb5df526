"""The gateway's own certificates on a real store: a listener shows them, and a session outlives their replacement."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509

from gateway.app.authorities import open_authorities
from gateway.app.clock import now
from gateway.app.inventory import Inventory
from gateway.app.own_certificates import OwnCertificates
from gateway.app.problems import StartFailed
from gateway.app.serving import serving
from gateway.config import Config
from gateway.store.certificates import Certificates, CertificateState
from gateway.store.database import Database
from pki.pair_folder import PairFolder, PairKind
from tests.app.conftest import Events

PATIENCE = 15.0
NAMES = ["localhost", "127.0.0.1"]


def tree(**authority: Any) -> dict[str, Any]:
    def listener() -> dict[str, Any]:
        tls = {"issued": {"names": [*NAMES], "dir": "certs/issued"}}
        return {"bind": "127.0.0.1:0", "security_profiles": [2], "tls": tls}

    return {
        "listeners": [listener(), listener()],
        "authority": {"server": authority or {"local": {"dir": "certs/csms-ca"}}},
        "admin": {"bind": "127.0.0.1:0"},
    }


class House:
    def __init__(self, config: Config, database: Database) -> None:
        self.config = config
        self.certificates = Certificates(database)
        self.folder = PairFolder(config.listeners[0].tls.issued.dir)  # type: ignore[union-attr]  # it has them

        self.stack = AsyncExitStack()

    async def opened(self) -> OwnCertificates:
        authorities = await open_authorities(self.config, self.stack)
        return OwnCertificates(self.config, authorities, Inventory(self.certificates), Events())


@pytest.fixture
async def house(configured: Callable[..., Config], tmp_path: Path) -> AsyncIterator[House]:
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/inventory.db", exclusive=True)
    made = House(configured(**tree()), database)
    yield made
    await made.stack.aclose()
    await database.close()


async def test_two_listeners_share_one_set_that_is_in_the_inventory(house: House) -> None:
    own = await house.opened()
    assert own.expiring() == {"server": 0}
    await own.prepare()
    records = await house.certificates.list("")
    assert [(each.usage, each.profile, each.state) for each in records] == [
        ("server", "csms_server", CertificateState.IN_USE)
    ] * 2
    assert own.are_valid
    assert all(timedelta(0) < each.not_after - now() < timedelta(days=1) for each in records)


async def test_a_former_one_is_superseded_if_the_inventory_has_it(house: House) -> None:
    await (await house.opened()).prepare()
    former = {each.serial for each in await house.certificates.list("")}
    # Other names are wanted: both are issued anew.
    changed = house.config.listeners[0].tls.issued.model_copy(update={"names": ("localhost",)})  # type: ignore[union-attr]  # it has them
    tls = house.config.listeners[0].tls.model_copy(update={"issued": changed})  # type: ignore[union-attr]  # the same
    listener = house.config.listeners[0].model_copy(update={"tls": tls})
    house.config = house.config.model_copy(update={"listeners": (listener,)})
    await (await house.opened()).prepare()
    states = {each.serial: each.state for each in await house.certificates.list("")}
    assert {serial for serial, state in states.items() if state is CertificateState.SUPERSEDED} == former
    assert len(states) == 4


async def test_it_does_not_change_to_a_root_that_stations_are_not_said_to_have(house: House, tmp_path: Path) -> None:
    await (await house.opened()).prepare()
    shown = house.folder.read(PairKind.ECDSA)
    (tmp_path / "csms.pem").write_bytes((tmp_path / "certs/csms-ca/root.pem").read_bytes())
    (tmp_path / "certs/csms-ca").rename(tmp_path / "certs/former-ca")
    # Other names are wanted, so that both are due at once.
    issued = house.config.listeners[0].tls.issued.model_copy(update={"names": ("localhost",)})  # type: ignore[union-attr]  # it has them
    change = {"issued": issued, "csms_roots": tmp_path / "csms.pem"}
    tls = house.config.listeners[0].tls.model_copy(update=change)  # type: ignore[union-attr]  # the same
    listener = house.config.listeners[0].model_copy(update={"tls": tls})
    house.config = house.config.model_copy(update={"listeners": (listener,)})
    await (await house.opened()).prepare()
    assert house.folder.read(PairKind.ECDSA) == shown
    with (tmp_path / "csms.pem").open("ab") as file:
        file.write((tmp_path / "certs/csms-ca/root.pem").read_bytes())
    await (await house.opened()).prepare()
    assert house.folder.read(PairKind.ECDSA) != shown


async def test_without_issued_there_is_nothing_to_do(configured: Callable[..., Config], house: House) -> None:
    house.config = configured()
    own = await house.opened()
    await own.prepare()
    assert own.are_valid is None
    assert own.expiring() == {}


async def test_a_start_that_can_not_be_says_where(configured: Callable[..., Config], house: House) -> None:
    vault = {"address": "http://127.0.0.1:1", "role": "csms", "auth": {"token": "env:PATH"}, "timeout": 0.2}
    house.config = configured(**tree(vault=vault))
    with pytest.raises(StartFailed, match=r"listeners\[0\].tls.issued: .*certs/issued holds no valid certificate, and"):
        await (await house.opened()).prepare()


# --- a real listener


def client(folder: Path, *, rsa: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=folder / "certs/csms-ca/root.pem")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256" if rsa else "ECDHE-ECDSA-AES128-GCM-SHA256")
    return context


async def connect(port: int, tls: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, int]:
    """Shake hands; return the streams and the serial number of what was shown."""
    reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port, ssl=tls), PATIENCE)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return reader, writer, x509.load_der_x509_certificate(shown).serial_number


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Ask for a WebSocket; return the first line of what comes."""
    writer.write(
        b"GET /ocpp/CS1 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Protocol: ocpp2.0.1\r\n\r\n"
    )
    return await asyncio.wait_for(reader.readline(), PATIENCE)


def serials(folder: PairFolder) -> dict[PairKind, int]:
    found = {kind: folder.read(kind) for kind in PairKind}
    return {kind: pair.leaf.serial_number for kind, pair in found.items() if pair is not None}


async def renewed(house: House, kind: PairKind) -> int:
    """Put another certificate of this kind where the gateway keeps its own, as the gateway does."""
    (_, certificates), *_ = (await house.opened())._sets
    issued = await certificates._issue(kind)
    return issued.certificate.serial_number


async def until_shown(port: int, tls: ssl.SSLContext, serial: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            _, writer, shown = await connect(port, tls)
            writer.close()
            if shown == serial:
                return


async def test_both_kinds_are_shown_and_replaced_under_connections_that_are_open(house: House, tmp_path: Path) -> None:
    lines: list[str] = []
    async with serving(house.config, lines.append):
        port = int(lines[0].partition("/ocpp")[0].rpartition(":")[2])
        admin = lines[2].split()[1]
        kept = serials(house.folder)
        ecdsa, rsa = client(tmp_path), client(tmp_path, rsa=True)
        reader, writer, shown = await connect(port, ecdsa)
        assert shown == kept[PairKind.ECDSA]
        other_reader, other_writer, shown = await connect(port, rsa)
        assert shown == kept[PairKind.RSA]

        newer = await renewed(house, PairKind.ECDSA)
        await until_shown(port, ecdsa, newer)
        # The connections from before go on, the other kind is what it was.
        assert b"401" in await answer(reader, writer)
        assert b"401" in await answer(other_reader, other_writer)
        writer.close()
        other_writer.close()

        newest = await renewed(house, PairKind.RSA)
        await until_shown(port, rsa, newest)

        async with aiohttp.ClientSession(admin) as session:
            async with session.get("/readyz") as response:
                assert (await response.json())["checks"]["server_certificates"] is True
            async with session.get("/metrics") as response:
                text = await response.text()
        assert 'voltgate_certificates_expiring{usage="server"} 0.0' in text
    # A restart: what is whole is taken, what is not is made anew.
    (house.folder.path / "ecdsa.pem").write_bytes(b"-----BEGIN PRIVATE KEY-----\nMIIB")
    async with serving(house.config, lines.append):
        assert serials(house.folder)[PairKind.RSA] == newest
        assert serials(house.folder)[PairKind.ECDSA] != newer
