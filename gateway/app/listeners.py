"""The station listeners of one gateway: built from the configuration, reloaded while they run."""

import asyncio
import functools
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
from cryptography import x509

from gateway.app.clock import now
from gateway.app.problems import StartFailed
from gateway.app.revocations import Revocations
from gateway.app.secret_files import readable_path
from gateway.config import Config, Listener, ListenerTls
from gateway.config.secrets import SecretError
from gateway.edge.connection_refusals import ConnectionRefusals
from gateway.edge.door import Door, EntryRules
from gateway.edge.failures import Failures
from gateway.edge.listener_tls import ListenerTls as TlsContexts
from gateway.edge.listener_tls import Pairs
from gateway.edge.station_certificates import OtherOwner, StationCertificateCheck
from gateway.edge.tls import TlsRejected
from gateway.transport import HandshakePool, Limits
from gateway.transport import Listener as TransportListener
from gateway.wire.versions import Version
from pki.pair_folder import PairFolder, PairUnusable
from pki.paths import StationChainVerifier, load_roots

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all listeners share."""

    config: Config
    door: Door
    failures: Failures
    refusals: ConnectionRefusals
    revocations: Revocations
    other_owner: OtherOwner
    limits: Limits
    pool: HandshakePool


class StationListener:
    """One configured listener."""

    def __init__(self, place: str, listener: Listener, around: Surroundings) -> None:
        """``place`` names it in errors: ``listeners[0]``. Raises StartFailed."""
        self.config = listener
        self._place = place
        self._around = around
        self._contexts = self._tls_contexts(listener.tls) if listener.tls is not None else None
        self._trusted = b""
        """The digest of the roots that stations are checked against."""
        self._complaint = ""
        """Why the last look at the files was in vain; empty when it wasn't."""
        self.check = self._certificate_check(listener.tls) if listener.tls is not None else None
        self.transport = TransportListener(
            host=listener.bind.host,
            port=listener.bind.port,
            admit=functools.partial(around.door.admit, self._rules()),
            limits=around.limits,
            tls=self._contexts.context if self._contexts is not None else None,
            pool=around.pool,
            observe=around.refusals.refused,
            load_balancers=listener.load_balancers,
            screen=around.failures.screen,
        )

    def tolerate_expiry(self, *, tolerate: bool) -> None:
        """Let expired certificates through the handshake or not: the application decides about each (A00.FR.429)."""
        if self._contexts is not None:
            self._contexts.tolerate_expiry = tolerate

    @property
    def chains(self) -> tuple[tuple[x509.Certificate, ...], ...]:
        """The certificates that stations are shown now, each with its CAs behind it."""
        return self._contexts.chains if self._contexts is not None else ()

    async def reload(self) -> None:
        """Look at the certificates, keys and roots again; what is wrong is logged once, and the last good ones stay."""
        if self._contexts is None or self.config.tls is None:
            return
        complaint = ""
        try:
            if await asyncio.to_thread(self._reload, self._contexts, self.config.tls):
                log.info("certificates_reloaded", listener=str(self.config.bind))
        except (TlsRejected, SecretError, StartFailed) as error:
            complaint = str(error)
            if complaint != self._complaint:
                log.error("certificates_not_reloaded", listener=str(self.config.bind), reason=complaint)  # noqa: TRY400 - the text says it
        self._complaint = complaint

    def _reload(self, contexts: TlsContexts, tls: ListenerTls) -> bool:
        """Take over what has changed, and say whether anything has: all of it, or nothing. Raises as it is read."""
        if self.check is None:
            return contexts.reload()
        trusted, operator, factory = self._trust(tls)
        has_changed = contexts.reload()
        if trusted != self._trusted:
            self.check.trust(operator, factory)
            self._trusted = trusted
            return True
        return has_changed

    def _rules(self) -> EntryRules:
        config, listener = self._around.config, self.config
        return EntryRules(
            name=str(listener.bind),
            path=listener.path,
            profiles=frozenset(listener.security_profiles),
            versions=tuple(Version(name) for name in listener.protocols),
            networks=listener.trusted_networks,
            hosts=frozenset(listener.hosts),
            origins=frozenset(listener.origins),
            certificates=self.check,
            no_common_subprotocol=config.no_common_subprotocol,
            unknown_status=config.unknown_station,
        )

    def _tls_contexts(self, tls: ListenerTls) -> TlsContexts:
        roots = [path for path in (tls.station_roots, tls.factory_roots) if path is not None]
        try:
            return TlsContexts(functools.partial(certificate_files, tls), roots, static_rsa=tls.static_rsa)
        except (TlsRejected, SecretError) as error:
            raise StartFailed(f"{self._place}.tls: {error}") from None

    def _certificate_check(self, tls: ListenerTls) -> StationCertificateCheck | None:
        if tls.station_roots is None:
            return None
        config, revocations = self._around.config, self._around.revocations
        self._trusted, operator, factory = self._trust(tls)
        return StationCertificateCheck(
            operator=operator,
            organizations=frozenset({config.operator, *config.allowed_organizations}),
            factory=factory,
            revocation=revocations.consulted,
            # Where the operator names no CRL and no responder, nobody is expected to know.
            when_unknown=config.revocation.when_unknown if config.revocation.is_asked_for else "accept",
            revoked_here=revocations.was_revoked_here,
            other_owner=self._around.other_owner,
            clock=now,
        )

    def _trust(self, tls: ListenerTls) -> tuple[bytes, StationChainVerifier, StationChainVerifier | None]:
        """Read the roots: their digest, the operator's verifier and the manufacturers'. Raises StartFailed."""
        if tls.station_roots is None:
            raise StartFailed(f"{self._place}.tls.station_roots is missing")
        digest, operator = self._verifier("station_roots", tls.station_roots)
        if tls.factory_roots is None:
            return digest, operator, None
        further, factory = self._verifier("factory_roots", tls.factory_roots)
        return digest + further, operator, factory

    def _verifier(self, key: str, path: Path) -> tuple[bytes, StationChainVerifier]:
        try:
            content = path.read_bytes()
            return hashlib.sha256(content).digest(), StationChainVerifier(content, clock=now)
        except OSError as error:
            raise StartFailed(f"{self._place}.tls.{key}: {path}: {error.strerror}") from None
        except ValueError as error:
            raise StartFailed(f"{self._place}.tls.{key}: {path} {error}") from None


