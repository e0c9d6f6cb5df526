"""A 1.6 backend with a ledger and a speed: ``python -m bench.ledger EXPECTED PER_SECOND`` prints its port.

It answers PER_SECOND messages a second over all connections, 0 for as many as it can. When EXPECTED of them have come
it prints a JSON object: how long they took from the first one on, its own CPU seconds, and what was wrong with them.
"""

import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from typing import Any

from websockets.asyncio.server import ServerConnection, serve


class Ledger:
    """What the stations' sessions look like from the backend."""

    def __init__(self, expected: int, per_second: float) -> None:
        self.done = asyncio.Event()
        self.began = 0.0
        self.faults: list[str] = []
        self._expected = expected
        self._pause = 1 / per_second if per_second else 0.0
        self._next = 0.0
        self._came = 0
        self._numbers = itertools.count(1)
        self._last: dict[str, tuple[str, str]] = {}
        """By station: the action and the time of what came last."""
        self._seen: Counter[str] = Counter()

    async def serve(self, connection: ServerConnection) -> None:
        """Answer one station."""
        station = connection.request.path.rpartition("/")[2] if connection.request is not None else ""
        async for text in connection:
            _, message_id, action, payload = json.loads(text)
            await self._wait()
            await connection.send(json.dumps([3, message_id, self._answer(station, action, payload)]))
            if self._came == self._expected:
                self.done.set()

    async def _wait(self) -> None:
        now = time.monotonic()
        self.began = self.began or now
        if self._pause:
            self._next = max(self._next + self._pause, now)
            await asyncio.sleep(self._next - now)

    def _answer(self, station: str, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        self._came += 1
        moment = payload.get("timestamp") or payload["meterValue"][0]["timestamp"]
        before = self._last.get(station, ("", ""))
        self._last[station] = action, moment
        if moment < before[1] or (action == "StartTransaction") != (before[0] in {"", "StopTransaction"}):
            self.faults.append(f"{station}: {action} of {moment} after {before}")
        self._seen[f"{station} {action} {moment}"] += 1
        if self._seen[f"{station} {action} {moment}"] > 1:
            self.faults.append(f"{station}: {action} of {moment} came twice")
        if action == "StartTransaction":
            return {"transactionId": next(self._numbers), "idTagInfo": {"status": "Accepted"}}
        return {}


async def main() -> None:
    """Serve until all have come and stdin has ended."""
    ledger = Ledger(int(sys.argv[1]), float(sys.argv[2]))
    async with serve(ledger.serve, "127.0.0.1", 0, subprotocols=["ocpp1.6"], backlog=4096, compression=None) as server:  # type: ignore[list-item]  # a name
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await ledger.done.wait()
        took = time.monotonic() - ledger.began
        print(json.dumps({"seconds": took, "cpu": time.process_time(), "faults": ledger.faults}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
