"""The process of :mod:`tests.system.ledger_backend`, from outside: started, held, frozen, killed, its ledger read."""

import asyncio
import json
import signal
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PROGRAM: Final = Path(__file__).with_name("ledger_backend.py")
PATIENCE: Final = 30.0
"""Seconds for anything that it is to announce, on a machine that does other things besides."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the ledger. ``number`` is the transactionId that a StartTransaction was given."""

    identity: str
    action: str
    payload: dict[str, Any]
    number: int | None


class BackendProcess:
    """One backend, over as many processes as it takes. Its ledger lives on."""

    def __init__(self, ledger: Path, *, compares: bool, lag: float) -> None:
        """``lag``: seconds that it takes at most before and after each booking."""
        self.compares = compares
        """True: it books identical StartTransactions and StopTransactions once, as 1.6 backends do."""
        self.port = 0
        self._ledger = ledger
        self._lag = lag
        self._process: asyncio.subprocess.Process
        self._reader: asyncio.Task[None]
        self._held: list[str] = []
        """Identities, in the order in which a CALL of theirs was held."""
        self._news = asyncio.Event()

    @property
    def name(self) -> str:
        """What it does with what it has booked already."""
        return "compares" if self.compares else "books-again"

    async def start(self) -> None:
        """Start a process; what the one before it was ordered to hold is forgotten."""
        self._held = []
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, str(PROGRAM), str(self._ledger), self.name, str(self._lag),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            self.port = json.loads(await self._process.stdout.readline())["port"]
        self._reader = asyncio.create_task(self._listen(self._process.stdout), name=f"backend that {self.name}")

    async def kill(self) -> None:
        """``kill -9``."""
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
        await self._reader

    async def close(self) -> None:
        """Kill it, unless it is dead."""
        if self._process.returncode is None:
            await self.kill()

    def freeze(self) -> None:
        """It answers nothing any more, and its connections stay."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on, and answers late."""
        self._process.send_signal(signal.SIGCONT)

    def hold(self, identity: str, action: str, moment: str) -> None:
        """Hold the next such CALL of a station ``before`` or ``after`` it is booked."""
        self._order({"hold": [identity, action, moment]})

    def release(self, identities: Iterable[str]) -> None:
        """Let go what is held of these stations, and hold nothing more of them."""
        released = list(identities)
        self._held = [identity for identity in self._held if identity not in released]
        self._order({"release": released})

    async def holds(self, identities: Iterable[str]) -> None:
        """Wait until a CALL of each of these is held."""
        awaited = set(identities)
        async with asyncio.timeout(PATIENCE):
            while not awaited.issubset(self._held):
                self._news.clear()
                await self._news.wait()

    def rows(self) -> list[Row]:
        """Return the ledger, in the order of booking."""
        return [Row(**json.loads(line)) for line in self._ledger.read_text().splitlines()]

    def _order(self, order: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def _listen(self, announcements: asyncio.StreamReader) -> None:
        async for line in announcements:
            self._held.append(json.loads(line)["held"][0])
            self._news.set()
