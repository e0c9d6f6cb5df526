"""Stations that connect: the load generator, a process of its own. ``python -m bench.caller``

The job comes as one line of JSON on stdin; everything expensive (contexts, keys) is made before it says ``ready``.
After ``go`` it connects every station, at most ``parallel`` of them on the way at a time, and prints one line of JSON
when the last has its answer. The connections stay open until ``close``.
"""

import json
import os
import selectors
import socket
import ssl
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any, Final

KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="
"""Sec-WebSocket-Key of RFC 6455 1.3; the accept value to it is known to the nginx that answers by itself."""
READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE


@dataclass(frozen=True, slots=True)
class Job:
    """Who connects where. ``tls`` is 1.2 or 1.3, ``timeout`` seconds for one station from SYN to its answer."""

    port: int
    folder: str
    names: list[str]
    parallel: int
    tls: str
    use_rsa: bool = False
    timeout: float = 30.0

    def context(self, name: str) -> ssl.SSLContext:
        """Make one station's context. The server isn't verified: that would cost the generator, not the server."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
        version = ssl.TLSVersion.TLSv1_3 if self.tls == "1.3" else ssl.TLSVersion.TLSv1_2
        made.minimum_version = made.maximum_version = version
        made.set_ciphers(f"ECDHE-{'RSA' if self.use_rsa else 'ECDSA'}-AES128-GCM-SHA256")
        made.load_cert_chain(f"{self.folder}/{name}.pem")
        return made


class Caller:
    """One station on its way in: TCP, TLS, upgrade."""

    __slots__ = ("_context", "_job", "_request", "_step", "_tls", "began", "heard", "name", "socket", "took")

    def __init__(self, job: Job, name: str) -> None:
        self.name = name
        self.began = 0.0
        self.took = 0.0
        self.heard = b""
        self._job = job
        self._context = job.context(name)
        self._step = self._connect
        self._request = (
            f"GET /ocpp/{name} HTTP/1.1\r\nHost: localhost:{job.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ocpp2.0.1\r\n\r\n"
        ).encode()
        self.socket: socket.socket
        self._tls: ssl.SSLSocket

    def begin(self) -> None:
        """Send the SYN."""
        self.began = time.monotonic()
        plain = socket.socket()
        plain.setblocking(False)
        plain.connect_ex(("127.0.0.1", self._job.port))
        self.socket = plain

    def go_on(self) -> int:
        """Go as far as it goes; return what to wait for, 0 when the answer is there. Raises OSError."""
        try:
            self._step()
        except ssl.SSLWantReadError:
            return READ
        except ssl.SSLWantWriteError:
            return WRITE
        return 0

    def _connect(self) -> None:
        """The SYN is answered: begin with TLS. The socket is another object then, on the same descriptor."""
        if fault := self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(fault, os.strerror(fault))
        self._tls = self._context.wrap_socket(self.socket, server_hostname="localhost", do_handshake_on_connect=False)
        self.socket = self._tls
        self._step = self._shake
        self._shake()

    def _shake(self) -> None:
        self._tls.do_handshake()
        self._tls.send(self._request)
        self._step = self._hear
        self._hear()

    def _hear(self) -> None:
        while b"\r\n\r\n" not in self.heard:
            more = self._tls.recv(4096)
            if not more:
                raise ConnectionError("closed before the answer")
            self.heard += more
        self.took = time.monotonic() - self.began


def call(job: Job, callers: list[Caller]) -> dict[str, Any]:
    """Connect them all; return when it began and ended (CLOCK_MONOTONIC), each one's seconds, and what went wrong."""
    selector = selectors.DefaultSelector()
    waiting = list(reversed(callers))
    on_the_way: set[Caller] = set()
    faults: dict[str, str] = {}
    began, spent = time.monotonic(), time.process_time()
    while waiting or on_the_way:
        while waiting and len(on_the_way) < job.parallel:
            caller = waiting.pop()
            caller.begin()
            on_the_way.add(caller)
            selector.register(caller.socket, WRITE, caller)
        for key, _ in selector.select(timeout=1.0):
            _serve(selector, key.data, on_the_way, faults)
        late = time.monotonic() - job.timeout
        for caller in [each for each in on_the_way if each.began < late]:
            _finish(selector, caller, on_the_way, faults, "timeout")
    ended = time.monotonic()
    return {
        "began": began,
        "ended": ended,
        "took": [caller.took for caller in callers],
        "faults": faults,
        "cpu": time.process_time() - spent,
    }


def _serve(selector: selectors.BaseSelector, caller: Caller, on_the_way: set[Caller], faults: dict[str, str]) -> None:
    if caller not in on_the_way:
        return
    try:
        wanted = caller.go_on()
    except OSError as error:
        _finish(selector, caller, on_the_way, faults, str(error) or type(error).__name__)
        return
    if wanted:
        selector.modify(caller.socket, wanted, caller)
        return
    status = caller.heard.partition(b"\r\n")[0].decode("latin-1")
    _finish(selector, caller, on_the_way, faults, "" if status.startswith("HTTP/1.1 101 ") else status)


def _finish(
    selector: selectors.BaseSelector, caller: Caller, on_the_way: set[Caller], faults: dict[str, str], fault: str
) -> None:
    selector.unregister(caller.socket)
    on_the_way.remove(caller)
    if fault:
        faults[caller.name] = fault


def main() -> None:
    """Do one job, as stdin says."""
    job = Job(**json.loads(sys.stdin.readline()))
    callers = [Caller(job, name) for name in job.names]
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(call(job, callers)), flush=True)
    sys.stdin.readline()
    for caller in callers:
        caller.socket.close()


def line(job: Job) -> str:
    """Return the job as it is written to the generator's stdin."""
    return json.dumps(asdict(job)) + "\n"


if __name__ == "__main__":
    main()
