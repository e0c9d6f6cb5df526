"""`voltgate demo` end to end: three real processes, from outside."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

DEADLINE = 50
"""Seconds; on an idle machine it takes some six."""


def demo(folder: Path, *words: str) -> "subprocess.Popen[str]":
    """Start a demo that keeps its things in ``folder``."""
    return subprocess.Popen(  # noqa: S603  # our own command
        [sys.executable, "-m", *words],
        env=os.environ | {"TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def left_behind(folder: Path) -> list[str]:
    """Return what is still in ``folder``, and the processes that know of it."""
    processes = [
        path.read_bytes().replace(b"\0", b" ").decode()
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if path.exists()
    ]
    return [path.name for path in folder.iterdir()] + [line for line in processes if str(folder) in line]


def energy(shown: str) -> list[str]:
    """Return the cells of the ledger's last line."""
    lines = [line for line in shown.splitlines() if "energy charged" in line]
    assert lines, shown
    return [cell.strip() for cell in lines[0].split("│")[1:-1]]


def test_the_demo_charges_through_voltgate(tmp_path: Path) -> None:
    with demo(tmp_path, "gateway", "demo") as running:
        shown, _ = running.communicate(timeout=DEADLINE)

    assert running.returncode == 0, shown
    assert "FAILED" not in shown
    assert energy(shown) == ["energy charged", "5.591", "5.591", "="]
    assert "ledger and meter agree to the Wh" in shown
    assert left_behind(tmp_path) == []


def test_a_vehicle_gets_a_contract_and_charges_with_it(tmp_path: Path) -> None:
    with demo(tmp_path, "gateway", "demo", "--plug-and-charge") as running:
        shown, _ = running.communicate(timeout=DEADLINE)

    assert running.returncode == 0, shown
    assert "FAILED" not in shown
    assert "signature verified, key decrypted" in shown
    assert "the backend sees idTag DE8EXC12345678O" in shown
    assert "ledger and meter agree to the Wh" in shown
    assert left_behind(tmp_path) == []


def test_what_the_manufacturer_signed_is_installed_and_nothing_else(tmp_path: Path) -> None:
    with demo(tmp_path, "gateway", "demo", "--firmware") as running:
        shown, _ = running.communicate(timeout=2 * DEADLINE)  # it runs twice as many commands

    assert running.returncode == 0, shown
    assert "FAILED" not in shown
    assert "Downloading, Downloaded, Installing, Installing, Installed; it boots with 1.1.0" in shown
    assert shown.count("Downloading, Downloaded, InstallationFailed; the station has heard nothing") == 2
    assert "InvalidFirmwareSignature: " in shown
    assert "InvalidFirmwareSigningCertificate: " in shown
    assert "diagnostics.json; the backend hears Uploading, Uploaded" in shown
    assert "ledger and meter agree to the Wh" in shown
    assert left_behind(tmp_path) == []


def test_a_backend_that_books_short_fails_the_demo(tmp_path: Path) -> None:
    with demo(tmp_path, "gateway.demo", "--lose-wh", "1") as running:
        shown, _ = running.communicate(timeout=DEADLINE)

    assert running.returncode == 1, shown
    assert energy(shown) == ["energy charged", "5.590", "5.591", "differs"]
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("moment", ["listens", "serves stations"])
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, moment: str) -> None:
    with demo(tmp_path, "gateway.demo") as running:
        assert running.stdout is not None
        shown = ""
        while moment not in shown:
            line = running.stdout.readline()
            assert line, f"ended before {moment!r}: {shown}"
            shown += line
        running.send_signal(signal.SIGINT)
        rest, _ = running.communicate(timeout=DEADLINE)

    assert running.returncode == 1
    assert "interrupted" in rest
    assert left_behind(tmp_path) == []
