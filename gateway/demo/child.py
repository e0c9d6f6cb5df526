"""A process of the demo, seen by its director: started, listened to, ended in every case."""

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self, TypeVar

END_GRACE: Final = 12.0
"""Seconds that a process has to end by itself: somewhat more than `limits.drain_timeout`, before it is killed."""

LAST_WORDS: Final = 3
"""Lines of a failed command's stderr that are told."""

T = TypeVar("T")


class DemoFailed(Exception):
    """Something of the story did not happen; the text says what."""


class Child:
    """A process whose stdout is read line by line; its stderr goes to the file ``log``."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.lines: list[str] = []
        self._process = process
        self._ended = False
        self._changed = asyncio.Condition()
        self._reader = asyncio.create_task(self._read(), name=f"stdout of {name}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} pid={self._process.pid} status={self._process.returncode}>"

    @classmethod
    async def start(cls, name: str, words: Sequence[str], *, log: Path, environ: Mapping[str, str]) -> Self:
        """Start a process in a session of its own: Ctrl-C on the terminal reaches the director alone."""
        with log.open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                *words,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                env=environ,
                start_new_session=True,
            )
        return cls(name, process)

    async def until(self, found: Callable[[], T | None]) -> T:
        """Wait until ``found`` returns something; it is asked at each line. Raises DemoFailed when the process ends."""
        async with self._changed:
            while (result := found()) is None:
                if self._ended:
                    raise DemoFailed(f"{self.name} ended with status {await self._process.wait()}")
                await self._changed.wait()
            return result

    async def terminate(self) -> int:
        """End it with SIGTERM, or SIGKILL if it doesn't obey; return its exit status."""
        if self._process.returncode is None:
            self._process.terminate()
        return await self._wait()

    async def _wait(self) -> int:
        try:
            async with asyncio.timeout(END_GRACE):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
        finally:
            if self._process.stdin is not None:
                self._process.stdin.close()
        status = await self._process.wait()
        await self._reader
        return status

    async def _read(self) -> None:
        stdout = self._process.stdout
        while stdout is not None and (line := await stdout.readline()):
            async with self._changed:
                self.heard(line.decode(errors="replace").rstrip())
                self._changed.notify_all()
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    def heard(self, line: str) -> None:
        """Take a line of stdout."""
        self.lines.append(line)


class Talker(Child):
    """A process that talks in ``json_lines``; it ends when its stdin does."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        super().__init__(name, process)
        self.last: dict[str, Any] = {}
        """The latest event."""
        self._events: list[dict[str, Any]] = []
        self._fault: str | None = None

    def heard(self, line: str) -> None:
        """Take an event."""
        self.last = json.loads(line)
        if self.last["event"] == "fault":
            self._fault = self._fault or self.last["text"]
        self._events.append(self.last)

    async def expect(self, event: str, **facts: Any) -> dict[str, Any]:
        """Wait for an event with these facts and return it, once. Raises DemoFailed on a fault or its end."""
        return await self.until(lambda: self._take(event, facts))

    def has_told(self, event: str) -> bool:
        """Return whether there is such an event that nobody has waited for."""
        return any(told["event"] == event for told in self._events)

    def check(self) -> None:
        """Raise DemoFailed if the process has told a fault."""
        if self._fault is not None:
            raise DemoFailed(f"{self.name}: {self._fault}")

    def _take(self, event: str, facts: dict[str, Any]) -> dict[str, Any] | None:
        self.check()
        wanted = {"event": event, **facts}
        for position, told in enumerate(self._events):
            if all(told.get(key) == value for key, value in wanted.items()):
                return self._events.pop(position)
        return None

    async def say(self, command: str, **facts: Any) -> None:
        """Give a command. Raises DemoFailed when the process is no more."""
        stdin = self._process.stdin
        if stdin is None or stdin.is_closing():
            raise DemoFailed(f"{self.name} takes no commands any more")
        stdin.write(json.dumps({"command": command, **facts}).encode() + b"\n")
        await stdin.drain()

    async def dismiss(self) -> int:
        """Let it end by itself, then as :meth:`terminate` does; return its exit status."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        return await self._wait()


async def output_of(name: str, words: Sequence[str], *, environ: Mapping[str, str], may_refuse: bool = False) -> str:
    """Run a command to its end and return its stdout. Raises DemoFailed with its last word when it fails.

    ``may_refuse``: that it fails and says on stdout what it found is an answer, too.
    """
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environ,
        start_new_session=True,
    )
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode and not (may_refuse and out):
        last_words = " | ".join(err.decode(errors="replace").strip().splitlines()[-LAST_WORDS:])
        raise DemoFailed(f"`{name}` failed with status {process.returncode}: {last_words}")
    return out.decode()


def clean_environ(extra: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without the user's own Voltgate settings, and ``extra``."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("VOLTGATE__")}
    return inherited | {"PYTHONUNBUFFERED": "1"} | dict(extra)
