"""`voltgate trust ...`."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.session.trust import Action, AnchorType, Installed, Missing, Refusal, StationTrust
from pki.certificate_hash import certificate_hash
from tests.roots import Authority

Run = Callable[..., Any]
YESTERDAY = datetime.now(UTC) - timedelta(days=1)
OLD, NEW = Authority("old", since=YESTERDAY), Authority("new", since=YESTERDAY)


def said(result: Any) -> str:
    """Return why a command failed."""
    assert result.exit_code == 1
    return str(result.exception)


@pytest.fixture
def files(config: Path) -> tuple[str, str]:
    tree = yaml.safe_load(config.read_text())
    (config.parent / "v2g.pem").write_text(OLD.pem)
    tree["trust_anchors"] = [{"type": "V2GRootCertificate", "file": "v2g.pem"}]
    config.write_text(yaml.safe_dump(tree))
    old, new = config.parent / "old.pem", config.parent / "new.pem"
    old.write_text(OLD.pem)
    new.write_text(NEW.pem)
    return str(old), str(new)


@pytest.fixture
def station(stored: Callable[..., Any], files: Any) -> None:
    named = certificate_hash(OLD.certificate, OLD.certificate).payload
    trust = StationTrust(
        "CS1",
        installed=(Installed(AnchorType.CSMS, named, "CN=old"),),
        missing=(Missing(AnchorType.V2G, "ff", "CN=old"),),
        refusals=(
            Refusal(Action.INSTALL, AnchorType.V2G, "ff", "CN=old", "Failed (\x1b[2J)", 1, YESTERDAY, YESTERDAY),
        ),
        problem="no answer",
        seen_at=YESTERDAY,
        changed_at=YESTERDAY,
    )

    async def add(records: Any) -> None:
        await records.trust.stations.add("CS1", profile=2, serial=None, backend=None, password_hash=None)
        await records.trust.book.save(trust)

    stored(add)


@pytest.mark.usefixtures("station")
def test_list_and_status(run: Run) -> None:
    (listed,) = json.loads(run("trust", "list", "--json").stdout)
    assert (listed["type"], listed["stations"]["missing"]) == ("V2GRootCertificate", 1)
    assert "CN=old" in run("trust", "list").stdout
    (shown,) = json.loads(run("trust", "status", "--json").stdout)
    assert json.loads(run("trust", "status", "CS1", "--json").stdout) == shown
    assert "no answer; install V2GRootCertificate: Failed" in run("trust", "status").stdout
    text = run("trust", "status", "CS1").stdout
    for line in ("settled: False", "problem: no answer", "has CSMSRootCertificate CN=old", "lacks V2GRootCertificate"):
        assert line in text
    assert "\x1b" not in text
    assert run("trust", "status", "CS9").exit_code == 1


@pytest.mark.usefixtures("station")
def test_a_rotation(run: Run, files: tuple[str, str]) -> None:
    assert "no root was ever rotated" in said(run("trust", "rotation"))
    old, new = files
    begun = run("trust", "rotate", "--from", old, "--to", new)
    assert "CN=old -> CN=new: open" in begun.stdout
    assert "not safe to switch yet" in begun.stdout
    assert "under way" in said(run("trust", "rotate", "--from", old, "--to", new))
    assert json.loads(run("trust", "rotation", "--json").stdout)["stations"] == [
        {"identity": "CS1", "standing": "waits for the new root", "words": "no answer"}
    ]
    assert run("trust", "exclude", "CS9").exit_code == 1
    assert "safe to switch" in run("trust", "exclude", "CS1").stdout
    assert "aborted" in run("trust", "abort").stdout
    assert run("trust", "abort").exit_code == 1


@pytest.mark.usefixtures("station")
def test_what_does_not_begin(run: Run, files: tuple[str, str]) -> None:
    old, new = files
    assert "the same key" in said(run("trust", "rotate", "--from", old, "--to", old))
    assert "No such file" in said(run("trust", "rotate", "--from", old, "--to", f"{new}x"))
    refused = run("trust", "rotate", "--from", old, "--to", new, "--cross-signed", new)
    assert (refused.exit_code, "isn't signed by the old root" in said(refused)) == (1, True)


def test_a_file_that_cannot_be_read_is_one_line(run: Run, files: Any, config: Path) -> None:
    (config.parent / "v2g.pem").write_text("x")
    assert "trust_anchors[0].file" in said(run("trust", "list"))
    assert run("station", "list").exit_code == 0, "other commands don't care"


@pytest.mark.usefixtures("station")
def test_the_verdicts_of_a_switch(run: Run, files: tuple[str, str], config: Path) -> None:
    tree = yaml.safe_load(config.read_text())
    (config.parent / "chain.pem").write_text(NEW.pem)
    tree["listeners"] = [{"security_profiles": [2], "tls": {"certificates": [{"chain": "chain.pem", "key": "file:x"}]}}]
    config.write_text(yaml.safe_dump(tree))
    old, new = files
    assert "1 stations can't verify" in run("trust", "rotate", "--from", old, "--to", new).stdout
    assert "switched" in run("trust", "exclude", "CS1").stdout
