"""What ``firmware`` points to: manufacturers' roots and CRLs, the folder of the images, the roots of their places."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.config.check_crls import check_crl
from gateway.config.check_folder import check_folder
from gateway.config.check_network import check_networks
from gateway.config.check_tls import check_roots
from gateway.config.firmware import Manufacturer
from gateway.config.problems import Problem

if TYPE_CHECKING:
    from gateway.config.tree import Config


def check_firmware(config: "Config", now: datetime) -> Iterator[Problem]:
    """Yield what is wrong with what the section points to."""
    section = config.firmware
    if section is None:
        return
    if not section.manufacturers:
        text = "names nobody: no image can be verified, and so none installed"
        yield Problem.warning("firmware.manufacturers", text)
    for name, manufacturer in section.manufacturers.items():
        yield from _check_manufacturer(f"firmware.manufacturers.{name}", manufacturer, now)
    yield from check_folder("firmware.directory", section.directory)
    if section.roots is not None:
        yield from check_roots("firmware.roots", section.roots, now)[0]
    yield from check_networks("firmware.trusted_networks", section.trusted_networks)
    if section.serve == "gateway" and config.files is None:
        yield Problem.warning("firmware.serve", "is gateway, and there is no files: stations can load nothing")
    if section.serve == "original":
        text = "is original: between the look at an image and its installation its place may give another one"
        yield Problem.warning("firmware.serve", text)


def _check_manufacturer(place: str, manufacturer: Manufacturer, now: datetime) -> Iterator[Problem]:
    problems, known = check_roots(f"{place}.roots", manufacturer.roots, now)
    yield from problems
    if manufacturer.intermediates is not None:
        problems, further = check_roots(f"{place}.intermediates", manufacturer.intermediates, now)
        yield from problems
        known = [*known, *further]
    for index, source in enumerate(manufacturer.crls):
        if "://" not in source:
            yield from check_crl(f"{place}.crls[{index}]", Path(source), known, now)
    if manufacturer.revocation == "off":
        text = "is off: what a stolen key has signed is installed, though its certificate is revoked"
        yield Problem.warning(f"{place}.revocation", text)
    if "rsa-pkcs1v15-sha256" in manufacturer.algorithms:
        text = "takes PKCS #1 v1.5, which OCPP doesn't know: stations may refuse what Voltgate lets pass"
        yield Problem.warning(f"{place}.algorithms", text)
