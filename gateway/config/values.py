"""The kinds of value that a configuration holds: addresses, networks, paths, secret references, URLs.

Each reads text and raises ValueError with what is wrong and what to do. Relative paths start at the folder in the
validation context (:data:`FOLDER`), which is the configuration file's.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import SplitResult, quote, unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    PlainSerializer,
    PlainValidator,
    Strict,
    StringConstraints,
    ValidationInfo,
)

from gateway.config.secrets import IDENTITY, SecretRef

FOLDER: Final = "folder"
"""The key of the validation context that holds the configuration file's folder."""
ORGANIZATION_MAX: Final = 64
"""Characters of a subject's O (RFC 5280 appendix A, ub-organization-name)."""
SQLITE: Final = "sqlite+aiosqlite"
POSTGRESQL: Final = "postgresql+asyncpg"

_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
_POLICY_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PORT_MAX: Final = 65535

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
Item = TypeVar("Item")


class Section(BaseModel):
    """One mapping of the file: unknown keys are errors, types aren't bent, nothing changes afterwards."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_default=True, hide_input_in_errors=True
    )


@dataclass(frozen=True, slots=True)
class Address:
    """Where a socket listens: an IP address or host name, and a port (0: the kernel picks one)."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read ``host:port``, ``[::]:port`` for IPv6. Raises ValueError."""
        host, colon, port = text.rpartition(":")
        if not colon or not port.isascii() or not port.isdecimal() or int(port) > _PORT_MAX:
            raise ValueError(f"must be host:port with a port of 0 to {_PORT_MAX}, such as 0.0.0.0:8443")
        if host.startswith("[") and host.endswith("]"):
            try:
                return cls(str(ipaddress.IPv6Address(host[1:-1])), int(port))
            except ValueError:
                raise ValueError("must have an IPv6 address between the brackets, such as [::]:8443") from None
        if ":" in host:
            raise ValueError("must have its IPv6 address in brackets, such as [::]:8443")
        if not host:
            raise ValueError(
                "must name an address before the port: 0.0.0.0 or [::] for every one, 127.0.0.1 for this machine"
            )
        if not _HOST_NAME.fullmatch(host):
            raise ValueError("must have an IP address or a host name before the port")
        return cls(host, int(port))

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The address, or None where a host name stands."""
        return ip_address(self.host)

    def overlaps(self, other: "Address") -> bool:
        """True when both can't be listened on at once: the same port on the same address, or on all of its family."""
        if self.port != other.port or self.port == 0:
            return False
        mine, theirs = self.ip, other.ip
        if mine is None or theirs is None:
            return self.host.lower() == other.host.lower()
        return mine.version == theirs.version and (mine == theirs or mine.is_unspecified or theirs.is_unspecified)


def ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return ``host`` as an IP address, or None when it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_host(text: str) -> bool:
    """True for a host name or an IP address, without port or brackets."""
    return ip_address(text) is not None or _HOST_NAME.fullmatch(text) is not None


def url_parts(url: str) -> SplitResult | None:
    """Return the parts of a URL, or None where it is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError when it is no port
    except ValueError:
        return None
    return parts


def expand_url(template: str, identity: str) -> str:
    """Put a station's identity into a URL, percent-encoded so that it stays one path segment or query value."""
    before, _, after = template.partition(IDENTITY)
    # A query reads + & and = in its own way; a path segment may carry them as they are (RFC 3986 3.3).
    return before + quote(identity, safe="" if "?" in before else "*-_=:+@.") + after


