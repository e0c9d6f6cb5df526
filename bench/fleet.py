"""Stations for the measurements: their certificates in a folder, themselves in the registry."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from gateway.edge import passwords
from gateway.store.database import Database
from gateway.store.stations import Stations
from pki import profiles
from pki.authority.ca_folder import open_hierarchy
from pki.issuing import Hierarchy, issue, new_key
from pki.pem_files import certificates_pem, key_pem

OPERATOR = "Example CPO"
"""What ``voltgate init`` writes as ``operator``."""
RSA_BITS = 2048


def identities(count: int, prefix: str) -> list[str]:
    """Return ``count`` identities: ``E0000``, ``E0001``, ..."""
    return [f"{prefix}{number:04}" for number in range(count)]


def write_certificates(deployment: Path, folder: Path, names: Sequence[str], *, use_rsa: bool = False) -> None:
    """Write ``NAME.pem`` for each station: key, certificate and issuing CA.

    The CN is the identity, since the stations are registered without a serial number. RSA stations share one key:
    2,048 bits take a second to make, and nobody here looks at whether two are alike.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    now = datetime.now(UTC)
    hierarchy = open_hierarchy(deployment / "certs/dev/ca", _no_new_authority, now)
    shared = new_key(use_rsa=True, rsa_bits=RSA_BITS) if use_rsa else None
    for name in names:
        key = shared or new_key()
        certificate = issue(
            hierarchy.issuing,
            profiles.charging_station(),
            key.public_key(),
            common_name=name,
            organization=OPERATOR,
            now=now,
        )
        chain = certificates_pem([certificate, hierarchy.issuing.certificate])
        (folder / f"{name}.pem").write_bytes(key_pem(key) + chain.encode())


def register(deployment: Path, names: Sequence[str], password: str | None = None) -> None:
    """Register the stations, as ``voltgate station add`` would, all in one process.

    For security profile 3, or with a password for profile 2. All have the same then, and one hash: thousands of scrypts
    would take minutes, and no message is dearer for it.
    """
    asyncio.run(_register(deployment, names, passwords.hash_password(password) if password else None))


async def _register(deployment: Path, names: Sequence[str], password_hash: str | None) -> None:
    database = await Database.open(f"sqlite+aiosqlite:///{deployment / 'voltgate.db'}", exclusive=False)
    profile = 2 if password_hash else 3
    try:
        stations = Stations(database)
        for name in names:
            await stations.add(name, profile=profile, serial=None, backend=None, password_hash=password_hash)
    finally:
        await database.close()


def _no_new_authority() -> Hierarchy:
    raise SystemExit("voltgate init has left no CA to sign stations with")
