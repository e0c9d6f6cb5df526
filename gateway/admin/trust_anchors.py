"""The roots that stations are to trust: ``trust-anchors``, ``trust-anchors/{identity}`` and ``root-rotation``."""

from aiohttp import web

from gateway.admin.ports import TrustAnchors
from gateway.admin.requests import PREFIX, refusals


class TrustAnchorEndpoints:
    """The endpoints of trust anchors."""

    def __init__(self, trust: TrustAnchors) -> None:
        self._trust = trust

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the endpoints."""
        router.add_get(f"{PREFIX}/trust-anchors", self.list)
        router.add_get(f"{PREFIX}/trust-anchors/{{identity}}", self.show)
        router.add_post(f"{PREFIX}/trust-anchors/{{identity}}", self.reconcile)
        router.add_get(f"{PREFIX}/root-rotation", self.rotation)

    async def list(self, _: web.Request) -> web.Response:
        """GET trust-anchors: what is declared, with how many stations have it."""
        return web.json_response({"trust_anchors": list(await self._trust.declared())})

    async def show(self, request: web.Request) -> web.Response:
        """GET trust-anchors/{identity}: what the station has, lacks and refuses."""
        with refusals():
            return web.json_response(dict(await self._trust.of(request.match_info["identity"])))

    async def reconcile(self, request: web.Request) -> web.Response:
        """POST trust-anchors/{identity}: installs and deletes now what is to be, whatever it refused before."""
        with refusals():
            return web.json_response(dict(await self._trust.visit_now(request.match_info["identity"])))

    async def rotation(self, _: web.Request) -> web.Response:
        """GET root-rotation: the one under way, or the last."""
        with refusals("no_rotation"):
            return web.json_response(dict(await self._trust.rotation()))
