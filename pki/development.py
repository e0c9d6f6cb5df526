"""A development PKI in a folder: all that a gateway and its stations need to speak TLS on one machine.

Two separate hierarchies (attack A9: a server's certificate must not serve a station): ``ca/`` signs stations,
``csms-ca/`` and ``csms-ca-rsa/`` sign the gateway's own certificates. The gateway has an ECDSA and an RSA certificate,
each under CAs of its own kind, since a station may know only one of both (OCPP 2.0.1 A00.FR.318, FR.319).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pki import profiles
from pki.authority.ca_folder import open_hierarchy
from pki.authority.local import LABEL as STATION_LABEL
from pki.issuing import Hierarchy, issue, new_hierarchy, new_key
from pki.pem_files import FOLDER_MODE, PUBLIC_MODE, SECRET_MODE, certificates_pem, key_pem, write_file
from pki.profiles import COMMON_NAME_MAX, HOST_NAME, as_ip, with_lifetime

CSMS_LABEL: Final = "Voltgate CSMS"
SERVER_LIFETIME: Final = timedelta(days=365)
"""Of a server certificate that nobody renews; what an authority issues lives for less than a day (A00.FR.701)."""
RSA_BITS: Final = 2048
"""Of the RSA server key: what every station can do, and quick enough for a machine under test."""
STATION_CA: Final = "ca"
STATION_ROOTS: Final = "station-roots.pem"
CSMS_ROOTS: Final = "csms-root.pem"


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    folder: str
    use_rsa: bool


_KINDS: Final = (_Kind("ecdsa", "csms-ca", use_rsa=False), _Kind("rsa", "csms-ca-rsa", use_rsa=True))


def write_development_pki(
    folder: Path, *, operator: str, names: Sequence[str], clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> list[Path]:
    """Write a development PKI for a gateway that is reached under ``names`` (host names or IP addresses, one at least).

    What is there already is kept, but for the two root bundles. Returns the files that the configuration and the
    stations need. Raises ValueError for names that no certificate can bear, OSError, AuthorityUnavailable.
    """
    check_names(names)
    now = clock()
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    stations = open_hierarchy(folder / STATION_CA, lambda: new_hierarchy(STATION_LABEL, operator, now), now)
    written: list[Path] = []
    roots = []
    for kind in _KINDS:
        csms = _csms(folder, kind, operator, now)
        roots.append(csms.root.certificate)
        written += _server_certificate(folder, kind, csms, operator, names, now)
    for name, bundle in ((STATION_ROOTS, [stations.root.certificate]), (CSMS_ROOTS, roots)):
        write_file(folder / name, certificates_pem(bundle).encode(), PUBLIC_MODE)
        written.append(folder / name)
    return written


def check_names(names: Sequence[str]) -> None:
    """Return when a server certificate can bear ``names``. Raises ValueError."""
    if not names:
        raise ValueError("a server certificate needs at least one name")
    for name in names:
        if as_ip(name) is None and not HOST_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is neither a host name nor an IP address")
    if len(names[0]) > COMMON_NAME_MAX:
        raise ValueError(f"the first name becomes the CN, which has at most {COMMON_NAME_MAX} characters (RFC 5280)")


def _csms(folder: Path, kind: _Kind, operator: str, now: datetime) -> Hierarchy:
    def make() -> Hierarchy:
        return new_hierarchy(CSMS_LABEL, operator, now, use_rsa=kind.use_rsa)

    return open_hierarchy(folder / kind.folder, make, now)


def _server_certificate(  # every argument is a part of what it writes
    folder: Path, kind: _Kind, csms: Hierarchy, operator: str, names: Sequence[str], now: datetime
) -> list[Path]:
    chain, key_file = folder / f"gateway-{kind.name}.pem", folder / f"gateway-{kind.name}.key"
    if not (chain.exists() and key_file.exists()):
        key = new_key(use_rsa=kind.use_rsa, rsa_bits=RSA_BITS)
        leaf = issue(
            csms.issuing,
            with_lifetime(profiles.csms_server(), SERVER_LIFETIME),
            key.public_key(),
            common_name=names[0],
            organization=operator,
            now=now,
            names=names,
        )
        write_file(key_file, key_pem(key), SECRET_MODE)
        write_file(chain, certificates_pem([leaf, csms.issuing.certificate]).encode(), PUBLIC_MODE)
    return [chain, key_file]
