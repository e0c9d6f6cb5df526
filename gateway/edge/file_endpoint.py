"""Files for stations over HTTP: images are loaded, logs are taken, under links that nobody can guess.

Whatever isn't a good link is answered alike, whether it was one, is another station's, or never was. Each connection
carries one request.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

import structlog
from aiohttp import HttpVersion11, hdrs, web

from gateway.edge.byte_ranges import ByteRange, Unsatisfiable, byte_range
from gateway.edge.checked_images import CheckedImages, ImageChanged, OpenImage
from gateway.edge.file_targets import Target, target_of
from gateway.edge.log_bodies import STALL, BrokenBody, LogBody
from gateway.edge.throttle import Lane, Lanes, TooMany
from gateway.session.file_links import FileLink, Images, LinkKind, Upload, UploadRefusal, UploadRefused, Uploads
from gateway.session.ports import StoreAway

TRANSFER_MAX: Final = 21_600.0
"""Seconds that one transfer may take; what is left of an image is loaded by the next request (Range)."""
TRANSFERS_OF_STATION: Final = 4
"""Transfers of one station at once."""
TRANSFERS_OF_ADDRESS: Final = 64
"""The same of one address, under links that are published for all: there may be a site behind it."""
ASKED_AGAIN_EVERY: Final = 10.0
"""Seconds between two looks whether a link is still good while it is loaded from: what is withdrawn goes no further."""
RETRY_AFTER: Final = 30
"""Seconds after which who was told to wait may come again."""
LOOKUPS_AT_ONCE: Final = 16
"""Links that are looked for at the same time; strangers can make no more work than this."""

_METHODS: Final[Mapping[LinkKind, frozenset[str]]] = {
    LinkKind.DOWNLOAD: frozenset({"GET", "HEAD"}),
    LinkKind.UPLOAD: frozenset({"PUT", "POST"}),
}
_REFUSED: Final = {
    UploadRefusal.CLOSED: 404,
    UploadRefusal.BUSY: 409,
    UploadRefusal.TOO_LARGE: 413,
    UploadRefusal.NO_SPACE: 507,
}
_SENT: Final = {
    hdrs.CONTENT_TYPE: "application/octet-stream",
    hdrs.ACCEPT_RANGES: "bytes",
    hdrs.CACHE_CONTROL: "private, no-store",
    "X-Content-Type-Options": "nosniff",
}

Find = Callable[[str, LinkKind], Awaitable[FileLink | None]]
Count = Callable[[str, str, int], None]
"""``count(what, outcome, octets)`` counts a request that is over: ``download``, ``upload`` or ``unknown``."""

Result = TypeVar("Result")

log = structlog.get_logger(__name__)


class _LinkOver(Exception):
    """The link that is loaded from isn't good any more."""


