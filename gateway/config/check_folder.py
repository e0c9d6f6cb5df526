"""A folder that the gateway makes and writes to."""

import os
from collections.abc import Iterator
from pathlib import Path

from gateway.config.problems import Problem


def check_folder(key: str, folder: Path) -> Iterator[Problem]:
    """Yield what keeps this user from writing there; it needn't be there yet."""
    # os.path, not Path: what lies where this user may not look isn't there, instead of a PermissionError.
    if os.path.exists(folder) and not os.path.isdir(folder):  # noqa: PTH110, PTH112 - as said above
        yield Problem.error(key, f"{folder} isn't a folder; name another")
        return
    there = next(each for each in (folder, *folder.parents) if os.path.exists(each))  # noqa: PTH110 - as said above
    if not os.access(there, os.W_OK | os.X_OK):
        yield Problem.error(key, f"{there} can't be written by this user")
