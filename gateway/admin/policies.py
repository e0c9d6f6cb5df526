"""The policies in force, and how they decide: ``policies``, ``policies/explain``."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol

from aiohttp import web
from pydantic import Field

from gateway.admin.problems import ApiRefusal
from gateway.admin.requests import PREFIX, Request, read_body, refusals
from policies.words import Kind, Stage


class Explanation(Request):
    """What becomes of this message?"""

    identity: Annotated[str, Field(max_length=48)] | None = None
    """Of which station; without one, of a station of which nothing is known."""
    policy: Annotated[str, Field(max_length=200)] | None = None
    """By which policy; without one, by that which governs the station."""
    stage: Stage
    kind: Kind = Kind.CALL
    protocol: Literal["ocpp1.6", "ocpp2.0.1"]
    """Of the message: at the backend's stages that of the backend."""
    action: Annotated[str, Field(min_length=1, max_length=50)]
    """Of an answer, that of its CALL."""
    payload: dict[str, Any]


class Policies(Protocol):
    """The policies in force. What is told is JSON."""

    def listed(self) -> Sequence[Mapping[str, Any]]:
        """Return each, with what it has decided."""

    async def explain(
        self,
        *,
        identity: str | None,
        policy: str | None,
        stage: Stage,
        kind: Kind,
        protocol: str,
        action: str,
        payload: dict[str, Any],
    ) -> Mapping[str, Any]:
        """Tell how a message would be decided on.

        Raises LookupError for a station or policy that isn't there, ValueError for what is no message.
        """


class PolicyEndpoints:
    """The endpoints of policies."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the endpoints."""
        router.add_get(f"{PREFIX}/policies", self.list)
        router.add_post(f"{PREFIX}/policies/explain", self.explain)

    async def list(self, _: web.Request) -> web.Response:
        """GET policies: those in force, their files and rules, and what each has decided so far."""
        return web.json_response({"policies": list(self._policies.listed())})

    async def explain(self, request: web.Request) -> web.Response:
        """POST policies/explain: how a message would be decided on now, rule by rule. Nothing is sent or counted."""
        asked = await read_body(request, Explanation)
        with refusals("not_found"):
            try:
                told = await self._policies.explain(**{name: getattr(asked, name) for name in Explanation.model_fields})
            except ValueError as error:
                raise ApiRefusal(400, "invalid_request", str(error)) from None
        return web.json_response(dict(told))
