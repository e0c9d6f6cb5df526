"""The guarded fetch of what is large: streamed, resumed, redirected only where one may go (attacks B6).

The guard is that of :mod:`pki.fetching`. A redirect is followed, three times at most, when its target is on the list as
well; what it leads to is looked at like the first. What breaks off is taken up where it ended, if the server names the
version of what it gives (RFC 9110 8.8.3, 13.1.5: a strong ETag).
"""

import asyncio
import errno
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urljoin

import aiohttp

from pki.destinations import AllowList, DestinationRefused, Target, split_credentials
from pki.fetching import GuardedClient, reason_of
from pki.firmware import FirmwareRefused, Refusal

CONNECT: Final = 15.0
"""Seconds for a connection, its name and its TLS included."""
STALL: Final = 30.0
"""Seconds in which something has to come."""
TOTAL: Final = 14_400.0
"""Seconds for one download, with all its attempts."""
ATTEMPTS_MAX: Final = 10
"""Of one download; one that comes no further than those before it is the last."""
PAUSE: Final = 1.0
"""Seconds before the second attempt; each time twice as long."""
PAUSE_MAX: Final = 30.0
REDIRECTS_MAX: Final = 3
DOWNLOADS_MAX: Final = 4
"""At once; more wait for their turn."""
WAITING_MAX: Final = 256
"""That are under way or wait for their turn; more are refused at once."""

_CHUNK: Final = 262_144
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_STRONG_ETAG: Final = re.compile(r'"[\x21\x23-\x7e]{1,200}"')
_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15}|\*)")

Progress = Callable[[int, int | None], None]
"""``progress(here, total)``, in bytes; None: the server doesn't say how much it is."""


class Sink(Protocol):
    """What takes the bytes. Its methods raise FirmwareRefused when it can't take them."""

    @property
    def offset(self) -> int:
        """Bytes that are here already."""
        ...

    @property
    def validator(self) -> str | None:
        """The ETag of the version that these bytes are of; None: they can't be resumed."""
        ...

    async def restart(self, validator: str | None) -> None:
        """Drop what is here; what comes now is of this version."""
        ...

    async def expect(self, size: int) -> None:
        """Look whether so many bytes fit, those that are here included."""
        ...

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        ...


