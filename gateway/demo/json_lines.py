"""How a process of the demo talks with its director: events go out on stdout, commands come in on stdin.

One JSON object a line: ``{"event": "boot", "status": "Accepted"}``, ``{"command": "plug_in"}``.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

Tell = Callable[..., None]
"""``tell("boot", status="Accepted")`` reports an event."""
Command = dict[str, Any]


def tell(event: str, /, **facts: Any) -> None:
    """Report an event to the director, who always reads."""
    print(json.dumps({"event": event, **facts}, ensure_ascii=False), flush=True)


async def lines_of_stdin() -> asyncio.StreamReader:
    """Return this process's stdin, a pipe, as a stream."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def commands(reader: asyncio.StreamReader) -> AsyncIterator[Command]:
    """Yield commands until the director closes its end, or is no more: then this process is to end too."""
    while line := await reader.readline():
        yield json.loads(line)
