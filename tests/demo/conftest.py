"""A small operator's CA, a recorder of events, and a 2.0.1 CSMS over TLS for the station to talk to."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from gateway.demo.charging import now
from gateway.demo.station_folder import StationFolder
from gateway.demo.typed_ocpp import ChargePoint201, on, result201
from tests.firmware_pki import FirmwarePki, manufacturer

IDENTITY = "CS001"
SERIAL = "SN-1"
OPERATOR = "Example CPO"
PASSWORD = "correct-horse-battery"
IMAGE = b"Two-Oh-One 1.1.0\n" + bytes(100_000)


class Told:
    """Takes the place of ``json_lines.tell`` and lets a test wait for what is told."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._changed = asyncio.Event()

    def __call__(self, event: str, /, **facts: Any) -> None:
        self.events.append({"event": event, **facts})
        self._changed.set()

    async def until(self, event: str, **facts: Any) -> dict[str, Any]:
        """Wait for an event with these facts, and forget it and all before it."""
        wanted = {"event": event, **facts}
        async with asyncio.timeout(10):
            while True:
                for position, told in enumerate(self.events):
                    if all(told.get(key) == value for key, value in wanted.items()):
                        del self.events[: position + 1]
                        return told
                self._changed.clear()
                await self._changed.wait()


class OperatorCa:
    """A root that signs what it is told to, right or wrong."""

    def __init__(self, name: str = "Test root") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(name, OPERATOR)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        self.root = (
            _builder(self.name, self.name, self.key.public_key(), days=3650)
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    @property
    def root_pem(self) -> bytes:
        return self.root.public_bytes(Encoding.PEM)

    def sign(self, csr_pem: str, *, cn: str | None = None, organization: str | None = None, days: int = 30) -> str:
        """Return a chain (leaf alone) for a CSR, with its subject unless another one is given."""
        csr = x509.load_pem_x509_csr(csr_pem.encode())
        asked = {name.oid: str(name.value) for name in csr.subject}
        subject = _name(cn or asked[NameOID.COMMON_NAME], organization or asked[NameOID.ORGANIZATION_NAME])
        return self.sign_key(subject, csr.public_key(), days=days)

    def sign_key(self, subject: x509.Name, key: Any, *, days: int = 30) -> str:
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        leaf = (
            _builder(subject, self.name, key, days=days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(issuer_key, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return leaf.public_bytes(Encoding.PEM).decode()


def _name(cn: str, organization: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization), x509.NameAttribute(NameOID.COMMON_NAME, cn)]
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: Any, *, days: int) -> x509.CertificateBuilder:
    """Valid from an hour ago (two, when it has expired already) for ``days``."""
    end = datetime.now(UTC) + timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(datetime.now(UTC), end) - timedelta(hours=1))
        .not_valid_after(end)
    )


