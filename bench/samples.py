"""What py-spy's samples say: the rooms of the house that they were taken in, and the functions."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

LOOP: Final = "MainThread"
STORE: Final = "sqlite-"
"""What the names of the store's threads begin with."""
THREADS: Final = "gateway/store, its threads"
OTHER_THREADS: Final = "other threads"
NATIVE: Final = "uvloop, asyncio and system calls"
OTHERS: Final = "others"
_HOUSE: Final = ("transport", "wire", "session", "bridge", "upstream", "store")
_ROOMS: Final = {
    "TLS": ("ssl.py", "_ssl.c", "libssl.", "libcrypto."),
    "jsonschema, jiter and orjson": ("jsonschema_rs/", "jiter/", "orjson/"),
    # loop*.c and those after it are uvloop's C and the libuv in it.
    NATIVE: ("uvloop/", "asyncio/", "_asynciomodule.c", "loop", "core.c", "stream.c", "linux.c", "timer.c"),
    "policies": ("policies/", "<walk>"),
    **{f"gateway/{name}": (f"gateway/{name}/",) for name in _HOUSE},
    "gateway, other rooms": ("gateway/",),
}
"""Rooms by how the files begin that are in them. What isn't here, the C library's and Python's own, is its caller's."""
_COLLECTOR: Final = "Python's garbage collector"
_WAITS: Final = ("epoll_wait", "epoll_pwait")
"""What the loop's thread is in while it has nothing to do: py-spy doesn't know it everywhere."""


def stacks(raw: str) -> Iterator[tuple[list[str], int]]:
    """Give the loop's stacks that aren't idle, the innermost frame first, out of ``--format raw --threads``."""
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        thread, *frames = stack.split(";")
        if thread.endswith(f": {LOOP}") and frames and not frames[-1].startswith(_WAITS):
            yield frames[::-1], int(count)


def room(stack: Iterable[str]) -> str:
    """Return the room of the innermost frame that has one."""
    for frame in stack:
        if frame.startswith("gc_collect"):
            return _COLLECTOR
        file = _file(frame)
        for name, beginnings in _ROOMS.items():
            if file.startswith(beginnings):
                return name
    return OTHERS


def function(stack: Iterable[str]) -> str:
    """Return the innermost function of Python: what it calls in C is its own time."""
    for frame in stack:
        if _file(frame).partition(":")[0].endswith((".py", ">")):
            return frame
    return OTHERS


def rooms(raw: str) -> Counter[str]:
    """Return the loop's samples by room."""
    found: Counter[str] = Counter()
    for stack, count in stacks(raw):
        found[room(stack)] += count
    return found


def functions(raw: str) -> Counter[tuple[str, str]]:
    """Return the loop's samples by function, and the room that it was in itself, or had called in C."""
    found: Counter[tuple[str, str]] = Counter()
    for stack, count in stacks(raw):
        found[function(stack), room(stack)] += count
    return found


def _file(frame: str) -> str:
    """Return the file of a frame, and its line: ``Link.write (gateway/transport/link.py:92)``."""
    return frame.rpartition(" (")[2].removesuffix(")")
