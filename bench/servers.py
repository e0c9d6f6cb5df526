"""The processes under test and around it: `voltgate serve`, nginx, the backend, the load generator."""

import contextlib
import json
import os
import platform
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.caller import KEY, Job, line
from bench.upstream import accept_value

SETTLED: Final = 0.003
"""CPU seconds in ``QUIET`` seconds, below which a server has done all that the stations made it do."""
QUIET: Final = 0.3
PATIENCE: Final = 60.0
"""Seconds after which a measurement has failed."""

_NGINX: Final = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
worker_processes {workers};
worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{
    access_log {folder}/access.log;
    server {{
        listen 127.0.0.1:{port} ssl backlog=4096;
        server_name localhost;
        ssl_certificate {pki}/gateway-ecdsa.pem;
        ssl_certificate_key {pki}/gateway-ecdsa.key;
        ssl_certificate {pki}/gateway-rsa.pem;
        ssl_certificate_key {pki}/gateway-rsa.key;
        ssl_client_certificate {pki}/station-roots.pem;
        ssl_verify_client {verify};
        ssl_verify_depth 4;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_ciphers {suites};
        ssl_prefer_server_ciphers on;
        ssl_session_tickets off;
        ssl_session_cache off;
        location / {{
            {answer}
        }}
    }}
}}
"""
_SUITES: Final = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
_ALONE: Final = """\
add_header Upgrade websocket always;
            add_header Sec-WebSocket-Accept {accept} always;
            add_header Sec-WebSocket-Protocol ocpp2.0.1 always;
            return 101;"""
_PROXY: Final = """\
proxy_pass http://127.0.0.1:{upstream};
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_read_timeout 600s;"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its TLS port, its process, and for the gateway its administration port."""

    port: int
    process_id: int
    admin_port: int = 0

    def cpu(self) -> float:
        """Return the CPU seconds of the process and its children so far, all threads included."""
        return sum(map(_cpu_seconds, self.processes()))

    def processes(self) -> list[int]:
        """Return the ids of the process and its children."""
        return [self.process_id, *_children(self.process_id)]

    def waited(self) -> float:
        """Return the seconds for which it could have run, and others had its core."""
        return sum(map(waited, self.processes()))

    def metrics(self) -> str:
        """Return what the gateway's /metrics says."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/metrics") as answer:
            said: str = answer.read().decode()
        return said

    def settle(self) -> float:
        """Wait until it has nothing to do any more, and return its CPU seconds."""
        deadline = time.monotonic() + PATIENCE
        before = self.cpu()
        while time.monotonic() < deadline:
            time.sleep(QUIET)
            now = self.cpu()
            if now - before < SETTLED:
                return now
            before = now
        raise SystemExit("the server doesn't come to rest")

    def stations(self) -> int:
        """Return how many stations the gateway says are connected."""
        found = re.search(r"^voltgate_stations_connected (\S+)$", self.metrics(), re.MULTILINE)
        if found is None:
            raise SystemExit("/metrics has no voltgate_stations_connected")
        return int(float(found[1]))


def _cpu_seconds(process_id: int) -> float:
    """User and system time of a process, ended threads included: clock_getcpuclockid(3) without the library call."""
    return time.clock_gettime((~process_id << 3) | 2)


def waited(process_id: int) -> float:
    """Return the seconds that the threads of a process have waited for a core (proc(5), schedstat)."""
    files = Path(f"/proc/{process_id}/task").glob("*/schedstat")
    return sum(int(each.read_text(encoding="ascii").split()[1]) for each in files) / 1e9


def _children(process_id: int) -> list[int]:
    text = Path(f"/proc/{process_id}/task/{process_id}/children").read_text(encoding="ascii")
    return [int(each) for each in text.split()]


def raise_limit() -> int:
    """Let this process, and those that it starts, open as many files as they may; return how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else sys.maxsize


def run(*arguments: str) -> str:
    """Run one command of voltgate to its end and return what it said."""
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - our own


