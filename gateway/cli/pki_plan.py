"""What the options of `voltgate pki bootstrap` ask for: who is asked, as whom, and what is wanted there."""

import enum
import ipaddress
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import typer

from gateway.cli.output import Failed
from gateway.config.values import ORGANIZATION_MAX
from pki.profiles import HOST_NAME, as_ip, with_lifetime
from pki.vault.bootstrap_connection import Administrator
from pki.vault.bootstrap_findings import seconds
from pki.vault.bootstrap_plan import (
    CPS_MOUNT,
    FIRMWARE_MOUNT,
    MOUNTS,
    AppRolePlan,
    CpsKey,
    FirmwareKey,
    Plan,
    Use,
    checked_mount,
    use_named,
)

TOKEN_VARIABLES: Final = ("BAO_TOKEN", "VAULT_TOKEN")
TOKEN_FILE: Final = ".vault-token"  # noqa: S105  # where it lies, not what it is
"""In the home folder: where `vault login` and `bao login` leave it."""
_SUFFIXES: Final = {"2": "", "20": "_20"}
PEM_SIZE_MAX: Final = 100_000
"""Bytes of a signed chain."""


class Generation(enum.StrEnum):
    """Of ISO 15118."""

    ISO_2 = "2"
    ISO_20 = "20"


class KeyType(enum.StrEnum):
    """Of the key that signs firmware, by Vault's names; RSA signs by PSS."""

    P256 = "ecdsa-p256"
    P384 = "ecdsa-p384"
    P521 = "ecdsa-p521"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options that say what is wanted."""

    operator: str
    mounts: Mapping[str, str]
    """By use: the engine of each that is wanted."""
    root_mount: str | None
    intermediates: Sequence[str]
    lifetimes: Sequence[str]
    public_url: str | None
    server_names: Sequence[str] = ()
    mobility_operator: str | None = None
    cps: tuple[CpsKey, ...] = ()
    firmware: FirmwareKey | None = None


def plan_for(wishes: Wishes, approle: AppRolePlan | None) -> Plan:
    """Return what is wanted. Raises typer.BadParameter and Failed."""
    lifetimes = {use: _duration("--lifetime", text) for use, text in _by_use("--lifetime", wishes.lifetimes, wishes)}
    signed = {use: _pem(Path(file)) for use, file in _by_use("--intermediate", wishes.intermediates, wishes)}
    if signed and wishes.root_mount is not None:
        raise typer.BadParameter("--intermediate is what an offline root has signed: give --offline-root too")
    if wishes.server_names and "server" not in wishes.mounts:
        raise typer.BadParameter("--server-name is of server certificates: give --server too")
    operator = _owner("--operator", wishes.operator)
    named = wishes.mobility_operator
    mobility_operator = None if named is None else _owner("--mobility-operator", named)
    if named is not None and not {"contract", "contract_20"}.intersection(wishes.mounts):
        raise typer.BadParameter("--mobility-operator is of contract certificates: give --contract too")
    if wishes.public_url is not None and not urlsplit(wishes.public_url).hostname:
        raise typer.BadParameter("--public-url must be a URL such as http://pki.example.com")
    try:
        uses = [_use(name, mount, lifetimes.get(name), wishes) for name, mount in wishes.mounts.items()]
        root_mount = None if wishes.root_mount is None else checked_mount(wishes.root_mount)
        key_mounts = [*{checked_mount(key.mount) for key in wishes.cps}]
        key_mounts += [] if wishes.firmware is None else [checked_mount(wishes.firmware.mount)]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    names = [*wishes.mounts.values(), *([] if root_mount is None else [root_mount]), *key_mounts]
    if len(set(names)) != len(names):
        raise typer.BadParameter("each engine needs a name of its own")
    return Plan(
        operator,
        tuple(uses),
        root_mount,
        signed,
        wishes.public_url,
        approle,
        cps=wishes.cps,
        mobility_operator=mobility_operator,
        firmware=wishes.firmware,
    )


class Engines(NamedTuple):
    """The engines that can have another name by ``--mount``."""

    contracts: dict[str, str]
    """By use: of each kind of contract certificates."""
    cps: tuple[CpsKey, ...]
    """The keys of provisioning services."""
    firmware: FirmwareKey | None


def chosen_engines(
    contracts: Sequence[Generation], cps: Sequence[Generation], firmware: KeyType | None, mounts: Sequence[str]
) -> Engines:
    """Return what is wanted of Plug & Charge, and the key that signs firmware.

    ``mounts``: other names than Voltgate's, as ``contract=NAME``. Raises typer.BadParameter.
    """
    uses = [f"contract{_SUFFIXES[each]}" for each in sorted(set(contracts))]
    known = [*uses, *(["cps"] if cps else []), *(["firmware"] if firmware else [])]
    named = dict(each.partition("=")[::2] for each in mounts)
    for use, mount in named.items():
        if not mount:
            raise typer.BadParameter("--mount must be USE=NAME, such as contract=mo")
        if use not in known:
            raise typer.BadParameter(f"--mount: {use!r} isn't set up here; one of {', '.join(known) or 'none'}")
    keys = (CpsKey(f"cps{_SUFFIXES[each]}", named.get("cps", CPS_MOUNT)) for each in sorted(set(cps)))
    own = None if firmware is None else FirmwareKey(firmware.value, named.get("firmware", FIRMWARE_MOUNT))
    return Engines({use: named.get(use, MOUNTS[use]) for use in uses}, tuple(keys), own)


def approle_plan(
    mount: str, token_ttl: str, token_max_ttl: str, secret_id_ttl: str, networks: Sequence[str]
) -> AppRolePlan:
    """Return what the gateway's login shall be. Raises typer.BadParameter."""
    try:
        taken = tuple(str(ipaddress.ip_network(network)) for network in networks)
        mount = checked_mount(mount)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    lives, at_most = _duration("--token-ttl", token_ttl), _duration("--token-max-ttl", token_max_ttl)
    if not timedelta(0) < lives <= at_most:
        raise typer.BadParameter("--token-ttl must be more than nothing, and --token-max-ttl not less than it")
    return AppRolePlan(mount, lives, at_most, _duration("--secret-id-ttl", secret_id_ttl), taken)


