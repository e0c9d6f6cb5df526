"""How a backend is dialled: against a real WebSocket server, with and without TLS and credentials."""

import asyncio
import base64
import ssl
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from websockets.asyncio.server import Server, ServerConnection, serve

from gateway.transport import DialError, HandshakePool, Limits
from gateway.upstream.dialing import BackendAddress, BackendDialer, BasicAuthorization, tls_context
from gateway.wire.versions import Version


class Sink:
    """Stands for the peer."""

    def __init__(self) -> None:
        self.opened = False
        self.gone = asyncio.Event()

    def connected(self, socket: Any) -> None:
        self.opened = True

    def message(self, text: bytes) -> None: ...

    def disconnected(self, closed: Any) -> None:
        self.gone.set()


@pytest.fixture
def pool() -> Any:
    made = HandshakePool()
    yield made
    made.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


async def _serve(seen: list[Any], **options: Any) -> Server:
    async def handler(connection: ServerConnection) -> None:
        request = connection.request
        assert request is not None
        seen.append(SimpleNamespace(path=request.path, headers=request.headers, protocol=connection.subprotocol))
        await connection.wait_closed()

    options.setdefault("subprotocols", ["ocpp1.6"])
    return await serve(handler, "127.0.0.1", 0, **options)


def _address(server: Server, *, scheme: str = "ws", host: str = "127.0.0.1", **options: Any) -> BackendAddress:
    port = next(iter(server.sockets)).getsockname()[1]
    return BackendAddress(
        name="legacy",
        url_for=lambda identity: f"{scheme}://{host}:{port}/ocpp/{identity}",
        version=Version.V16,
        tls=options.get("tls"),
        basic=options.get("basic"),
    )


async def _dial(address: BackendAddress, pool: HandshakePool) -> None:
    sink = Sink()
    socket = await BackendDialer(address, "CS1", limits=Limits(), pool=pool)(sink)
    assert sink.opened
    socket.close()
    await sink.gone.wait()


async def test_path_subprotocol_and_credentials(pool: HandshakePool) -> None:
    seen: list[Any] = []

    async def password(identity: str) -> str:
        return f"secret of {identity}"

    async with await _serve(seen) as server:
        basic = BasicAuthorization(lambda identity: f"vg-{identity}", password)
        await _dial(_address(server, basic=basic), pool)
    assert seen[0].path == "/ocpp/CS1"
    assert seen[0].protocol == "ocpp1.6"
    assert base64.b64decode(seen[0].headers["Authorization"].split()[1]) == b"vg-CS1:secret of CS1"


async def test_a_secret_that_cannot_be_had_is_a_dial_error(pool: HandshakePool) -> None:
    async def password(_: str) -> str:
        raise ValueError("file:secrets/CS1: there is no such file")

    async with await _serve([]) as server:
        address = _address(server, basic=BasicAuthorization(lambda identity: identity, password))
        with pytest.raises(DialError, match="no such file"):
            await _dial(address, pool)


async def test_a_backend_that_speaks_another_version_is_refused(pool: HandshakePool) -> None:
    async with await _serve([], subprotocols=["ocpp1.5"]) as server:
        with pytest.raises(DialError):
            await _dial(_address(server), pool)


@pytest.mark.parametrize("trusted", [True, False])
async def test_the_backends_certificate_is_verified(
    trusted: bool, authority: trustme.CA, tmp_path: Path, pool: HandshakePool
) -> None:
    roots = tmp_path / "roots.pem"
    (authority if trusted else trustme.CA()).cert_pem.write_to_path(str(roots))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    async with await _serve([], ssl=context) as server:
        address = _address(server, scheme="wss", host="localhost", tls=tls_context(roots, None))
        if trusted:
            await _dial(address, pool)
        else:
            with pytest.raises(DialError, match="certificate"):
                await _dial(address, pool)


async def test_mutual_tls_towards_the_backend(authority: trustme.CA, tmp_path: Path, pool: HandshakePool) -> None:
    roots, chain, key = tmp_path / "roots.pem", tmp_path / "chain.pem", tmp_path / "key.pem"
    authority.cert_pem.write_to_path(str(roots))
    own = authority.issue_cert("gateway")
    own.cert_chain_pems[0].write_to_path(str(chain))
    own.private_key_pem.write_to_path(str(key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    async with await _serve([], ssl=context) as server:
        tls = tls_context(roots, (chain, key))
        await _dial(_address(server, scheme="wss", host="localhost", tls=tls), pool)


def test_old_tls_is_not_spoken(tmp_path: Path, authority: trustme.CA) -> None:
    roots = tmp_path / "roots.pem"
    authority.cert_pem.write_to_path(str(roots))
    context = tls_context(roots, None)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(tmp_path: Path, authority: trustme.CA) -> None:
    chain, locked = tmp_path / "chain.pem", tmp_path / "locked.key"
    own = authority.issue_cert("gateway")
    own.cert_chain_pems[0].write_to_path(str(chain))
    key = load_pem_private_key(own.private_key_pem.bytes(), None)
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a passphrase")))
    with pytest.raises(OSError, match="the key is encrypted"):
        tls_context(None, (chain, locked))