def station_listeners(around: Surroundings) -> Sequence[StationListener]:
    """Build all configured listeners. Raises StartFailed."""
    return [
        StationListener(f"listeners[{index}]", listener, around)
        for index, listener in enumerate(around.config.listeners)
    ]


def roots_of_stations(config: Config) -> list[x509.Certificate]:
    """Return the roots that any listener trusts; what can't be read is named when its listener is built."""
    files = {
        path
        for listener in config.listeners
        if listener.tls is not None
        for path in (listener.tls.station_roots, listener.tls.factory_roots)
        if path is not None
    }
    found = []
    for path in sorted(files):
        with suppress(OSError, ValueError):
            found += load_roots(path.read_bytes())
    return found


@contextmanager
def certificate_files(tls: ListenerTls) -> Iterator[Pairs]:
    """Give the chains and keys as files; keys that are no files lie in memory meanwhile. Raises TlsRejected."""
    if tls.issued is not None:
        try:
            with PairFolder(tls.issued.dir).held(now()) as pairs:
                yield [(each.path, each.path) for each in pairs]
        except PairUnusable as error:
            raise TlsRejected(f"certificate {error}") from None
        except OSError as error:
            raise TlsRejected(f"certificates {tls.issued.dir}: {error.strerror}") from None
        return
    with ExitStack() as keys:
        yield [(each.chain, keys.enter_context(readable_path(each.key))) for each in tls.certificates]
