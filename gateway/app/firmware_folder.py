"""Where images lie, as the configuration says it: the folder, and the object store of all gateways behind it."""

from gateway.app.problems import StartFailed
from gateway.config.firmware import Firmware
from gateway.store.firmware_files import FirmwareFiles
from gateway.store.firmware_object_store import ObjectStoreImages, ObjectStoreUnusable


def open_folder(section: Firmware) -> FirmwareFiles:
    """Return it; who asks has to close it. Nothing is read and nobody is asked yet. Raises StartFailed."""
    try:
        shared = None if section.object_store is None else ObjectStoreImages.at(section.object_store)
    except ObjectStoreUnusable as unusable:
        raise StartFailed(str(unusable)) from None
    return FirmwareFiles(section.directory, max_size=section.max_size, shared=shared)
