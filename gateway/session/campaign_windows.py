"""The time of the day, in UTC, in which the stations of a campaign are ordered to update."""

import re
from datetime import datetime
from typing import Final

from gateway.session.firmware import FirmwareInvalid, NewCampaign

DAY: Final = 1_440
"""Minutes."""
_WINDOW: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


def check_window(begin: int | None, end: int | None) -> None:
    """Return when there can be such a window, in minutes of the day, or none. Raises FirmwareInvalid."""
    if begin is None and end is None:
        return
    if begin is None or end is None:
        raise FirmwareInvalid("a window has both a time from which on and one until which stations are ordered")
    if not (0 <= begin < DAY and 0 <= end < DAY):
        raise FirmwareInvalid("a window's times are from 00:00 to 23:59, UTC")
    if begin == end:
        raise FirmwareInvalid("a window that begins when it ends is none; leave it out for the whole day")


def read_window(text: str) -> tuple[int, int]:
    """Read ``22:00-05:30``, UTC, as the minutes of the day. Raises FirmwareInvalid."""
    found = _WINDOW.fullmatch(text)
    if found is None:
        raise FirmwareInvalid(f"{text[:40]!a} is no window; write 22:00-05:30, in UTC")
    hour, minute, last_hour, last_minute = (int(each) for each in found.groups())
    begin, end = hour * 60 + minute, last_hour * 60 + last_minute
    check_window(begin, end)
    return begin, end


def window_text(plan: NewCampaign) -> str | None:
    """Return the window as :func:`read_window` reads it; None: the whole day."""
    if plan.window_from is None or plan.window_until is None:
        return None
    return "-".join(f"{each // 60:02}:{each % 60:02}" for each in (plan.window_from, plan.window_until))


def is_in_window(plan: NewCampaign, now: datetime) -> bool:
    """Return whether stations may be ordered at this moment, which is in UTC."""
    if plan.window_from is None or plan.window_until is None:
        return True
    minute = now.hour * 60 + now.minute
    if plan.window_from < plan.window_until:
        return plan.window_from <= minute < plan.window_until
    return minute >= plan.window_from or minute < plan.window_until
