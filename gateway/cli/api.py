"""The admin API of the running gateway, for the commands that act on a live station."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, BinaryIO, Final
from urllib.parse import quote

import aiohttp

from gateway.cli.output import Failed
from gateway.config import Config
from gateway.config.secrets import SecretError

TIMEOUT: Final = aiohttp.ClientTimeout(total=60.0)
"""Seconds for a whole request; a station may take its time to answer."""
DOWNLOAD_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=60.0, sock_read=60.0)
"""Seconds in which the next octets of a file must come."""
CHUNK: Final = 262_144


def station_path(identity: str, what: str) -> str:
    """Return the path of what a station has, for :func:`request`: the identity as typed, whatever it holds."""
    return f"stations/{quote(identity, safe='', errors='replace')}/{what}"


async def request(config: Config, method: str, path: str, body: Any) -> Any:
    """Send one request to the API and return the JSON of its answer. Raises :class:`Failed` in the API's own words."""
    async with _answering(config, method, path, TIMEOUT, body) as response:
        return await response.json() if response.content_type == "application/json" else None


async def download(config: Config, path: str, file: BinaryIO) -> str:
    """Write what the API gives under ``path`` to ``file``, and return its SHA-256 in hex. Raises :class:`Failed`."""
    digest = hashlib.sha256()
    async with _answering(config, "GET", path, DOWNLOAD_TIMEOUT) as response:
        async for chunk in response.content.iter_chunked(CHUNK):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


@asynccontextmanager
async def _answering(
    config: Config, method: str, path: str, timeout: aiohttp.ClientTimeout, body: Any = None
) -> AsyncIterator[aiohttp.ClientResponse]:
    """Send one request, and have its answer read in the context, if it is one of success."""
    if config.admin.token is None:
        raise Failed("admin.token is not set: the API of the gateway is off; set it and restart the gateway")
    try:
        headers = {"Authorization": f"Bearer {config.admin.token.resolve()}"}
    except SecretError as error:
        raise Failed(f"admin.token: {error}") from None
    url = f"http://{_reachable(config)}/api/v1/{path}"
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
            session.request(method, url, json=body) as response,
        ):
            if response.status >= 400:
                answer = await response.json() if response.content_type == "application/json" else None
                problem = answer.get("error", {}) if isinstance(answer, dict) else {}
                raise Failed(problem.get("message", f"the gateway answered {response.status}"))
            yield response
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Failed(f"no gateway answers at admin.bind {config.admin.bind}: {error}") from None


def _reachable(config: Config) -> str:
    """The address to connect to: a gateway that listens on all addresses is reached by the loopback one."""
    bind = config.admin.bind
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind.host, bind.host)  # noqa: S104 - compared, not bound
    return f"[{host}]:{bind.port}" if ":" in host else f"{host}:{bind.port}"