class Csms:
    """The CSMS that a test plays: what it hears is told, what it answers can be changed."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.port = 0
        self.peer: Any = None
        self.answers: dict[str, Callable[[], Any]] = {}
        """Action -> what is answered instead of the usual."""
        self.subprotocol = "ocpp2.0.1"

    @property
    def url(self) -> str:
        return f"wss://localhost:{self.port}/ocpp"

    def answer(self, action: str, usual: Any, **heard: Any) -> Any:
        self.told(action, **heard)
        return self.answers[action]() if action in self.answers else usual

    def select(self, _: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return Subprotocol(self.subprotocol) if self.subprotocol in offered else None

    async def live_on(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        certificate = connection.transport.get_extra_info("ssl_object").getpeercert(True)
        subject = x509.load_der_x509_certificate(certificate).subject.rfc4514_string() if certificate else None
        authorization = connection.request.headers.get("Authorization")
        self.peer = CsmsPeer(self, connection)
        self.told("entered", path=connection.request.path, subject=subject, authorization=authorization)
        try:
            await self.peer.start()
        except ConnectionClosed:
            self.told("left")


class CsmsPeer(ChargePoint201):  # type: ignore[misc]  # `ocpp` ships no types: its class is Any
    def __init__(self, csms: Csms, connection: ServerConnection) -> None:
        super().__init__(IDENTITY, connection, response_timeout=5)
        self.csms = csms
        self.connection = connection

    @on("BootNotification")
    def boot(self, charging_station: dict[str, Any], reason: str) -> Any:
        usual = result201.BootNotification(current_time=now(), interval=300, status="Accepted")
        return self.csms.answer("BootNotification", usual, station=charging_station, reason=reason)

    @on("StatusNotification")
    def status(self, connector_status: str, **_: object) -> Any:
        return self.csms.answer("StatusNotification", result201.StatusNotification(), status=connector_status)

    @on("NotifyReport")
    def report(self, **payload: Any) -> Any:
        return self.csms.answer("NotifyReport", result201.NotifyReport(), **payload)

    @on("Heartbeat")
    def heartbeat(self) -> Any:
        return self.csms.answer("Heartbeat", result201.Heartbeat(current_time=now()))

    @on("SignCertificate")
    def sign_certificate(self, csr: str, certificate_type: str) -> Any:
        usual = result201.SignCertificate(status="Accepted")
        return self.csms.answer("SignCertificate", usual, csr=csr, certificate_type=certificate_type)

    @on("SecurityEventNotification")
    def security_event(self, type: str, tech_info: str, **_: object) -> Any:  # noqa: A002  # OCPP's name for it
        usual = result201.SecurityEventNotification()
        return self.csms.answer("SecurityEventNotification", usual, type=type, tech_info=tech_info)

    @on("FirmwareStatusNotification")
    def firmware_status(self, **payload: Any) -> Any:
        return self.csms.answer("FirmwareStatusNotification", result201.FirmwareStatusNotification(), **payload)

    @on("LogStatusNotification")
    def log_status(self, **payload: Any) -> Any:
        return self.csms.answer("LogStatusNotification", result201.LogStatusNotification(), **payload)

    @on("Authorize")
    def authorize(self, id_token: dict[str, Any]) -> Any:
        usual = result201.Authorize(id_token_info={"status": "Accepted"})
        return self.csms.answer("Authorize", usual, id_token=id_token)

    @on("TransactionEvent")
    def transaction_event(self, **payload: Any) -> Any:
        return self.csms.answer("TransactionEvent", result201.TransactionEvent(), **payload)


class Place:
    """The CSMS's file server: it offers ``image``, and takes logs."""

    def __init__(self) -> None:
        self.port = 0
        self.image = IMAGE
        self.status = 201
        self.taken: list[tuple[str, bytes]] = []

    def url(self, path: str) -> str:
        return f"https://localhost:{self.port}/{path}"

    async def load(self, _: web.Request) -> web.Response:
        return web.Response(body=self.image)

    async def take(self, request: web.Request) -> web.Response:
        self.taken.append((request.path, await request.read()))
        return web.Response(status=self.status)


@pytest.fixture
def told() -> Told:
    """What the process under test tells."""
    return Told()


@pytest.fixture(scope="session")
def operator_ca() -> OperatorCa:
    return OperatorCa()


@pytest.fixture(scope="session")
def stranger_ca() -> OperatorCa:
    """A CA of the same name as the operator's, with another key."""
    return OperatorCa()


@pytest.fixture(scope="session")
def web_ca() -> trustme.CA:
    """Who issues the CSMS's server certificate."""
    return trustme.CA()


@pytest.fixture
def folder(tmp_path: Path, operator_ca: OperatorCa, web_ca: trustme.CA) -> StationFolder:
    """A station's folder as the installer leaves it."""
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "cso-root.pem").write_bytes(operator_ca.root_pem)
    web_ca.cert_pem.write_to_path(tmp_path / "csms-root.pem")
    return StationFolder(tmp_path, serial=SERIAL, operator=OPERATOR)


@pytest.fixture(scope="session")
def maker() -> FirmwarePki:
    """The station's manufacturer."""
    return manufacturer("Maker")


@pytest.fixture
def maker_known(folder: StationFolder, tmp_path: Path, maker: FirmwarePki) -> StationFolder:
    """The folder of a station that left its factory with its manufacturer's root."""
    (tmp_path / "firmware-roots.pem").write_bytes(maker.roots_pem)
    (tmp_path / "firmware-cas.pem").write_bytes(maker.intermediates_pem)
    return folder


@pytest.fixture
async def place(web_ca: trustme.CA) -> AsyncIterator[Place]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    web_ca.issue_cert("localhost").configure_cert(context)
    place, app = Place(), web.Application()
    app.router.add_get("/firmware/s3cret", place.load)
    app.router.add_put("/logs/s3cret/{name:.*}", place.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    place.port = runner.addresses[0][1]
    yield place
    await runner.cleanup()


@pytest.fixture
async def csms(web_ca: trustme.CA, operator_ca: OperatorCa) -> AsyncIterator[Csms]:
    """A CSMS on a port of its own; client certificates are welcome, not required."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    web_ca.issue_cert("localhost").configure_cert(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=operator_ca.root_pem.decode())
    csms = Csms(Told())
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            serve(csms.live_on, "127.0.0.1", 0, ssl=context, select_subprotocol=csms.select)
        )
        csms.port = server.sockets[0].getsockname()[1]
        yield csms
