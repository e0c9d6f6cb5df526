"""A file sent by FTP: to a real server, and to ones that lie, as a dialogue."""

import importlib
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from pki.destinations import DestinationRefused
from pki.uploading import UploadFailed
from pki.uploading.ftp import LINES_MAX, FtpUploads
from pki.uploading.places import UploadPlace
from tests.pki.uploading.conftest import OCTETS, allowed


@contextmanager
def real_server(folder: Path) -> Iterator[int]:
    """Run an FTP server that knows one user, and yield its port."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of asyncore, on Python 3.11
        authorizers, handlers, ioloop, servers = (
            importlib.import_module(f"pyftpdlib.{name}") for name in ("authorizers", "handlers", "ioloop", "servers")
        )
    (folder / "logs").mkdir()
    authorizer = authorizers.DummyAuthorizer()
    authorizer.add_user("u", "s:cret", str(folder), perm="elradfmw")
    handler = type("Handler", (handlers.FTPHandler,), {"authorizer": authorizer, "auth_failed_timeout": 0})
    loop = ioloop.IOLoop()
    server = servers.FTPServer(("127.0.0.1", 0), handler, ioloop=loop)
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            loop.loop(timeout=0.01, blocking=False)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.socket.getsockname()[1]
    finally:
        over.set()
        thread.join()
        server.close_all()


async def send(
    port: int,
    log: Path,
    path: str,
    *,
    user: str = "u:s%3Acret@",
    scheme: str = "ftp",
    host: str = "127.0.0.1",
    **kept: object,
) -> None:
    places = allowed(f"127.0.0.1:{port}", f"localhost:{port}", networks=bool(kept.get("networks", True)))
    place = UploadPlace.parse(f"{scheme}://{user}{host}:{port}{path}", places)
    roots = kept.get("roots")
    async with FtpUploads(places, roots=roots if isinstance(roots, Path) else None, stall=5.0) as uploads:
        await uploads.send(place, log, "a.zip")


@pytest.mark.parametrize(
    ("path", "comes"),
    [("/logs/", "logs/a.zip"), ("/logs", "logs/a.zip"), ("/logs/other.zip", "logs/other.zip"), ("", "a.zip")],
)
async def test_a_file_is_where_it_is_to_be(log: Path, tmp_path: Path, path: str, comes: str) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    with real_server(folder) as port:
        await send(port, log, path)

    assert (folder / comes).read_bytes() == OCTETS


@pytest.mark.parametrize(("path", "user", "code"), [("/none/", "u:s%3Acret@", 550), ("/logs/", "u:wrong@", 530)])
async def test_what_a_server_refuses_is_final(log: Path, tmp_path: Path, path: str, user: str, code: int) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    with real_server(folder) as port, pytest.raises(UploadFailed, match=f"^it answered {code}$") as failed:
        await send(port, log, path, user=user)

    assert failed.value.is_final


class Liar:
    """A server of one session that says its lines in order, whatever it hears; what it hears is kept."""

    def __init__(self, *answers: str, tls: ssl.SSLContext | None = None) -> None:
        self._answers = list(answers)
        self._tls = tls
        self.heard: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.data = socket.create_server(("127.0.0.1", 0))
        self.octets = b""

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._talk)
        thread.start()
        try:
            yield
        finally:
            for each in (self._listening, self.data):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            thread.join()
            self._listening.close()
            self.data.close()

    def _talk(self) -> None:
        with suppress(OSError):
            connection, _ = self._listening.accept()
            with ExitStack() as stack:
                self._session(stack.enter_context(connection), stack)

    def _session(self, connection: socket.socket, stack: ExitStack) -> None:
        for answer in self._answers:
            connection.sendall(f"{answer}\r\n".encode(errors="surrogateescape"))
            line = connection.recv(1024).decode().strip()
            if line == "AUTH TLS" and self._tls is not None:
                connection.sendall(b"234 go on\r\n")
                connection = stack.enter_context(self._tls.wrap_socket(connection, server_side=True))
                line = connection.recv(1024).decode().strip()
            self.heard.append(line)
            if line.startswith("STOR"):
                self._take(connection)
            if not line:
                return

    def _take(self, connection: socket.socket) -> None:
        connection.sendall(b"150 send\r\n")
        data, _ = self.data.accept()
        if self._tls is not None:
            data = self._tls.wrap_socket(data, server_side=True)
        while octets := data.recv(65_536):
            self.octets += octets
        if isinstance(data, ssl.SSLSocket):
            data = data.unwrap()
        data.close()


def passive(port: int, host: str = "127,0,0,1") -> str:
    return f"227 go there ({host},{port // 256},{port % 256})"


LOGIN = ("220 hello", "331 password?", "230 in")


async def test_the_address_that_a_server_names_for_the_data_is_not_gone_to(log: Path) -> None:
    liar = Liar(*LOGIN, "200 binary")
    liar._answers += [passive(liar.data.getsockname()[1], "10,0,0,1"), "226 thanks", "221 bye"]
    with liar.running():
        await send(liar.port, log, "/")

    assert liar.heard[:4] == ["USER u", "PASS s:cret", "TYPE I", "PASV"]
    assert liar.octets == OCTETS


async def test_no_service_of_the_machine_gets_the_data(log: Path) -> None:
    with (
        (liar := Liar(*LOGIN, "200 binary", passive(22))).running(),
        pytest.raises(DestinationRefused, match="port 22"),
    ):
        await send(liar.port, log, "/")


@pytest.mark.parametrize(
    ("answers", "text", "is_final"),
    [
        (("421 s:cret is full",), "it answered 421", False),
        (("220 hello", "530 not s:cret"), "it answered 530", True),
        (("hello",), "it doesn't speak FTP as it should", False),
        (("220 hello", ""), "it doesn't speak FTP as it should", False),
        (("220-" + "x\r\n" * LINES_MAX,), "it doesn't speak FTP as it should", False),
        (("220-" + "x" * 9000,), "it doesn't speak FTP as it should", False),
        ((*LOGIN, "200 binary", f"227 (127,0,0,1,{'9' * 5000},1)"), "it doesn't speak FTP as it should", False),
        (("220 hello", "331 \udcff"), "it doesn't speak FTP as it should", False),
    ],
)
async def test_a_servers_words_are_not_told(log: Path, answers: tuple[str, ...], text: str, is_final: bool) -> None:
    with (liar := Liar(*answers)).running(), pytest.raises(UploadFailed) as failed:
        await send(liar.port, log, "/")

    assert (str(failed.value), failed.value.is_final) == (text, is_final)


async def test_an_address_that_is_refused_hears_nothing(log: Path) -> None:
    with (liar := Liar("220 hello")).running(), pytest.raises(DestinationRefused, match="isn't a public address"):
        await send(liar.port, log, "/", host="localhost", networks=False)

    assert liar.heard == []


async def test_nobody_is_there(log: Path) -> None:
    liar = Liar()
    with liar.running():
        pass
    with pytest.raises(UploadFailed, match=r"^the connection failed: ") as failed:
        await send(liar.port, log, "/")
    assert not failed.value.is_final


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def roots(ca: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "roots.pem"
    ca.cert_pem.write_to_path(str(path))
    return path


def server_tls(ca: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)
    return context


async def test_with_tls_the_password_and_the_file_are_hidden(log: Path, ca: trustme.CA, roots: Path) -> None:
    liar = Liar(
        "220 hello", "331 password?", "230 in", "200 size", "200 private", "200 binary", tls=server_tls(ca, "localhost")
    )
    liar._answers += [passive(liar.data.getsockname()[1]), "226 thanks", "221 bye"]
    with liar.running():
        await send(liar.port, log, "/", scheme="ftps", host="localhost", roots=roots)

    assert liar.heard[:4] == ["USER u", "PASS s:cret", "PBSZ 0", "PROT P"]
    assert liar.octets == OCTETS


@pytest.mark.parametrize("answers", [("220 hello", "502 no TLS here"), ("220 hello",)])
async def test_without_the_right_tls_no_password_is_sent(
    log: Path, ca: trustme.CA, roots: Path, answers: tuple[str, ...]
) -> None:
    tls = server_tls(ca, "other.example.com") if len(answers) == 1 else None
    with (liar := Liar(*answers, tls=tls)).running(), pytest.raises(UploadFailed):
        await send(liar.port, log, "/", scheme="ftps", host="localhost", roots=roots)

    assert not any(line.startswith(("USER", "PASS")) for line in liar.heard)
