"""One look of those that are taken for ever: a look that fails is not the last."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from gateway.session.ports import StoreAway

T = TypeVar("T")

log = structlog.get_logger(__name__)


async def look_once(look: Callable[[], Awaitable[T]], failed: str, **about: str) -> T | None:
    """Return what ``look`` returns; None when it fails, which is logged: ``failed`` names a defect in the log.

    A store that is away is told as that.
    """
    try:
        return await look()
    except StoreAway as away:
        log.error("store_unavailable", reason=str(away))  # noqa: TRY400 - the text says it all
    except Exception:
        log.exception(failed, **about)
    return None
