"""`voltgate cert requests`, `approve` and `refuse`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.config import load
from gateway.session.certificate_requests import RequestState
from gateway.store.certificate_requests import CertificateRequests
from gateway.store.database import Database
from gateway.store.stations import Stations

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
async def asked(config: Path) -> None:
    """Two stations have asked; one of them has its certificate."""
    database = await Database.open(load(config, {}).store.connect_url(), exclusive=False)
    try:
        requests, stations = CertificateRequests(database), Stations(database)
        for identity in ("CS7", "CS8"):
            await stations.add(identity, profile=2, serial=None, backend=None, password_hash=None)
            words = {"name": f"[b]{identity}"}
            await requests.add(identity, "station", RequestState.WAITING, csr="PEM", key_fingerprint="k", words=words)
        await requests.move(2, RequestState.DELIVERED)
    finally:
        await database.close()


def test_requests(run: Run) -> None:
    shown = json.loads(run("cert", "requests", "--json").stdout)
    assert [(each["id"], each["identity"], each["state"]) for each in shown] == [(1, "CS7", "waiting")]
    assert "[b]CS7" in run("cert", "requests").stdout
    assert len(json.loads(run("cert", "requests", "--all", "--json").stdout)) == 2


def test_approve(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert "request 1 of station CS7 is approved" in run("cert", "approve", "1").stdout
    assert json.loads(run("cert", "requests", "--json").stdout)[0]["state"] == "requested"
    assert run("cert", "approve", "1").exit_code == 1
    assert "waits for no approval: it is requested" in capsys.readouterr().err


def test_refuse(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cert", "refuse", "1").exit_code == 2
    shown = json.loads(run("cert", "refuse", "1", "--reason", "not ours", "--json").stdout)
    assert (shown["state"], shown["detail"]) == ("refused", "not ours")
    assert run("cert", "refuse", "99", "--reason", "x").exit_code == 1
    assert "there is no certificate request 99" in capsys.readouterr().err
