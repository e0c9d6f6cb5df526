"""The admin HTTP server: health and metrics for everybody who reaches it, the API for who has the token."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gateway.admin.api import Parts, add_api
from gateway.admin.metrics import Metrics
from gateway.admin.openapi import document
from gateway.admin.problems import ApiRefusal, problem
from gateway.session.ports import StoreAway

MAX_BODY: Final = 65_536
"""Bytes of a request body."""
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Readiness = Callable[[], Awaitable[Mapping[str, bool]]]
"""Returns each thing that must be well before traffic makes sense, and whether it is."""

log = structlog.get_logger(__name__)


def application(*, token: str | None, parts: Parts, metrics: Metrics, readiness: Readiness) -> web.Application:
    """Make the aiohttp application. Without ``token`` there is no API at all."""

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_: web.Request) -> web.Response:
        checks = await readiness()
        ready = all(checks.values())
        return web.json_response({"ready": ready, "checks": dict(checks)}, status=200 if ready else 503)

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=metrics.expose(), headers={"Content-Type": METRICS_TYPE})

    async def describe(_: web.Request) -> web.Response:
        return web.json_response(document())

    app = web.Application(client_max_size=MAX_BODY, middlewares=[_guard(token), _errors])
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", scrape)
    if token is not None:
        app.router.add_get("/api/openapi.json", describe)
        add_api(app.router, parts)
    return app


def _guard(token: str | None) -> Middleware:
    expected = f"Bearer {token}".encode() if token is not None else None

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/api/"):
            if expected is None:
                return problem(404, "api_off", "the API is off: set admin.token in the configuration")
            presented = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(presented, expected):
                refusal = problem(401, "unauthorized", "a valid bearer token is required")
                refusal.headers["WWW-Authenticate"] = "Bearer"
                return refusal
        return await handler(request)

    return guard


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error is JSON; what nobody foresaw is whole in the log and bland in the answer."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        answer = problem(error.status, "http_error", error.reason)
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer
    except ApiRefusal as refusal:
        return problem(refusal.status, refusal.code, str(refusal), refusal.details)
    except StoreAway as away:
        log.error("store_unavailable", reason=str(away))  # noqa: TRY400 - the text says it all
        return problem(503, "store_unavailable", str(away))
    except Exception:
        log.exception("admin_request_failed", method=request.method)
        return problem(500, "internal", "internal error; see the gateway's log")
