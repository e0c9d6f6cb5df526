"""What a deployment consists of, as its configuration says: what a backup holds, and what must be kept elsewhere."""

import glob
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from gateway.app.cps_signers import signing
from gateway.config import Config
from gateway.config.authorities import AuthorityUse
from gateway.config.secrets import IDENTITY, Scheme, SecretRef
from gateway.store.address import parse_url, place
from pki.authority.ca_folder import FILES
from pki.authority.crl_file import CRL_FILE
from pki.pair_folder import PairKind

VOLATILE: Final = (Path("/var/run"), Path("/run"), Path("/proc"), Path("/dev"))
"""What lies there is given to the process anew with each start."""

_LARGE: Final = frozenset({"firmware.directory", "logs.directory"})
_CRL: Final = re.compile(r"(revocation|firmware\.manufacturers\.[^.]+)\.crls\[\d+\]")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a deployment consists of."""

    store: Path | None
    """The SQLite file."""
    files: tuple[Path, ...]
    """The configuration, what it refers to, the embedded CAs, and the certificates issued to us; each is there."""
    folders: tuple[Path, ...]
    """The embedded CAs' own, and those of the certificates issued to us."""
    missing: tuple[str, ...]
    """What the configuration refers to and isn't there, each in one line."""
    elsewhere: tuple[str, ...]
    """What no file of this machine holds, each in one line that says how it is kept."""


@dataclass(frozen=True, slots=True)
class _Named:
    key: str
    value: Any


def contents(config: Config, file: Path) -> Contents:
    """Return what the deployment of the configuration in ``file`` consists of. Blocks on the disk."""
    files, missing, elsewhere = [file], [], []
    folders = []
    for named in _leaves(config, ""):
        if isinstance(named.value, SecretRef) and named.value.scheme is not Scheme.FILE:
            elsewhere.append(f"{named.key}: {named.value}: the secret stays where it is; keep it there")
            continue
        path = None if named.key in _LARGE else _path(named)
        if path is None or any(path.is_relative_to(each) for each in VOLATILE):
            continue
        if (names := _names_in_folder(named.key)) is not None:
            folders.append(path)
            found = [path / name for name in names if (path / name).is_file()]
        else:
            found = _found(path)
        files += found
        if not found:
            what = "there is no such file" if names is None else "nothing is there yet"
            missing.append(f"{named.key}: {path}: {what}")
    elsewhere += _kept_elsewhere(config)
    return Contents(
        config.store.sqlite_path,
        tuple(dict.fromkeys(files)),
        tuple(dict.fromkeys(folders)),
        tuple(missing),
        tuple(elsewhere),
    )


def _leaves(node: Any, key: str) -> Iterator[_Named]:
    """Yield each single value of the configuration with its key, as it is spelled in the file."""
    if isinstance(node, BaseModel):
        for name in type(node).model_fields:
            yield from _leaves(getattr(node, name), f"{key}.{name}" if key else name)
    elif isinstance(node, Mapping):
        for name, value in node.items():
            yield from _leaves(value, f"{key}.{name}")
    elif isinstance(node, tuple):
        for index, value in enumerate(node):
            yield from _leaves(value, f"{key}[{index}]")
    else:
        yield _Named(key, node)


def _path(named: _Named) -> Path | None:
    """Return the file that a value names, or None."""
    if isinstance(named.value, SecretRef):
        return named.value.path
    if _CRL.fullmatch(named.key) and "://" not in named.value:
        return Path(named.value)
    return named.value if isinstance(named.value, Path) else None


def _found(path: Path) -> list[Path]:
    """Return the file, or for one of each station, all that there are."""
    if IDENTITY in str(path):
        pattern = "*".join(glob.escape(part) for part in str(path).split(IDENTITY))
        return [Path(each) for each in sorted(glob.glob(pattern)) if Path(each).is_file()]  # noqa: PTH207 - an absolute pattern
    return [path] if path.is_file() else []


def _names_in_folder(key: str) -> tuple[str, ...] | None:
    """Return what the folder that a key names holds of ours; None where a key names no folder."""
    if key.startswith("authority.") and key.endswith(".local.dir"):
        return (*FILES, CRL_FILE)
    if key.endswith(".tls.issued.dir"):
        return tuple(f"{kind.value}.pem" for kind in PairKind)
    return None


def _kept_elsewhere(config: Config) -> Iterator[str]:
    if config.store.sqlite_path is None:
        where = place(parse_url(config.store.url))
        yield (
            f"store.url: {where}: back it up with `pg_dump --format=custom`, restore it with `pg_restore`, "
            "while no gateway runs"
        )
    for key, section in (("firmware", config.firmware), ("logs", config.logs)):
        if section is not None:
            yield f"{key}.directory: {section.directory}: what lies there may be large: copy the folder by itself"
    for name, use in config.authority.uses():
        yield from _authority_elsewhere(name, use)
    vehicles = config.plug_and_charge
    for name, provider in vehicles.providers.items() if vehicles is not None else ():
        for key, cps, _ in signing(provider.native) if provider.native is not None else ():
            if cps.transit is not None:
                yield (
                    f"plug_and_charge.providers.{name}.native.{key}.transit: the key {cps.transit.mount}/keys/"
                    f"{cps.transit.key} is Vault's: `vault operator raft snapshot save` (OpenBao: `bao operator ...`)"
                )


def _authority_elsewhere(name: str, use: AuthorityUse) -> Iterator[str]:
    if use.vault is not None:
        yield (
            f"authority.{name}.vault: the keys, certificates and CRL of {use.vault.mount}/ are Vault's: "
            "`vault operator raft snapshot save` (OpenBao: `bao operator ...`), and the offline root's key"
        )
    if use.est is not None:
        yield f"authority.{name}.est: {use.est.url}: the CA behind it keeps its keys, certificates and CRL itself"
