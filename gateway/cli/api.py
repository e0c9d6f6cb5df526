"""The admin API of the running gateway, for the commands that act on a live station."""

from typing import Any, Final
from urllib.parse import quote

import aiohttp

from gateway.cli.output import Failed
from gateway.config import Config
from gateway.config.secrets import SecretError

TIMEOUT: Final = aiohttp.ClientTimeout(total=60.0)
"""Seconds for a whole request; a station may take its time to answer."""


def station_path(identity: str, what: str) -> str:
    """Return the path of what a station has, for :func:`request`: the identity as typed, whatever it holds."""
    return f"stations/{quote(identity, safe='', errors='replace')}/{what}"


async def request(config: Config, method: str, path: str, body: Any) -> Any:
    """Send one request to the API and return the JSON of its answer. Raises :class:`Failed` in the API's own words."""
    if config.admin.token is None:
        raise Failed("admin.token is not set: the API of the gateway is off; set it and restart the gateway")
    try:
        headers = {"Authorization": f"Bearer {config.admin.token.resolve()}"}
    except SecretError as error:
        raise Failed(f"admin.token: {error}") from None
    url = f"http://{_reachable(config)}/api/v1/{path}"
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT, headers=headers) as session,
            session.request(method, url, json=body) as response,
        ):
            answer = await response.json() if response.content_type == "application/json" else None
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Failed(f"no gateway answers at admin.bind {config.admin.bind}: {error}") from None
    if response.status >= 400:
        problem = answer.get("error", {}) if isinstance(answer, dict) else {}
        raise Failed(problem.get("message", f"the gateway answered {response.status}"))
    return answer


def _reachable(config: Config) -> str:
    """The address to connect to: a gateway that listens on all addresses is reached by the loopback one."""
    bind = config.admin.bind
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind.host, bind.host)  # noqa: S104 - compared, not bound
    return f"[{host}]:{bind.port}" if ":" in host else f"{host}:{bind.port}"
