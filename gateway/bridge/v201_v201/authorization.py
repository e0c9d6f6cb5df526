"""Authorize (block C): the backend alone says who may charge. Where it can't be asked, nobody is authorized."""

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.timestamps import spell
from gateway.bridge.v201_v201.context import Context
from gateway.wire.errors import CallError


async def authorize(context: Context, payload: Json) -> Json:
    """Authorize, relayed, contract certificates and their hash data included.

    While the backend is away the answer is ``Unknown`` with a cacheExpiryDateTime of now: the station refuses the
    token today and asks again tomorrow, and its authorization cache keeps no refusal that the backend never spoke.
    """
    try:
        return await context.call_backend("Authorize", payload)
    except PeerUnavailable:
        return {"idTokenInfo": {"status": "Unknown", "cacheExpiryDateTime": spell(context.clock())}}


async def verdict(context: Context, token: Json) -> Json | None:
    """Ask the backend to authorize ``token``; return IdTokenInfo, or None when it has no answer."""
    try:
        answer = await context.call_backend("Authorize", {"idToken": token})
    except (CallError, PeerUnavailable):
        return None
    info: Json = answer["idTokenInfo"]
    return info
