"""The stations' requests for certificates, and a person's word about them: ``certificate-requests``."""

from typing import Annotated, Final

from aiohttp import web
from pydantic import AfterValidator, Field

from gateway.admin.ports import CertificateRequests
from gateway.admin.problems import ApiRefusal
from gateway.admin.requests import NUMBER_MAX, PREFIX, Query, Request, read_body, read_query, refusals
from gateway.admin.shown import request_shown
from gateway.session.certificate_requests import RequestState

STATES: Final = tuple(state.value for state in RequestState)


def _states(text: str) -> str:
    if not set(text.split(",")) <= set(STATES):
        raise ValueError(f"must be one of {', '.join(STATES)}, or several with commas between them")
    return text


class RequestFilter(Query):
    """GET certificate-requests."""

    identity: str | None = None
    state: Annotated[
        str | None, AfterValidator(_states), Field(description="One, or several with commas between them.")
    ] = None


class RequestRefusal(Request):
    """POST certificate-requests/{id}/refuse."""

    reason: Annotated[str, Field(min_length=1, max_length=200, description="Why, for whoever asks later.")]


class CertificateRequestEndpoints:
    """The endpoints of the requests."""

    def __init__(self, requests: CertificateRequests) -> None:
        self._requests = requests

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the endpoints."""
        router.add_get(f"{PREFIX}/certificate-requests", self.list)
        router.add_get(f"{PREFIX}/certificate-requests/{{id}}", self.show)
        router.add_post(f"{PREFIX}/certificate-requests/{{id}}/approve", self.approve)
        router.add_post(f"{PREFIX}/certificate-requests/{{id}}/refuse", self.refuse)

    async def list(self, request: web.Request) -> web.Response:
        """GET certificate-requests, ``?state=waiting`` those that wait for a person."""
        wanted = read_query(request, RequestFilter)
        states = None if wanted.state is None else {RequestState(each) for each in wanted.state.split(",")}
        found = await self._requests.list(wanted.identity, states=states)
        return web.json_response({"certificate_requests": [request_shown(each) for each in found]})

    async def show(self, request: web.Request) -> web.Response:
        """GET certificate-requests/{id}, with its CSR."""
        number = _number(request)
        found = await self._requests.find(number)
        if found is None:
            raise ApiRefusal(404, "unknown_request", f"there is no certificate request {number}")
        return web.json_response(request_shown(found))

    async def approve(self, request: web.Request) -> web.Response:
        """POST certificate-requests/{id}/approve: it is signed, now or when the station is connected."""
        with refusals("unknown_request"):
            decided = await self._requests.decide(_number(request), approved=True, detail="approved by an operator")
        return web.json_response(request_shown(decided))

    async def refuse(self, request: web.Request) -> web.Response:
        """POST certificate-requests/{id}/refuse: it ends. The station isn't told: OCPP has no word for it."""
        wanted = await read_body(request, RequestRefusal)
        with refusals("unknown_request"):
            decided = await self._requests.decide(_number(request), approved=False, detail=wanted.reason)
        return web.json_response(request_shown(decided))


def _number(request: web.Request) -> int:
    text = request.match_info["id"]
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(NUMBER_MAX)) or int(text) > NUMBER_MAX:
        raise ApiRefusal(404, "unknown_request", f"there is no certificate request {text[:60]!r}")
    return int(text)
