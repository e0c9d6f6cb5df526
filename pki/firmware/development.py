"""A development PKI for firmware in a folder: a manufacturer's root and CA, and a signer with its key in a file.

Real stations trust none of this.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from pki.authority.ca_folder import open_hierarchy
from pki.clock import utc_now
from pki.firmware.signing import PROFILE
from pki.issuing import Hierarchy, issue, new_hierarchy, new_key
from pki.pem_files import FOLDER_MODE, PUBLIC_MODE, SECRET_MODE, certificates_pem, key_pem, write_file
from pki.profiles import COMMON_NAME_MAX, load_profile

FIRMWARE_CA: Final = "firmware-ca"
FIRMWARE_ROOTS: Final = "firmware-roots.pem"
"""``firmware.manufacturers.NAME.roots``."""
FIRMWARE_INTERMEDIATES: Final = "firmware-intermediates.pem"
"""``firmware.manufacturers.NAME.intermediates``."""
SIGNER: Final = "firmware.pem"
SIGNER_KEY: Final = "firmware.key"


def write_firmware_pki(folder: Path, *, manufacturer: str, clock: Callable[[], datetime] = utc_now) -> list[Path]:
    """Write the CA, its bundles and a signer on P-256, whose O is the manufacturer; what is there already is kept.

    Returns root and intermediate for the configuration, then the signing certificate and its key for `voltgate firmware
    sign`. Raises OSError, AuthorityUnavailable.
    """
    now = clock()
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)

    def make() -> Hierarchy:
        return new_hierarchy("Voltgate firmware", manufacturer, now)

    ca = open_hierarchy(folder / FIRMWARE_CA, make, now)
    bundles = {FIRMWARE_ROOTS: ca.root.certificate, FIRMWARE_INTERMEDIATES: ca.issuing.certificate}
    for name, certificate in bundles.items():
        write_file(folder / name, certificates_pem([certificate]).encode(), PUBLIC_MODE)
    signer, key_file = folder / SIGNER, folder / SIGNER_KEY
    if not (signer.exists() and key_file.exists()):
        key = new_key()
        leaf = issue(
            ca.issuing,
            load_profile(PROFILE),
            key.public_key(),
            common_name=f"{manufacturer} firmware"[:COMMON_NAME_MAX],
            organization=manufacturer,
            now=now,
        )
        write_file(key_file, key_pem(key), SECRET_MODE)
        write_file(signer, certificates_pem([leaf]).encode(), PUBLIC_MODE)
    return [folder / name for name in (*bundles, SIGNER, SIGNER_KEY)]
