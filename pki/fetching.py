"""The one way to fetch what a peer or a certificate names: guarded against being sent elsewhere (attacks B2, B6).

Only places on the operator's :class:`~pki.destinations.AllowList`; no redirect; the address is looked at when the
socket is made, so that a name which resolves anew (DNS rebinding) wins nothing; no proxy, no cookie; bounded bytes,
seconds, connections to one place and in all. What fetches the operator's own URLs shares ``take_at_most`` and
``reason_of``.
"""

import errno
import os
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import aiohttp

from pki.destinations import AllowList, DestinationRefused

TIMEOUT: Final = 5.0
"""Seconds for one fetch, from resolving the name to the last byte, unless told otherwise."""
CONNECTIONS_MAX: Final = 64
"""In all, at once."""
CONNECTIONS_PER_PLACE_MAX: Final = 16
"""To one host and port, at once: the responder of one mobility operator hears of all its vehicles."""
FETCHES_MAX: Final = 256
"""Begun and not ended, those that wait for a connection included; more are refused at once."""
_CHUNK: Final = 65_536
_NOBODY_THERE: Final = frozenset({429, 502, 503, 504})
"""What is answered in a place's stead, or by one that can't take any more: it is away for every question."""


class FetchFailed(Exception):
    """Nothing could be had now; the text says why."""


class UselessAnswer(FetchFailed):
    """Somebody answered, with something else than what was asked for: that says nothing about other questions."""


class TooManyFetches(FetchFailed):
    """It wasn't even tried: too much is under way here."""


class TooLarge(Exception):
    """More bytes came than were allowed."""


class GuardedClient:
    """Goes only where it may, by one session. Close it, or use it as a context."""

    def __init__(
        self,
        allowed: AllowList,
        timeout: aiohttp.ClientTimeout,
        *,
        roots: Path | None,
        connections: int = CONNECTIONS_MAX,
    ) -> None:
        """``roots``: the only trust anchors of https servers (PEM); None: the machine's. Raises OSError, ValueError."""
        self.allowed = allowed
        self.tls: Final = ssl.create_default_context(cafile=roots)
        self.timeout: Final = timeout
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close what is open."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The session, which begins with the first request. Requests name ``tls``, and follow no redirect."""
        if self._session is None:
            self._session = _guarded_session(self.allowed, self.timeout, connections=self._connections)
        return self._session


class GuardedHttp(GuardedClient):
    """Fetches what is small."""

    def __init__(self, allowed: AllowList, *, timeout: float = TIMEOUT, roots: Path | None = None) -> None:
        """``roots``: the only trust anchors of https servers (PEM); None: the machine's. Raises OSError, ValueError."""
        super().__init__(allowed, aiohttp.ClientTimeout(total=timeout), roots=roots)
        self._fetches = 0

    async def fetch(
        self, url: str, *, expect: str | Sequence[str], size_max: int, body: bytes | None = None, sends: str = ""
    ) -> bytes:
        """Return what ``url`` gives: GET, or POST of ``body``, whose content type is ``sends``.

        ``expect`` is the content type that the answer must have, or those that it may have.
        Raises :class:`DestinationRefused` and :class:`FetchFailed`.
        """
        target = str(self.allowed.target(url))
        if self._fetches >= FETCHES_MAX:
            raise TooManyFetches(f"{FETCHES_MAX} fetches are under way already")
        self._fetches += 1
        try:
            types = (expect,) if isinstance(expect, str) else tuple(expect)
            return await self._fetch(target, types, size_max, body, sends)
        except TimeoutError:
            raise FetchFailed(f"no answer within {self.timeout.total:g} s") from None
        except TooLarge:
            raise UselessAnswer(f"the answer has more than {size_max} bytes") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, AddressRefused):
                raise DestinationRefused(str(error.os_error.strerror)) from None
            raise FetchFailed(reason_of(error)) from None
        finally:
            self._fetches -= 1

    async def _fetch(self, url: str, expect: tuple[str, ...], size_max: int, body: bytes | None, sends: str) -> bytes:
        headers = {"Accept": ", ".join(expect), "Accept-Encoding": "identity"}
        if body is not None:
            headers["Content-Type"] = sends
        async with self.session.request(
            "GET" if body is None else "POST",
            url,
            data=body,
            headers=headers,
            allow_redirects=False,
            ssl=self.tls,
        ) as response:
            if response.status in _NOBODY_THERE:
                raise FetchFailed(f"it answered {response.status}")
            if response.status != 200:
                raise UselessAnswer(f"it answered {response.status}")
            if response.content_type.lower() not in expect or "Content-Encoding" in response.headers:
                raise UselessAnswer(f"it answered with something else than {expect[0]}")
            return await take_at_most(response.content, size_max)


class AddressRefused(OSError):
    """A name leads to an address that is refused; an OSError, so that the next address has its turn."""


def _guarded_session(allowed: AllowList, timeout: aiohttp.ClientTimeout, *, connections: int) -> aiohttp.ClientSession:
    """Return a session that connects to no address that is refused (AddressRefused), and knows no proxy and no cookie.

    The URL is the asker's business: ``allowed.target`` and ``allow_redirects=False``.
    """

    def socket_to(address: tuple[Any, ...]) -> socket.socket:
        """Make the socket to one resolved address, if it may be: nothing is resolved again behind this."""
        family, kind, protocol, _, place = address
        try:
            allowed.check_address(place[0])
        except DestinationRefused as refused:
            raise AddressRefused(errno.EACCES, str(refused)) from None
        return socket.socket(family, kind, protocol)

    return aiohttp.ClientSession(
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        connector=aiohttp.TCPConnector(
            limit=connections,
            limit_per_host=CONNECTIONS_PER_PLACE_MAX,
            use_dns_cache=False,
            socket_factory=socket_to,
        ),
    )


def reason_of(error: Exception) -> str:
    """Return why a request failed; aiohttp's own words would name an object of this process, or the URL."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"can't connect to {error.host}:{error.port}: {error.os_error.strerror or error.os_error}"
    if isinstance(error, aiohttp.ClientResponseError):
        return "it doesn't answer in HTTP"
    if isinstance(error, aiohttp.ClientOSError):  # of a body that can't be sent its text names the URL
        return os.strerror(error.errno) if error.errno else "the connection broke off"
    return str(error) or type(error).__name__


async def take_at_most(content: aiohttp.StreamReader, size_max: int) -> bytes:
    """Read to the end. Raises :class:`TooLarge`."""
    data = bytearray()
    async for chunk in content.iter_chunked(_CHUNK):
        data += chunk
        if len(data) > size_max:
            raise TooLarge
    return bytes(data)
