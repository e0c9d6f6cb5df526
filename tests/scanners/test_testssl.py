"""testssl.sh against a running listener: no finding above LOW but the named exceptions."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.scanners.target import Serve

TESTSSL = shutil.which("testssl") or shutil.which("testssl.sh")
CHECKS = ("-p", "-s", "-f", "-P", "-S", "-U")
"""Protocols, suites, forward secrecy, preferences, certificates, known flaws. Left out: HTTP headers, which a listener
without pages doesn't have, and the simulated browsers."""
HARMLESS = {"OK", "INFO", "LOW"}
EXCEPTIONS = {
    "cert_revocation": "the development PKI of `voltgate init` publishes no CRL and runs no OCSP responder",
}
"""Finding -> why it is none. Static RSA (OCPP 2.0.1 A00.FR.318) isn't here: testssl says LOW, or nothing, of it."""

OF_NOBODY = "/"
"""The "ip" of what testssl says of itself: which engines its own openssl has, say."""

pytestmark = [
    pytest.mark.skipif(TESTSSL is None, reason="testssl isn't installed: apt install testssl.sh"),
    pytest.mark.timeout(240),  # a shell script: 40 s on a machine that does nothing else
]


def test_nothing_above_low(serve: Serve, tmp_path: Path) -> None:
    report = tmp_path / "testssl.json"
    assert TESTSSL is not None
    with serve() as target:
        command = [
            TESTSSL, *CHECKS, "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip", "127.0.0.1",
            "--add-ca", str(target.roots), "--jsonfile", str(report), f"localhost:{target.port}",
        ]  # fmt: skip
        said = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True, cwd=tmp_path).stdout  # noqa: S603 - our own command

    findings = [each for each in json.loads(report.read_text()) if each["ip"] != OF_NOBODY]
    serious = {each["id"].partition(" ")[0]: each for each in findings if each["severity"] not in HARMLESS}

    assert {"TLS1_2", "TLS1_3", "heartbleed", "ROBOT", "cert_chain_of_trust"} <= {
        each["id"].partition(" ")[0] for each in findings
    }, said
    assert serious.keys() == EXCEPTIONS.keys(), serious
