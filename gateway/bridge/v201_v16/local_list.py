"""Local authorization list (block D): SendLocalList and GetLocalListVersion of the backend.

A list that is longer than the station takes in one message goes in parts: the first Full, if the whole is, the others
Differential, each with a higher version (2.0.1 refuses others). Where the backend's number leaves no room for that the
station's numbers run ahead. So the list sent last is kept on a page of the books::

    {"version": 2, "first": 3, "last": 5,    the backend's number; the station's for the first and the last part
     "whole": false,                         whether the station is known to have taken them all
     "held": [1, 2]}                         while it isn't: the numbers, backend's and station's, of the list before
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.bridge.books import Books, Json, Page
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.timestamps import backend_utc
from gateway.bridge.v201_v16.configuration_keys import Variable, name_of
from gateway.bridge.v201_v16.context import UNSUPPORTED, Context
from gateway.bridge.v201_v16.tokens import CENTRAL, id_token_info, token_for
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.strict_json import dumps

PARTS_MAX: Final = 100
"""Messages that one list may take."""
NO_LIST: Final = 0
"""Version of an empty list, in both versions; of none that the backend knows."""
NOT_SUPPORTED: Final = -1
"""Version that a charge point of 1.6 gives which has no local list."""

_ITEMS: Final = Variable("LocalAuthListCtrlr", "ItemsPerMessage")
_BYTES: Final = Variable("LocalAuthListCtrlr", "BytesPerMessage")
ENVELOPE: Final = 200
"""Bytes of a SendLocalList and its frame beside the entries, generously."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a station takes in one SendLocalList (D01.FR.11)."""

    items: int | None = None
    size: int | None = None
    """Bytes."""


async def send_local_list(context: Context, payload: Json) -> Json:
    """SendLocalList. VersionMismatch without asking: a Differential one that isn't newer than what the station holds.

    Failed without asking: a version of 0 or below (1.6 errata), an entry of a Full list without idTagInfo, an expiry
    that can't be read (it would make the token valid for ever), a list of more than ``PARTS_MAX`` parts. A list that
    the station took only the first parts of counts as none (:func:`get_local_list_version`): the backend has to send a
    Full one.
    """
    version, is_full = payload["listVersion"], payload["updateType"] == "Full"
    entries = _entries(context, payload)
    if version <= NO_LIST or entries is None:
        return {"status": "Failed"}
    if not is_full and not _may_follow(context.books.page(Page.LOCAL_LIST), version):
        return {"status": "VersionMismatch"}
    try:
        parts = split(entries, await _limits(context)) if len(entries) > 1 else [entries]
        if len(parts) > PARTS_MAX:
            context.note("local-list-parts", f"a local list would take {len(parts)} messages and was refused")
            return {"status": "Failed"}
        return {"status": await _send(context, version, parts, is_full=is_full)}
    except PeerUnavailable:
        return {"status": "Failed"}
    except CallError as error:
        return {"status": "NotSupported" if error.code in UNSUPPORTED else "Failed"}


async def get_local_list_version(context: Context, _: Json) -> Json:
    """GetLocalListVersion, in the backend's own numbers; 0 where the station has no list, or only parts of one.

    -1 when it says that it knows no such thing. One that can't be reached has what it was sent last. Raises
    :class:`CallError` GenericError when that isn't known: the answer has no word of refusal.
    """
    page = context.books.page(Page.LOCAL_LIST)
    try:
        answer = await context.call_station("GetLocalListVersion", {})
    except CallError as error:
        if error.code in UNSUPPORTED:
            return {"listVersion": NOT_SUPPORTED}
    except PeerUnavailable:
        pass
    else:
        return {"listVersion": _backend_version(page, answer["versionNumber"])}
    if not page.get("whole", False):
        raise CallError(ErrorCode.GENERIC_ERROR, "the station gave no answer, and its list isn't known")
    return {"listVersion": page["version"]}


def split(entries: list[Json], limits: Limits) -> list[list[Json]]:
    """Return the entries in order, in parts that the station takes, at least one part. An entry too big goes alone."""
    parts: list[list[Json]] = [[]]
    room = _room(limits)
    for entry in entries:
        size = len(dumps(entry)) + 1
        is_full = limits.items is not None and len(parts[-1]) >= limits.items
        if parts[-1] and (is_full or (room is not None and size > room)):
            parts.append([])
            room = _room(limits)
        parts[-1].append(entry)
        room = None if room is None else room - size
    return parts


def _room(limits: Limits) -> int | None:
    return None if limits.size is None else limits.size - ENVELOPE


def _entries(context: Context, payload: Json) -> list[Json] | None:
    """Translate the entries; None when one can't be sent. Without idTagInfo an entry is deleted, in both versions."""
    entries = []
    for entry in payload.get("localAuthorizationList", ()):
        token = token_for(context, entry["idTag"])
        if token["type"] == CENTRAL:
            context.note("token-type", f"a token of the local list whose form is no card's goes as {CENTRAL}")
        translated: Json = {"idToken": token}
        info: Json | None = entry.get("idTagInfo")
        if info is None and payload["updateType"] == "Full":
            return None
        if info is not None:
            if "expiryDate" in info and backend_utc(info["expiryDate"]) is None:
                return None
            translated["idTokenInfo"] = id_token_info(context, info)
        entries.append(translated)
    return entries


