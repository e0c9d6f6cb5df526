"""`voltgate firmware campaign create|list|show|stations|pause|resume|cancel`."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import firmware_campaigns
from gateway.config import load
from gateway.session.firmware import UpdateState
from gateway.store.database import Database
from tests.campaigns import CampaignDesk, Here, add_image, boot_of

Run = Callable[..., Any]
At = Callable[..., None]


@pytest.fixture
def at_desk(config: Path) -> At:
    """``at_desk(work)`` runs ``work`` on a scheduler beside the command, as a gateway would."""

    def run(work: Any) -> None:
        async def opened() -> None:
            database = await Database.open(load(config, {}).store.connect_url(), exclusive=False)
            try:
                await work(CampaignDesk(database))
            finally:
                await database.close()

        asyncio.run(opened())

    return run


@pytest.fixture(autouse=True)
def _stations(at_desk: At, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stations CS1 to CS3 in the group depot, and image 1."""
    monkeypatch.setattr("getpass.getuser", lambda: "ann")

    async def work(desk: CampaignDesk) -> None:
        await desk.add("CS1", "CS2", "CS3")
        assert await add_image(desk.database) == 1

    at_desk(work)


def shown(run: Run, *arguments: str) -> Any:
    result = run("firmware", "campaign", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_from_its_begin_to_its_end(run: Run, at_desk: At) -> None:
    begun = run(
        "firmware", "campaign", "create", "autumn", "1", "--group", "depot", "--batch", "2", "--window", "11:00-14:00"
    )
    assert begun.stdout == "campaign 1 'autumn': image 1 to 3 stations, 2 at once\n"
    found = shown(run, "show", "autumn")
    assert (found["created_by"], found["window"], found["batch_size"]) == ("ann", "11:00-14:00", 2)

    async def work(desk: CampaignDesk) -> None:
        for name in ("CS1", "CS2"):
            desk.here[name] = Here(boot_of())
        await desk.later()
        await desk.becomes("CS1", UpdateState.FAILED, reason="no space")
        await desk.later()

    at_desk(work)
    text = run("firmware", "campaign", "show", "1").stdout
    assert "stations: 1 pending, 1 ordered, 1 failed\n" in text
    assert [(each["identity"], each["reason"]) for each in shown(run, "stations", "autumn", "--state", "failed")] == [
        ("CS1", "no space")
    ]
    paused = run("firmware", "campaign", "pause", "autumn", "--reason", "the weather")
    assert paused.stdout == "campaign 1 'autumn' is paused: 1 of 3 over\n"
    assert [(each["name"], each["state"], each["reason"]) for each in shown(run, "list")] == [
        ("autumn", "paused", "the weather")
    ]
    assert shown(run, "resume", "autumn", "--failed")["stations"]["pending"] == 2
    assert shown(run, "cancel", "autumn")["state"] == "canceled"
    assert shown(run, "list") == []
    assert [each["name"] for each in shown(run, "list", "--all")] == ["autumn"]
    table = run("firmware", "campaign", "list", "--all").stdout
    assert "autumn" in table
    assert "canceled" in table


def test_stations_are_named_on_the_line_or_in_a_file(run: Run, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("CS2\n\n  CS3  \r\n")
    assert shown(run, "create", "one", "1", "CS1", "--stations", str(names))["total"] == 3
    result = run("firmware", "campaign", "create", "two", "1", "--stations", "-", stdin="CS3\n")
    assert result.stdout == "campaign 2 'two': image 1 to 1 stations, 10 at once\n"
    table = run("firmware", "campaign", "stations", "one", "--limit", "2")
    assert "CS1" in table.stdout
    assert table.stderr == "these are 2; what may follow: --after CS2\n"
    assert [each["identity"] for each in shown(run, "stations", "one", "--after", "CS2")] == ["CS3"]


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (("create", "autumn", "1"), 1, "name either a group or stations"),
        (("create", "autumn", "1", "CS1", "--group", "depot"), 1, "name either a group or stations"),
        (("create", "autumn", "9", "CS1"), 1, "there is no image 9"),
        (("create", "autumn", "1", "CS9"), 1, "stations: 'CS9' aren't registered"),
        (("create", "taken", "1", "CS1"), 1, "there is a campaign 'taken' already"),
        (("create", "autumn", "1", "CS1", "--window", "22-5"), 1, "'22-5' is no window; write 22:00-05:30, in UTC"),
        (("create", "autumn", "1", "CS1", "--batch", "0"), 1, "batch_size: 1 to 1000"),
        (("create", "autumn", "one", "CS1"), 2, "Invalid value for 'IMAGE'"),
        (("create", "autumn", "1", "--stations", "missing.txt"), 1, "missing.txt: No such file"),
        (("show", "nothing"), 1, "there is no campaign 'nothing'; `voltgate firmware campaign list --all` shows them"),
        (("stations", "taken", "--state", "lost"), 2, "must be one of pending, ordering, ordered"),
        (("resume", "taken"), 1, "campaign 'taken' is running"),
        (("resume", "taken", "--failed"), 1, "no station has failed"),
        (("list", "--limit", "1001"), 2, "Invalid value for '--limit'"),
    ],
)
def test_refusals(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], status: int, complaint: str
) -> None:
    shown(run, "create", "taken", "1", "CS1")
    result = run("firmware", "campaign", *arguments)
    assert result.exit_code == status
    assert complaint in " ".join((result.stderr + capsys.readouterr().err).replace("│", " ").split())


@pytest.mark.parametrize(
    ("octets", "complaint"), [(b"CS1\xff", "isn't UTF-8 (byte 3)"), (b"x" * 20, "larger than 9 bytes")]
)
def test_a_file_that_is_none(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    octets: bytes,
    complaint: str,
) -> None:
    monkeypatch.setattr(firmware_campaigns, "FILE_MAX", 9)
    (tmp_path / "names.txt").write_bytes(octets)
    assert run("firmware", "campaign", "create", "a", "1", "--stations", str(tmp_path / "names.txt")).exit_code == 1
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(("word", "status"), [("pause", 0), ("cancel", 1)])
def test_one_is_followed_until_it_stops(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, word: str, status: int
) -> None:
    shown(run, "create", "autumn", "1", "CS1")
    looks: list[str] = []
    found = firmware_campaigns._found

    async def look(records: Any, name: str) -> Any:
        record = await found(records, name)
        looks.append(record.state.value)
        return await getattr(records.campaigns, word)(record.id, "bob", "enough") if len(looks) == 2 else record

    monkeypatch.setattr(firmware_campaigns, "POLL", 0)
    monkeypatch.setattr(firmware_campaigns, "_found", look)
    result = run("firmware", "campaign", "show", "autumn", "--follow")
    assert (result.exit_code, looks) == (status, ["running", "running"])
    assert "reason: enough" in result.stdout
    assert ("campaign 'autumn' is canceled: enough" in capsys.readouterr().err) is bool(status)
