"""Certificate profiles: what a class of certificates looks like, as data (``certs/profiles/*.yaml``).

A profile has no extended key usage on purpose: OCPP 2.0.1 A00.FR.514 advises strongly against it.
"""

import enum
import functools
import importlib.resources
import ipaddress
import re
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, Strict, model_validator

from pki.iso15118.identifiers import Emaid, Pcid

COMMON_NAME_MAX: Final = 64
"""Characters of a CN (RFC 5280 appendix A, ub-common-name)."""
HOST_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.IGNORECASE
)

Curve = Literal["P-256", "P-384", "P-521"]
Hash = Literal["SHA-256", "SHA-384", "SHA-512"]
Usage = Literal["digital_signature", "content_commitment", "key_agreement", "key_encipherment"]
KeyKind = Literal["ec", "rsa"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Count = Annotated[int, Field(gt=0)]

_DURATION: Final = re.compile(r"(0|[1-9][0-9]{0,5})(m|h|d)")
_UNITS: Final = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}


def parse_duration(text: object) -> timedelta:
    """Read a number of minutes, hours or days: ``90m``, ``22h``, ``365d``. Raises ValueError."""
    if isinstance(text, timedelta):
        return text
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("must be a number of minutes (m), hours (h) or days (d), such as 90d")
    return int(found[1]) * _UNITS[found[2]]


def format_duration(duration: timedelta) -> str:
    """Write a duration of whole minutes as :func:`parse_duration` reads it."""
    unit = next((unit for unit, size in _UNITS.items() if not duration % size), "m")
    return f"{duration // _UNITS[unit]}{unit}"


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration), Field(ge=timedelta(0))
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NameRule(enum.Enum):
    """What a CN is."""

    SERIAL_NUMBER = "serial_number"
    """A station's, as it is registered."""
    SECC_ID = "secc_id"
    """A charging controller's towards vehicles (OCPP 2.0.1 ISO15118Ctrlr.SeccId)."""
    HOST_NAME = "host_name"
    """Where stations reach the gateway."""
    EMAID = "emaid"
    """A charging contract's."""
    PCID = "pcid"
    """A vehicle's."""
    TEXT = "text"
    """Whatever its owner chose."""


class Subject(_Part):
    """Subject rules: a CN, its owner's O (A00.FR.509), a DC where ISO 15118 fixes one, nothing else."""

    common_name: Annotated[NameRule, Strict(strict=False)]
    organization: Literal["operator", "manufacturer", "mobility_operator"]
    """Whose name the O is."""
    domain_component: Literal["CPO", "CPS", "OEM", "MO"] | None = None
    """The DC by which ISO 15118 tells the roles apart ([V2G2-925])."""
    country_allowed: bool = False
    """A C is taken when an authority leaves it in from the CSR, or adds it; we ask for none."""


class Range(_Part):
    """From ``minimum`` to ``maximum``, both included."""

    minimum: Count
    maximum: Count


class KeyPolicy(_Part):
    """The public keys that are accepted; the RSA exponent is always 65537."""

    curves: Annotated[tuple[Curve, ...], Strict(strict=False)]
    rsa_bits: Range | None = None
    """None: no RSA."""

    @property
    def kinds(self) -> tuple[KeyKind, ...]:
        """The kinds of key that are accepted."""
        return (*(("ec",) if self.curves else ()), *(("rsa",) if self.rsa_bits else ()))


class KeyUsages(_Part):
    """Key usage by kind of key (RFC 5280 4.2.1.3, RFC 3279 2.3.1)."""

    ec: Annotated[tuple[Usage, ...], Strict(strict=False)] = ()
    rsa: Annotated[tuple[Usage, ...], Strict(strict=False)] = ()
    required: Annotated[tuple[Usage, ...], Strict(strict=False)]
    """What a certificate can't do without, whoever made it; all others that aren't a CA's are taken."""


class Validity(_Part):
    """How long, and how far before now it begins: for stations whose clocks are slow (A02.FR.06)."""

    lifetime: Annotated[Duration, Field(gt=timedelta(0))]
    backdate: Duration


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
    chain_length_max: Count | None = None
    """Certificates of a chain without its root."""
    certificate_size_max: Count | None = None
    """Bytes of each certificate of the chain in DER."""
    ca_curves: Annotated[tuple[Curve, ...], Strict(strict=False)] = ()
    """The curves of its CAs' keys, which sign with the hash of that size; none: any key."""
    short_key_identifier: bool = False
    """Whether its subject key identifier has 8 bytes (RFC 5280 4.2.1.2, method 2)."""

    @model_validator(mode="after")
    def _each_kind_of_key_has_its_usage(self) -> Self:
        if not self.keys.kinds:
            raise ValueError("keys: no kind of key is accepted")
        for kind in self.keys.kinds:
            missing = set(self.key_usage.required) - set(getattr(self.key_usage, kind))
            if missing or not getattr(self.key_usage, kind):
                raise ValueError(f"key_usage.{kind}: lacks {', '.join(sorted(missing)) or 'every usage'}")
        return self


def with_lifetime(profile: CertificateProfile, lifetime: timedelta | None) -> CertificateProfile:
    """Return ``profile`` for certificates that are valid for ``lifetime``; None: as the profile says."""
    if lifetime is None:
        return profile
    if lifetime <= timedelta(0):
        raise ValueError("a lifetime must be longer than nothing")
    validity = profile.validity.model_copy(update={"lifetime": lifetime})
    return profile.model_copy(update={"validity": validity})


def check_common_name(name: str, rule: NameRule) -> None:
    """Return when ``name`` may be the CN of a certificate under ``rule``. Raises ValueError."""
    if not name or len(name) > COMMON_NAME_MAX or not name.isprintable():
        raise ValueError(f"a certificate name has 1 to {COMMON_NAME_MAX} printable characters")
    is_address = as_ip(name) is not None
    if rule in {NameRule.SERIAL_NUMBER, NameRule.SECC_ID} and (is_address or "/" in name):
        raise ValueError("a station's certificate name must not be shaped like a URL or an IP address (A00.FR.511)")
    if rule is NameRule.EMAID and not _is_emaid(name):
        raise ValueError("a contract's certificate name must be an eMAID of 14 or 15 characters, without hyphens")
    if rule is NameRule.PCID and not _is_pcid(name):
        raise ValueError("a vehicle's certificate name must be a PCID of 17 or 18 letters and digits")
    if rule is NameRule.HOST_NAME and not is_address and not HOST_NAME.fullmatch(name):
        raise ValueError(
            "a server's certificate name must be a host name without wildcard (A00.FR.309), or an IP address"
        )


def _is_emaid(name: str) -> bool:
    try:
        return Emaid.of_peer(name).wire == name.upper()
    except ValueError:
        return False


def _is_pcid(name: str) -> bool:
    try:
        Pcid.parse(name)
    except ValueError:
        return False
    return True


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


OF_USE: Final = {
    "station": "charging_station",
    "v2g": "secc",
    "server": "csms_server",
    "contract": "contract",
    "contract_20": "contract_20",
}
"""The profile of each use of an authority, where no other is named; a role of Vault is called as it is."""


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


def secc() -> CertificateProfile:
    """Return the profile of what a station shows to vehicles (ISO 15118-2)."""
    return load_profile("secc")
