"""Where a station uploads a log to: here, where logs are received, else where its backend wants it."""

from collections.abc import Awaitable, Callable

from gateway.bridge.books import Json
from gateway.bridge.ports import LogDesk, LogOrdered, NotSent
from gateway.wire.errors import CallError

Ask = Callable[[str], Awaitable[Json]]
"""``await ask(location)`` asks the station for the log and returns its answer. Raises CallError and PeerUnavailable."""


async def ask_for_log(desk: LogDesk | None, ordered: LogOrdered, ask: Ask) -> Json:
    """Have the station asked for the log that the backend has ordered; return its answer.

    Raises what ``ask`` raises, and NotSent when it can't be received now: the station has heard nothing of it. One that
    gave no answer may upload all the same.
    """
    if desk is None:
        return await ask(ordered.location)
    place = await desk.place(ordered)
    if place is None:
        raise NotSent("no log can be received now")
    try:
        answer = await ask(place)
    except (CallError, NotSent):
        await desk.answered(ordered, is_accepted=False, file_name=None)
        raise
    await desk.answered(
        ordered, is_accepted=has_agreed(answer), file_name=answer.get("filename", answer.get("fileName"))
    )
    return answer


def has_agreed(answer: Json) -> bool:
    """Return whether a log will come: the conf of GetLog says so; that of GetDiagnostics has a file's name then."""
    return answer["status"] != "Rejected" if "status" in answer else "fileName" in answer