async def _send(context: Context, version: int, parts: list[list[Json]], *, is_full: bool) -> str:
    """Send the parts in order until one isn't accepted; return its status, and keep what is known of the list.

    A refusal of the first one has changed nothing at the station.

    Raises :class:`CallError` and :class:`PeerUnavailable` as the station's leg does.
    """
    books = context.books
    before = dict(books.page(Page.LOCAL_LIST))
    last = _last_number(before, version, len(parts), is_full=is_full)
    first = last - len(parts) + 1
    sent: Json = {"version": version, "first": first, "last": last}
    held = _last_whole(before)
    _enter(books, {**sent, "whole": False, **({} if held is None else {"held": held})})
    if not _is_plain(sent):
        await context.save_page_now(Page.LOCAL_LIST)
    for number, part in enumerate(parts, start=first):
        kind = "Full" if is_full and number == first else "Differential"
        entries = {"localAuthorizationList": part} if part else {}
        try:
            answer = await context.call_station(
                "SendLocalList", {"versionNumber": number, "updateType": kind, **entries}
            )
        except CallError:
            if number == first:
                _enter(books, before)
            raise
        if answer["status"] != "Accepted":
            if number > first:
                return "Failed"
            _enter(books, before)
            return str(answer["status"])
    _enter(books, {**sent, "whole": True})
    return "Accepted"


def _last_whole(page: Json) -> list[int] | None:
    """Return the numbers, backend's and station's, of the last list known to be whole; None once there may be parts."""
    if page.get("whole", False):
        return [page["version"], page["last"]]
    held: list[int] | None = page.get("held")
    return held if page and _is_plain(page) else None


def _last_number(before: Json, version: int, parts: int, *, is_full: bool) -> int:
    """Return the station's number for the last part: the backend's own, or the next one that leaves room for the parts.

    A Differential update must have a number above that of the list it changes; a Full one needn't, but where the
    station's numbers run ahead it has one that no other list had.
    """
    if not _runs_ahead(before) and (is_full or parts == 1):
        return max(version, parts)
    _, held_number = before.get("held", (NO_LIST, NO_LIST))
    taken: int = max(before.get("last", NO_LIST), held_number)
    return max(version, taken + parts)


def _runs_ahead(page: Json) -> bool:
    """True where the station's number of a list that it has, or may have, isn't the backend's own."""
    held_version, held_number = page.get("held", (NO_LIST, NO_LIST))
    return bool(page.get("version") != page.get("last") or held_version != held_number)


def _is_plain(page: Json) -> bool:
    """True for a list that went in one message under the backend's own number."""
    return bool(page["first"] == page["last"] == page["version"])


def _may_follow(page: Json, version: int) -> bool:
    """Whether a Differential update may come on top of what the station holds, as far as is known here.

    After a list whose outcome isn't known the station judges, where all numbers are the backend's own.
    """
    if not page:
        return True
    if page["whole"]:
        return bool(version > page["version"])
    return "held" in page and _is_plain(page) and not _runs_ahead(page)


def _backend_version(page: Json, number: int) -> int:
    """Return the backend's version of the list to which the station gives the version ``number``."""
    if not page:
        return number
    versions: dict[int, int] = {page["last"]: page["version"]}
    if "held" in page:
        held_version, held_number = page["held"]
        versions.setdefault(held_number, held_version)
    if page["first"] <= number < page["last"]:
        return NO_LIST
    is_the_backends = page["whole"] and not _runs_ahead(page)
    return versions.get(number, number if is_the_backends else NO_LIST)


def _enter(books: Books, content: Json) -> None:
    page = books.page(Page.LOCAL_LIST)
    page.clear()
    page.update(content)
    books.changed(Page.LOCAL_LIST)


async def _limits(context: Context) -> Limits:
    """Ask the station how much it takes in one message; one that doesn't say takes anything.

    Raises :class:`PeerUnavailable` when it can't be reached.
    """
    request = {"getVariableData": [_ITEMS.addressed(), _BYTES.addressed()]}
    try:
        answer = await context.call_station("GetVariables", request)
    except CallError:
        return Limits()
    found = dict(_numbers(answer["getVariableResult"]))
    return Limits(found.get(_ITEMS.path), found.get(_BYTES.path))


def _numbers(results: Iterable[Json]) -> Iterable[tuple[str, int]]:
    for result in results:
        value = result.get("attributeValue", "").strip()
        if result["attributeStatus"] == "Accepted" and value.isascii() and value.isdigit() and int(value) > 0:
            yield name_of(result["component"], result["variable"]), int(value)
