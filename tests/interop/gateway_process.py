"""The gateway under test, as its user runs it: `init`, `serve`, `station add`."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final
from urllib.request import Request, urlopen

from tests.interop.child import PATIENCE, ROOT, Child, Json

LISTENING: Final = re.compile(
    r"listening (wss?://127\.0\.0\.1:\d+/ocpp)/\{identity\} security_profiles=([1-3](?:,[1-3])*)"
)
ADMIN: Final = re.compile(r"listening (http://127\.0\.0\.1:\d+) admin")


class Gateway:
    """`python -m gateway init` and `serve`, and the station registry through `station add`."""

    def __init__(
        self, folder: Path, backend_port: int, protocol: str = "ocpp1.6", *, security_extension: bool = False
    ) -> None:
        self.folder = folder
        self._log = folder.parent / "gateway.log"
        self._read = 0
        self._env = {name: value for name, value in os.environ.items() if not name.startswith("VOLTGATE__")} | {
            "VOLTGATE__LISTENERS__0__BIND": "127.0.0.1:0",
            "VOLTGATE__LISTENERS__1__BIND": "127.0.0.1:0",
            "VOLTGATE__ADMIN__BIND": "127.0.0.1:0",
            "VOLTGATE__BACKENDS__LEGACY__URL": f"ws://127.0.0.1:{backend_port}/{{identity}}",
            "VOLTGATE__BACKENDS__LEGACY__PROTOCOL": protocol,
            "VOLTGATE__LOG__FORMAT": "json",
        }
        if security_extension:
            self._env["VOLTGATE__BACKENDS__LEGACY__SECURITY_EXTENSION"] = "true"
        self.command("init", str(folder))
        self._stderr = self._log.open("w")
        serve = [sys.executable, "-m", "gateway", "serve", "--config", self.config]
        self._process = Child("gateway", serve, lambda line: {"line": line}, env=self._env, stderr=self._stderr)
        self._process.take("ready", lambda said: said["line"] == "ready")
        lines: list[str] = [said["line"] for said in self._process.said]
        announced = [LISTENING.fullmatch(line) for line in lines]
        self.endpoints = {int(profile): hit[1] for hit in announced if hit for profile in hit[2].split(",")}
        """Security profile -> URL up to the identity."""
        self._admin = next(hit[1] for hit in map(ADMIN.fullmatch, lines) if hit)
        self.ca = (folder / "certs/dev/csms-root.pem").read_text()

    @property
    def config(self) -> str:
        """The configuration file."""
        return str(self.folder / "voltgate.yaml")

    def command(self, *arguments: str) -> str:
        """Run a command of the CLI to its end and return its stdout."""
        ended = subprocess.run(  # noqa: S603  # our own command line
            [sys.executable, "-m", "gateway", *arguments],
            cwd=ROOT,
            env=self._env,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert ended.returncode == 0, f"voltgate {' '.join(arguments)}: {ended.returncode}\n{ended.stderr}"
        return ended.stdout

    def register(self, identity: str, profile: int, serial: str, protocol: str, *, by_command: bool) -> str:
        """Register a station, by `station add` or (ten times faster) by the admin API, and return its password."""
        if by_command:
            wish = (identity, "--profile", str(profile), "--serial", serial, "--protocol", protocol)
            added: Json = json.loads(self.command("station", "add", *wish, "--json", "--config", self.config))
        else:
            wanted = {"identity": identity, "profile": profile, "serial": serial, "pinned_version": protocol}
            added = self.api("stations", wanted)
        password: str = added["password"]
        return password

    def api(self, path: str, body: Json) -> Json:
        """POST to the admin API and return the answer."""
        token = (self.folder / "secrets/admin-token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = Request(f"{self._admin}/api/v1/{path}", json.dumps(body).encode(), headers)  # noqa: S310  # our own URL
        with urlopen(request, timeout=PATIENCE) as response:  # noqa: S310  # our own URL
            answer: Json = json.load(response)
        return answer

    def news(self) -> list[Json]:
        """Return the log since the last time. A line that isn't JSON (a traceback, a warning) fails the test."""
        lines = self._log.read_text().splitlines()[self._read :]
        self._read += len(lines)
        return [json.loads(line) for line in lines]

    def stop(self) -> int:
        """Stop it as an operator does, by SIGTERM, and return its exit status."""
        try:
            return self._process.stop(by=signal.SIGTERM)
        finally:
            self._stderr.close()
