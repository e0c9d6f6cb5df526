"""What ``voltgate check`` looks at beyond the tree: the files, secrets, addresses and the CA that it points to.

Reads and resolves; changes nothing. Whether the policy loads is for the caller, who knows policies.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

from gateway.config.check_authority import check_authority, embedded_chain
from gateway.config.check_crls import check_crl
from gateway.config.check_files import check_files
from gateway.config.check_firmware import check_firmware
from gateway.config.check_listener import check_listener
from gateway.config.check_logs import check_logs
from gateway.config.check_network import check_address, check_networks
from gateway.config.check_plug_and_charge import check_plug_and_charge
from gateway.config.check_tls import check_pair, check_roots
from gateway.config.check_trust_anchors import check_trust_anchors
from gateway.config.problems import Problem
from gateway.config.secrets import Scheme, SecretError, SecretRef, exposure
from gateway.config.tree import DEFAULT_OPERATOR, Backend, Config
from gateway.config.values import ip_address
from pki.clock import utc_now

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
        for name, use in self.config.authority.uses():
            yield from check_authority(f"authority.{name}", use, self.secret, self.now, self.environ)
        authority = embedded_chain(self.config.authority.station, self.now)
        servers = self.config.authority.server
        server = embedded_chain(servers, self.now) if servers is not None else ()
        for index, listener in enumerate(self.config.listeners):
            roots = (authority[0] if authority else None), (server[0] if server else None)
            yield from check_listener(f"listeners[{index}]", listener, *roots, environ=self.environ, now=self.now)
        yield from self.revocation(authority)
        for index, anchors in enumerate(self.config.trust_anchors):
            yield from check_trust_anchors(f"trust_anchors[{index}]", anchors, self.now)
        for name, backend in self.config.backends.items():
            yield from self.backend(f"backends.{name}", backend)
        if (section := self.config.plug_and_charge) is not None:
            yield from check_plug_and_charge(section, self.secret, self.now, self.environ)
        yield from check_firmware(self.config, self.now)
        yield from check_logs(self.config, self.now)
        yield from check_files(self.config)
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

    def revocation(self, authority: Sequence[x509.Certificate]) -> Iterator[Problem]:
        known = [*authority, *self.trusted()]
        for index, source in enumerate(self.config.revocation.crls):
            if "://" not in source:
                yield from check_crl(f"revocation.crls[{index}]", Path(source), known, self.now)
        for index, path in enumerate(self.config.ocsp.issuers):
            yield from check_roots(f"ocsp.issuers[{index}]", path, self.now)[0]
        if self.config.ocsp.roots is not None:
            yield from check_roots("ocsp.roots", self.config.ocsp.roots, self.now)[0]

    def trusted(self) -> Iterator[x509.Certificate]:
        """Yield the roots that station certificates may lead to, those that can be read."""
        for tls in (listener.tls for listener in self.config.listeners if listener.tls is not None):
            for path in (tls.station_roots, tls.factory_roots):
                if path is not None:
                    yield from check_roots("", path, self.now)[1]

    def backend(self, place: str, backend: Backend) -> Iterator[Problem]:
        if backend.tls is not None:
            if backend.tls.roots is not None:
                yield from check_roots(f"{place}.tls.roots", backend.tls.roots, self.now)[0]
            if backend.tls.chain is not None and backend.tls.key is not None:
                chain, key = backend.tls.chain, backend.tls.key
                yield from check_pair(f"{place}.tls", chain, key, environ=self.environ, now=self.now)[0]
        if backend.auth is not None:
            yield from self.secret(f"{place}.auth.basic.password", backend.auth.basic.password)
        yield from check_networks(f"{place}.trusted_networks", backend.trusted_networks)

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


def _fixed_folder(path: Path) -> Path:
    """Return the deepest folder above ``path`` that is the same for every station."""
    return next(folder for folder in path.parents if "{identity}" not in str(folder))