@contextlib.contextmanager
def _process(
    *command: str, environment: Mapping[str, str] | None = None, log: Path | None = None, core: int | None = None
) -> Iterator[Any]:
    """Run a child with its stdin and stdout at hand, bound to ``core``; SIGTERM at the end."""
    bound = ["taskset", "--cpu-list", str(core)] if core is not None else []
    with contextlib.ExitStack() as stack:
        errors = stack.enter_context(log.open("ab")) if log is not None else None
        child = subprocess.Popen(  # noqa: S603 - our own commands
            [*bound, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | (environment or {}),
        )
        stack.enter_context(child)
        try:
            yield child
        finally:
            child.send_signal(signal.SIGTERM)
            child.communicate()


@contextlib.contextmanager
def upstream() -> Iterator[int]:
    """Run the backend; give its port."""
    with _process(sys.executable, "-m", "bench.upstream") as child:
        yield int(child.stdout.readline())


@contextlib.contextmanager
def backend() -> Iterator[int]:
    """Run the backend that answers; give its port."""
    with _process(sys.executable, "-m", "bench.backend") as child:
        yield int(child.stdout.readline())


@contextlib.contextmanager
def ledger(expected: int, per_second: float) -> Iterator[tuple[int, Callable[[], str]]]:
    """Run the backend with a ledger; give its port, and what waits for the line that it prints when all have come."""
    with _process(sys.executable, "-m", "bench.ledger", str(expected), str(per_second)) as child:
        yield int(child.stdout.readline()), child.stdout.readline


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """Listen, and never say a word: the backend of a gateway whose legs aren't to be measured. Give its port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(4096)
        yield listening.getsockname()[1]


@contextlib.contextmanager
def gateway(
    folder: Path, backend_port: int, environment: Mapping[str, str] | None = None, *, core: int | None = None
) -> Iterator[Server]:
    """Run `voltgate serve` out of ``folder``, its log in a file as a service's would be; ``core`` binds it to one."""
    settings = dict.fromkeys(("LISTENERS__0__BIND", "LISTENERS__1__BIND", "ADMIN__BIND"), "127.0.0.1:0")
    settings["BACKENDS__LEGACY__URL"] = f"ws://127.0.0.1:{backend_port}/{{identity}}"
    variables = {f"VOLTGATE__{key}": value for key, value in settings.items()}
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(folder / "voltgate.yaml")]
    with _process(
        *command, environment=variables | dict(environment or {}), log=folder / "serve.log", core=core
    ) as child:
        ports = {}
        while (said := child.stdout.readline()) != "ready\n":
            if not said:
                raise SystemExit(f"voltgate serve failed: see {folder / 'serve.log'}")
            if found := re.match(r"listening (\w+)://[^/ ]*:(\d+)", said):
                ports[found[1]] = int(found[2])
        yield Server(ports["wss"], child.pid, ports["http"])


@contextlib.contextmanager
def nginx(
    folder: Path, pki: Path, upstream_port: int | None, *, core: int | None = None, verify: bool = True
) -> Iterator[Server]:
    """Run nginx; without ``upstream_port`` it answers the upgrade itself.

    ``verify``: it asks for client certificates. With ``core`` it has one worker, which is bound to it.
    """
    program = nginx_program()
    if program is None:
        raise SystemExit("nginx isn't installed; on Debian and Ubuntu: apt install nginx-light")
    folder.mkdir()
    port = _free_port()
    accept = accept_value(KEY.encode()).decode()
    answer = _ALONE.format(accept=accept) if upstream_port is None else _PROXY.format(upstream=upstream_port)
    configuration = folder / "nginx.conf"
    words = {"workers": "auto" if core is None else "1", "verify": "on" if verify else "off"}
    text = _NGINX.format(folder=folder, port=port, pki=pki, suites=_SUITES, answer=answer, **words)
    configuration.write_text(text)
    with _process(program, "-c", str(configuration), "-p", str(folder), log=folder / "stderr.log", core=core) as child:
        server = Server(port, child.pid)
        deadline = time.monotonic() + PATIENCE
        while not _listens(port):
            if child.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"nginx failed: {(folder / 'stderr.log').read_text()}")
            time.sleep(0.05)
        yield server