class FileEndpoint:
    """Answers the requests of one endpoint; all of it runs on that endpoint's event loop."""

    def __init__(self, find: Find, images: Images | None, uploads: Uploads | None, lanes: Lanes, count: Count) -> None:
        """``find`` raises StoreAway. Without ``images`` nothing is served, without ``uploads`` no log is taken."""
        self._find = find
        self._images = CheckedImages(images) if images is not None else None
        self._uploads = uploads
        self._lanes = lanes
        self._count = count
        self._lookups = asyncio.Semaphore(LOOKUPS_AT_ONCE)
        self.in_hand: Final[set[asyncio.BaseTransport]] = set()
        """The connections that have shown a good link."""
        self._published: Final[Counter[int]] = Counter()
        """How often each image is just being loaded under links that are for all."""

    def is_loaded(self, image_id: int) -> bool:
        """Return whether stations are just loading an image under a link that is for all. For any thread."""
        return self._published[image_id] > 0

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; nothing but ConnectionError and a cancellation comes out of it."""
        transport = request.transport
        try:
            async with asyncio.timeout(TRANSFER_MAX):
                return await self._answer(request)
        except StoreAway as away:
            log.error("file_links_unavailable", reason=str(away))  # noqa: TRY400 - the text says it all
            self._count("unknown", "unavailable", 0)
            return _plain(503, later=True)
        except (TimeoutError, ConnectionError):
            if transport is not None:
                transport.abort()  # nothing more can be said to who doesn't read or write
            raise ConnectionResetError from None
        except Exception:
            log.exception("file_request_failed", method=request.method)
            return _plain(500)
        finally:
            if transport is not None:
                self.in_hand.discard(transport)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        target = target_of(request.raw_path)
        link = await self._link(request, target) if target is not None else None
        if target is None or link is None:
            self._count("unknown", "not_found", 0)
            return _plain(404)
        if request.transport is not None:
            self.in_hand.add(request.transport)
        if link.identity is not None:
            holder, most = f"station {link.identity}", TRANSFERS_OF_STATION
        else:
            holder, most = f"address {request.remote}", TRANSFERS_OF_ADDRESS
        try:
            with self._lanes.lane(holder, most) as lane:
                if link.kind is LinkKind.DOWNLOAD:
                    return await self._download(request, link, target, lane)
                return await self._take(request, link, target, lane)
        except TooMany:
            self._count(link.kind.value, "too_many", 0)
            return _plain(429, later=True)

    async def _link(self, request: web.BaseRequest, target: Target) -> FileLink | None:
        if request.method not in _METHODS[target.kind]:
            return None
        async with self._lookups:
            return await self._find(target.secret, target.kind)

    # --- images

    async def _download(
        self, request: web.BaseRequest, link: FileLink, target: Target, lane: Lane
    ) -> web.StreamResponse:
        image = None
        if self._images is not None and link.sha256 is not None:
            image = await self._images.open(link.sha256)
        if image is None:
            self._count("download", "failed", 0)
            return _plain(404)
        with image, self._noted(link):
            headers = {**_SENT, hdrs.ETAG: f'"{link.sha256}"'}
            try:
                part = byte_range(_asked(request, headers[hdrs.ETAG]), image.size)
            except Unsatisfiable:
                self._count("download", "unsatisfiable", 0)
                return _plain(416, {**headers, hdrs.CONTENT_RANGE: f"bytes */{image.size}"})
            if part is not None:
                headers[hdrs.CONTENT_RANGE] = f"bytes {part.first}-{part.last}/{image.size}"
            response = web.StreamResponse(status=200 if part is None else 206, headers=headers)
            part = part or ByteRange(0, image.size - 1)
            response.content_length = part.length
            response.force_close()
            await response.prepare(request)
            if request.method == hdrs.METH_HEAD:
                self._count("download", "head", 0)
                return response
            await self._send(response, image, part, link, self._pieces(image, part, target, lane))
            return response

    @contextmanager
    def _noted(self, link: FileLink) -> Iterator[None]:
        """Note that an image is being loaded, if it is published."""
        if link.identity is not None or link.image_id is None:
            yield
            return
        self._published[link.image_id] += 1
        try:
            yield
        finally:
            self._published[link.image_id] -= 1
            if not self._published[link.image_id]:
                del self._published[link.image_id]

    async def _send(
        self,
        response: web.StreamResponse,
        image: OpenImage,
        part: ByteRange,
        link: FileLink,
        pieces: AsyncIterator[bytes],
    ) -> None:
        octets, outcome = 0, "broken_off"
        try:
            async for piece in pieces:
                async with asyncio.timeout(STALL):
                    await response.write(piece)
                octets += len(piece)
            outcome = "done"
        except _LinkOver:
            outcome = "link_over"
            raise ConnectionResetError from None
        except ImageChanged:
            outcome = "failed"
            log.error("image_changed_on_disk", sha256=link.sha256, advice="remove it and add it again")  # noqa: TRY400 - the text says it
            raise ConnectionResetError from None
        finally:
            self._count("download", outcome, octets)
            log.info(
                "firmware_loaded" if outcome == "done" else "firmware_load_ended",
                **_named(link),
                outcome=outcome,
                first=part.first,
                octets=octets,
                size=image.size,
            )

    async def _pieces(self, image: OpenImage, part: ByteRange, target: Target, lane: Lane) -> AsyncIterator[bytes]:
        """Yield the part when it may pass. Raises ImageChanged, and _LinkOver when the link has ended meanwhile."""
        clock = asyncio.get_running_loop().time
        at, asked = part.first, clock()
        while at <= part.last:
            if clock() >= asked + ASKED_AGAIN_EVERY:
                asked = clock()
                await self._check(target)
            piece = await image.read(at, min(self._lanes.chunk, part.last + 1 - at))
            await lane.take(len(piece))
            yield piece
            at += len(piece)

    async def _check(self, target: Target) -> None:
        """Return while the link is good, or nobody knows. Raises _LinkOver."""
        with suppress(StoreAway):
            if await self._find(target.secret, target.kind) is None:
                raise _LinkOver

    # --- logs

    async def _take(self, request: web.BaseRequest, link: FileLink, target: Target, lane: Lane) -> web.StreamResponse:
        if self._uploads is None or link.log_id is None or link.identity is None:
            return _plain(404)
        if hdrs.CONTENT_RANGE in request.headers:  # RFC 9110 14.4
            return _plain(400)
        if not {hdrs.CONTENT_LENGTH, hdrs.TRANSFER_ENCODING} & request.headers.keys():
            return _plain(411)  # nothing would come of it, and a log of nothing would be all that is ever taken
        octets, outcome, taken = 0, "broken_off", _Taken()
        try:
            body = LogBody(request)
            if body.is_form:
                _go_on(request)
                await body.begin()
            begun = self._uploads.begin(link.log_id, link.identity, body.name or target.name, body.length)
            upload = await _to_its_end(taken.begin(begun))
            if not body.is_form:  # who isn't to send it is spared to
                _go_on(request)
            async for piece in body.pieces():
                await lane.take(len(piece))
                await _to_its_end(upload.write(piece))
                octets += len(piece)
            await _to_its_end(taken.finish(upload))
            return _plain(201)
        except UploadRefused as refused:
            outcome = refused.refusal.value
            log.warning("log_refused", **_named(link), reason=str(refused))
            return _plain(_REFUSED[refused.refusal], later=refused.refusal is UploadRefusal.BUSY)
        except BrokenBody as broken:
            outcome = "malformed"
            log.warning("log_malformed", **_named(link), reason=str(broken))
            return _plain(400)
        finally:
            if taken.open is not None:
                with suppress(StoreAway):
                    await taken.open.abort(f"the upload ended early ({outcome})")
            outcome = "done" if taken.is_done else outcome
            self._count("upload", outcome, octets)
            log.info("log_uploaded" if outcome == "done" else "log_upload_ended", **_named(link), octets=octets)


class _Taken:
    """What has become of an upload, whether or not somebody has waited to hear it."""

    def __init__(self) -> None:
        self.open: Upload | None = None
        """The one that is to be aborted if it goes no further."""
        self.is_done = False

    async def begin(self, begun: Awaitable[Upload]) -> Upload:
        self.open = await begun
        return self.open

    async def finish(self, upload: Upload) -> None:
        self.open = None
        await upload.finish()
        self.is_done = True


async def _to_its_end(work: Coroutine[Any, Any, Result]) -> Result:
    """Return what ``work`` returns. It isn't left half done by who leaves: the cancellation waits for its end."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def _asked(request: web.BaseRequest, tag: str) -> str | None:
    """Return ``Range``, where it counts: with an If-Range that isn't this file's tag it doesn't (RFC 9110 13.1.5)."""
    condition = request.headers.get(hdrs.IF_RANGE)
    return request.headers.get(hdrs.RANGE) if condition is None or condition.strip() == tag else None


def _go_on(request: web.BaseRequest) -> None:
    """Tell a station that waits for it to send its body (RFC 9110 10.1.1)."""
    expected = request.headers.get(hdrs.EXPECT, "")
    if expected.lower() == "100-continue" and request.version >= HttpVersion11 and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _plain(status: int, headers: Mapping[str, str] | None = None, *, later: bool = False) -> web.Response:
    """A whole answer, after which the connection ends."""
    response = web.Response(status=status, headers=headers)
    if later:
        response.headers[hdrs.RETRY_AFTER] = str(RETRY_AFTER)
    response.force_close()
    return response


def _named(link: FileLink) -> dict[str, object]:
    named = {"identity": link.identity, "image": link.image_id, "update": link.update_id, "log": link.log_id}
    return {name: value for name, value in named.items() if value is not None}
