"""The providers of contract certificates, opened from the configuration."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.app.authorities import Authorities, owner
from gateway.app.contract_trust import ContractTrust
from gateway.app.cps_signers import CpsOpening, signing
from gateway.app.problems import StartFailed
from gateway.bridge.books import Page
from gateway.config import Config
from gateway.config.plug_and_charge import NativeProvider, PlugAndCharge, Provider
from gateway.services.contract_providers import BackendProvider, Offer, VehiclesStation
from gateway.wire.versions import Version
from pki.iso15118.contract_issuing import ContractIssuer
from pki.iso15118.exi import Schema
from pki.iso15118.native import NativeProvider as NativeContracts

USES: Final = {Schema.ISO_2: "contract", Schema.ISO_20: "contract_20"}
"""The authority's use that signs contracts of a generation."""


async def open_offers(
    config: Config, section: PlugAndCharge, authorities: Authorities, trust: ContractTrust, stack: AsyncExitStack
) -> Mapping[str, Offer]:
    """Open all of ``plug_and_charge.providers``; ``stack`` closes them. Nothing is asked of anybody yet.

    Raises StartFailed for what can't be read or doesn't fit.
    """
    opening = _Opening(config, section, authorities, trust, stack)
    return {name: await opening.open(name, provider) for name, provider in section.providers.items()}


class _Opening:
    """Opens providers; they share the issuers."""

    def __init__(
        self,
        config: Config,
        section: PlugAndCharge,
        authorities: Authorities,
        trust: ContractTrust,
        stack: AsyncExitStack,
    ) -> None:
        self._config = config
        self._section = section
        self._trust = trust
        self._stack = stack
        self._cps = CpsOpening(stack)
        self._issuers = {
            schema: ContractIssuer(authorities.by_use[use], authorities.profile(use), owner(config, use))
            for schema, use in USES.items()
            if use in authorities.by_use
        }
        for issuer in self._issuers.values():
            stack.push_async_callback(issuer.close)

    async def open(self, name: str, provider: Provider) -> Offer:
        """Raises StartFailed."""
        place = f"plug_and_charge.providers.{name}"
        if provider.native is not None:
            return await self._native(f"{place}.native", provider.native)
        if provider.backend is not None:
            return Offer(self._backend, knows_contracts=True)
        return await self._opcp(place, provider)

    async def _native(self, place: str, native: NativeProvider) -> Offer:
        signers = {schema: await self._cps.open(f"{place}.{key}", cps, schema) for key, cps, schema in signing(native)}
        contracts = NativeContracts(self._issuers, signers)
        return Offer(lambda *_: contracts, is_ours=True, withdraw=self._withdraw)

    async def _opcp(self, place: str, provider: Provider) -> Offer:
        from gateway.app.opcp import open_native_opcp_cps, open_opcp  # noqa: PLC0415  # aiohttp's client, for a few

        timeout = self._section.timeout
        if provider.opcp is not None:
            forwarding = await open_opcp(
                f"{place}.opcp", provider.opcp, self._trust.answers, self._stack, timeout=timeout
            )
            return Offer(lambda *_: forwarding, knows_contracts=True)
        issuer = self._issuers.get(Schema.ISO_2)
        if provider.native_opcp_cps is None or issuer is None:  # the configuration's rules have seen to it
            raise StartFailed(f"{place}: names nobody who provides")
        place, answers = f"{place}.native_opcp_cps", self._trust.signed_answers
        with_their_cps = await open_native_opcp_cps(
            place, provider.native_opcp_cps, issuer, answers, self._stack, timeout=timeout
        )
        return Offer(lambda *_: with_their_cps, is_ours=True, withdraw=self._withdraw)

    def _backend(self, station: VehiclesStation, vendor_id: str) -> BackendProvider:
        """Return the station's backend: the one that it has now, not the one of its route."""
        backend = self._config.backends.get(str(station.books.page(Page.BACKEND).get("name")))
        version = Version(backend.protocol) if backend is not None and backend.knows_contracts else None
        return BackendProvider(station, version, self._trust.answers, vendor_id=vendor_id)

    def _withdraw(self, certificate: x509.Certificate) -> None:
        """Have revoked what was issued and doesn't reach its vehicle."""
        key = certificate.public_key()
        is_20 = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP521R1)
        issuer = self._issuers.get(Schema.ISO_20 if is_20 else Schema.ISO_2)
        if issuer is not None:
            issuer.unwind(certificate)
