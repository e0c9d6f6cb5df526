"""Where a backend wants a station to leave its logs: an address that is safe to hand on (attack B6), or none at all."""

import re
from typing import Final
from urllib.parse import urlsplit

LOCATION_MAX: Final = 512
"""Characters of a location in 2.0.1 and in the white paper."""
LOCATION_MAX_16: Final = 2000
"""Characters of GetDiagnostics.location towards a 1.6 station; 1.6 itself names no limit."""
SCHEMES: Final = frozenset({"ftp", "ftps", "http", "https", "sftp"})
"""What SupportedFileTransferProtocols of either version can name."""
_URI: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
"""The characters of RFC 3986: no blank, no control character, no quote or pipe for a shell in the station."""


def is_fit(location: str, most: int = LOCATION_MAX) -> bool:
    """Return whether a station may be sent to ``location``: a known scheme, a host, no odd character, ``most`` long."""
    if len(location) > most or _URI.fullmatch(location) is None:
        return False
    try:
        parts = urlsplit(location)
        _ = parts.port  # read for its check: ValueError when it can't be one
    except ValueError:
        return False
    return parts.scheme in SCHEMES and bool(parts.hostname)
