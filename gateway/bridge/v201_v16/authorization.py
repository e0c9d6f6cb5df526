"""Authorization (block C): the backend alone says who may charge. Where it says nothing, nobody is authorized."""

from gateway.bridge.books import Json
from gateway.bridge.timestamps import spell
from gateway.bridge.v201_v16.context import Context
from gateway.bridge.v201_v16.tokens import id_token_info, tag_for


async def authorize(context: Context, payload: Json) -> Json:
    """Authorize of the station.

    Without a verdict of the backend (away, or CALLERROR) the answer is ``Unknown``, a status that no 1.6 backend gives,
    with a cacheExpiryDateTime of now: the station refuses the token today and asks again tomorrow, and its
    authorization cache doesn't keep a refusal that the backend never spoke.

    A contract certificate isn't verified here. A request that carries one, or its hash data, is refused as not
    verifiable (C07.FR.17): to ask for the eMAID alone would authorize whoever knows it.
    """
    if "certificate" in payload or "iso15118CertificateHashData" in payload:
        return {"idTokenInfo": {"status": "Invalid"}, "certificateStatus": "CertChainError"}
    info = await verdict(context, payload["idToken"])
    if info is None:
        info = {"status": "Unknown", "cacheExpiryDateTime": spell(context.clock())}
    return {"idTokenInfo": info}


async def verdict(context: Context, token: Json) -> Json | None:
    """Ask the backend to authorize ``token``; return IdTokenInfo, or None when it has no answer."""
    conf = await context.ask_backend("Authorize", {"idTag": tag_for(context, token)})
    return None if conf is None else id_token_info(context, conf["idTagInfo"])


async def clear_cache(context: Context, _: Json) -> Json:
    """ClearCache of the backend."""
    answer = await context.ask_station("ClearCache", {})
    return {"status": "Rejected" if answer is None else answer["status"]}
