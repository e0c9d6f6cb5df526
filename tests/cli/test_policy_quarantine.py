"""`voltgate policy quarantine list`, `show`, `release` and `discard`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import policy_quarantine
from gateway.config import load
from gateway.session.quarantine import FOLLOWS, Kept, Why
from gateway.session.tally import Leg
from gateway.store.database import Database
from gateway.store.quarantine import Quarantine
from gateway.store.stations import Stations

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
async def kept(config: Path) -> None:
    """Messages 1 and 2 are a transaction of CS7, message 3 is another's."""
    database = await Database.open(load(config, {}).store.connect_url(), exclusive=False)
    try:
        quarantine, stations = Quarantine(database), Stations(database)
        await stations.add("CS7", profile=2, serial=None, backend=None, password_hash=None)
        epoch = await stations.take("CS7", 0)
        for tx, kind, rule in (("T1", "Started", "[b]ids"), ("T1", "Updated", FOLLOWS), ("T2", "Started", "[b]ids")):
            payload = {"eventType": kind, "seqNo": 0, "transactionInfo": {"transactionId": tx}, "x": "\x1b[31m"}
            why = Why(rule, "too long", gathers=kind == "Started")
            message = Kept(Leg.STATION, "ocpp2.0.1", "TransactionEvent", payload, why, {"told": "this"})
            assert await quarantine.append("CS7", epoch, message)
    finally:
        await database.close()


def _listed(run: Run, *arguments: str) -> list[tuple[int, str]]:
    shown = json.loads(run("policy", "quarantine", "list", "--json", *arguments).stdout)
    return [(each["id"], each["state"]) for each in shown]


def test_list(run: Run) -> None:
    assert _listed(run) == [(1, "held"), (2, "held"), (3, "held")]
    assert _listed(run, "--rule", FOLLOWS, "--station", "CS7") == [(2, "held")]
    assert _listed(run, "--station", "CS8") == []
    table = run("policy", "quarantine", "list").stdout
    assert "[b]ids" in table
    assert "too long" in table


def test_show(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    shown = json.loads(run("policy", "quarantine", "show", "1", "--json").stdout)
    assert (shown["payload"]["eventType"], shown["answer"], shown["transaction"]) == ("Started", {"told": "this"}, "T1")
    text = run("policy", "quarantine", "show", "1").stdout
    assert "payload: " in text
    assert "\x1b" not in text
    assert run("policy", "quarantine", "show", "9").exit_code == 1
    assert "there is no message 9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wanted", "released"),
    [
        (["1"], [1, 2]),
        (["1", "3"], [1, 2, 3]),
        (["--station", "CS7", "--transaction", "T1"], [1, 2]),
        (["--all", "--rule", "[b]ids"], [1, 2, 3]),
    ],
)
def test_release(run: Run, monkeypatch: pytest.MonkeyPatch, wanted: list[str], released: list[int]) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "me")
    assert json.loads(run("policy", "quarantine", "release", *wanted, "--json").stdout) == {"released": released}
    shown = json.loads(run("policy", "quarantine", "show", "1", "--json").stdout)
    assert (shown["state"], shown["decided_by"]) == ("released", "me")


@pytest.mark.parametrize(
    "wanted",
    [
        [],
        ["--all"],
        ["--rule", "r"],
        ["--transaction", "T1"],
        ["--station", "CS7"],
        ["1", "--all", "--rule", "r"],
        ["0"],
        ["x"],
    ],
)
def test_what_is_no_release(run: Run, wanted: list[str]) -> None:
    assert run("policy", "quarantine", "release", *wanted).exit_code == 2
    assert _listed(run) == [(1, "held"), (2, "held"), (3, "held")]


def test_what_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("policy", "quarantine", "release", "2").exit_code == 1
    assert "the transaction of message 2 begins with message 1" in capsys.readouterr().err
    assert run("policy", "quarantine", "release", "9").exit_code == 1
    assert "there is no message 9" in capsys.readouterr().err
    run("policy", "quarantine", "release", "3")
    assert run("policy", "quarantine", "discard", "3", "--reason", "no").exit_code == 1
    assert "message 3 is released already" in capsys.readouterr().err


def test_discard(run: Run) -> None:
    assert run("policy", "quarantine", "discard", "1").exit_code == 2
    assert "discarded: 1, 2" in run("policy", "quarantine", "discard", "1", "--reason", "a test").stdout
    assert _listed(run) == [(3, "held")]
    assert _listed(run, "--all") == [(1, "discarded"), (2, "discarded"), (3, "held")]
    shown = json.loads(run("policy", "quarantine", "show", "2", "--json").stdout)
    assert shown["decision"] == "a test"
    assert json.loads(run("policy", "quarantine", "discard", "3", "--reason", "x", "--json").stdout) == {
        "discarded": [3]
    }


def test_what_is_told_of_many_is_how_many() -> None:
    assert policy_quarantine._told([1, 2]) == "1, 2"
    assert policy_quarantine._told([*range(21)]) == "21 messages"
