"""A root and its issuing CA in a folder: root.pem, root.key, issuing.pem, issuing.key; made at once, or not at all."""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from pki.authority import AuthorityUnavailable
from pki.issuing import Hierarchy, Issuer
from pki.pem_files import (
    FOLDER_MODE,
    PUBLIC_MODE,
    SECRET_MODE,
    certificates_pem,
    key_pem,
    read_key,
    sync_folder,
    write_file,
)

FILES: Final = ("root.pem", "root.key", "issuing.pem", "issuing.key")


def open_hierarchy(folder: Path, make: Callable[[], Hierarchy], now: datetime) -> Hierarchy:
    """Read the CA in ``folder``; where there is none, ``make`` one and keep it there.

    Raises :class:`AuthorityUnavailable` for half a CA, one whose parts don't belong together, one that has expired, or
    keys that others can read. Two processes that start at once end up with the same CA.
    """
    try:
        if not _is_vacant(folder):
            return _read(folder, now)
        _create(folder, make())
        return _read(folder, now)
    except OSError as error:
        at = f": {error.filename}" if error.filename else ""
        raise AuthorityUnavailable(f"{folder}: {error.strerror or error}{at}") from error


def _is_vacant(folder: Path) -> bool:
    """True when there is nothing there yet. Raises AuthorityUnavailable for half a CA.

    The folder is read at once: looked for one by one, the files of a CA that comes there meanwhile look like half.
    """
    try:
        there = os.listdir(folder)  # noqa: PTH208 - one reading; iterdir may read on later
    except FileNotFoundError:
        return True
    present = [name for name in FILES if name in there]
    if present and len(present) < len(FILES):
        missing = ", ".join(name for name in FILES if name not in present)
        raise AuthorityUnavailable(f"{folder} holds half a CA: {missing} is missing; restore it, or move the rest away")
    return not present


def _create(folder: Path, hierarchy: Hierarchy) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    fresh.mkdir(mode=FOLDER_MODE)
    try:
        for name, issuer in (("root", hierarchy.root), ("issuing", hierarchy.issuing)):
            write_file(fresh / f"{name}.pem", certificates_pem([issuer.certificate]).encode(), PUBLIC_MODE)
            write_file(fresh / f"{name}.key", key_pem(issuer.key), SECRET_MODE)
        fresh.rename(folder)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        # Somebody filled the folder meanwhile: with a CA, which is then read, or with something else.
        if _is_vacant(folder):
            raise AuthorityUnavailable(f"{folder} holds other files and no CA; name an empty folder") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    sync_folder(folder.parent)


def _read(folder: Path, now: datetime) -> Hierarchy:
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise AuthorityUnavailable(f"{folder} can be changed by others (mode {mode:04o}); chmod 700 it")
    hierarchy = Hierarchy(_read_issuer(folder, "root"), _read_issuer(folder, "issuing"))
    try:
        hierarchy.issuing.certificate.verify_directly_issued_by(hierarchy.root.certificate)
    except Exception as error:
        raise AuthorityUnavailable(f"{folder}: issuing.pem wasn't issued by root.pem; restore the right one") from error
    for name, issuer in (("root", hierarchy.root), ("issuing", hierarchy.issuing)):
        check_dates(f"{folder}/{name}.pem", issuer.certificate, now)
    return hierarchy


def _read_issuer(folder: Path, name: str) -> Issuer:
    try:
        certificate = x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())
        key = read_key(folder / f"{name}.key")
        belongs = certificate.public_key() == key.public_key()
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, x509.ExtensionNotFound) as error:
        raise AuthorityUnavailable(f"{folder}: the {name} CA can't be used: {error}") from error
    if not belongs or not constraints.ca:
        raise AuthorityUnavailable(f"{folder}: {name}.key isn't the key of a CA certificate {name}.pem; restore it")
    return Issuer(certificate, key)


def check_dates(what: str, certificate: x509.Certificate, now: datetime) -> None:
    """Return when ``certificate`` is valid at ``now``. Raises AuthorityUnavailable."""
    if now > certificate.not_valid_after_utc:
        raise AuthorityUnavailable(f"{what} expired on {certificate.not_valid_after_utc:%Y-%m-%d}; make a new CA")
    if now < certificate.not_valid_before_utc:
        raise AuthorityUnavailable(
            f"{what} is valid from {certificate.not_valid_before_utc:%Y-%m-%d} on; check this machine's clock"
        )
