"""What an idTag is answered while its backend is away, as IdTagInfo of 1.6 (config: ``authorize_offline``)."""

from datetime import datetime
from typing import Literal

from gateway.bridge.books import Json
from gateway.bridge.ports import Recall
from gateway.bridge.timestamps import backend_utc, in_order, spell

AuthorizeOffline = Literal["refuse", "cache", "accept"]


async def nothing_known(_: str) -> Json | None:
    """Fulfil ``Recall`` where nothing is remembered."""
    return None


async def offline_info(mode: AuthorizeOffline, recall: Recall, now: datetime, id_tag: str) -> Json | None:
    """Return the IdTagInfo for ``id_tag``, or None: nobody vouches for it, and it is refused.

    ``cache``: what the backend last said of it, a refusal too, until its expiryDate has passed. ``accept``: Accepted,
    expiring at once, so that a station's own cache doesn't keep what the backend never said.
    """
    if mode == "accept":
        return {"status": "Accepted", "expiryDate": spell(now)}
    info = await recall(id_tag) if mode == "cache" else None
    return None if info is None or _has_expired(info, now) else info


def _has_expired(info: Json, now: datetime) -> bool:
    """An expiryDate that nobody can read has passed."""
    if "expiryDate" not in info:
        return False
    expiry = backend_utc(info["expiryDate"])
    return expiry is None or in_order(expiry) <= in_order(spell(now))
