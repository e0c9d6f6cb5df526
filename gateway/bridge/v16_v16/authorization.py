"""Authorize: the backend alone says who may charge; while it is away, what ``authorize_offline`` says."""

from gateway.bridge.books import Json
from gateway.bridge.offline_authorization import offline_info
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.timestamps import spell
from gateway.bridge.v16_v16.context import Context


async def authorize(context: Context, payload: Json) -> Json:
    """Authorize, relayed. While the backend is away, and nobody speaks for it, the idTag is Invalid at once expiring.

    So the station refuses the token now and asks again the next time.
    """
    try:
        return await context.call_backend("Authorize", payload)
    except PeerUnavailable:
        now = context.clock()
        info = await offline_info(context.authorize_offline, context.recall, now, payload["idTag"])
        return {"idTagInfo": info or {"status": "Invalid", "expiryDate": spell(now)}}
