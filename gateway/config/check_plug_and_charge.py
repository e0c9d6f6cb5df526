"""What ``plug_and_charge`` points to: roots, provisioning services' chains and keys, credentials."""

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final

from gateway.config.check_authority import check_vault
from gateway.config.check_tls import EXPIRES_SOON, check_roots
from gateway.config.plug_and_charge import Cps, Opcp, PlugAndCharge, Provider
from gateway.config.problems import Problem
from gateway.config.secrets import SecretError, SecretRef, exposure
from pki.iso15118.cps import CpsChain, CpsUnusable, FileCps
from pki.iso15118.signature import Suite

VEHICLE_WAITS: Final = 5.0
"""Seconds from a vehicle's request to the answer that it still takes (V2G_EVCC_Msg_Timeout)."""
CHAIN_MAX: Final = 65_536
"""Bytes of a CPS chain's file."""

Secret = Callable[[str, SecretRef], Iterator[Problem]]


def check_plug_and_charge(
    section: PlugAndCharge, secret: Secret, now: datetime, environ: Mapping[str, str] = os.environ
) -> Iterator[Problem]:
    """Yield what is wrong with what the section points to; ``secret`` looks at one secret reference."""
    for name in ("oem_roots", "oem_intermediates", "mo_roots", "v2g_roots"):
        path = getattr(section, name)
        if path is not None:
            yield from check_roots(f"plug_and_charge.{name}", path, now)[0]
    if section.v2g_roots is None and any(_is_foreign(provider) for provider in section.providers.values()):
        text = "isn't set: whether a provider's answer leads to a V2G root is left to the vehicle"
        yield Problem.warning("plug_and_charge.v2g_roots", text)
    if section.mo_roots is None and any(provider.opcp is not None for provider in section.providers.values()):
        text = "isn't set: Authorize with contracts of OPCP providers is refused; name their operators' roots"
        yield Problem.warning("plug_and_charge.mo_roots", text)
    if section.certificate_profiles == "warn":
        text = "is warn: certificates that break the profiles of ISO 15118 are let pass, and audited"
        yield Problem.warning("plug_and_charge.certificate_profiles", text)
    if section.providers and section.timeout >= VEHICLE_WAITS:
        text = (
            f"is {section.timeout:g} s: a vehicle gives up after {VEHICLE_WAITS:g}; leave time for the way to it, too"
        )
        yield Problem.warning("plug_and_charge.timeout", text)
    for name, provider in section.providers.items():
        looking = _Looking(f"plug_and_charge.providers.{name}", secret, now, environ)
        yield from looking.provider(provider)


def _is_foreign(provider: Provider) -> bool:
    return provider.native is None


class _Looking:
    """One look at one provider."""

    def __init__(self, place: str, secret: Secret, now: datetime, environ: Mapping[str, str]) -> None:
        self._place = place
        self._secret = secret
        self._now = now
        self._environ = environ

    def provider(self, provider: Provider) -> Iterator[Problem]:
        native, signing = provider.native, provider.native_opcp_cps
        if native is not None and native.cps is not None:
            yield from self._cps(f"{self._place}.native.cps", native.cps, Suite.ISO_2)
        if native is not None and native.cps_20 is not None:
            yield from self._cps(f"{self._place}.native.cps_20", native.cps_20, Suite.ISO_20)
        if provider.opcp is not None:
            yield from self._opcp(f"{self._place}.opcp", provider.opcp)
        if signing is not None:
            yield from self._opcp(f"{self._place}.native_opcp_cps.opcp", signing.opcp)

    def _cps(self, place: str, cps: Cps, suite: Suite) -> Iterator[Problem]:
        if cps.transit is not None:
            yield from check_vault(f"{place}.transit", cps.transit, self._secret, self._now, self._environ)
        try:
            with cps.chain.open("rb") as file:
                chain = CpsChain(file.read(CHAIN_MAX).decode("ascii", "replace"), suite)
        except OSError as error:
            yield Problem.error(f"{place}.chain", f"{cps.chain}: {error.strerror}")
            return
        except CpsUnusable as error:
            yield Problem.error(f"{place}.chain", f"{cps.chain} {error}")
            return
        yield from self._dates(f"{place}.chain", cps, chain)
        if cps.key is not None:
            yield from self._key(f"{place}.key", chain, cps.key)

    def _dates(self, place: str, cps: Cps, chain: CpsChain) -> Iterator[Problem]:
        ends, soon = chain.valid_until, min(EXPIRES_SOON, (chain.valid_until - chain.valid_from) / 3)
        if ends < self._now:
            yield Problem.error(place, f"{cps.chain}: expired on {ends:%Y-%m-%d}; renew it: vehicles refuse it")
        elif ends < self._now + soon:
            yield Problem.warning(place, f"{cps.chain}: expires on {ends:%Y-%m-%d}; renew it")
        if chain.valid_from > self._now:
            yield Problem.error(place, f"{cps.chain}: is valid from {chain.valid_from} on")

    def _key(self, place: str, chain: CpsChain, key: SecretRef) -> Iterator[Problem]:
        try:
            FileCps(chain, key.resolve_bytes(environ=self._environ))
        except SecretError as error:
            yield Problem.error(place, str(error))
        except CpsUnusable as error:
            yield Problem.error(place, f"{key}: {error}")
        else:
            if key.path is not None and (exposed := exposure(key.path, is_key=True)):
                yield Problem.warning(place, exposed)
            yield Problem.warning(place, "is for development; name a key of a transit engine: transit")

    def _opcp(self, place: str, opcp: Opcp) -> Iterator[Problem]:
        if opcp.roots is not None:
            yield from check_roots(f"{place}.roots", opcp.roots, self._now)[0]
        if opcp.token is not None:
            yield from self._secret(f"{place}.token.client_secret", opcp.token.client_secret)
        for name, reference in opcp.headers.items():
            yield from self._secret(f"{place}.headers.{name}", reference)