def store_url(text: str, folder: Path) -> str:
    """Check a store's URL and make the path of an SQLite one absolute. Raises ValueError."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in {SQLITE, POSTGRESQL}:
        raise ValueError(f"must begin with {SQLITE}:/// or {POSTGRESQL}://")
    if scheme == SQLITE:
        name, mark, query = rest.removeprefix("/").partition("?")
        if not rest.startswith("/") or not name or ":memory:" in name or name.startswith("file:"):
            raise ValueError(f"must name a file that lasts, such as {SQLITE}:///voltgate.db; what is in memory is lost")
        path = str(folder / name)
        if "?" in path:
            raise ValueError(f"can't be used: the folder {folder} has a ? in its name; write the store elsewhere")
        return f"{SQLITE}:///{path}{mark}{query}"
    parts = urlsplit(text)
    if parts.password is not None or "password=" in parts.query:
        raise ValueError("holds a password; take it out, and refer to it in store.password (file:, env: or vault:)")
    if not parts.hostname or not parts.path.strip("/"):
        raise ValueError(f"must name a host and a database, such as {POSTGRESQL}://voltgate@db.internal/voltgate")
    return text


def with_password(url: str, password: str) -> str:
    """Put ``password`` into the URL of a PostgreSQL store."""
    scheme, _, rest = url.partition("://")
    user, at, host = rest.rpartition("@")
    return f"{scheme}://{quote(unquote(user), safe='')}:{quote(password, safe='')}@{host}" if at else url


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text; put it in quotes")  # noqa: TRY004  # pydantic collects ValueErrors, not TypeErrors
    return value


def _folder(info: ValidationInfo) -> Path:
    return Path((info.context or {}).get(FOLDER) or Path.cwd())


def _path(value: Any, info: ValidationInfo) -> Path:
    if isinstance(value, Path):
        return _folder(info) / value
    text = _text(value)
    if not text or "\0" in text:
        raise ValueError("must be a path")
    if text.startswith("file:"):
        raise ValueError("must be a plain path, without file: before it")
    return _folder(info) / text


def _network(value: Any) -> IpNetwork:
    try:
        return ipaddress.ip_network(_text(value))
    except ValueError as error:
        if "host bits" in str(error):
            raise ValueError(
                "must be a network: the bits after the mask must be 0 (10.1.0.0/16, not 10.1.2.3/16)"
            ) from None
        raise ValueError("must be a network such as 10.1.0.0/16 or fd00::/8") from None


def _secret(value: Any, info: ValidationInfo) -> SecretRef:
    return value if isinstance(value, SecretRef) else SecretRef.parse(_text(value), _folder(info))


def _policy(value: Any, info: ValidationInfo) -> str | Path:
    text = _text(value)
    if "/" in text or text.endswith((".yaml", ".yml")):
        return _folder(info) / text
    if not _POLICY_NAME.fullmatch(text):
        raise ValueError("must be the name of a bundled policy, or a path to a .yaml file")
    return text


def _crl_source(value: Any, info: ValidationInfo) -> str:
    return value if isinstance(value, str) and value.startswith(("http://", "https://")) else str(_path(value, info))


def _store_url(value: Any, info: ValidationInfo) -> str:
    return store_url(_text(value), _folder(info))


def _visible(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must not hold control characters")
    return value


def _freeze(value: Mapping[str, Item]) -> Mapping[str, Item]:
    return MappingProxyType(dict(value))


Bind = Annotated[
    Address,
    PlainValidator(lambda value: value if isinstance(value, Address) else Address.parse(_text(value))),
    PlainSerializer(str),
]
FilePath = Annotated[Path, PlainValidator(_path)]
"""An absolute path."""
Network = Annotated[IpNetwork, PlainValidator(_network), PlainSerializer(str)]
Secret = Annotated[SecretRef, PlainValidator(_secret), PlainSerializer(str)]
Text = Annotated[str, StringConstraints(min_length=1), AfterValidator(_visible)]
Organization = Annotated[str, StringConstraints(min_length=1, max_length=ORGANIZATION_MAX), AfterValidator(_visible)]
PolicySource = Annotated[str | Path, PlainValidator(_policy), PlainSerializer(str)]
"""A bundled policy's name, or the absolute path of a policy file."""
CrlSource = Annotated[str, PlainValidator(_crl_source)]
"""An http or https URL, or the absolute path of a file."""
StoreUrl = Annotated[str, PlainValidator(_store_url)]
List = Annotated[tuple[Item, ...], Strict(strict=False)]
"""A YAML list, kept as a tuple."""
Named = Annotated[Mapping[str, Item], AfterValidator(_freeze), PlainSerializer(dict)]
"""A YAML mapping from names to sections, kept read-only."""

TEXT_KINDS: Final[frozenset[Any]] = frozenset({str, Path, Address, SecretRef, str | Path, IpNetwork})
"""The declared types that are written as one text."""
