"""Events out on stdout, commands in on stdin."""

import asyncio
import io
import json
import os
import sys

import pytest

from gateway.demo.json_lines import commands, lines_of_stdin, tell


def test_an_event_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    tell("boot", status="Accepted", text="zwei\nZeilen ü")

    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {"event": "boot", "status": "Accepted", "text": "zwei\nZeilen ü"}


async def test_commands_come_until_the_director_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(os.fdopen(reading, "rb")))
    reader = await lines_of_stdin()

    os.write(writing, b'{"command": "plug_in"}\n{"command": "charge", "samples": 2}\n')
    os.close(writing)

    assert [command async for command in commands(reader)] == [
        {"command": "plug_in"},
        {"command": "charge", "samples": 2},
    ]
    await asyncio.sleep(0)  # the pipe's transport closes in the next turn of the loop
