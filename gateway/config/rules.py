"""What must hold between the keys of a configuration: one rule per function, yielding key paths and words."""

import re
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from gateway.config.authorities import broken_by_authority
from gateway.config.policies import broken_by_policies
from gateway.config.revocation import broken_by_revocation
from gateway.config.rules_backend import broken_by_backend
from gateway.config.rules_files import broken_by_files
from gateway.config.rules_firmware import broken_by_firmware
from gateway.config.rules_listener import broken_by_listener
from gateway.config.rules_logs import broken_by_logs
from gateway.config.rules_plug_and_charge import broken_by_plug_and_charge
from gateway.config.rules_routes import broken_by_routing
from gateway.config.secrets import IDENTITY
from gateway.config.source import Fault, KeyPath, spell
from gateway.config.trust_anchors import broken_by_trust_anchors

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.config.tree import Config
    from gateway.config.values import Address

_BACKEND_NAME: Final = re.compile(r"(?!.*__)[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def broken_rules(config: "Config") -> Iterator[Fault]:
    """Yield every rule that ``config`` breaks."""
    if not config.listeners:
        yield ("listeners",), "must name at least one listener, or be left out for the default ones"
    for index, listener in enumerate(config.listeners):
        for key, text in broken_by_listener(listener):
            yield ("listeners", index, *key), text
    for name, backend in config.backends.items():
        for key, text in broken_by_backend(backend):
            yield ("backends", name, *key), text
    for key, text in broken_by_authority(config.authority):
        yield ("authority", *key), text
    for key, text in broken_by_revocation(config.revocation):
        yield ("revocation", *key), text
    for rule in _RULES:
        yield from rule(config)


def _backends_have_names(config: "Config") -> Iterator[Fault]:
    if not config.backends:
        yield ("backends",), "must name at least one backend"
    for name in config.backends:
        if not _BACKEND_NAME.fullmatch(name):
            yield ("backends", name), "isn't a name: up to 64 letters, digits, - and single _, with no dot"


def _default_backend_exists(config: "Config") -> Iterator[Fault]:
    if config.default_backend in config.backends or not config.backends:
        return
    names = ", ".join(config.backends)
    if "default_backend" not in config.model_fields_set:
        yield (
            ("default_backend",),
            f"is missing; name the one of {names} that takes stations without a backend of their own",
        )
    else:
        yield ("default_backend",), f"isn't one of the backends ({names})"


def _binds_are_apart(config: "Config") -> Iterator[Fault]:
    binds: list[tuple[KeyPath, Address]] = [
        *((("listeners", index, "bind"), listener.bind) for index, listener in enumerate(config.listeners)),
        (("admin", "bind"), config.admin.bind),
        *([(("files", "bind"), config.files.bind)] if config.files is not None else []),
    ]
    for (first, address), (second, other) in combinations(binds, 2):
        if address.overlaps(other):
            yield second, f"listens where {spell(first)} does already ({address}); give it another port"


def _secrets_stay_whole(config: "Config") -> Iterator[Fault]:
    if config.admin.token is not None and config.admin.token.is_template:
        yield ("admin", "token"), f"can't differ per station; remove {IDENTITY}"
    if config.store.password is not None:
        if config.store.password.is_template:
            yield ("store", "password"), f"can't differ per station; remove {IDENTITY}"
        if config.store.sqlite_path is not None:
            yield ("store", "password"), "has no effect on SQLite; remove it"
        elif urlsplit(config.store.url).username is None:
            yield (
                ("store", "url"),
                "must name the user whose password store.password is, such as //voltgate@db.internal",
            )


def _issued_have_an_authority(config: "Config") -> Iterator[Fault]:
    """Who signs the server certificates, and that two listeners don't write each other's folder."""
    names_of: dict[Path, tuple[str, ...]] = {}
    for index, listener in enumerate(config.listeners):
        issued = listener.tls.issued if listener.tls is not None else None
        if issued is None:
            continue
        key: KeyPath = ("listeners", index, "tls", "issued")
        if config.authority.server is None:
            yield key, "needs authority.server, which signs these certificates; add it"
        if names_of.setdefault(issued.dir, issued.names) != issued.names:
            yield (*key, "dir"), "is another listener's folder, whose names differ; give it one of its own"


_RULES: Final[tuple[Callable[["Config"], Iterator[Fault]], ...]] = (
    _backends_have_names,
    _default_backend_exists,
    broken_by_routing,
    broken_by_trust_anchors,
    broken_by_policies,
    _binds_are_apart,
    _secrets_stay_whole,
    _issued_have_an_authority,
    broken_by_plug_and_charge,
    broken_by_firmware,
    broken_by_logs,
    broken_by_files,
)