@contextlib.contextmanager
def naive(folder: Path, pki: Path, backend_port: int, password: str, *, core: int | None = None) -> Iterator[Server]:
    """Run the naive gateway with the ECDSA certificate."""
    files = [str(pki / f"gateway-ecdsa.{kind}") for kind in ("pem", "key")]
    command = [sys.executable, "-m", "bench.peers.naive", *files, f"ws://127.0.0.1:{backend_port}", password]
    with _process(*command, log=folder / "naive.log", core=core) as child:
        yield Server(int(child.stdout.readline()), child.pid)


@contextlib.contextmanager
def callers(job: Job, *, core: int | None = None) -> Iterator[Any]:
    """Run the load generator with ``job`` up to its ``ready``; ``core`` binds it to one."""
    with _process(sys.executable, "-m", "bench.caller", core=core) as child:
        child.stdin.write(line(job))
        child.stdin.flush()
        if child.stdout.readline() != "ready\n":
            raise SystemExit("the load generator failed")
        yield child


class Load:
    """The load generator of the messages: a process of its own, with the backend of the server under test in it."""

    def __init__(self, child: Any) -> None:
        self._child = child
        self.backend_port: int = self._answer()["backend"]

    def do(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Have it do something; return what it says of it. SystemExit when it fails."""
        self._child.stdin.write(json.dumps({"do": command} | arguments) + "\n")
        self._child.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        said = self._child.stdout.readline()
        if not said:
            raise SystemExit("the load generator failed: its reason is above")
        answer: dict[str, Any] = json.loads(said)
        return answer


@contextlib.contextmanager
def load(core: int | None = None) -> Iterator[Load]:
    """Run the load generator of the messages."""
    with _process(sys.executable, "-m", "bench.load", core=core) as child:
        yield Load(child)


@dataclass(frozen=True, slots=True)
class Stations:
    """A process of stations that stay (``bench.stations``)."""

    child: Any
    count: int

    def do(self, *commands: str) -> None:
        """Let them do one thing after the other. SystemExit when one was refused, dropped or answered wrongly."""
        for command in commands:
            self.child.stdin.write(command + "\n")
            self.child.stdin.flush()
            outcome(self.child)


@contextlib.contextmanager
def stations(job: Job) -> Iterator[Stations]:
    """Run stations that stay, up to their ``ready``."""
    with _process(sys.executable, "-m", "bench.stations") as child:
        child.stdin.write(line(job))
        child.stdin.flush()
        if child.stdout.readline() != "ready\n":
            raise SystemExit("the stations failed")
        yield Stations(child, len(job.names))


def go(child: Any) -> None:
    """Let the stations of a generator begin."""
    child.stdin.write("go\n")
    child.stdin.flush()


def outcome(child: Any) -> dict[str, Any]:
    """Wait until all stations of a generator have their answer. SystemExit when one was refused or late."""
    said: dict[str, Any] = json.loads(child.stdout.readline())
    if said["faults"]:
        name, fault = next(iter(said["faults"].items()))
        raise SystemExit(f"{len(said['faults'])} stations were refused, dropped or answered wrongly; {name}: {fault}")
    return said


def nginx_program() -> str | None:
    """Return where nginx is installed; None where it isn't."""
    return shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")


def machine() -> dict[str, Any]:
    """Describe where this was measured."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    program = nginx_program()
    said = subprocess.run([program, "-v"], check=True, stderr=subprocess.PIPE, text=True).stderr if program else ""  # noqa: S603 - nginx
    return {
        "cores": os.cpu_count(),
        "cpu": found[1] if found else platform.processor(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "nginx": said.strip().rpartition("/")[2],
        "load": os.getloadavg()[0],
    }


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