class GuardedDownloads(GuardedClient):
    """Fetches what is large."""

    def __init__(
        self,
        allowed: AllowList,
        *,
        listed_in: str,
        roots: Path | None = None,
        stall: float = STALL,
        total: float = TOTAL,
        pause: float = PAUSE,
    ) -> None:
        """``listed_in``: what a person is told to look at where a place is refused, such as the keys of the list.

        ``roots``: the only trust anchors of https servers (PEM); None: the machine's. Raises OSError, ValueError.
        """
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT, sock_connect=CONNECT, sock_read=stall)
        super().__init__(allowed, timeout, roots=roots, connections=DOWNLOADS_MAX)
        self._listed_in = listed_in
        self._stall = stall
        self._total = total
        self._pause = pause
        self._turns = asyncio.Semaphore(DOWNLOADS_MAX)
        self._waiting = 0

    def check(self, url: str) -> None:
        """Return when this URL is on the list. Raises FirmwareRefused (SOURCE_NOT_ALLOWED)."""
        self._target(split_credentials(url)[0])

    async def download(self, url: str, sink: Sink, *, progress: Progress = lambda _, __: None) -> None:
        """Bring all of ``url`` to ``sink``, from where that stands on.

        A user and a password in the URL are given to that very server, and to none that it redirects to. Raises
        FirmwareRefused: SOURCE_NOT_ALLOWED, FETCH_FAILED, and what the sink raises. No text of these has more of a URL
        than its scheme, host and port.
        """
        bare, credentials = split_credentials(url)
        target = self._target(bare)
        source = _Source(target, _basic(credentials))
        async with self._turn():
            try:
                async with asyncio.timeout(self._total):
                    await self._attempts(source, sink, progress)
            except TimeoutError:
                raise _failed(f"it wasn't here within {self._total:g} s") from None

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._waiting >= WAITING_MAX:
            raise _failed(f"{WAITING_MAX} downloads are under way already; try again later")
        self._waiting += 1
        try:
            async with self._turns:
                yield
        finally:
            self._waiting -= 1

    async def _attempts(self, source: "_Source", sink: Sink, progress: Progress) -> None:
        furthest, pause = sink.offset, self._pause
        for left in reversed(range(ATTEMPTS_MAX)):
            try:
                return await self._attempt(source, sink, progress)
            except _VersionGone:
                await sink.restart(None)
                furthest = 0
            except _BrokenOff as broken:
                if not left or sink.offset <= furthest:
                    raise _failed(str(broken)) from None
                furthest = sink.offset
                await asyncio.sleep(pause)
                pause = min(2 * pause, PAUSE_MAX)
        raise _failed("it is another version each time; try again later")

    async def _attempt(self, source: "_Source", sink: Sink, progress: Progress) -> None:
        if sink.offset and sink.validator is None:
            await sink.restart(None)
        try:
            await self._follow(source, sink, progress)
        except TimeoutError:
            raise _BrokenOff(f"nothing came for {self._stall:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
            if isinstance(cause, OSError) and cause.errno == errno.EACCES:  # AddressRefused, of one address or of all
                raise self._refused(str(cause.strerror)) from None
            raise _BrokenOff(reason_of(error)) from None

    async def _follow(self, source: "_Source", sink: Sink, progress: Progress) -> None:
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if sink.offset and sink.validator is not None:
            headers |= {"Range": f"bytes={sink.offset}-", "If-Range": sink.validator}
        target = source.target
        for _ in range(REDIRECTS_MAX + 1):
            own = source.headers if _origin(target) == _origin(source.target) else {}
            async with self.session.get(
                str(target), headers=headers | own, allow_redirects=False, ssl=self.tls
            ) as response:
                if response.status not in _REDIRECTS:
                    return await _take(response, sink, progress)
                target = self._redirected(target, response.headers.get("Location", ""))
        raise _failed(f"it redirects more than {REDIRECTS_MAX} times")

    def _redirected(self, here: Target, location: str) -> Target:
        try:
            target = self.allowed.target(urljoin(str(here), location))
        except DestinationRefused as refused:
            raise self._refused(f"it redirects elsewhere: {refused}") from None
        except ValueError:
            raise _failed("it redirects to what isn't a URL") from None
        if here.scheme == "https" and target.scheme != "https":
            raise self._refused("it redirects from https to http")
        return target

    def _target(self, url: str) -> Target:
        try:
            return self.allowed.target(url)
        except DestinationRefused as refused:
            raise self._refused(str(refused)) from None

    def _refused(self, text: str) -> FirmwareRefused:
        return FirmwareRefused(Refusal.SOURCE_NOT_ALLOWED, f"{text} ({self._listed_in})")


class _Source:
    """Where a download begins."""

    def __init__(self, target: Target, headers: dict[str, str]) -> None:
        self.target = target
        self.headers = headers
        """For this server alone."""


class _BrokenOff(Exception):
    """It ended before its end; another attempt may go on."""


class _VersionGone(Exception):
    """What is here can't be gone on with: the server has another version now, or doesn't do it."""


async def _take(response: aiohttp.ClientResponse, sink: Sink, progress: Progress) -> None:
    """Take the body of an answer that is no redirect."""
    if "Content-Encoding" in response.headers:
        raise _failed("it answered with an encoded body, which nobody has asked for")
    if response.status == 206 and sink.offset:
        total = _resumed(response, sink)
    elif response.status == 416 and sink.offset:
        raise _VersionGone
    elif response.status == 200:
        await sink.restart(_version(response))
        total = response.content_length
    else:
        raise _failed(f"it answered {response.status}")
    if total is not None:
        await sink.expect(total)
    async for chunk in response.content.iter_chunked(_CHUNK):
        await sink.write(chunk)
        progress(sink.offset, total)
    if total is None or sink.offset == total:
        return
    if sink.offset > total:
        await sink.restart(None)
        raise _failed(f"it sends more than the {total} bytes that it has announced")
    raise _BrokenOff(f"it ended after {sink.offset} of {total} bytes")


def _resumed(response: aiohttp.ClientResponse, sink: Sink) -> int | None:
    """Return how much it is in all, if the answer goes on where the sink stands. Raises _VersionGone."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if found is None or int(found[1]) != sink.offset or _version(response) not in {None, sink.validator}:
        raise _VersionGone
    return None if found[3] == "*" else int(found[3])


def _version(response: aiohttp.ClientResponse) -> str | None:
    etag = response.headers.get("ETag", "")
    return etag if _STRONG_ETAG.fullmatch(etag) else None


def _basic(credentials: tuple[str, str] | None) -> dict[str, str]:
    if credentials is None:
        return {}
    return {"Authorization": f"Basic {b64encode(':'.join(credentials).encode()).decode()}"}


def _origin(target: Target) -> tuple[str, str, int]:
    return target.scheme, target.host, target.port


def _failed(text: str) -> FirmwareRefused:
    return FirmwareRefused(Refusal.FETCH_FAILED, text)
