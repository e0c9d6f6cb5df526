"""A 1.6 backend in a process of its own, so that it can be killed: its ledger is on disk before it answers.

``python ledger_backend.py LEDGER compares|books-again LAG`` prints its port, and then reads orders and writes
announcements, each a JSON line: ``{"hold": [identity, action, "before"|"after"]}`` stops the next such CALL of the
station, before or after it is booked, and is announced as ``{"held": [...]}``; ``{"release": [identity, ...]}`` lets go
what of these is held. What has no connection any more by then has never been heard. Before each booking and after it,
up to ``LAG`` seconds pass, drawn anew each time.
"""

import asyncio
import contextlib
import json
import os
import random
import sys
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.protocol import State

MOVES_MONEY: Final = ("StartTransaction", "StopTransaction")
BOOKED: Final = (*MOVES_MONEY, "MeterValues")
ACCEPTED: Final = {"status": "Accepted"}
TIME: Final = "2026-01-01T00:00:00.000Z"
Hold = tuple[str, str, str]
"""(identity, action, "before" or "after" the booking)."""


class Ledger:
    """Rows ``{identity, action, payload, number}`` in an append-only file, read again after a crash."""

    def __init__(self, path: Path, *, compares: bool) -> None:
        """``compares``: what was booked already isn't booked again, and is answered as it was."""
        self._compares = compares
        self._known: dict[str, Any] = {}
        self._starts = 0
        for line in path.read_text().splitlines() if path.exists() else ():
            row = json.loads(line)
            self._remember(_key(row["identity"], row["action"], row["payload"]), row["action"], row["number"])
        self._file = path.open("ab", buffering=0)

    def book(self, identity: str, action: str, payload: Any) -> Any:
        """Write it down, on the disk itself where it moves money, and return the answer's payload."""
        key = _key(identity, action, payload)
        if not self._compares or action not in MOVES_MONEY or key not in self._known:
            number = self._starts + 1 if action == "StartTransaction" else None
            row = {"identity": identity, "action": action, "payload": payload, "number": number}
            self._file.write(json.dumps(row).encode() + b"\n")
            if action in MOVES_MONEY:
                os.fsync(self._file.fileno())
            self._remember(key, action, number)
        if action == "StartTransaction":
            return {"transactionId": self._known[key], "idTagInfo": ACCEPTED}
        return {"idTagInfo": ACCEPTED} if action == "StopTransaction" else {}

    def _remember(self, key: str, action: str, number: int | None) -> None:
        self._known[key] = number
        self._starts += action == "StartTransaction"


def _key(identity: str, action: str, payload: Any) -> str:
    return json.dumps([identity, action, payload], sort_keys=True)


class LedgerBackend:
    """Answers every CALL, unless it was ordered to hold it."""

    def __init__(self, ledger: Ledger, lag: float) -> None:
        self._ledger = ledger
        self._lag = lag
        self._holds: set[Hold] = set()
        self._held: list[tuple[str, asyncio.Event]] = []

    def order(self, order: Any) -> None:
        """Obey one line of stdin."""
        if "hold" in order:
            identity, action, moment = order["hold"]
            self._holds.add((identity, action, moment))
        released = order.get("release", ())
        self._holds = {hold for hold in self._holds if hold[0] not in released}
        for identity, let_go in self._held:
            if identity in released:
                let_go.set()
        self._held = [each for each in self._held if not each[1].is_set()]

    async def serve(self, connection: ServerConnection) -> None:
        """Serve one station's leg."""
        assert connection.request is not None
        identity = connection.request.path.rpartition("/")[2]
        with contextlib.suppress(ConnectionClosed):
            async for text in connection:
                frame = json.loads(text)
                if frame[0] == 2:
                    await self._obey((identity, frame[2], "before"), connection)
                    answer = self._answer(identity, frame[2], frame[3])
                    await self._obey((identity, frame[2], "after"), connection)
                    await connection.send(json.dumps([3, frame[1], answer]))

    def _answer(self, identity: str, action: str, payload: Any) -> Any:
        if action in BOOKED:
            return self._ledger.book(identity, action, payload)
        answers = {
            "Authorize": {"idTagInfo": ACCEPTED},
            "BootNotification": {"status": "Accepted", "currentTime": TIME, "interval": 300},
            "Heartbeat": {"currentTime": TIME},
        }
        return answers.get(action, {})

    async def _obey(self, hold: Hold, connection: ServerConnection) -> None:
        if self._lag and hold[1] in BOOKED:
            await asyncio.sleep(random.uniform(0.0, self._lag))  # noqa: S311 - a backend's haste, no secret
        if hold not in self._holds:
            return
        self._holds.discard(hold)
        let_go = asyncio.Event()
        self._held.append((hold[0], let_go))
        print(json.dumps({"held": hold}), flush=True)
        await let_go.wait()
        if connection.state is not State.OPEN:
            raise ConnectionClosedError(None, None)


async def main(path: str, how: str, lag: str) -> None:
    """Serve until stdin ends."""
    backend = LedgerBackend(Ledger(Path(path), compares=how == "compares"), float(lag))
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    async with serve(
        backend.serve,
        "127.0.0.1",
        0,
        subprotocols=["ocpp1.6"],  # type: ignore[list-item]  # a name
        compression=None,
        ping_interval=None,
    ) as server:
        print(json.dumps({"port": next(iter(server.sockets)).getsockname()[1]}), flush=True)
        async for line in orders:
            backend.order(json.loads(line))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
