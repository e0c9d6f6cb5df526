"""A CPS key in the transit engine of HashiCorp Vault or OpenBao: it signs there, and never leaves it."""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hvac.api.secrets_engines import Transit

from pki.clock import utc_now
from pki.iso15118.cps import CpsChain, CpsUnusable
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from pki.iso15118.signature import Suite
from pki.vault.adapter import VaultAdapter
from pki.vault.connection import VaultConnection, Work
from pki.vault.failures import VaultError, VaultRefused

VERSIONS_MAX: Final = 100
"""Versions of a key that are looked at, the newest first."""

_HASHES: Final = {Suite.ISO_2: "sha2-256", Suite.ISO_20: "sha2-512"}
_SIGNATURE: Final = re.compile(r"vault:v(?P<version>[0-9]{1,9}):(?P<value>[A-Za-z0-9_-]{1,300}={0,2})")

T = TypeVar("T")


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
        self._connection = connection
        self._mount = mount
        self._key = key
        self._clock = clock
        self._version: int | None = None
        """Of which the leaf's key is the public one: a rotation of the transit key doesn't renew the leaf."""

    def __repr__(self) -> str:
        return f"TransitCps({self._mount}/{self._key}, {self.cps!r})"

    async def sign(self, octets: bytes) -> bytes:
        """As :class:`pki.iso15118.cps.CpsSigner` has it; what Vault gives is verified before it is returned."""
        self.cps.check_dates(self._clock())
        version = self._version or await self._find_version()
        encoded = base64.b64encode(octets).decode()

        def ask(adapter: VaultAdapter) -> Any:
            return Transit(adapter).sign_data(
                self._key,
                hash_input=encoded,
                key_version=version,
                hash_algorithm=_HASHES[self.cps.suite],
                prehashed=False,
                marshaling_algorithm="jws",
                mount_point=self._mount,
            )

        answer = await self._call(ask)
        try:
            value = _value(answer, version)
            self.cps.check_signature(octets, value)
        except CpsUnusable as error:
            self._version = None
            raise ProvisioningRefused(Refusal.PROVIDER_ANSWER, f"{self._mount}/sign/{self._key}: {error}") from None
        return value

    async def health(self) -> None:
        """As :class:`pki.iso15118.cps.CpsSigner` has it: the chain is valid, and its leaf's key is in the engine."""
        self.cps.check_dates(self._clock())
        await self._find_version()

    async def _find_version(self) -> int:
        def ask(adapter: VaultAdapter) -> Any:
            return Transit(adapter).read_key(self._key, mount_point=self._mount)

        data = _data(await self._call(ask))
        versions, least = data.get("keys"), data.get("min_encryption_version")
        known = versions if isinstance(versions, dict) else {}
        for version in sorted(filter(_is_version, known), key=int, reverse=True)[:VERSIONS_MAX]:
            if self._is_leafs(known[version]):
                if isinstance(least, int) and int(version) < least:
                    raise ProvisioningRefused(
                        Refusal.PROVIDER_UNAVAILABLE,
                        f"{self._mount}/keys/{self._key} signs with version {least} or newer, the CPS leaf's key is "
                        f"version {version}: lower min_encryption_version, or renew the leaf",
                    )
                self._version = int(version)
                return self._version
        raise ProvisioningRefused(
            Refusal.PROVIDER_UNAVAILABLE,
            f"no version of {self._mount}/keys/{self._key} is the key of the CPS leaf "
            f"{self.cps.leaf.subject.rfc4514_string()}; name the key that its CSR was made with",
        )

    def _is_leafs(self, version: Any) -> bool:
        pem = version.get("public_key") if isinstance(version, dict) else None
        try:
            return load_pem_public_key(str(pem).encode()) == self.cps.key
        except (ValueError, UnsupportedAlgorithm):
            return False

    async def _call(self, work: Work[T]) -> T:
        try:
            return await self._connection.call(work)
        except VaultRefused as error:
            self._version = None  # perhaps it was trimmed
            refusal = Refusal.PROVIDER_REFUSED if error.status in {400, 422} else Refusal.PROVIDER_UNAVAILABLE
            raise ProvisioningRefused(refusal, str(error)) from None
        except VaultError as error:
            raise ProvisioningRefused(Refusal.PROVIDER_UNAVAILABLE, str(error)) from None


def _is_version(name: object) -> bool:
    return isinstance(name, str) and name.isascii() and name.isdigit() and len(name) < 10


def _value(answer: Any, version: int) -> bytes:
    """Return r||s. Raises :class:`CpsUnusable`."""
    found = _SIGNATURE.fullmatch(str(_data(answer).get("signature")))
    if found is None or int(found["version"]) != version:
        raise CpsUnusable(f"the answer isn't a signature of the key's version {version}")
    try:
        return base64.urlsafe_b64decode(found["value"].rstrip("=") + "=" * (-len(found["value"].rstrip("=")) % 4))
    except binascii.Error:
        raise CpsUnusable("the answer isn't a signature in base64url") from None


def _data(answer: Any) -> dict[str, Any]:
    data = answer.get("data") if isinstance(answer, dict) else None
    return data if isinstance(data, dict) else {}
