"""What is kept for a person's word, and that word: ``quarantine``."""

from typing import Annotated, Final

from aiohttp import web
from pydantic import AfterValidator, Field, model_validator

from gateway.admin.ports import Quarantine, QuarantineDecisions
from gateway.admin.problems import ApiRefusal
from gateway.admin.requests import NUMBER_MAX, PREFIX, Query, Request, read_body, read_query, refusals
from gateway.admin.shown import quarantined_shown
from gateway.session.quarantine import UNDECIDED, Selection, State

STATES: Final = tuple(state.value for state in State)
LIMIT_MAX: Final = 1_000
"""Messages in one answer, and ids in one request."""
BY_API: Final = "API"
"""Who decides: the API has one token, and knows no names."""

Number = Annotated[int, Field(ge=1, le=NUMBER_MAX)]


def _states(text: str) -> str:
    if not set(text.split(",")) <= set(STATES):
        raise ValueError(f"must be one of {', '.join(STATES)}, or several with commas between them")
    return text


class QuarantineFilter(Query):
    """GET quarantine."""

    identity: str | None = None
    state: Annotated[
        str | None,
        AfterValidator(_states),
        Field(description="One, or several with commas between them; without it: held,released."),
    ] = None
    rule: str | None = None
    transaction: Annotated[str | None, Field(description="The station's name for it.")] = None
    after: Annotated[
        int, Field(ge=0, le=NUMBER_MAX, description="An id: the next page begins after the last one's.")
    ] = 0
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = LIMIT_MAX


class QuarantineRelease(Request):
    """POST quarantine/release: of some ids, of a station's transaction, or of a rule, all that is held."""

    ids: Annotated[list[Number], Field(max_length=LIMIT_MAX)] = Field(default=[], description="Of the messages.")
    identity: Annotated[str, Field(min_length=1)] | None = None
    transaction: Annotated[str, Field(min_length=1), Field(description="With identity: all of it.")] | None = None
    rule: Annotated[str, Field(min_length=1), Field(description="All that it has kept.")] | None = None

    @model_validator(mode="after")
    def _is_one_of_three(self) -> "QuarantineRelease":
        given = (bool(self.ids), self.identity is not None, self.transaction is not None, self.rule is not None)
        if given not in {(True, False, False, False), (False, True, True, False), (False, False, False, True)}:
            raise ValueError("give `ids`, or `identity` and `transaction`, or `rule`")
        return self


class Discard(Query):
    """DELETE quarantine/{id}."""

    reason: Annotated[str, Field(min_length=1, max_length=1_000, description="Why, for whoever asks later.")]


class QuarantineEndpoints:
    """The endpoints of the quarantine."""

    def __init__(self, quarantine: Quarantine, decisions: QuarantineDecisions) -> None:
        self._quarantine = quarantine
        self._decisions = decisions

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the endpoints."""
        router.add_get(f"{PREFIX}/quarantine", self.list)
        router.add_post(f"{PREFIX}/quarantine/release", self.release)
        router.add_get(f"{PREFIX}/quarantine/{{id}}", self.show)
        router.add_delete(f"{PREFIX}/quarantine/{{id}}", self.discard)

    async def list(self, request: web.Request) -> web.Response:
        """GET quarantine, oldest first, without the payloads; ``next`` is where the next page begins."""
        wanted = read_query(request, QuarantineFilter)
        found = await self._quarantine.list(
            wanted.identity,
            states=UNDECIDED if wanted.state is None else {State(each) for each in wanted.state.split(",")},
            rule=wanted.rule,
            station_tx=wanted.transaction,
            after_id=wanted.after,
            limit=wanted.limit,
        )
        following = found[-1].id if len(found) == wanted.limit else None
        return web.json_response({"quarantine": [quarantined_shown(each) for each in found], "next": following})

    async def show(self, request: web.Request) -> web.Response:
        """GET quarantine/{id}, with what it says and what the station was told."""
        return await self._shown(_number(request))

    async def release(self, request: web.Request) -> web.Response:
        """POST quarantine/release: the messages go to their backends, within a second or when those are there."""
        wanted = await read_body(request, QuarantineRelease)
        selection = Selection(wanted.ids, wanted.identity, wanted.transaction, wanted.rule)
        with refusals("unknown_message"):
            released = await self._decisions.release(selection, BY_API)
        return web.json_response({"released": [*released]}, status=202)

    async def discard(self, request: web.Request) -> web.Response:
        """DELETE quarantine/{id}?reason=...: no backend ever hears it. It stays to be looked at."""
        number, wanted = _number(request), read_query(request, Discard)
        with refusals("unknown_message"):
            discarded = await self._decisions.discard(Selection([number]), BY_API, wanted.reason)
        return web.json_response({"discarded": [*discarded]})

    async def _shown(self, number: int) -> web.Response:
        found = await self._quarantine.find(number)
        if found is None:
            raise ApiRefusal(404, "unknown_message", f"there is no message {number} in the quarantine")
        return web.json_response(quarantined_shown(found, whole=True))


def _number(request: web.Request) -> int:
    text = request.match_info["id"]
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(NUMBER_MAX)) or int(text) > NUMBER_MAX:
        raise ApiRefusal(404, "unknown_message", f"there is no message {text[:60]!r} in the quarantine")
    return int(text)
