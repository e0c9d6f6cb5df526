"""A CPS key in the transit engine of HashiCorp Vault or OpenBao: it signs there, and never leaves it."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from pki.clock import utc_now
from pki.iso15118.cps import CpsChain, CpsUnusable
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from pki.iso15118.signature import Suite
from pki.vault.connection import VaultConnection
from pki.vault.transit import Fault, TransitFailed, TransitKey

_HASHES: Final = {Suite.ISO_2: "sha2-256", Suite.ISO_20: "sha2-512"}
_REFUSALS: Final = {
    Fault.UNAVAILABLE: Refusal.PROVIDER_UNAVAILABLE,
    Fault.REFUSED: Refusal.PROVIDER_REFUSED,
    Fault.ANSWER: Refusal.PROVIDER_ANSWER,
}


class TransitCps:
    """Signs with the version of a transit key that is the CPS leaf's. Fulfils :class:`pki.iso15118.cps.CpsSigner`."""

    def __init__(
        self,
        connection: VaultConnection,
        cps: CpsChain,
        *,
        mount: str,
        key: str,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.cps = cps
        self._place = f"{mount}/{key}"
        self._key = TransitKey(connection, cps.leaf, cps.key, mount=mount, name=key, whose="the CPS leaf")
        self._clock = clock

    def __repr__(self) -> str:
        return f"TransitCps({self._place}, {self.cps!r})"

    async def sign(self, octets: bytes) -> bytes:
        """As :class:`pki.iso15118.cps.CpsSigner` has it; what Vault gives is verified before it is returned."""
        self.cps.check_dates(self._clock())
        try:
            value = await self._key.sign(octets, hash_algorithm=_HASHES[self.cps.suite], marshaling="jws")
            self.cps.check_signature(octets, value)
        except TransitFailed as error:
            raise ProvisioningRefused(_REFUSALS[error.fault], str(error)) from None
        except CpsUnusable as error:
            self._key.forget()
            raise ProvisioningRefused(Refusal.PROVIDER_ANSWER, f"{self._key.sign_path}: {error}") from None
        return value

    async def health(self) -> None:
        """As :class:`pki.iso15118.cps.CpsSigner` has it: the chain is valid, and its leaf's key is in the engine."""
        self.cps.check_dates(self._clock())
        try:
            await self._key.find_version()
        except TransitFailed as error:
            raise ProvisioningRefused(_REFUSALS[error.fault], str(error)) from None
