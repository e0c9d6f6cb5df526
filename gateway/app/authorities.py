"""The certificate authorities of one gateway, by use, opened from the configuration."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog
from cryptography import x509

from gateway.app.est_servers import open_est
from gateway.app.problems import StartFailed
from gateway.config import Config
from gateway.config.authorities import AuthorityUse, LocalAuthority, VaultAuthority
from gateway.store.certificate_records import SEEN
from pki.authority import AuthorityError, AuthorityUnavailable, CertificateAuthority
from pki.authority.local import LocalAuthority as EmbeddedAuthority
from pki.profiles import OF_USE, CertificateProfile, load_profile, with_lifetime

if TYPE_CHECKING:
    from gateway.app.vaults import VaultConnections

CHAIN_WAIT: Final = 3.0
"""Seconds in which an authority must have named its CA certificates, or it counts as away."""

AT_DOORS: Final = frozenset({"station", "v2g"})
"""Uses whose certificates stations may show."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Authorities:
    """Who signs, by use: ``station`` always, the others where they are configured."""

    by_use: Mapping[str, CertificateAuthority]
    lifetimes: Mapping[str, timedelta | None] = field(default_factory=dict)
    """By use: ``authority.<use>.lifetime``."""
    _said: dict[str, list[x509.Certificate]] = field(default_factory=dict, init=False, compare=False, repr=False)
    """By use: the CA certificates that it named last."""

    def profile(self, use: str, name: str | None = None) -> CertificateProfile:
        """Return a certificate profile (the use's own, or the one of ``name``) with the lifetime that ``use`` is given.

        Raises KeyError when there is no such use or profile.
        """
        return with_lifetime(load_profile(name or OF_USE[use]), self.lifetimes.get(use))

    def revoking(self, usage: str) -> CertificateAuthority | None:
        """Return who issued certificates of this usage; None for those that none of ours did.

        Raises AuthorityUnavailable when none is configured for it any more.
        """
        if usage == SEEN:
            return None
        authority = self.by_use.get(usage)
        if authority is None:
            raise not_configured(usage)
        return authority

    async def known_issuers(self, uses: Collection[str] | None = None) -> list[x509.Certificate]:
        """Return the CA certificates of all, or of these uses, as each says now, or said last while it is away.

        They are asked side by side, and waited for ``CHAIN_WAIT`` seconds: no start and no station hangs on them.
        """
        asked = [each for each in self.by_use.items() if uses is None or each[0] in uses]
        chains = await asyncio.gather(*(self._chain(use, authority) for use, authority in asked))
        return [certificate for chain in chains for certificate in chain]

    def crls(self, uses: Collection[str] = AT_DOORS) -> Mapping[str, Callable[[], Awaitable[bytes]]]:
        """Return what gives the CRL of each authority of these uses, by its key.

        Without a word, of those whose certificates may be shown at a station's door: the gateway's own server
        certificates and vehicles' contracts never are.
        """
        return {f"authority.{use}": each.crl for use, each in self.by_use.items() if use in uses}

    async def _chain(self, use: str, authority: CertificateAuthority) -> list[x509.Certificate]:
        try:
            async with asyncio.timeout(CHAIN_WAIT):
                self._said[use] = await authority.chain()
        except AuthorityError as error:
            log.error("authority_away", use=use, reason=str(error))  # noqa: TRY400 - its own words say it
        except TimeoutError:
            log.error("authority_away", use=use, reason=f"no answer within {CHAIN_WAIT:g} s")  # noqa: TRY400 - the same
        return self._said.get(use, [])


def not_configured(usage: str) -> AuthorityUnavailable:
    """Return the error for a usage that nobody signs for any more."""
    return AuthorityUnavailable(
        f"authority.{usage} isn't configured: its authority isn't known any more; configure it, or tell it by hand"
    )


async def open_authorities(config: Config, stack: AsyncExitStack) -> Authorities:
    """Open all that are configured; ``stack`` closes them. An authority that is away now is no reason to fail.

    Raises StartFailed for what can't ever be used: an embedded CA that is damaged, credentials that can't be read.
    """
    opening = _Opening(config, stack)
    opened = {name: await opening.open(name, use) for name, use in config.authority.uses()}
    return Authorities(opened, {name: use.lifetime for name, use in config.authority.uses()})


async def open_authority(name: str, use: AuthorityUse, config: Config, stack: AsyncExitStack) -> CertificateAuthority:
    """Open the authority of one use. Raises StartFailed."""
    return await _Opening(config, stack).open(name, use)


class _Opening:
    """Opens authorities; uses of the same Vault share what they can."""

    def __init__(self, config: Config, stack: AsyncExitStack) -> None:
        self._config = config
        self._stack = stack
        self._vaults: VaultConnections | None = None

    async def open(self, name: str, use: AuthorityUse) -> CertificateAuthority:
        """Raises StartFailed."""
        if use.local is not None:
            return await asyncio.to_thread(_embedded, name, use.local, owner(self._config, name))
        if use.vault is not None:
            return await self._vault(name, use.vault)
        if use.est is not None:
            return await open_est(f"authority.{name}.est", use.est, self._stack)
        raise StartFailed(f"authority.{name}: names nobody who signs")  # the configuration's rules have seen to it

    async def _vault(self, name: str, vault: VaultAuthority) -> CertificateAuthority:
        # Imported here: hvac takes 0.4 s to load, and most deployments have no Vault.
        from gateway.app.vaults import VaultConnections  # noqa: PLC0415  # see above
        from pki.authority.vault import VaultAuthority as VaultRole  # noqa: PLC0415  # see above

        self._vaults = self._vaults or VaultConnections(self._stack)
        connection = await self._vaults.connect(f"authority.{name}.vault", vault)
        return VaultRole(connection, mount=vault.mount, role=vault.role)


def owner(config: Config, use: str) -> str:
    """Return the O of the certificates of a use: contracts are the mobility operator's."""
    is_contract = load_profile(OF_USE[use]).subject.organization == "mobility_operator"
    named = config.plug_and_charge.mobility_operator if is_contract and config.plug_and_charge is not None else None
    return named or config.operator


def _embedded(name: str, local: LocalAuthority, organization: str) -> CertificateAuthority:
    profile = load_profile(OF_USE[name])
    try:
        return EmbeddedAuthority.open(local.dir, organization=organization, label=f"Voltgate {name}", profile=profile)
    except AuthorityError as error:
        raise StartFailed(f"authority.{name}.local.dir: {error}") from None
