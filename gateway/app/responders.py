"""OCSP, put together: who is asked, about what, and by which CA certificates the answers are verified."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

import structlog
from cryptography import x509

from gateway.app.clock import now
from gateway.app.listeners import roots_of_stations
from gateway.app.problems import StartFailed
from gateway.config import Config
from gateway.config.revocation import BY_CERTIFICATE
from pki.certificate_hash import CertificateHash
from pki.destinations import AllowList, Destination, DestinationRefused, Target
from pki.fetching import GuardedHttp
from pki.ocsp.client import OcspClient
from pki.ocsp.issuers import Issuers, responders_of
from pki.ocsp.source import OcspSource
from pki.revocation import RevocationSource

ISSUERS_AGAIN_AFTER: Final = 30.0
"""Seconds before the CA certificates are looked at again for one that wasn't among them."""

log = structlog.get_logger(__name__)


class Responders:
    """The OCSP client of one gateway."""

    def __init__(
        self,
        config: Config,
        authorities: Callable[[], Awaitable[list[x509.Certificate]]],
        delegates: RevocationSource | None = None,
    ) -> None:
        """``authorities`` gives the CA certificates of the authorities that answer. Raises StartFailed."""
        self._config = config
        self._authorities = authorities
        self._issuers = Issuers()
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()
        self._allowed = AllowList(self._places(()), config.ocsp.networks)
        try:
            self._http = GuardedHttp(self._allowed, timeout=config.ocsp.timeout, roots=config.ocsp.roots)
        except (OSError, ValueError) as error:
            raise StartFailed(f"ocsp.roots: {config.ocsp.roots}: {error}") from None
        self.client = OcspClient(self._http, delegates=delegates, clock=now)

    @property
    def source(self) -> OcspSource | None:
        """What the door asks, where the configuration wants that."""
        revocation = self._config.revocation
        if revocation.ocsp is None:
            return None
        fixed = None if revocation.ocsp == BY_CERTIFICATE else revocation.ocsp
        return OcspSource(self.client, responder=fixed, refresh=timedelta(seconds=revocation.ocsp_refresh), clock=now)

    async def find(self, certificate: CertificateHash) -> x509.Certificate | None:
        """Return the CA that issued a certificate: a root (of contracts too), one of ``ocsp.issuers``, an authority's.

        What isn't known is looked for again, as an authority may have been away, or a file replaced.
        """
        found = self._issuers.find(certificate)
        if found is None:
            await self.look()
            found = self._issuers.find(certificate)
        return found

    async def look(self) -> Sequence[x509.Certificate]:
        """Look at all CA certificates again, unless that was done a moment ago, and return them."""
        async with self._looking:
            loop_time = asyncio.get_running_loop().time()
            if loop_time - self._looked_at < ISSUERS_AGAIN_AFTER:
                return self._issuers.certificates
            known = [*await asyncio.to_thread(self._on_disk), *await self._authorities()]
            await asyncio.to_thread(self._issuers.replace, known)
            self._allowed.replace(self._places(self._issuers.certificates))
            self._looked_at = asyncio.get_running_loop().time()
            return self._issuers.certificates

    async def close(self) -> None:
        """End what is under way."""
        await self.client.close()
        await self._http.close()

    def _on_disk(self) -> list[x509.Certificate]:
        found = roots_of_stations(self._config)
        declared = (entry.file for entry in self._config.trust_anchors if not entry.remove)
        vehicles = self._config.plug_and_charge
        contracts = () if vehicles is None or vehicles.mo_roots is None else (vehicles.mo_roots,)
        for path in dict.fromkeys((*self._config.ocsp.issuers, *declared, *contracts)):
            try:
                found += x509.load_pem_x509_certificates(path.read_bytes())
            except (OSError, ValueError) as error:
                log.error("ocsp_issuers_unreadable", path=str(path), reason=str(error))  # noqa: TRY400 - it says it all
        return found

    def _places(self, authorities: tuple[x509.Certificate, ...]) -> list[Destination]:
        """Return where responders may be: as configured, or where the operator's own CA certificates say that they are.

        The URL of ``revocation.ocsp`` is always one.
        """
        fixed = self._config.revocation.ocsp
        places = [] if fixed in {None, BY_CERTIFICATE} else [Destination.parse(str(fixed))]
        listed = self._config.ocsp.responders
        if listed is not None:
            return [*places, *map(Destination.parse, listed)]
        return [*places, *(place for ca in authorities for url in responders_of(ca) if (place := _host_of(url)))]


def _host_of(url: str) -> Destination | None:
    try:
        target = Target.parse(url)
    except DestinationRefused:
        return None
    return Destination(target.host, target.port, target.scheme)
