"""A signing key in the transit engine of HashiCorp Vault or OpenBao: it signs there, and never leaves it."""

import base64
import binascii
import enum
import re
from typing import Any, Final, Literal, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hvac.api.secrets_engines import Transit

from pki.keys import PublicKey
from pki.vault.adapter import VaultAdapter
from pki.vault.connection import VaultConnection, Work
from pki.vault.failures import VaultError, VaultRefused

VERSIONS_MAX: Final = 100
"""Versions of a key that are looked at, the newest first."""

_SIGNATURE: Final = re.compile(r"vault:v(?P<version>[0-9]{1,9}):(?P<value>[A-Za-z0-9+/_-]{1,1500}={0,2})")
_TO_URLSAFE: Final = str.maketrans("+/", "-_")

Marshaling = Literal["asn1", "jws"]
T = TypeVar("T")


class Fault(enum.Enum):
    """Why there is no signature."""

    UNAVAILABLE = enum.auto()
    """The engine can't be asked, the token may not, or the key isn't the certificate's."""
    REFUSED = enum.auto()
    """The engine says that what it is asked can't be."""
    ANSWER = enum.auto()
    """What it gave isn't a signature of the version that was asked for."""


class TransitFailed(Exception):
    """There is no signature; the text says why and what to do."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


class TransitKey:
    """Signs with the version of a transit key that is a certificate's: a rotation doesn't renew the certificate."""

    def __init__(
        self,
        connection: VaultConnection,
        leaf: x509.Certificate,
        key: PublicKey,
        *,
        mount: str,
        name: str,
        whose: str,
    ) -> None:
        """``key``: the leaf's. ``whose``: what the certificate is called where something is wrong, "the CPS leaf"."""
        self._connection = connection
        self._subject = leaf.subject.rfc4514_string()
        self._public = key
        self._mount = mount
        self._name = name
        self._whose = whose
        self._version: int | None = None

    def __repr__(self) -> str:
        return f"TransitKey({self._mount}/{self._name})"

    @property
    def sign_path(self) -> str:
        """Where it is asked to sign."""
        return f"{self._mount}/sign/{self._name}"

    async def sign(
        self,
        octets: bytes,
        *,
        hash_algorithm: str,
        marshaling: Marshaling,
        prehashed: bool = False,
        pss: bool = False,
    ) -> bytes:
        """Return the signature's octets; whether it is one is for the caller to verify. Raises TransitFailed.

        ``marshaling``: of ECDSA, ASN.1 or r||s. ``prehashed``: ``octets`` are the digest. ``pss``: RSA-PSS, the salt
        as long as the digest.
        """
        version = self._version or await self.find_version()
        encoded = base64.b64encode(octets).decode()

        def ask(adapter: VaultAdapter) -> Any:
            return Transit(adapter).sign_data(
                self._name,
                hash_input=encoded,
                key_version=version,
                hash_algorithm=hash_algorithm,
                prehashed=prehashed,
                signature_algorithm="pss" if pss else None,
                salt_length="hash" if pss else None,
                marshaling_algorithm=marshaling,
                mount_point=self._mount,
            )

        try:
            return _value(await self._call(ask), version)
        except ValueError as error:
            self.forget()
            raise TransitFailed(Fault.ANSWER, f"{self.sign_path}: {error}") from None

    async def find_version(self) -> int:
        """Return the version whose public key is the certificate's, and keep it in mind. Raises TransitFailed."""

        def ask(adapter: VaultAdapter) -> Any:
            return Transit(adapter).read_key(self._name, mount_point=self._mount)

        data = _data(await self._call(ask))
        versions, least = data.get("keys"), data.get("min_encryption_version")
        known = versions if isinstance(versions, dict) else {}
        path = f"{self._mount}/keys/{self._name}"
        for version in sorted(filter(_is_version, known), key=int, reverse=True)[:VERSIONS_MAX]:
            if self._is_leafs(known[version]):
                if isinstance(least, int) and int(version) < least:
                    raise TransitFailed(
                        Fault.UNAVAILABLE,
                        f"{path} signs with version {least} or newer, the key of {self._whose} is version {version}: "
                        "lower min_encryption_version, or renew the leaf",
                    )
                self._version = int(version)
                return self._version
        raise TransitFailed(
            Fault.UNAVAILABLE,
            f"no version of {path} is the key of {self._whose} {self._subject}; name the key that its CSR was made "
            "with",
        )

    def forget(self) -> None:
        """Look its version up anew at the next signature."""
        self._version = None

    def _is_leafs(self, version: Any) -> bool:
        pem = version.get("public_key") if isinstance(version, dict) else None
        try:
            return load_pem_public_key(str(pem).encode()) == self._public
        except (ValueError, UnsupportedAlgorithm):
            return False

    async def _call(self, work: Work[T]) -> T:
        try:
            return await self._connection.call(work)
        except VaultRefused as error:
            self.forget()  # perhaps it was trimmed
            raise TransitFailed(
                Fault.REFUSED if error.status in {400, 422} else Fault.UNAVAILABLE, str(error)
            ) from None
        except VaultError as error:
            raise TransitFailed(Fault.UNAVAILABLE, str(error)) from None


def _is_version(name: object) -> bool:
    return isinstance(name, str) and name.isascii() and name.isdigit() and len(name) < 10


def _value(answer: Any, version: int) -> bytes:
    """Return what follows ``vault:v<version>:``, base64 of either alphabet. Raises ValueError."""
    found = _SIGNATURE.fullmatch(str(_data(answer).get("signature")))
    if found is None or int(found["version"]) != version:
        raise ValueError(f"the answer isn't a signature of the key's version {version}")
    value = found["value"].translate(_TO_URLSAFE).rstrip("=")
    try:
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except binascii.Error:
        raise ValueError("the answer isn't a signature in base64") from None


def _data(answer: Any) -> dict[str, Any]:
    data = answer.get("data") if isinstance(answer, dict) else None
    return data if isinstance(data, dict) else {}
