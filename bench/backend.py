"""A backend for thousands of legs, which upgrades everybody and answers every CALL: ``python -m bench.backend``.

It prints its port, speaks as much of 1.6 and 2.0.1 as the stations here use, and keeps nothing of them.
"""

import asyncio
import json
import sys
from typing import Any, Final

from bench.frames import Frames, frame
from bench.upstream import Upstream

NOW: Final = "2026-01-01T00:00:00Z"
ANSWERS: Final[dict[str, dict[str, Any]]] = {
    "BootNotification": {"status": "Accepted", "currentTime": NOW, "interval": 86_400},
    "Heartbeat": {"currentTime": NOW},
    "StartTransaction": {"transactionId": 7, "idTagInfo": {"status": "Accepted"}},
}


class Backend(Upstream):
    """One leg."""

    def __init__(self) -> None:
        super().__init__()
        self._frames: Frames | None = None

    def data_received(self, data: bytes) -> None:
        """Upgrade it; then answer each CALL."""
        if self._frames is None:
            super().data_received(data)
            if self._head.endswith(b"\r\n\r\n"):
                self._frames = Frames(self._transport.write, masked=False)
            return
        for text in self._frames.feed(data):
            kind, message_id, *rest = json.loads(text)
            if kind == 2:
                answer = json.dumps([3, message_id, ANSWERS.get(rest[0], {})])
                self._transport.write(frame(answer.encode(), masked=False))


async def main() -> None:
    """Serve until stdin ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Backend, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
