"""What ``voltgate check`` looks at beyond the tree: the files, secrets, addresses and the CA that it points to.

Reads and resolves; changes nothing. Whether the policy loads is for the caller, who knows policies.
"""

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

from gateway.config.check_tls import check_kinds, check_pair, check_roots, check_server_chain, leads_to
from gateway.config.problems import Problem
from gateway.config.secrets import Scheme, SecretError, SecretRef, exposure
from gateway.config.tree import DEFAULT_OPERATOR, Backend, Config, Listener
from gateway.config.values import Address, ip_address
from pki.authority import AuthorityError
from pki.authority.ca_folder import FILES
from pki.authority.local import LocalAuthority

__all__ = ["Problem", "check"]

TOKEN_LENGTH_MIN: Final = 16
"""Characters of an administration token that nobody guesses."""
SQLITE_HEADER: Final = b"SQLite format 3\0"
"""What each SQLite file begins with."""


def _may_be_sqlite(path: Path) -> bool:
    """An empty file is one that SQLite has not written to yet."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(len(SQLITE_HEADER))
    return start in {b"", SQLITE_HEADER}


def utc_now() -> datetime:
    return datetime.now(UTC)


def check(
    config: Config, *, environ: Mapping[str, str] = os.environ, clock: Callable[[], datetime] = utc_now
) -> list[Problem]:
    """Return what is wrong with what ``config`` points to. Blocks: reads files, may ask Vault."""
    looking = _Looking(config, environ, clock)
    return [*looking.problems()]


class _Looking:
    """One look at one configuration."""

    def __init__(self, config: Config, environ: Mapping[str, str], clock: Callable[[], datetime]) -> None:
        self.config = config
        self.environ = environ
        self.clock = clock
        self.now = clock()

    def problems(self) -> Iterator[Problem]:
        if "operator" not in self.config.model_fields_set:
            text = f"isn't set: {DEFAULT_OPERATOR} becomes the O of every station certificate; name yourself"
            yield Problem.warning("operator", text)
        yield from self.store()
        authority_root, found = self.authority()
        yield from found
        for index, listener in enumerate(self.config.listeners):
            yield from self.listener(f"listeners[{index}]", listener, authority_root)
        for name, backend in self.config.backends.items():
            yield from self.backend(f"backends.{name}", backend)
        yield from self.admin()

    def store(self) -> Iterator[Problem]:
        if (path := self.config.store.sqlite_path) is not None:
            if not path.parent.is_dir():
                yield Problem.error("store.url", f"the folder {path.parent} doesn't exist; make it")
            elif not os.access(path if path.exists() else path.parent, os.W_OK):
                yield Problem.error("store.url", f"{path} can't be written by this user")
            elif path.exists() and not _may_be_sqlite(path):
                yield Problem.error("store.url", f"{path} isn't a SQLite database; name another file")
        elif self.config.store.password is not None:
            yield from self.secret("store.password", self.config.store.password)

    def authority(self) -> tuple[x509.Certificate | None, list[Problem]]:
        """Look at the local CA without making it. Returns its root, where there is one."""
        place, folder = "authority.station.local.dir", self.config.authority.station.local.dir
        if folder.exists() and not folder.is_dir():
            return None, [Problem.error(place, f"{folder} isn't a folder; name another one")]
        if not any((folder / name).exists() for name in FILES):
            text = f"{folder} holds no CA yet; the first `voltgate serve` makes one, whose root stations don't know"
            return None, [Problem.warning(place, text)]
        try:
            return LocalAuthority.open(folder, clock=self.clock).root, []
        except AuthorityError as error:
            return None, [Problem.error(place, str(error))]

    def listener(self, place: str, listener: Listener, authority_root: x509.Certificate | None) -> Iterator[Problem]:
        yield from check_address(f"{place}.bind", listener.bind)
        for index, network in enumerate(listener.trusted_networks):
            if network.prefixlen == 0:
                yield Problem.warning(f"{place}.trusted_networks[{index}]", f"{network} trusts the whole internet")
        if listener.tls is None:
            return
        roots: list[x509.Certificate] = []
        if listener.tls.station_roots is not None:
            found, roots = check_roots(f"{place}.tls.station_roots", listener.tls.station_roots, self.now)
            yield from found
            if roots and authority_root is not None and authority_root not in roots:
                yield Problem.warning(
                    f"{place}.tls.station_roots",
                    "lacks the root of authority.station: stations can't come in with what the gateway issues",
                )
        leaves = []
        for index, certificate in enumerate(listener.tls.certificates):
            here = f"{place}.tls.certificates[{index}]"
            found, chain = check_pair(here, certificate.chain, certificate.key, environ=self.environ, now=self.now)
            yield from found
            if chain:
                leaves.append(chain[0])
                yield from check_server_chain(here, chain)
                if leads_to(chain, roots):
                    yield Problem.warning(
                        f"{here}.chain", "leads to one of station_roots: servers and stations need separate CAs"
                    )
        if len(leaves) == len(listener.tls.certificates):
            yield from check_kinds(f"{place}.tls.certificates", leaves)

    def backend(self, place: str, backend: Backend) -> Iterator[Problem]:
        if backend.tls is not None:
            if backend.tls.roots is not None:
                yield from check_roots(f"{place}.tls.roots", backend.tls.roots, self.now)[0]
            if backend.tls.chain is not None and backend.tls.key is not None:
                chain, key = backend.tls.chain, backend.tls.key
                yield from check_pair(f"{place}.tls", chain, key, environ=self.environ, now=self.now)[0]
        if backend.auth is not None:
            yield from self.secret(f"{place}.auth.basic.password", backend.auth.basic.password)
        for index, network in enumerate(backend.trusted_networks):
            if network.prefixlen == 0:
                yield Problem.warning(f"{place}.trusted_networks[{index}]", f"{network} trusts the whole internet")

    def admin(self) -> Iterator[Problem]:
        bind, token = self.config.admin.bind, self.config.admin.token
        yield from check_address("admin.bind", bind)
        if token is None:
            yield Problem.warning("admin.token", "isn't set: the API is off, only health and metrics answer")
            return
        yield from self.secret("admin.token", token, length_min=TOKEN_LENGTH_MIN)
        if bind.host != "localhost" and not (bind.ip is not None and bind.ip.is_loopback):
            yield Problem.warning("admin.bind", f"{bind} is plain HTTP beyond this machine; put a TLS proxy before it")

    def secret(self, place: str, reference: SecretRef, length_min: int = 1) -> Iterator[Problem]:
        """A secret per station can't be resolved here: only its folder is looked at."""
        if reference.path is not None:
            folder = _fixed_folder(reference.path) if reference.is_template else reference.path.parent
            if not folder.is_dir():
                yield Problem.error(place, f"{reference}: the folder {folder} doesn't exist; make it")
                return
            if exposed := exposure(reference.path, is_key=False):
                yield Problem.warning(place, exposed)
        if reference.scheme is Scheme.VAULT:
            yield from self.vault(place)
        if reference.is_template:
            return
        try:
            secret = reference.resolve(environ=self.environ)
        except SecretError as error:
            yield Problem.error(place, str(error))
            return
        if len(secret) < length_min:
            yield Problem.warning(place, f"{reference} is shorter than {length_min} characters; take a longer one")

    def vault(self, place: str) -> Iterator[Problem]:
        address = urlsplit(self.environ.get("VAULT_ADDR", ""))
        host = ip_address(address.hostname or "")
        is_local = address.hostname == "localhost" or (host is not None and host.is_loopback)
        if address.scheme == "http" and not is_local:
            yield Problem.warning(
                place, "VAULT_ADDR is plain http: the token and the secret travel in clear; use https"
            )


def check_address(place: str, address: Address) -> Iterator[Problem]:
    """Can this machine listen there? Asked of the kernel with port 0, so that a running gateway isn't in the way."""
    try:
        found = socket.getaddrinfo(address.host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        yield Problem.error(place, f"{address.host} isn't a name that this machine can resolve")
        return
    for family, kind, protocol, _, target in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.bind(target)
        except OSError as error:
            yield Problem.error(place, f"{address.host} isn't an address of this machine: {error.strerror}")
            return


def _fixed_folder(path: Path) -> Path:
    """Return the deepest folder above ``path`` that is the same for every station."""
    return next(folder for folder in path.parents if "{identity}" not in str(folder))
