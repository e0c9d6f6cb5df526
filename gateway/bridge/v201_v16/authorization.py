"""Authorization (block C): the backend alone says who may charge; while it is away, what ``authorize_offline`` says."""

from gateway.bridge.books import Json
from gateway.bridge.offline_authorization import offline_info
from gateway.bridge.plug_and_charge_16 import unwrapped_authorize, wrapped_authorize
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.timestamps import spell
from gateway.bridge.v201_v16.context import Context
from gateway.bridge.v201_v16.tokens import id_token_info, tag_for
from gateway.wire.errors import CallError


async def authorize(context: Context, payload: Json) -> Json:
    """Authorize of the station.

    Without a verdict (CALLERROR, or the backend is away and nobody speaks for it) the answer is ``Unknown``, a status
    that no 1.6 backend gives, with a cacheExpiryDateTime of now: the station refuses the token today and asks again
    tomorrow, and its authorization cache doesn't keep a refusal that the backend never spoke.

    No contract certificate is verified here. A request that still carries one, or its hash data, goes to a backend that
    knows the Plug & Charge note; at any other it is refused as not verifiable (C07.FR.17): to ask for the eMAID alone
    would authorize whoever knows it.
    """
    if "certificate" in payload or "iso15118CertificateHashData" in payload:
        if context.settings.plug_and_charge:
            return await _with_certificate(context, payload)
        context.note("contract-certificate", "contract certificates aren't verified: configure plug_and_charge")
        return {"idTokenInfo": {"status": "Invalid"}, "certificateStatus": "CertChainError"}
    return {"idTokenInfo": await verdict(context, payload["idToken"]) or _no_verdict(context)}


async def _with_certificate(context: Context, payload: Json) -> Json:
    """Ask a backend that knows the note; while it is away ``authorize_offline`` has the word."""
    id_tag = tag_for(context, payload["idToken"])
    answer = None
    try:
        answer = unwrapped_authorize(await context.call_backend("DataTransfer", wrapped_authorize(id_tag, payload)))
    except PeerUnavailable:
        info = await _offline(context, id_tag)
        return {"idTokenInfo": info or _no_verdict(context)}
    except CallError:
        pass
    if answer is None:
        context.note("wrapped-authorize", "the backend gives no answer to Authorize by the Plug & Charge note")
    return answer or {"idTokenInfo": _no_verdict(context)}


def _no_verdict(context: Context) -> Json:
    return {"status": "Unknown", "cacheExpiryDateTime": spell(context.clock())}


async def verdict(context: Context, token: Json) -> Json | None:
    """Ask the backend to authorize ``token``; return IdTokenInfo, or None without a verdict.

    While it is away, the operator's ``authorize_offline`` has the word. A CALLERROR is an answer: of a backend that is
    there, and didn't authorize.
    """
    id_tag = tag_for(context, token)
    try:
        info = (await context.call_backend("Authorize", {"idTag": id_tag}))["idTagInfo"]
    except CallError:
        return None
    except PeerUnavailable:
        return await _offline(context, id_tag)
    return id_token_info(context, info)


async def _offline(context: Context, id_tag: str) -> Json | None:
    info = await offline_info(context.settings.authorize_offline, context.recall, context.clock(), id_tag)
    return None if info is None else id_token_info(context, info)


async def clear_cache(context: Context, _: Json) -> Json:
    """ClearCache of the backend."""
    answer = await context.ask_station("ClearCache", {})
    return {"status": "Rejected" if answer is None else answer["status"]}
