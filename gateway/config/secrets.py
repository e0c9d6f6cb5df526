"""References to secrets: the configuration says where a secret lies, and never holds it.

``env:NAME`` is an environment variable, ``file:PATH`` a file, ``vault:MOUNT/PATH#FIELD`` a field of a KV secret in
HashiCorp Vault or OpenBao. Values pass through here and are kept nowhere.
"""

import enum
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gateway.config.secrets_vault import VaultFailed, read_field

SECRET_SIZE_MAX: Final = 64 * 1024
"""Bytes of a secret file."""
IDENTITY: Final = "{identity}"
"""Stands in a reference for the station's identity."""

_ENV_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VAULT_TARGET: Final = re.compile(r"[^/#\s]+/[^#\s]+#[^#\s]+")


class SecretError(Exception):
    """A secret can't be had. The text names the reference and says what to do; it never holds the secret."""


class Scheme(enum.Enum):
    """Where a secret lies."""

    ENV = "env"
    FILE = "file"
    VAULT = "vault"


@dataclass(frozen=True, slots=True, repr=False)
class SecretRef:
    """Where one secret lies. ``text`` is the reference as it was written, ``target`` the same made absolute."""

    scheme: Scheme
    target: str
    text: str

    @classmethod
    def parse(cls, text: str, folder: Path | None = None) -> "SecretRef":
        """Read a reference; a relative ``file:`` path starts at ``folder`` (default: the working directory).

        Raises ValueError. Its text repeats nothing of ``text``, which may be a secret that was put here by mistake.
        """
        name, _, target = text.partition(":")
        if name == Scheme.ENV.value:
            if not _ENV_NAME.fullmatch(target):
                raise ValueError("after env: the name of one environment variable is needed (letters, digits, _)")
            return cls(Scheme.ENV, target, text)
        if name == Scheme.FILE.value:
            if not target or "\0" in target:
                raise ValueError("after file: a path is needed")
            return cls(Scheme.FILE, str((folder or Path.cwd()) / target), text)
        if name == Scheme.VAULT.value:
            if not _VAULT_TARGET.fullmatch(target) or ".." in re.split("[/#]", target):
                raise ValueError("after vault: MOUNT/PATH#FIELD is needed, such as vault:secret/voltgate#admin-token")
            return cls(Scheme.VAULT, target, text)
        raise ValueError(
            "isn't a reference to a secret; the configuration doesn't hold secrets: write file:PATH, env:NAME or "
            "vault:MOUNT/PATH#FIELD, and put the secret there"
        )

    def __repr__(self) -> str:
        return f"SecretRef({self.text})"

    def __str__(self) -> str:
        return self.text

    @property
    def is_template(self) -> bool:
        """True when the reference differs from station to station (it holds ``{identity}``)."""
        return IDENTITY in self.target

    @property
    def path(self) -> Path | None:
        """The file of a ``file:`` reference (still with ``{identity}`` where it is a template), or None."""
        return Path(self.target) if self.scheme is Scheme.FILE else None

    def resolve(self, identity: str | None = None, environ: Mapping[str, str] = os.environ) -> str:
        """Return the secret as text. Raises :class:`SecretError`, also when it isn't UTF-8.

        Reads a file, or asks Vault over the network: not for the event loop.
        """
        try:
            return self.resolve_bytes(identity, environ).decode()
        except UnicodeDecodeError:
            raise SecretError(f"{self.text}: isn't UTF-8 text; store the secret as text") from None

    def resolve_bytes(self, identity: str | None = None, environ: Mapping[str, str] = os.environ) -> bytes:
        """Return the secret. ``identity`` fills ``{identity}``, percent-encoded. Raises :class:`SecretError`."""
        target = self._fill(identity)
        if self.scheme is Scheme.ENV:
            secret = environ.get(target, "").encode("utf-8", "surrogateescape")
            if not secret:
                raise SecretError(f"{self.text}: the environment variable {target} is unset or empty; set it")
        elif self.scheme is Scheme.FILE:
            secret = self._read(Path(target))
        else:
            secret = self._ask_vault(target, environ).encode()
        if not secret:
            raise SecretError(f"{self.text}: is empty; put the secret there")
        return secret

    def _fill(self, identity: str | None) -> str:
        """Put the identity in. What could leave the folder (``/``, ``..``, NUL) is percent-encoded or refused."""
        if not self.is_template:
            return self.target
        if identity is None:
            raise SecretError(f"{self.text}: is a secret per station, but no station was named")
        if not identity.strip("."):
            raise SecretError(f"{self.text}: an identity that is empty or only dots can't name a secret")
        try:
            return self.target.replace(IDENTITY, quote(identity, safe=""))
        except UnicodeEncodeError:
            raise SecretError(f"{self.text}: an identity that isn't valid text can't name a secret") from None

    def _read(self, path: Path) -> bytes:
        try:
            with path.open("rb") as file:
                raw = file.read(SECRET_SIZE_MAX + 1)
        except FileNotFoundError:
            raise SecretError(f"{self.text}: there is no file {path}; write the secret into it (mode 0600)") from None
        except OSError as error:
            raise SecretError(f"{self.text}: {path} can't be read: {error.strerror}") from None
        if len(raw) > SECRET_SIZE_MAX:
            raise SecretError(f"{self.text}: {path} is larger than {SECRET_SIZE_MAX} bytes; this can't be a secret")
        return raw[:-2] if raw.endswith(b"\r\n") else raw.removesuffix(b"\n")

    def _ask_vault(self, target: str, environ: Mapping[str, str]) -> str:
        location, _, field = target.partition("#")
        mount, _, path = location.partition("/")
        try:
            return read_field(mount, path, field, environ)
        except VaultFailed as error:
            raise SecretError(f"{self.text}: {error}") from None


def exposure(path: Path, *, is_key: bool) -> str | None:
    """Say who else may read the secret file at ``path``, or None when nobody may or it isn't there.

    A private key is for its owner alone; any other secret may be readable by its group (Kubernetes mounts them so).
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None
    if mode & stat.S_IROTH:
        return f"{path} can be read by everybody on this machine (mode {mode:04o}); chmod 600 it"
    if is_key and mode & stat.S_IRGRP:
        return f"{path} can be read by its group (mode {mode:04o}); chmod 600 it unless that is intended"
    return None
