"""The manufacturers of ``firmware.manufacturers``: whose roots, CRLs and settings each one's signatures are held to."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509

from gateway.app.ca_files import read_cas
from gateway.app.clock import now
from gateway.app.crl_sources import CrlSources
from gateway.app.problems import StartFailed
from gateway.config import Config
from gateway.config.firmware import Manufacturer
from pki.crl_points import CrlPoints, places_named_by
from pki.destinations import AllowList, Destination
from pki.fetching import GuardedHttp
from pki.firmware import Algorithm, FirmwareRefused, Refusal
from pki.firmware.signature import Scheme
from pki.firmware.signers import SignerTrust
from pki.firmware.verification import FirmwareVerifier
from pki.ocsp.client import OcspClient
from pki.ocsp.source import OcspSource
from pki.revocation import CrlStore


@dataclass
class _Known:
    """What is known about one manufacturer."""

    section: Manufacturer
    crls: CrlStore
    listed: CrlSources
    """Reads ``crls`` of the configuration."""
    looked_at: float = float("-inf")
    """When those were read, by the monotonic clock."""
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)


class Manufacturers:
    """One for the process; to be closed. Files are read anew for each verifier: who replaces a root needn't restart."""

    def __init__(
        self,
        config: Config,
        *,
        clock: Callable[[], datetime] = now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises StartFailed."""
        sections = {} if config.firmware is None else config.firmware.manufacturers
        self._clock = clock
        self._monotonic = monotonic
        self._ocsp = config.ocsp
        self._refresh = config.revocation.refresh
        self._allowed = AllowList((), config.ocsp.networks)
        try:
            self._http = GuardedHttp(self._allowed, timeout=config.ocsp.timeout, roots=config.ocsp.roots)
        except (OSError, ValueError) as error:
            raise StartFailed(f"ocsp.roots: {config.ocsp.roots}: {error}") from None
        self._points = CrlPoints(self._http, clock=clock)
        self._client = OcspClient(self._http, delegates=self._points, clock=clock)
        self._responders = OcspSource(self._client, clock=clock)
        self._known = {name: _known(section, clock) for name, section in sections.items()}
        self._places: dict[str, list[Destination]] = {}
        self._by_vendor = {vendor: name for name, section in sections.items() for vendor in section.vendors or (name,)}

    def __contains__(self, name: object) -> bool:
        """Return whether this is a key of one."""
        return name in self._known

    def of_vendor(self, vendor: str) -> str | None:
        """Return the key of the manufacturer whose stations have this vendorName."""
        return self._by_vendor.get(vendor)

    async def verifier(self, name: str) -> FirmwareVerifier:
        """Return what the signatures of one manufacturer are looked at with. Raises FirmwareRefused."""
        known = self._known.get(name)
        if known is None:
            text = f"there is no manufacturer {name!a}: name it in firmware.manufacturers"
            raise FirmwareRefused(Refusal.MANUFACTURER_UNKNOWN, text)
        section = known.section
        roots = await self._read(f"firmware.manufacturers.{name}.roots", section.roots)
        further = await self._read(f"firmware.manufacturers.{name}.intermediates", section.intermediates)
        if section.revocation != "off":
            self._allow(name, [*roots, *further])
            await self._look(known)
        trust = SignerTrust(
            roots,
            further,
            validity=section.validity,
            revocation=section.revocation,
            sources=(known.crls, self._points, self._responders),
            clock=self._clock,
        )
        algorithms = frozenset(map(Algorithm, section.algorithms))
        return FirmwareVerifier(trust, Scheme(algorithms, section.ecdsa_encoding, section.pss_salt))

    async def close(self) -> None:
        """End what is under way."""
        await self._client.close()
        await self._points.close()
        await self._http.close()

    def _allow(self, name: str, authorities: list[x509.Certificate]) -> None:
        """Let responders and CRLs be asked: where ``ocsp.responders`` says, else where the manufacturers' CAs say."""
        listed = self._ocsp.responders
        self._places[name] = places_named_by(authorities) if listed is None else [*map(Destination.parse, listed)]
        self._allowed.replace(place for places in self._places.values() for place in places)

    async def _look(self, known: _Known) -> None:
        """Read the CRLs of the configuration, unless that was done a moment ago."""
        async with known.looking:
            if self._monotonic() - known.looked_at >= self._refresh:
                await known.listed.refresh_all()
                known.looked_at = self._monotonic()

    async def _read(self, key: str, path: Path | None) -> list[x509.Certificate]:
        if path is None:
            return []
        try:
            return [*await asyncio.to_thread(read_cas, path)]
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise FirmwareRefused(Refusal.CERTIFICATE_UNTRUSTED, f"{key}: {path}: {why}; nobody is trusted") from None


def _known(section: Manufacturer, clock: Callable[[], datetime]) -> _Known:
    crls = CrlStore(clock=clock)
    return _Known(section, crls, CrlSources({}, section.crls, crls))
