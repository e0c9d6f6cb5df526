"""sslyze against a running listener: protocols, suites, curves and flaws are those of ``tls_profile.json``.

sslyze has an environment of its own (``make scanner-deps``): it is AGPL, which nothing of ours imports, and it wants
an older ``cryptography`` than the gateway.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.scanners.target import Serve, Target

PYTHON = Path(__file__).parents[2] / ".venv" / "scanners" / "bin" / "python"
PROFILE = Path(__file__).with_name("tls_profile.json")
COMMANDS = ("--certinfo", "--resum", "--reneg", "--compression", "--early_data")

pytestmark = [
    pytest.mark.skipif(not PYTHON.exists(), reason="sslyze isn't installed: make scanner-deps"),
    pytest.mark.timeout(120),  # sslyze tries some 400 suites, one connection each
]

STATIC_RSA = {"TLS_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_256_GCM_SHA384"}
"""OCPP 2.0.1 A00.FR.318 demands them; without forward secrecy, so the profile doesn't have them. `static_rsa: false`
is the switch (docs/decisions/0010-static-rsa.md)."""


def scan(target: Target, folder: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Return what departs from the profile, by subject, and sslyze's results by command."""
    report = folder / "sslyze.json"
    command = [
        str(PYTHON), "-m", "sslyze", "--custom_tls_config", str(PROFILE), *COMMANDS,
        "--certinfo_ca_file", str(target.roots), "--sni", "localhost", "--json_out", str(report),
        f"127.0.0.1:{target.port}",
    ]  # fmt: skip
    said = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - our own command
    verdict = said.partition("COMPLIANCE AGAINST TLS CONFIGURATION")[2]
    assert re.search(r": (OK - Compliant|FAILED - Not compliant)\.", verdict), said
    (result,) = json.loads(report.read_text())["server_scan_results"]
    done = {name: each["result"] for name, each in result["scan_result"].items() if each["status"] == "COMPLETED"}
    return dict(re.findall(r"^ +\* (\w+): (.+)$", verdict, re.MULTILINE)), done


def test_only_static_rsa_departs_from_the_profile(serve: Serve, tmp_path: Path) -> None:
    with serve() as target:
        departures, _ = scan(target, tmp_path)

    assert departures.keys() == {"ciphers"}
    assert set(re.findall(r"TLS_\w+", departures["ciphers"])) == STATIC_RSA


def test_without_static_rsa_nothing_does(serve: Serve, tmp_path: Path) -> None:
    with serve(LISTENERS__0__TLS__STATIC_RSA="false") as target:
        departures, done = scan(target, tmp_path)

    assert departures == {}
    assert done["tls_compression"] == {"supports_compression": False}
    assert done["tls_1_3_early_data"] == {"supports_early_data": False}
    assert done["session_renegotiation"]["client_renegotiations_success_count"] == 0
    assert done["session_resumption"]["tls_ticket_resumption_result"] == "NOT_SUPPORTED"
    # Session ids of TLS 1.2 are: Python's ssl can't switch them off, so that resumption earns no credit (attack A10).
    assert done["session_resumption"]["session_id_resumption_result"] == "FULLY_SUPPORTED"
    assert trusted_kinds(done) == {"ECPublicKey", "RSAPublicKey"}


def trusted_kinds(done: dict[str, Any]) -> set[str]:
    """Return the kinds of key of the chains that lead to the roots given."""
    return {
        deployment["received_certificate_chain"][0]["public_key"]["algorithm"]
        for deployment in done["certificate_info"]["certificate_deployments"]
        for validation in deployment["path_validation_results"]
        if validation["trust_store"]["name"] == "Supplied CA file" and validation["was_validation_successful"]
    }
