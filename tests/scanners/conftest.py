"""A running `voltgate serve` for scanners that know nothing of OCPP: what `voltgate init` writes, on its own port."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scanners.target import Serve, Target

STOPPED_WITHIN = 30.0


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `voltgate init` writes, once: its RSA keys take seconds."""
    folder = tmp_path_factory.mktemp("scanned") / "gw"
    command = [sys.executable, "-m", "gateway", "init", str(folder), "--name", "localhost", "--name", "127.0.0.1"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
    return folder


@pytest.fixture
def serve(deployment: Path, tmp_path: Path) -> Serve:
    """Return a function that runs the gateway, its configuration changed by environment variables."""

    @contextlib.contextmanager
    def running(**settings: str) -> Iterator[Target]:
        folder = shutil.copytree(deployment, tmp_path / "gw")
        binds = dict.fromkeys(("LISTENERS__0__BIND", "LISTENERS__1__BIND", "ADMIN__BIND"), "127.0.0.1:0")
        environment = os.environ | {f"VOLTGATE__{key}": value for key, value in (binds | settings).items()}
        with (tmp_path / "log").open("w+") as log:
            process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "gateway", "serve", "--config", str(folder / "voltgate.yaml")],
                stdout=subprocess.PIPE, stderr=log, env=environment, text=True,
            )  # fmt: skip
            with process:
                try:
                    yield Target(_port(process, tmp_path / "log"), folder / "certs/dev/csms-root.pem")
                finally:
                    process.terminate()
                    process.communicate(timeout=STOPPED_WITHIN)
        assert process.returncode == 0, (tmp_path / "log").read_text()

    return running


def _port(process: subprocess.Popen[str], log: Path) -> int:
    """Return the port of the TLS listener when the gateway is ready."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == "ready\n":
            break
    found = re.search(r"^listening wss://[^/]*:(\d+)", "".join(lines), re.MULTILINE)
    assert found, log.read_text()
    return int(found[1])
