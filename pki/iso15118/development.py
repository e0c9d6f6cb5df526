"""A development PKI for Plug & Charge in a folder: the CAs of a V2G root, a mobility operator and a vehicle's maker.

All of ISO 15118-2. Real vehicles trust none of this.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from pki.authority.ca_folder import open_hierarchy
from pki.authority.local import LocalAuthority
from pki.clock import utc_now
from pki.issuing import Hierarchy, issue, new_hierarchy, new_key
from pki.pem_files import FOLDER_MODE, PUBLIC_MODE, SECRET_MODE, certificates_pem, key_pem, write_file
from pki.profiles import load_profile

V2G_CA: Final = "v2g-ca"
OEM_CA: Final = "oem-ca"
MO_CA: Final = "mo-ca"
"""The folder of an embedded authority (``authority.contract``)."""
V2G_ROOTS: Final = "v2g-roots.pem"
CPS_CHAIN: Final = "cps.pem"
CPS_KEY: Final = "cps.key"
OEM_ROOTS: Final = "oem-roots.pem"
OEM_INTERMEDIATES: Final = "oem-intermediates.pem"
MANUFACTURER: Final = "Example Motors"


@dataclass(frozen=True, slots=True)
class VehicleFiles:
    """What a vehicle leaves its factory with."""

    certificate: Path
    """Its OEM provisioning certificate."""
    key: Path
    v2g_roots: Path
    """Whom it trusts."""


def write_plug_and_charge_pki(folder: Path, *, operator: str, clock: Callable[[], datetime] = utc_now) -> list[Path]:
    """Write the CAs, the provisioning service's leaf and the root bundles; what is there already is kept.

    Returns the files that the configuration needs. Raises OSError, AuthorityUnavailable.
    """
    now = clock()
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    v2g, oem = _v2g(folder, operator, now), _oem(folder, now)
    bundles = {
        V2G_ROOTS: v2g.root.certificate,
        OEM_ROOTS: oem.root.certificate,
        OEM_INTERMEDIATES: oem.issuing.certificate,
    }
    for name, certificate in bundles.items():
        write_file(folder / name, certificates_pem([certificate]).encode(), PUBLIC_MODE)
    _write_cps(folder, v2g, operator, now)
    profile = load_profile("contract")
    LocalAuthority.open(folder / MO_CA, organization=operator, label="Voltgate MO", profile=profile, clock=clock)
    return [folder / name for name in (*bundles, CPS_CHAIN, CPS_KEY)]


def write_vehicle(folder: Path, target: Path, *, pcid: str, clock: Callable[[], datetime] = utc_now) -> VehicleFiles:
    """Build a vehicle into ``target``, certified by the manufacturer in ``folder``.

    Raises ValueError for a PCID that isn't one; OSError, AuthorityUnavailable.
    """
    now = clock()
    oem = _oem(folder, now)
    key = new_key()
    certificate = issue(
        oem.issuing,
        load_profile("oem_provisioning"),
        key.public_key(),
        common_name=pcid,
        organization=MANUFACTURER,
        now=now,
    )
    files = VehicleFiles(target / "provisioning.pem", target / "provisioning.key", target / V2G_ROOTS)
    target.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    write_file(files.key, key_pem(key), SECRET_MODE)
    write_file(files.certificate, certificates_pem([certificate]).encode(), PUBLIC_MODE)
    write_file(files.v2g_roots, (folder / V2G_ROOTS).read_bytes(), PUBLIC_MODE)
    return files


def _v2g(folder: Path, operator: str, now: datetime) -> Hierarchy:
    def make() -> Hierarchy:
        return new_hierarchy("Voltgate V2G", operator, now, domain_components=("V2G", "CPS"))

    return open_hierarchy(folder / V2G_CA, make, now)


def _oem(folder: Path, now: datetime) -> Hierarchy:
    def make() -> Hierarchy:
        return new_hierarchy("Voltgate OEM", MANUFACTURER, now, domain_components=("OEM", "OEM"))

    return open_hierarchy(folder / OEM_CA, make, now)


def _write_cps(folder: Path, v2g: Hierarchy, operator: str, now: datetime) -> None:
    chain, key_file = folder / CPS_CHAIN, folder / CPS_KEY
    if chain.exists() and key_file.exists():
        return
    key = new_key()
    leaf = issue(
        v2g.issuing, load_profile("cps"), key.public_key(), common_name="Voltgate CPS", organization=operator, now=now
    )
    write_file(key_file, key_pem(key), SECRET_MODE)
    write_file(chain, certificates_pem([leaf, v2g.issuing.certificate]).encode(), PUBLIC_MODE)
