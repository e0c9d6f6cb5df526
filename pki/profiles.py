"""Certificate profiles: what a class of certificates looks like, as data (``certs/profiles/*.yaml``).

A profile has no extended key usage on purpose: OCPP 2.0.1 A00.FR.514 advises strongly against it.
"""

import enum
import functools
import importlib.resources
import ipaddress
import re
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, Strict

COMMON_NAME_MAX: Final = 64
"""Characters of a CN (RFC 5280 appendix A, ub-common-name)."""
HOST_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.IGNORECASE
)

Curve = Literal["P-256", "P-384", "P-521"]
Hash = Literal["SHA-256", "SHA-384", "SHA-512"]
Usage = Literal["digital_signature", "key_agreement", "key_encipherment"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Count = Annotated[int, Field(gt=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NameRule(enum.Enum):
    """What a CN is."""

    SERIAL_NUMBER = "serial_number"
    HOST_NAME = "host_name"


class Subject(_Part):
    """Subject rules: a CN and the owner's O (A00.FR.509), nothing else."""

    common_name: Annotated[NameRule, Strict(strict=False)]


class Range(_Part):
    """From ``minimum`` to ``maximum``, both included."""

    minimum: Count
    maximum: Count


class KeyPolicy(_Part):
    """The public keys that are accepted; the RSA exponent is always 65537."""

    curves: Annotated[tuple[Curve, ...], Strict(strict=False)]
    rsa_bits: Range


class KeyUsages(_Part):
    """Key usage by kind of key (RFC 5280 4.2.1.3)."""

    ec: Annotated[tuple[Usage, ...], Strict(strict=False)]
    rsa: Annotated[tuple[Usage, ...], Strict(strict=False)]


class Validity(_Part):
    """How long, and how far before now it begins."""

    days: Count
    backdate_minutes: Annotated[int, Field(ge=0)]

    @property
    def lifetime(self) -> timedelta:
        return timedelta(days=self.days)

    @property
    def backdate(self) -> timedelta:
        return timedelta(minutes=self.backdate_minutes)


class CertificateProfile(_Part):
    """One class of certificates."""

    name: Name
    subject: Subject
    keys: KeyPolicy
    request_hashes: Annotated[tuple[Hash, ...], Strict(strict=False)]
    key_usage: KeyUsages
    alternative_names: Literal["none", "required"]
    validity: Validity
    request_size_max: Count
    """Characters of a PEM request."""
    chain_size_max: Count
    """Characters of a PEM chain, leaf first, without its root."""


def check_common_name(name: str, rule: NameRule) -> None:
    """Return when ``name`` may be the CN of a certificate under ``rule``. Raises ValueError."""
    if not name or len(name) > COMMON_NAME_MAX or not name.isprintable():
        raise ValueError(f"a certificate name has 1 to {COMMON_NAME_MAX} printable characters")
    is_address = as_ip(name) is not None
    if rule is NameRule.SERIAL_NUMBER and (is_address or "/" in name):
        raise ValueError("a station's certificate name must not be shaped like a URL or an IP address (A00.FR.511)")
    if rule is NameRule.HOST_NAME and not is_address and not HOST_NAME.fullmatch(name):
        raise ValueError(
            "a server's certificate name must be a host name without wildcard (A00.FR.309), or an IP address"
        )


def as_ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return ``text`` as an IP address, or None when it is something else."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def parse_profile(text: str) -> CertificateProfile:
    """Read a profile. Raises ValueError (pydantic's, naming the key) or yaml.YAMLError."""
    data: Any = yaml.safe_load(text)
    return CertificateProfile.model_validate(data)


@functools.cache
def load_profile(name: str) -> CertificateProfile:
    """Return the bundled profile ``name``. Raises KeyError when there is none."""
    file = importlib.resources.files("certs") / "profiles" / f"{name}.yaml"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or not file.is_file():
        raise KeyError(name)
    return parse_profile(file.read_text(encoding="utf-8"))


def charging_station() -> CertificateProfile:
    """Return the profile of station certificates."""
    return load_profile("charging_station")


def csms_server() -> CertificateProfile:
    """Return the profile of the gateway's own server certificates."""
    return load_profile("csms_server")
