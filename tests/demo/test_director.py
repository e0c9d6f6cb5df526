"""The director: what it shows, what it returns, and that it leaves nothing behind."""

import asyncio
import io
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from gateway.demo import director as director_module
from gateway.demo import run
from gateway.demo.child import DemoFailed
from gateway.demo.deployment import Endpoints
from gateway.demo.ledger import Comparison, Session

METER = Session("D0A1B2C3", 1_000, (2_000,), 2_083)


class Play:
    """A story whose course a test sets."""

    def __init__(self) -> None:
        self.comparison: Comparison | None = Comparison(METER, METER)
        self.failure: str | None = None
        self.lasts_for_ever = False
        self.status: int | None = 0
        self.ended = 0
        self.begun = asyncio.Event()
        self.folder = Path()
        self.options: tuple[str, ...] = ()
        self.gateway = self
        self.endpoints: Endpoints | None = Endpoints("wss://localhost:1/ocpp", 1, 2, 3)

    def __call__(self, folder: Path, _timeline: Any, options: tuple[str, ...]) -> "Play":
        self.folder = folder
        self.options = options
        self.home = folder / "gateway"
        self.config = self.home / "voltgate.yaml"
        self.station_folder = folder / "station"
        return self

    def settings(self) -> dict[str, str]:
        return {"VOLTGATE__ADMIN__BIND": "127.0.0.1:3; rm -r"}

    async def play(self) -> None:
        self.begun.set()
        (self.folder / "gateway.log").write_text("".join(f"line {number}\n" for number in range(30)))
        (self.folder / "station.log").write_text("")
        if self.lasts_for_ever:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise DemoFailed(self.failure)

    async def end(self) -> int | None:
        self.ended += 1
        return self.status

    def last_events(self) -> list[str]:
        return ["station: {'event': 'boot'}"]


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


class Theatre:
    def __init__(self, play: Play) -> None:
        self.play = play
        self.screen = io.StringIO()

    async def run(self, *, keep: bool = False) -> bool:
        return await run(keep=keep, console=Console(file=self.screen, width=120), backend_options=("--x",))

    @property
    def shown(self) -> str:
        return self.screen.getvalue()


@pytest.fixture
def theatre(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Theatre:
    play = Play()
    monkeypatch.setattr(director_module, "Story", play)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Theatre(play)


@pytest.fixture
def heeded() -> Iterator[Callable[[int], None]]:
    """Give a signal its default disposition: whoever runs the tests under nohup hands SIGHUP down as ignored."""
    before: dict[int, Any] = {}

    def heed(number: int) -> None:
        before[number] = signal.getsignal(number)
        if before[number] is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)

    yield heed
    for number, handler in before.items():
        signal.signal(number, handler)


async def test_all_is_well(theatre: Theatre, tmp_path: Path) -> None:
    assert await theatre.run()

    assert "OK: 1 steps in" in theatre.shown
    assert "SIGTERM: exit status 0" in theatre.shown
    assert "1.083" in theatre.shown
    assert theatre.play.options == ("--x",)
    assert left_in(tmp_path) == []


async def test_a_ledger_that_differs(theatre: Theatre, tmp_path: Path) -> None:
    theatre.play.comparison = Comparison(replace(METER, stop=2_082), METER)

    assert not await theatre.run()

    assert "FAILED: the backend's ledger and the station's meter differ" in theatre.shown
    assert "differs" in theatre.shown
    assert left_in(tmp_path) == []


async def test_a_step_that_fails_is_shown_with_the_tail_of_the_logs(theatre: Theatre, tmp_path: Path) -> None:
    theatre.play.failure = "station -> backend, Authorize: did not happen within 10 s"

    assert not await theatre.run()

    assert "FAILED: station -> backend, Authorize: did not happen within 10 s" in theatre.shown
    assert "last event of station: {'event': 'boot'}" in theatre.shown
    assert "gateway.log, last lines:\n  line 10\n" in theatre.shown
    assert "line 29" in theatre.shown
    assert "station.log" not in theatre.shown
    assert theatre.play.ended
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("status", [1, -9, None])
async def test_a_gateway_that_does_not_end_well(theatre: Theatre, status: int | None) -> None:
    theatre.play.status = status

    assert not await theatre.run()

    assert f"ended with status {status} after SIGTERM, not 0" in theatre.shown


async def test_a_story_without_an_end_is_none(theatre: Theatre) -> None:
    theatre.play.comparison = None

    assert not await theatre.run()

    assert "no ledger" in theatre.shown


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_it_cleanly(
    theatre: Theatre, tmp_path: Path, number: int, heeded: Callable[[int], None]
) -> None:
    heeded(number)
    theatre.play.lasts_for_ever = True
    running = asyncio.create_task(theatre.run(), name="demo")
    await theatre.play.begun.wait()

    os.kill(os.getpid(), number)
    os.kill(os.getpid(), number)

    assert not await running
    assert "interrupted" in theatre.shown
    assert theatre.play.ended
    assert left_in(tmp_path) == []


async def test_under_nohup_a_hangup_does_not_end_it(theatre: Theatre) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    theatre.play.lasts_for_ever = True
    running = asyncio.create_task(theatre.run(), name="demo")
    try:
        await theatre.play.begun.wait()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        assert not await running
        signal.signal(signal.SIGHUP, before)


async def test_a_cancellation_from_elsewhere_is_passed_on(theatre: Theatre, tmp_path: Path) -> None:
    theatre.play.lasts_for_ever = True
    running = asyncio.create_task(theatre.run(), name="demo")
    await theatre.play.begun.wait()

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert theatre.play.ended
    assert left_in(tmp_path) == []


class Screen(io.StringIO):
    """Sends this process a signal as soon as it shows that the demo waits for one."""

    def write(self, text: str) -> int:
        if "running until Ctrl-C" in text:
            asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)
        return super().write(text)


async def test_keep_waits_and_then_ends_well(theatre: Theatre, tmp_path: Path) -> None:
    theatre.screen = Screen()

    assert await theatre.run(keep=True)

    folder = theatre.play.folder
    assert left_in(tmp_path) == [folder]
    assert theatre.shown.index("OK: ") < theatre.shown.index("running until Ctrl-C") < theatre.shown.index("SIGTERM")
    for told in (
        "wss://localhost:1/ocpp/{identity}",
        "http://127.0.0.1:3/api/v1",
        f"{folder}/gateway/secrets/admin-token",
        f"credentials {folder}/station",
        f"kept: {folder}",
    ):
        assert told in theatre.shown
    assert (folder / "settings.sh").read_text() == "export VOLTGATE__ADMIN__BIND='127.0.0.1:3; rm -r'\n"


async def test_keep_does_not_wait_for_a_demo_that_failed(theatre: Theatre, tmp_path: Path) -> None:
    theatre.play.failure = "voltgate serve ended with status 1"

    assert not await theatre.run(keep=True)

    assert "running until" not in theatre.shown
    assert left_in(tmp_path) == [theatre.play.folder]


async def test_keep_without_a_gateway(theatre: Theatre) -> None:
    theatre.play.endpoints = None

    assert not await theatre.run(keep=True)

    assert "not running" in theatre.shown