def administrator(address: str, cacert: Path | None, namespace: str | None) -> Administrator:
    """Open the connection. Raises typer.BadParameter, and Failed where there is no token."""
    return Administrator(checked_address(address, cacert), vault_token(), cacert=cacert, namespace=namespace or None)


def checked_address(address: str, cacert: Path | None) -> str:
    """Return Vault's URL, and look whether its root is there. Raises typer.BadParameter, Failed."""
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
        raise typer.BadParameter("the address must be a URL such as https://vault.example.com:8200 (VAULT_ADDR)")
    if parts.scheme == "http" and parts.hostname not in {"127.0.0.1", "::1", "localhost"}:
        raise typer.BadParameter("the token would travel in clear over http; use https")
    if cacert is not None and not cacert.is_file():
        raise Failed(f"{cacert} is no file; name the root of Vault's own certificate (VAULT_CACERT)")
    return address.rstrip("/")


def vault_token() -> str:
    """Return the caller's token: an argument would stand in the shell's history and in every process list.

    Raises Failed.
    """
    for name in TOKEN_VARIABLES:
        if token := os.environ.get(name, "").strip():
            return token
    try:
        if token := (Path.home() / TOKEN_FILE).read_text(encoding="utf-8").strip():
            return token
    except (OSError, UnicodeDecodeError, RuntimeError):
        pass  # the line below tells all that helps
    raise Failed("there is no token; set VAULT_TOKEN, or log in with `vault login` or `bao login`")


def _owner(option: str, name: str) -> str:
    """Return the O of certificates: voltgate.yaml takes no other, and a CA that has it can't be renamed."""
    found = name.strip()
    if not found:
        raise typer.BadParameter(f"{option} must name the owner: it is the O of every certificate")
    if len(found) > ORGANIZATION_MAX or not found.isprintable():
        raise typer.BadParameter(
            f"{option} must have {ORGANIZATION_MAX} characters at most, none of them control characters"
        )
    return found


def _use(name: str, mount: str, lifetime: timedelta | None, wishes: Wishes) -> Use:
    use = use_named(name, mount)
    names = tuple(wishes.server_names) if name == "server" else ()
    for host in names:
        if as_ip(host) is not None or not HOST_NAME.fullmatch(host):
            raise ValueError(f"--server-name: {host!r} is no host name")
    return Use(name, use.mount, with_lifetime(use.profile, lifetime), names)


def _by_use(option: str, given: Sequence[str], wishes: Wishes) -> list[tuple[str, str]]:
    """Split ``USE=VALUE``; without a use it is the station's."""
    found = []
    for each in given:
        use, equals, value = each.partition("=")
        use, value = (use, value) if equals else ("station", each)
        if use not in wishes.mounts:
            raise typer.BadParameter(f"{option}: {use!r} isn't set up here; one of {', '.join(wishes.mounts)}")
        found.append((use, value))
    return found


def _duration(option: str, text: str) -> timedelta:
    found = seconds(text)
    if found is None:
        raise typer.BadParameter(f"{option}: {text!r} is no duration; write 90d, 24h, 30m or 45s")
    return timedelta(seconds=found)


def _pem(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(PEM_SIZE_MAX + 1)
        if len(content) > PEM_SIZE_MAX:
            raise Failed(f"{file} is larger than {PEM_SIZE_MAX} bytes; give the issuing CA and the CAs above it")
        return content.decode("ascii")
    except OSError as error:
        raise Failed(f"{file} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Failed(f"{file} isn't PEM") from None
