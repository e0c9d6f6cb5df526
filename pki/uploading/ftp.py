"""A file sent by FTP, in the clear or with TLS on the same connection (RFC 959, 2428, 4217).

The name is resolved here and the connection made to a number that may be: nothing is resolved again behind the guard.
A data connection goes to the same number, whatever the server names, and to no port of the machine's own services.
"""

import asyncio
import ftplib
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from pki.destinations import AllowList, DestinationRefused
from pki.uploading import UploadFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pki.uploading.places import UploadPlace

STALL: Final = 30.0
"""Seconds for each step."""
TOTAL: Final = 1_800.0
"""Seconds for one file."""
AT_ONCE: Final = 4
LINES_MAX: Final = 1_000
"""Lines that a server may say in one session."""
DATA_PORT_MIN: Final = 1_024

_BLOCK: Final = 65_536
_ANONYMOUS: Final = ("anonymous", "anonymous@")


class FtpUploads:
    """An FTP client that sends files only where it may, in threads of its own. Close it, or use it as a context."""

    def __init__(
        self, allowed: AllowList, *, roots: Path | None = None, stall: float = STALL, total: float = TOTAL
    ) -> None:
        """``roots``: the only trust anchors of ftps servers (PEM); None: the machine's. Raises OSError, ValueError."""
        self._allowed = allowed
        self._tls = ssl.create_default_context(cafile=roots)
        self._stall = stall
        self._total = total
        self._closing = threading.Event()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ftp")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Break off what is under way, at its next step."""
        self._closing.set()
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    async def send(self, place: "UploadPlace", file: Path, file_name: str) -> None:
        """Send ``file`` to ``place``; where that names a folder, as ``file_name`` in it.

        Raises DestinationRefused and UploadFailed, and OSError for a file that can't be read.
        """
        await asyncio.get_running_loop().run_in_executor(self._threads, self._send, place, file, file_name)

    def _send(self, place: "UploadPlace", file: Path, file_name: str) -> None:
        with file.open("rb") as octets, _told(), self._opened(place) as session:
            session.login(*(place.credentials or _ANONYMOUS))
            if isinstance(session, ftplib.FTP_TLS):
                session.prot_p()
            folders, last = place.folders()
            for folder in folders:
                session.cwd(folder)
            if last and not _entered(session, last):
                file_name = last
            session.storbinary(f"STOR {file_name}", octets, _BLOCK, callback=lambda _: session.check_time())

    @contextmanager
    def _opened(self, place: "UploadPlace") -> "Iterator[_Bounded]":
        host, port = place.target.host, place.target.port
        session = _TlsSession(context=self._tls) if place.target.scheme == "ftps" else _Bounded()
        session.bound(time.monotonic() + self._total, self._closing)
        try:
            session.connect(self._number(host, port), port, timeout=self._stall)
            session.host = host  # whose certificate it is to show
            yield session
            with suppress(ftplib.Error, OSError, EOFError):
                session.quit()
        finally:
            session.close()

    def _number(self, host: str, port: int) -> str:
        """Return an address of ``host`` that may be connected to. Raises DestinationRefused, OSError."""
        refused: DestinationRefused | None = None
        for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            try:
                self._allowed.check_address(str(address[0]))
            except DestinationRefused as error:
                refused = error
            else:
                return str(address[0])
        raise refused or OSError(f"{host} has no address")


class _Bounded(ftplib.FTP):
    """A session that ends in time, whatever the server says."""

    _until = 0.0
    _closing: threading.Event
    _lines = 0

    def bound(self, until: float, closing: threading.Event) -> None:
        self._until = until
        self._closing = closing

    def check_time(self) -> None:
        if self._closing.is_set():
            raise TimeoutError("the gateway stops")
        if time.monotonic() > self._until:
            raise TimeoutError("it takes too long")

    def getline(self) -> str:
        self.check_time()
        self._lines += 1
        if self._lines > LINES_MAX:
            raise ftplib.error_proto(f"more than {LINES_MAX} lines")  # noqa: S321 - what backends name by ftp:// is sent by it
        return super().getline()

    def makepasv(self) -> tuple[str, int]:
        _, port = super().makepasv()
        if port < DATA_PORT_MIN:
            raise DestinationRefused(f"it names port {port} for the data")
        assert self.sock is not None  # noqa: S101 - it has just answered on it
        return str(self.sock.getpeername()[0]), port


class _TlsSession(_Bounded, ftplib.FTP_TLS):
    """FTP with TLS. The data connection resumes the session, as many servers require of the one who logged in."""

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)  # noqa: S321 - the same
        own: Any = self.sock
        return self.context.wrap_socket(connection, server_hostname=self.host, session=own.session), size


def _entered(session: ftplib.FTP, name: str) -> bool:
    """Return whether ``name`` is a folder: then we are in it. 1.6 names folders without a slash (GetDiagnostics)."""
    try:
        session.cwd(name)
    except ftplib.error_perm:
        return False
    return True


@contextmanager
def _told() -> "Iterator[None]":
    """Turn what goes wrong into UploadFailed; of a server's own words only the number is told: it may echo ours."""
    try:
        yield
    except ftplib.error_perm as error:
        raise UploadFailed(f"it answered {str(error)[:3]}", is_final=True) from None
    except ftplib.error_temp as error:
        raise UploadFailed(f"it answered {str(error)[:3]}", is_final=False) from None
    except DestinationRefused:
        raise
    except (ftplib.Error, ValueError):  # numbers that are none, or endless; octets that aren't UTF-8
        raise UploadFailed("it doesn't speak FTP as it should", is_final=False) from None
    except TimeoutError as error:
        raise UploadFailed(str(error), is_final=False) from None
    except (OSError, EOFError) as error:
        text = getattr(error, "strerror", None) or type(error).__name__
        raise UploadFailed(f"the connection failed: {text}", is_final=False) from None
