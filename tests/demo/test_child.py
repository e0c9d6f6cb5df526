"""Processes that talk, fall silent, die, and don't want to."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from gateway.demo import child
from gateway.demo.child import Child, DemoFailed, Talker, clean_environ, output_of

ECHO = """
import json, sys
print('{"event": "ready", "port": 1}', flush=True)
for line in sys.stdin:
    told = json.loads(line)
    print(json.dumps({"event": told.pop("command"), **told}), flush=True)
sys.exit(3)
"""

Start = Callable[[str], Awaitable[Talker]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a talker that runs a Python program."""
    talkers: list[Talker] = []

    async def begin(program: str) -> Talker:
        words = (sys.executable, "-c", program)
        talkers.append(await Talker.start("parrot", words, log=tmp_path / "parrot.log", environ=clean_environ({})))
        return talkers[-1]

    yield begin
    for talker in talkers:
        await talker.terminate()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_dialogue(start: Start) -> None:
    parrot = await start(ECHO)

    assert await parrot.expect("ready") == {"event": "ready", "port": 1}
    await parrot.say("meter", register=1)
    await parrot.say("meter", register=2)
    await parrot.say("status", of="connector")
    assert (await parrot.expect("status"))["of"] == "connector"
    assert (await parrot.expect("meter"))["register"] == 1, "events wait until they are asked for"
    assert (await parrot.expect("meter", register=2))["register"] == 2
    assert parrot.last == {"event": "status", "of": "connector"}
    assert not parrot.has_told("meter")
    await parrot.say("meter", register=3)
    await parrot.say("status")
    await parrot.expect("status")
    assert parrot.has_told("meter")
    parrot.check()
    assert await parrot.dismiss() == 3


async def test_a_fault_ends_every_expectation(start: Start) -> None:
    parrot = await start(ECHO)
    await parrot.say("fault", text="the books don't add up")
    await parrot.say("fault", text="and more")

    with pytest.raises(DemoFailed, match="parrot: the books don't add up"):
        await parrot.expect("never")
    with pytest.raises(DemoFailed, match="the books"):
        parrot.check()


async def test_a_process_that_ends_is_told_with_its_status_and_its_log(start: Start, tmp_path: Path) -> None:
    parrot = await start("import sys; sys.exit('out of seeds')")

    with pytest.raises(DemoFailed, match="parrot ended with status 1"):
        await parrot.expect("ready")

    assert (tmp_path / "parrot.log").read_text() == "out of seeds\n"
    await parrot.dismiss()
    with pytest.raises(DemoFailed, match="takes no commands"):
        await parrot.say("sing")


async def test_one_that_ignores_sigterm_is_killed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "END_GRACE", 0.05)
    parrot = await start(
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        'print(\'{"event": "deaf"}\', flush=True); time.sleep(60)'
    )
    await parrot.expect("deaf")

    assert await parrot.terminate() == -signal.SIGKILL


async def test_plain_lines(tmp_path: Path) -> None:
    words = (
        sys.executable,
        "-c",
        "import time; print('listening', flush=True); print('ready', flush=True); time.sleep(60)",
    )
    gateway = await Child.start("gateway", words, log=tmp_path / "log", environ=clean_environ({}))

    lines = await gateway.until(lambda: gateway.lines if "ready" in gateway.lines else None)

    assert lines == ["listening", "ready"]
    assert "gateway" in repr(gateway)
    assert await gateway.terminate() == -signal.SIGTERM
    assert await gateway.terminate() == -signal.SIGTERM, "ending it twice does no harm"


async def test_the_output_of_a_command() -> None:
    assert await output_of("voltgate", (sys.executable, "-c", "print(1)"), environ=clean_environ({})) == "1\n"
    with pytest.raises(DemoFailed, match=r"`voltgate` failed with status 2: no such station"):
        await output_of(
            "voltgate",
            (sys.executable, "-c", "import sys; print('no such station', file=sys.stderr); sys.exit(2)"),
            environ=clean_environ({}),
        )


async def test_a_refusal_that_is_explained_on_stdout_may_be_the_answer() -> None:
    words = (sys.executable, "-c", "import sys; print('refused'); sys.exit(1)")

    assert await output_of("voltgate", words, environ=clean_environ({}), may_refuse=True) == "refused\n"
    with pytest.raises(DemoFailed, match="status 1"):
        await output_of("voltgate", words, environ=clean_environ({}))
    with pytest.raises(DemoFailed, match="status 3"):
        await output_of("v", (sys.executable, "-c", "exit(3)"), environ=clean_environ({}), may_refuse=True)


async def test_a_command_that_takes_too_long_leaves_no_process(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    os.mkfifo(pid)
    program = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    running = asyncio.create_task(
        output_of("voltgate", (sys.executable, "-c", program), environ=clean_environ({})), name="command"
    )
    process = int(await asyncio.to_thread(pid.read_text))

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert not is_alive(process)


def test_the_users_own_settings_do_not_reach_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOLTGATE__ADMIN__BIND", "0.0.0.0:80")
    monkeypatch.setenv("VOLTGATE_ADMIN_TOKEN", "kept")

    environ = clean_environ({"VOLTGATE__STORE__URL": "ours"})

    assert "VOLTGATE__ADMIN__BIND" not in environ
    assert environ["VOLTGATE__STORE__URL"] == "ours"
    assert environ["VOLTGATE_ADMIN_TOKEN"] == "kept"
