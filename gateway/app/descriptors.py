"""How many file descriptors the process may have: as many as its connections need, not the 1,024 of a login shell."""

import resource
from typing import Final

import structlog

PER_CONNECTION: Final = 2
"""A station's own, and its leg to the backend."""
SPARE: Final = 256
"""For the store, the administration port, files that are read again, and connections that are being refused."""

log = structlog.get_logger(__name__)


def waiting_places(connections: int) -> int:
    """Return how many may wait for their admission beside ``connections``: however many do, stations keep theirs."""
    return max(1, connections // 2)


def allow_for(connections: int) -> None:
    """Raise the soft limit as far as ``connections`` ask and the hard one permits; say so where that isn't enough.

    With fewer, a stranger's idle connections could use them up long before any limit of the listeners, and neither
    stations nor health checks would come in (attack C8).
    """
    wanted = PER_CONNECTION * connections + waiting_places(connections) + SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _reaches(soft, wanted):
        return
    possible = wanted if _reaches(hard, wanted) else hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    except (OSError, ValueError):  # the kernel's own bound is lower, or a sandbox forbids it
        possible = soft
    if possible < wanted:
        log.warning("few_file_descriptors", limit=possible, wanted=wanted)


def _reaches(limit: int, wanted: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= wanted
