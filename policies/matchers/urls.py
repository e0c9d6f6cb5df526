"""``url``: an address that a station or a backend may be sent to (attack B6), or none.

Stricter than RFC 3986: what two readers may read differently is refused, not interpreted.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from policies.matchers.arguments import Where, count, fits_texts, keys_of, shown, texts, truth
from policies.matchers.hosts import is_name, is_public_address, is_public_name, literal
from policies.matchers.patterns import Finds, any_glob
from policies.matchers.predicates import Predicate, of_text
from policies.vocabulary import Field
from policies.words import RuleError

URL_MAX: Final = 2000
"""Characters of a URL (responderURL of OCPP 2.1; 2.0.1 has 512, 1.6 names no limit)."""
PORT_MAX: Final = 65535
PORTS: Final[Mapping[str, int]] = {
    "ftp": 21,
    "ftps": 990,
    "http": 80,
    "https": 443,
    "sftp": 22,
    "ws": 80,
    "wss": 443,
}
"""The port that a URL without one means."""

_KEYS: Final = ("schemes", "hosts", "userinfo", "private", "ports")
_CHARACTER: Final = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})"
_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,31})://"
    r"(?:(?P<user>(?:[A-Za-z0-9\-._~!$&'()*+,;=:]|%[0-9A-Fa-f]{2})*)@)?"
    r"(?:\[(?P<literal>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+))"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    rf"(?:/{_CHARACTER}*)?(?:\?(?:{_CHARACTER}|\?)*)?(?:#(?:{_CHARACTER}|\?)*)?"
)
"""RFC 3986, without what makes a host hard to read: no ``%`` in it, no zone, no empty port."""
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]{0,31}")


@dataclass(frozen=True, slots=True)
class _Acceptable:
    """What a URL must be like."""

    schemes: frozenset[str]
    is_host: Finds
    allows_userinfo: bool
    allows_private: bool
    ports: frozenset[int] | None

    def takes(self, url: str) -> bool:
        found = _URL.fullmatch(url) if len(url) <= URL_MAX else None
        if found is None:
            return False
        scheme = found["scheme"].lower()
        if scheme not in self.schemes or (found["user"] is not None and not self.allows_userinfo):
            return False
        port = int(found["port"]) if found["port"] else PORTS.get(scheme)
        if (port is not None and port > PORT_MAX) or (self.ports is not None and port not in self.ports):
            return False
        if found["literal"] is not None:
            return self._takes_address(found["literal"], is_bracketed=True)
        host = found["host"].lower()
        if not is_name(host):
            return self._takes_address(host, is_bracketed=False)
        return (self.allows_private or is_public_name(host)) and self.is_host(host)

    def _takes_address(self, text: str, *, is_bracketed: bool) -> bool:
        address = literal(text)
        if address is None or (address.version == 6) != is_bracketed:
            return False
        return (self.allows_private or is_public_address(address)) and self.is_host(str(address))


def compile_url(argument: object, field: Field, where: Where) -> Predicate:
    """``url``: ``schemes`` must be named; ``hosts`` are globs of names and addresses (IPv6 in its shortest form).

    A name that can be read as an address (``127.1``, ``0x7f.1``), a trailing dot, and ``%`` in a host are refused
    always; ``private: true`` allows addresses that aren't public, single labels and names of private networks.
    """
    fits_texts(field, "url", where)
    keys = keys_of(argument, _KEYS, where)
    if "schemes" not in keys:
        raise RuleError(where, "needs `schemes`, such as [https]")
    acceptable = _Acceptable(
        _schemes(keys["schemes"], (*where, "schemes")),
        any_glob([host.lower() for host in texts(keys.get("hosts", "*"), (*where, "hosts"))], (*where, "hosts")),
        truth(keys.get("userinfo", False), (*where, "userinfo")),
        truth(keys.get("private", False), (*where, "private")),
        _ports(keys["ports"], (*where, "ports")) if "ports" in keys else None,
    )
    return of_text(acceptable.takes, field)


def _schemes(argument: object, where: Where) -> frozenset[str]:
    schemes = [scheme.lower() for scheme in texts(argument, where)]
    for place, scheme in enumerate(schemes):
        if _SCHEME.fullmatch(scheme) is None:
            raise RuleError((*where, place), f"{shown(scheme)} isn't a scheme, such as https")
    return frozenset(schemes)


def _ports(argument: object, where: Where) -> frozenset[int]:
    if not isinstance(argument, list | tuple) or not argument:
        raise RuleError(where, f"must be a list of ports that isn't empty, not {shown(argument)}")
    ports = [count(port, (*where, place)) for place, port in enumerate(argument)]
    for place, port in enumerate(ports):
        if not 0 < port <= PORT_MAX:
            raise RuleError((*where, place), f"a port is a number from 1 to {PORT_MAX}")
    return frozenset(ports)
