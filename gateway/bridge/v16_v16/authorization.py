"""Authorize: the backend alone says who may charge. Where it can't be asked, nobody is authorised."""

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.timestamps import spell
from gateway.bridge.v16_v16.context import Context


async def authorize(context: Context, payload: Json) -> Json:
    """Authorize, relayed. While the backend is away the idTag is Invalid, and that expires at once.

    So the station refuses the token now and asks again the next time.
    """
    try:
        return await context.call_backend("Authorize", payload)
    except PeerUnavailable:
        return {"idTagInfo": {"status": "Invalid", "expiryDate": spell(context.clock())}}
