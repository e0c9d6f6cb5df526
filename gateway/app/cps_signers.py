"""The provisioning services of a native provider, out of the configuration: with a key in a file, or in Vault."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.app.problems import StartFailed
from gateway.config.plug_and_charge import Cps, NativeProvider
from gateway.config.secrets import SecretError, SecretRef
from pki.iso15118.cps import CpsChain, CpsSigner, CpsUnusable, FileCps
from pki.iso15118.exi import Schema
from pki.iso15118.signature import Suite

if TYPE_CHECKING:
    from gateway.app.vaults import VaultConnections

CHAIN_SIZE_MAX: Final = 64 * 1024
"""Bytes of a chain's file."""


def signing(native: NativeProvider) -> Iterator[tuple[str, Cps, Schema]]:
    """Yield each that is configured: its key, its section, and whose answers it signs."""
    if native.cps is not None:
        yield "cps", native.cps, Schema.ISO_2
    if native.cps_20 is not None:
        yield "cps_20", native.cps_20, Schema.ISO_20


async def open_signers(place: str, native: NativeProvider, stack: AsyncExitStack) -> Mapping[Schema, CpsSigner]:
    """Open all that are configured; ``stack`` closes them. One whose Vault is away now is no reason to fail.

    ``place`` is the key of the section. Raises StartFailed for what vehicles would refuse, and for what can't be read.
    """
    opening = CpsOpening(stack)
    return {schema: await opening.open(f"{place}.{key}", cps, schema) for key, cps, schema in signing(native)}


class CpsOpening:
    """Opens provisioning services; those of the same Vault share their connection."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._vaults: VaultConnections | None = None

    async def open(self, place: str, cps: Cps, schema: Schema) -> CpsSigner:
        """Raises StartFailed."""
        suite = Suite.ISO_20 if schema is Schema.ISO_20 else Suite.ISO_2
        chain = await asyncio.to_thread(_chain, f"{place}.chain", cps.chain, suite)
        if cps.key is not None:
            return await asyncio.to_thread(_with_key, f"{place}.key", chain, cps.key)
        if cps.transit is None:
            raise StartFailed(f"{place}: names neither key nor transit")  # the configuration's rules have seen to it
        # Imported here: hvac takes 0.4 s to load, and most deployments have no Vault.
        from gateway.app.vaults import VaultConnections  # noqa: PLC0415  # see above
        from pki.iso15118.transit import TransitCps  # noqa: PLC0415  # see above

        self._vaults = self._vaults or VaultConnections(self._stack)
        connection = await self._vaults.connect(f"{place}.transit", cps.transit)
        return TransitCps(connection, chain, mount=cps.transit.mount, key=cps.transit.key)


def _chain(place: str, file: Path, suite: Suite) -> CpsChain:
    try:
        with file.open("rb") as opened:
            pem = opened.read(CHAIN_SIZE_MAX + 1)
        if len(pem) > CHAIN_SIZE_MAX:
            raise StartFailed(f"{place}: {file} is larger than {CHAIN_SIZE_MAX} bytes; it holds a leaf and its CAs")
        return CpsChain(pem.decode("ascii", errors="replace"), suite)
    except OSError as error:
        raise StartFailed(f"{place}: {file} can't be read: {error.strerror}") from None
    except CpsUnusable as error:
        raise StartFailed(f"{place}: {file} {error}") from None


def _with_key(place: str, chain: CpsChain, key: SecretRef) -> FileCps:
    try:
        return FileCps(chain, key.resolve_bytes())
    except (SecretError, CpsUnusable) as error:
        raise StartFailed(f"{place}: {error}") from None
