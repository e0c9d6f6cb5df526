"""A child process that is talked to in lines."""

import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 30.0
"""Seconds that a line may take, on a machine that has other work too."""

Json = dict[str, Any]


class Child:
    """A child process. The lines of its stdout are read as they come, and kept in order."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        parse: Callable[[str], Json],
        *,
        env: Mapping[str, str] | None = None,
        stderr: IO[str] | None = None,
    ) -> None:
        self.name = name
        self.said: list[Json] = []
        self._untaken: list[Json] = []
        self._parse = parse
        self._news = threading.Condition()
        self._ended = False
        self._process = subprocess.Popen(  # noqa: S603  # our own command line
            command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
        self._reader = threading.Thread(target=self._read, name=f"reads {name}", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = self._parse(line.rstrip("\n"))
            with self._news:
                self.said.append(said)
                self._untaken.append(said)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def write(self, line: str) -> None:
        """Write one line to its stdin."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def take(self, what: str, fits: Callable[[Json], bool]) -> Json:
        """Return the oldest line that fits and was not taken yet; wait for it if need be."""

        def index() -> int | None:
            return next((place for place, said in enumerate(self._untaken) if fits(said)), None)

        with self._news:
            self._news.wait_for(lambda: index() is not None or self._ended, PATIENCE)
            found = index()
            assert found is not None, f"{self.name} did not say {what}; its last words: {self._untaken[-10:]}"
            return self._untaken.pop(found)

    def take_all(self, fits: Callable[[Json], bool]) -> list[Json]:
        """Return the lines so far that fit and were not taken yet."""
        with self._news:
            taken = [said for said in self._untaken if fits(said)]
            self._untaken = [said for said in self._untaken if not fits(said)]
        return taken

    def stop(self, *, by: signal.Signals | None = None) -> int:
        """End the process, by the end of its stdin or by a signal, and return its exit status."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if by is not None:
            self._process.send_signal(by)
        self._process.stdin.close()
        try:
            return self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._reader.join()
            self._process.stdout.close()
