"""Where images come from: URLs as they are compared, and as they are shown."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

from gateway.session.firmware import LOCATION_MAX

HIDDEN: Final = "…"
"""In the place of a query, which may hold a password."""

_PORTS: Final = {"http": 80, "https": 443, "ftp": 21, "ftps": 990, "sftp": 22}


def comparable(location: str) -> str:
    """Return a location in the one form in which it is kept and compared.

    Scheme and host in lower case, no port that is the scheme's own, no user or password, no fragment. Raises
    ValueError for what isn't a URL.
    """
    parts = _parts(location)
    query = f"?{parts.query}" if parts.query else ""
    return f"{_place(parts)}{parts.path or '/'}{query}"


def location_shown(location: str | None) -> str | None:
    """Return a location without what may be secret in it: user, password, query; what isn't a URL becomes ``…``."""
    if location is None:
        return None
    try:
        parts = _parts(location)
    except ValueError:
        return HIDDEN
    return f"{_place(parts)}{parts.path or '/'}{f'?{HIDDEN}' if parts.query else ''}"


def file_name(location: str) -> str:
    """Return the last segment of a location's path; where it has none, its host. Raises ValueError."""
    parts = _parts(location)
    return parts.path.rpartition("/")[2] or parts.hostname or ""


def _parts(location: str) -> SplitResult:
    is_bare = location.isascii() and location.isprintable() and " " not in location and "\\" not in location
    if len(location) > LOCATION_MAX or not is_bare:
        raise ValueError(f"a location has at most {LOCATION_MAX} printable ASCII characters, no space, no backslash")
    try:
        parts = urlsplit(location)
        _ = parts.port  # raises ValueError when it is no port
    except ValueError:
        raise ValueError("it isn't a URL") from None
    if not parts.scheme or not parts.hostname:
        raise ValueError("it isn't a URL with a scheme and a host")
    return parts


def _place(parts: SplitResult) -> str:
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in {None, _PORTS.get(parts.scheme)} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"
