"""Tokens: idToken of 2.0.1, at most 36 characters with a type; idTag of 1.6, at most 20 characters without one."""

import hashlib
import re
from typing import Final

from gateway.bridge.books import Json, Page
from gateway.bridge.timestamps import backend_utc
from gateway.bridge.v201_v16.context import Context
from pki.iso15118.identifiers import Emaid

ID_TAG_MAX: Final = 20
"""Characters of an idTag (OCPP 1.6 IdToken, CiString20)."""
ALIASES_MAX: Final = 1000
"""Long tokens of one station that are remembered behind their alias; the oldest is forgotten."""

CENTRAL: Final = "Central"
"""The type of a token that a server made up."""

_ISO14443: Final = re.compile(r"(?:[0-9A-F]{8}|[0-9A-F]{14})", re.IGNORECASE)
_ISO15693: Final = re.compile(r"[0-9A-F]{16}", re.IGNORECASE)


def alias_of(id_token: str) -> str:
    """Return the idTag that stands for a token too long for 1.6: always the same, whatever the token's letter case.

    20 hex digits (80 bits) of its SHA-256, in capitals: no length that :func:`type_of` takes for a card's number.
    """
    return hashlib.sha256(id_token.upper().encode()).hexdigest()[:ID_TAG_MAX].upper()


def type_of(id_tag: str) -> str:
    """Guess the 2.0.1 type of an idTag, of which 1.6 doesn't say it."""
    if _is_emaid(id_tag):
        return "eMAID"
    if _ISO14443.fullmatch(id_tag):
        return "ISO14443"
    if _ISO15693.fullmatch(id_tag):
        return "ISO15693"
    return CENTRAL


def _is_emaid(id_tag: str) -> bool:
    """Whether it is an eMAID beyond doubt: the C of eMI3 tells it from a card's number."""
    try:
        return Emaid.of_peer(id_tag).instance.startswith("C")
    except ValueError:
        return False


def tag_for(context: Context, token: Json) -> str:
    """Return the idTag under which the backend is to know ``token``, an IdToken of 2.0.1."""
    text: str = token["idToken"]
    if token["type"] == "NoAuthorization" or not text:
        return context.settings.default_id_tag
    if len(text) <= ID_TAG_MAX:
        return text
    alias = alias_of(text)
    aliases = context.books.page(Page.ALIASES)
    if alias.casefold() not in aliases:
        context.note(
            "token-alias",
            f"an idToken of {len(text)} characters goes to the backend under the alias {alias}; "
            f"register the alias there as its idTag (1.6 takes {ID_TAG_MAX} characters)",
        )
        while len(aliases) >= ALIASES_MAX:
            del aliases[next(iter(aliases))]
        aliases[alias.casefold()] = {"idToken": text, "type": token["type"]}
        context.books.changed(Page.ALIASES)
    return alias


def token_for(context: Context, id_tag: str) -> Json:
    """Return the IdToken that the backend means by ``id_tag``."""
    known = context.books.page(Page.ALIASES).get(id_tag.casefold())
    return dict(known) if known is not None else {"idToken": id_tag, "type": type_of(id_tag)}


def id_token_info(context: Context, id_tag_info: Json) -> Json:
    """Translate IdTagInfo to IdTokenInfo. The five statuses of 1.6 are all known to 2.0.1 by the same names."""
    info: Json = {"status": id_tag_info["status"]}
    if "expiryDate" in id_tag_info:
        expiry = backend_utc(id_tag_info["expiryDate"])
        if expiry is None:
            context.note("expiry-date", "the backend's idTagInfo.expiryDate is unreadable and was left out")
        else:
            info["cacheExpiryDateTime"] = expiry
    if id_tag_info.get("parentIdTag"):
        info["groupIdToken"] = token_for(context, id_tag_info["parentIdTag"])
    return info
