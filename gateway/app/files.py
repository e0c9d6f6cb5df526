"""The file endpoint, put together: its certificates, its thread, and where images and logs come from and go."""

import asyncio
import functools
import ssl
from collections.abc import Sequence
from typing import Final

import structlog

from gateway.app.listeners import certificate_files
from gateway.app.loop_threads import LoopThread, on_loop
from gateway.app.problems import StartFailed
from gateway.config import Config, ListenerTls
from gateway.config.firmware import Files
from gateway.config.secrets import SecretError
from gateway.edge.file_endpoint import FileEndpoint
from gateway.edge.file_server import FileServer
from gateway.edge.listener_tls import ListenerTls as TlsContexts
from gateway.edge.throttle import Lanes
from gateway.edge.tls import TlsRejected
from gateway.services.looking import look_once
from gateway.session.file_links import FileLink, Images, LinkKind, Upload, Uploads
from gateway.session.tally import Tally
from gateway.store.file_links import FileLinks

CERTIFICATES_POLL: Final = 2.0
"""Seconds between two looks at the certificates."""
SWEEP_EVERY: Final = 1_800
"""So many of them are between two looks for links that are over: an hour."""
GRACE: Final = 2.0
"""Seconds that transfers have when the gateway stops: a station goes on with what it lacks (Range)."""
FAILED: Final = "files_following_failed"

log = structlog.get_logger(__name__)


class FilesEndpoint:
    """The endpoint of ``files``. It has a thread and an event loop of its own: docs/decisions/0019-files.md."""

    def __init__(
        self,
        config: Config,
        files: Files,
        links: FileLinks,
        images: Images | None,
        uploads: Uploads | None,
        tally: Tally,
    ) -> None:
        """Build it on the running loop, on which the store, ``images`` and ``uploads`` are used. Raises StartFailed."""
        self._config = files
        self._links = links
        self._tally = tally
        self._home = asyncio.get_running_loop()
        self._images = images
        self._uploads = uploads
        self._contexts = None if files.plain else _contexts(config, files)
        self._complaint = ""
        """Why the last look at the certificates was in vain; empty when it wasn't."""
        self._thread = LoopThread("files")
        self._server: FileServer | None = None
        self._endpoint: FileEndpoint | None = None

    @property
    def connections(self) -> int:
        """Return how many connections there are."""
        return self._server.connections if self._server is not None else 0

    def is_loaded(self, image_id: int) -> bool:
        """Return whether stations are just loading an image that is published for all."""
        return self._endpoint is not None and self._endpoint.is_loaded(image_id)

    async def start(self) -> Sequence[str]:
        """Listen, and return a line for each address. Raises StartFailed."""
        await self._thread.start()
        bind = self._config.bind
        try:
            self._server = await self._thread.call(self._open)
        except OSError as error:
            await self._thread.close()
            raise StartFailed(f"files.bind: cannot listen on {bind}: {error.strerror}") from None
        scheme = "http" if self._config.plain else "https"
        return [
            f"listening {scheme}://{f'[{host}]' if ':' in host else host}:{port} files"
            for host, port in self._server.addresses
        ]

    async def run(self) -> None:
        """Follow the certificates and sweep the links, for ever."""
        while True:
            await look_once(self._sweep, FAILED, what="links")
            for _ in range(SWEEP_EVERY):
                await asyncio.sleep(CERTIFICATES_POLL)
                await look_once(self.reload, FAILED, what="certificates")

    async def reload(self) -> None:
        """Look at certificates and keys again; what is wrong is logged once, and the last good ones stay."""
        if self._contexts is None:
            return
        complaint = ""
        try:
            if await asyncio.to_thread(self._contexts.reload):
                log.info("certificates_reloaded", listener="files")
        except (TlsRejected, SecretError) as error:
            complaint = str(error)
            if complaint != self._complaint:
                log.error("certificates_not_reloaded", listener="files", reason=complaint)  # noqa: TRY400 - the text says it
        self._complaint = complaint

    async def close(self) -> None:
        """End all transfers."""
        server, self._server = self._server, None
        if server is not None:
            await self._thread.call(functools.partial(server.close, GRACE))
            await self._thread.close()

    async def _sweep(self) -> None:
        await self._links.sweep()

    async def _open(self) -> FileServer:
        files = self._config
        self._endpoint = FileEndpoint(
            self._find,
            self._images,
            _UploadsElsewhere(self._home, self._uploads) if self._uploads is not None else None,
            Lanes(files.rate, files.station_rate),
            self._count,
        )
        server = FileServer(
            self._endpoint,
            connections=files.connections,
            tls=self._context if self._contexts is not None else None,
            networks=files.trusted_networks,
        )
        await server.start(files.bind.host, files.bind.port)
        return server

    def _context(self) -> ssl.SSLContext:
        """Return the context of the moment, which changes to the one of the name that is asked for (SNI)."""
        assert self._contexts is not None  # noqa: S101 - called only where there is TLS
        context = self._contexts.context(None)
        context.sni_callback = self._named
        return context

    def _named(self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if self._contexts is not None:
            connection.context = self._contexts.context(name.lower() if name is not None else None)

    async def _find(self, secret: str, kind: LinkKind) -> FileLink | None:
        return await on_loop(self._home, self._links.find(secret, kind))

    def _count(self, what: str, outcome: str, octets: int) -> None:
        self._home.call_soon_threadsafe(self._tally.file_moved, what, outcome, octets)


class _UploadsElsewhere:
    """Uploads, begun from the endpoint's thread."""

    def __init__(self, home: asyncio.AbstractEventLoop, uploads: Uploads) -> None:
        self._home = home
        self._uploads = uploads

    async def begin(self, log_id: int, identity: str, name: str | None, length: int | None) -> Upload:
        begun = await on_loop(self._home, self._uploads.begin(log_id, identity, name, length))
        return _UploadElsewhere(self._home, begun)


class _UploadElsewhere:
    def __init__(self, home: asyncio.AbstractEventLoop, upload: Upload) -> None:
        self._home = home
        self._upload = upload

    async def write(self, chunk: bytes) -> None:
        await on_loop(self._home, self._upload.write(chunk))

    async def finish(self) -> None:
        await on_loop(self._home, self._upload.finish())

    async def abort(self, reason: str) -> None:
        await on_loop(self._home, self._upload.abort(reason))


def _contexts(config: Config, files: Files) -> TlsContexts:
    """Return the contexts with the certificates of a listener. Raises StartFailed."""
    index, tls = shown_by(config, files)
    try:
        return TlsContexts(functools.partial(certificate_files, tls), [], static_rsa=tls.static_rsa)
    except (TlsRejected, SecretError) as error:
        raise StartFailed(f"files: listeners[{index}].tls: {error}") from None


def shown_by(config: Config, files: Files) -> tuple[int, ListenerTls]:
    """Return the listener whose certificates the endpoint shows: its index and its TLS. Raises StartFailed."""
    wanted = range(len(config.listeners)) if files.listener is None else [files.listener]
    for index in wanted:
        if index < len(config.listeners) and (tls := config.listeners[index].tls) is not None:
            return index, tls
    raise StartFailed("files.listener: there is no such listener with TLS; name one, or set files.plain")
