"""HTTP to one node: connections that are kept alive, deadlines, answers of a bounded size. No redirect is followed.

Blocks: for threads. hvac's own transport (requests) costs four times the CPU, reads proxies and CA bundles from the
environment, and trusts certifi's roots instead of the machine's (docs/decisions/0015-vault.md).
"""

import contextlib
import http.client
import json
import re
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from pki.vault.failures import NoAnswer, NotSent, printable

ANSWER_MAX: Final = 1024 * 1024
"""Bytes of an answer, unless its reader allows more."""
IDLE_MAX: Final = 30.0
"""Seconds after which a connection isn't used again: servers and what stands between close idle ones unasked."""
KEPT_MAX: Final = 32
"""Connections to one node that are kept."""


_LINE: Final = re.compile(r"[\x20-\x7e]+")


class Attempt:
    """One try at a request: until when, and a way to end it from another thread."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._deadline = clock() + seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_aborted = False

    def remaining(self) -> float:
        """Return the seconds that are left. Raises TimeoutError."""
        left = self._deadline - self._clock()
        if left <= 0 or self._is_aborted:
            raise TimeoutError
        return left

    def hold(self, connected: socket.socket | None) -> None:
        """Name the socket that is being waited for, or none any more."""
        with self._lock:
            self._socket = connected
            if connected is not None and self._is_aborted:
                raise TimeoutError

    def abort(self) -> None:
        """Wake the thread that waits: its socket is at its end."""
        with self._lock:
            self._is_aborted = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    # The class's own: that of SSLSocket takes the TLS object away from under the reader.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node said. hvac takes it for a response of requests, as far as it looks."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status_code < 300

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        """Return the body. Raises ValueError."""
        return json.loads(self.content)

    def words(self) -> str:
        """Return what Vault says in ``errors``, or the beginning of what isn't Vault's."""
        try:
            errors = self.json()["errors"]
            return printable("; ".join(str(error) for error in errors[:5]))
        except (ValueError, KeyError, TypeError):
            return printable(self.text)


class Transport:
    """The connections to one node."""

    def __init__(self, address: str, context: Callable[[], ssl.SSLContext]) -> None:
        parts = urlsplit(address)
        self.address = f"{parts.scheme}://{parts.netloc}"
        self._netloc = parts.netloc
        self._is_tls = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._is_tls else 80)
        self._context = context
        self._generation = 0
        self._idle: deque[tuple[float, socket.socket]] = deque()

    def __repr__(self) -> str:
        return f"Transport({self.address})"

    def exchange(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        attempt: Attempt,
        answer_max: int = ANSWER_MAX,
    ) -> Answer:
        """Send one request and return its answer, whatever its status. Raises :class:`NotSent`, :class:`NoAnswer`."""
        said = self._request(method, path, headers, body)
        generation = self._generation
        connection = self._connect(attempt)
        response = http.client.HTTPResponse(connection, method=method)
        is_kept = False
        try:
            connection.sendall(said)
            response.begin()
            content = response.read(answer_max + 1)
            if response.length and len(content) <= answer_max:
                raise http.client.IncompleteRead(content, response.length)
            attempt.hold(None)
            is_kept = response.isclosed() and not response.will_close and generation == self._generation
        except TimeoutError:
            raise NoAnswer(f"{self.address} hasn't answered within {attempt.seconds:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(f"{self.address} broke off ({_name(error)})") from None
        finally:
            if is_kept and len(self._idle) < KEPT_MAX:
                self._idle.append((time.monotonic(), connection))
            else:
                response.close()
                connection.close()
        if len(content) > answer_max:
            raise NoAnswer(f"{self.address} answers with more than {answer_max} bytes")
        return Answer(response.status, dict(response.headers), content)

    def _request(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        """Return a request as one piece: one TLS record, one packet. Raises NotSent when it can't be said in HTTP."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._netloc}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        if not all(map(_LINE.fullmatch, lines)) or " " in path:
            raise NotSent("the request holds what HTTP can't carry: look for line breaks in the token or the mount")
        return "\r\n".join([*lines, "", ""]).encode("ascii") + (body or b"")

    def drop(self) -> None:
        """Close the connections that nobody uses; those in use are closed when their answer is there."""
        self._generation += 1
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop()[1].close()

    def _connect(self, attempt: Attempt) -> socket.socket:
        """Take a connection that is alive, the one used last, or make one. Raises NotSent."""
        connection = self._idle_one()
        with self._what_fails():
            if connection is None:
                connection = self._open(attempt)
            attempt.hold(connection)
            connection.settimeout(attempt.remaining())
        return connection

    def _idle_one(self) -> socket.socket | None:
        with contextlib.suppress(IndexError):
            while True:
                since, idle = self._idle.pop()
                if time.monotonic() - since < IDLE_MAX and not _is_readable(idle):
                    return idle
                idle.close()
        return None

    def _open(self, attempt: Attempt) -> socket.socket:
        plain = socket.create_connection((self._host, self._port), attempt.remaining())
        try:
            attempt.hold(plain)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(attempt.remaining())
            return self._context().wrap_socket(plain, server_hostname=self._host) if self._is_tls else plain
        except BaseException:
            plain.close()
            raise

    @contextlib.contextmanager
    def _what_fails(self) -> Iterator[None]:
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise NotSent(
                f"the certificate of {self.address} isn't trusted ({error.verify_message}); set roots to its own root"
            ) from None
        except TimeoutError:
            raise NotSent(f"{self.address} takes no connection in time") from None
        except (OSError, ValueError) as error:
            raise NotSent(f"{self.address} can't be reached ({_name(error)})") from None


def _is_readable(sock: socket.socket) -> bool:
    """Whether the peer has closed, or says what it wasn't asked."""
    waiting = select.poll()
    waiting.register(sock, select.POLLIN)
    return bool(waiting.poll(0))


def _name(error: Exception) -> str:
    text = getattr(error, "reason", None) or getattr(error, "strerror", None)
    return printable(text) if isinstance(text, str) else type(error).__name__
