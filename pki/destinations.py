"""Where the gateway may be sent by others: URLs that a peer or a certificate names (attacks B2, B6: SSRF).

Pure: :mod:`pki.fetching` asks here before it resolves a name, and again for each address that it connects to.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

URL_LENGTH_MAX: Final = 2000
"""Characters (responderURL of OCPP 2.1; 2.0.1 has 512)."""
PORTS: Final = {"http": 80, "https": 443}
"""The schemes that are spoken, and the port of each."""
UPLOAD_PORTS: Final = {**PORTS, "ftp": 21, "ftps": 21}
"""The same where files are sent to; TLS is begun on a connection in the clear (RFC 4217)."""
DESTINATIONS_MAX: Final = 1024
"""Places of one allow-list."""

_HOST: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)*")
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class DestinationRefused(ValueError):
    """The gateway doesn't go there; the text says why, and which key would allow it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL in its parts, of the one form in which it is compared and sent."""

    scheme: str
    host: str
    """Lower case; an IPv6 address without its brackets."""
    port: int
    path: str
    """At least ``/``, with the query."""

    @classmethod
    def parse(cls, url: str, ports: Mapping[str, int] = PORTS) -> "Target":
        """Read what somebody else wrote, of one of the schemes in ``ports``. Raises :class:`DestinationRefused`."""
        if len(url) > URL_LENGTH_MAX or not _VISIBLE.fullmatch(url) or "\\" in url:
            raise DestinationRefused(f"a URL has at most {URL_LENGTH_MAX} printable ASCII characters, and no backslash")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise DestinationRefused("it isn't a URL") from None
        if parts.scheme not in ports:
            raise DestinationRefused(f"only {' and '.join(', '.join(ports).rsplit(', ', 1))} are spoken")
        if "@" in parts.netloc:
            raise DestinationRefused("a URL with a user or a password is refused")
        if "#" in url:
            raise DestinationRefused("a URL with a # part is refused")
        host = parts.hostname or ""
        if not _HOST.fullmatch(host) and not _is_address(host):
            raise DestinationRefused("it names no host")
        if any(unquote(segment) in {".", ".."} for segment in re.split(r"/|%2f|%5c", parts.path, flags=re.IGNORECASE)):
            raise DestinationRefused("a path with . or .. is refused")
        query = f"?{parts.query}" if parts.query else ""
        port = ports[parts.scheme] if port is None else port
        return cls(parts.scheme, host, port, (parts.path or "/") + query)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True)
class Destination:
    """One place of an allow-list."""

    host: str
    """Lower case; ``*.example.com`` covers every name below, not example.com itself."""
    port: int | None = None
    """None: the scheme's own."""
    scheme: str | None = None
    """None: either."""
    path: str = "/"
    """What the path begins with; it ends at a slash, or covers that one path."""

    @classmethod
    def parse(cls, text: str, ports: Mapping[str, int] = PORTS) -> "Destination":
        """Read ``host``, ``host:port``, ``*.example.com`` or the beginning of a URL. Raises ValueError.

        ``ports``: the schemes that a URL may have.
        """
        star = "*." if text.startswith("*.") else ""
        is_url = "://" in text
        try:
            target = Target.parse(text if is_url else f"http://{text.removeprefix('*.')}", ports)
        except DestinationRefused as refused:
            raise ValueError(f"must be a host, host:port, *.example.com or the beginning of a URL: {refused}") from None
        if is_url:
            if "?" in target.path:
                raise ValueError("must not have a query")
            return cls(target.host, target.port, target.scheme, target.path)
        if target.path != "/" or text.endswith("/"):
            raise ValueError("must have its scheme where it has a path, such as http://ocsp.example.com/v2g/")
        if star and (_is_address(target.host) or "." not in target.host):
            raise ValueError("must have two labels at least behind *., such as *.example.com")
        named = None if re.fullmatch(r"[^:]*|\[.*\]", text) else target.port
        return cls(star + target.host, named)

    def covers(self, target: Target) -> bool:
        """Return whether ``target`` is here."""
        if self.host.startswith("*."):
            if not target.host.endswith(self.host[1:]) or _is_address(target.host):
                return False
        elif target.host != self.host:
            return False
        if self.scheme not in {None, target.scheme} or target.port != (self.port or UPLOAD_PORTS[target.scheme]):
            return False
        path, _, _ = target.path.partition("?")
        return path == self.path or path.startswith(self.path if self.path.endswith("/") else f"{self.path}/")


class AllowList:
    """The places where the gateway goes when others send it, and the networks in which they may lie.

    An address that isn't a public one is refused, whatever name leads to it, unless ``networks`` hold it: private,
    loopback, link-local (a cloud's metadata), multicast, reserved, and those that are only spelt as another one.
    """

    def __init__(self, destinations: Iterable[Destination] = (), networks: Sequence[IpNetwork] = ()) -> None:
        self._destinations: tuple[Destination, ...] = ()
        self._networks = tuple(networks)
        self.replace(destinations)

    def replace(self, destinations: Iterable[Destination]) -> None:
        """Take these places instead; at most DESTINATIONS_MAX."""
        self._destinations = tuple(dict.fromkeys(destinations))[:DESTINATIONS_MAX]

    def target(self, url: str, ports: Mapping[str, int] = PORTS) -> Target:
        """Return the parts of ``url`` when it is on the list. Raises :class:`DestinationRefused`.

        ``ports``: the schemes that it may have.
        """
        target = Target.parse(url, ports)
        if not any(destination.covers(target) for destination in self._destinations):
            raise DestinationRefused(
                f"{target.scheme}://{target.host}:{target.port} isn't on the list of those allowed"
            )
        return target

    def check_address(self, host: str) -> None:
        """Return when a socket may be connected to this numeric address. Raises :class:`DestinationRefused`."""
        address = ipaddress.ip_address(host.partition("%")[0])
        real = _real(address)
        if any(each in network for each in {address, real} for network in self._networks):
            return
        if not _is_public(real):
            raise DestinationRefused(f"{address} isn't a public address, and its network isn't on the list")


def split_credentials(url: str) -> tuple[str, tuple[str, str] | None]:
    """Return ``url`` without the user and password in it, and these, decoded; None: there are none.

    What isn't a URL comes back as it is: :meth:`Target.parse` says so.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return url, None
    written, is_there, place = parts.netloc.rpartition("@")
    if not is_there:
        return url, None
    user, _, password = written.partition(":")
    return url.replace(f"//{parts.netloc}", f"//{place}", 1), (unquote(user), unquote(password))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def _is_public(address: IpAddress) -> bool:
    is_site_local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    return address.is_global and not (address.is_multicast or address.is_reserved or is_site_local)


def _real(address: IpAddress) -> IpAddress:
    """Return the IPv4 address that an IPv6 one leads to by itself, if any: mapped, 6to4, NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
