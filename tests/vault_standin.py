"""A scripted HTTPS server in place of a Vault node: it answers what a test has told it to, and notes who asked.

For what a healthy OpenBao doesn't do: be slow, limit, break off, stand by, answer something else.
"""

import contextlib
import http.server
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import trustme

HEALTH: Final = ("GET", "/v1/sys/health")
LOOKUP: Final = ("GET", "/v1/auth/token/lookup-self")
PATIENCE: Final = 10.0


@dataclass
class Reply:
    """One answer. ``status`` 0 breaks the connection off instead; a ``gate`` holds it up until it is set.

    A ``body`` that can be called makes its content of what was asked.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    gate: threading.Event | None = None

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()

    def made_for(self, asked: "Asked") -> "Reply":
        """Return it with its content."""
        return replace(self, body=self.body(asked)) if callable(self.body) else self


def failed(status: int, *errors: str, **headers: str) -> Reply:
    """Return an error as Vault words it."""
    return Reply(status, {"errors": list(errors)}, {name.replace("_", "-"): value for name, value in headers.items()})


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any

    @property
    def token(self) -> str:
        return self.headers.get("X-Vault-Token", "")


class StandIn(http.server.ThreadingHTTPServer):
    """One node. By default it is healthy, and every token is good for an hour."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, context: ssl.SSLContext, roots: Path) -> None:
        self.roots = roots
        self.asked: list[Asked] = []
        self.connections = 0
        self._context = context
        self._open: set[socket.socket] = set()
        self._replies = {
            HEALTH: [Reply(200, {"initialized": True, "sealed": False, "standby": False})],
            LOOKUP: [Reply(200, {"data": {"ttl": 3600, "renewable": False}})],
        }
        self._changed = threading.Condition()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.server_port}"

    def say(self, method: str, path: str, *replies: Reply) -> None:
        """Answer requests for ``path`` with these, one after the other; the last one again and again."""
        self._replies[method, path] = list(replies)

    def count(self, method: str, path: str) -> int:
        """Return how often ``path`` was asked for."""
        return sum((asked.method, asked.path) == (method, path) for asked in self.asked)

    def wait_for(self, method: str, path: str, count: int = 1) -> None:
        """Block until ``path`` was asked for so often."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.count(method, path) >= count, PATIENCE)

    def reply(self, asked: Asked) -> Reply:
        with self._changed:
            self.asked.append(asked)
            self._changed.notify_all()
            replies = self._replies.get((asked.method, asked.path), [failed(404, "no handler for route")])
            return replies.pop(0) if len(replies) > 1 else replies[0]

    def get_request(self) -> tuple[socket.socket, Any]:
        plain, peer = super().get_request()
        self.connections += 1
        secured = self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self._open.add(secured)
        return secured, peer

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that breaks off is no news."""

    def cut(self) -> None:
        """Break off all connections."""
        for each in list(self._open):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StandIn

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        content = self.rfile.read(length)
        asked = Asked(self.command, self.path, dict(self.headers), json.loads(content) if content else None)
        reply = self.server.reply(asked).made_for(asked)
        if reply.gate is not None:
            reply.gate.wait(PATIENCE)
        if not reply.status:
            self.close_connection = True
            return
        self.send_response(reply.status)
        kind = "application/octet-stream" if isinstance(reply.body, bytes) else "application/json"
        for name, value in ({"Content-Type": kind} | reply.headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.content)))
        self.end_headers()
        self.wfile.write(reply.content)

    def __getattr__(self, name: str) -> Any:
        if name in {"do_GET", "do_POST", "do_PUT", "do_LIST"}:
            return self._answer
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        """Say nothing on stderr."""


@contextlib.contextmanager
def standing_in(folder: Path, ca: trustme.CA, *, name: str = "127.0.0.1") -> Iterator[StandIn]:
    """Run one whose certificate is ``ca``'s, for ``name``."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(name).configure_cert(context)
    roots = folder / "standin-roots.pem"
    ca.cert_pem.write_to_path(str(roots))
    with StandIn(context, roots) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="stand-in")
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            server.cut()
