"""A URL that somebody wants a file sent to: user and password apart from what may be shown."""

from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import quote, unquote, urlsplit

from pki.destinations import UPLOAD_PORTS, AllowList, DestinationRefused, Target, split_credentials

_NO_URL: Final = "(not a URL)"


@dataclass(frozen=True, slots=True)
class UploadPlace:
    """Where a file is to go."""

    target: Target
    credentials: tuple[str, str] | None = field(repr=False)
    """User and password."""

    @classmethod
    def parse(cls, location: str, allowed: AllowList) -> Self:
        """Read what somebody else wrote. Raises :class:`DestinationRefused`, for what isn't on the list, too."""
        url, credentials = split_credentials(location)
        target = allowed.target(url, UPLOAD_PORTS)
        if not all(unquote(text).isprintable() for text in (target.path, *(credentials or ()))):
            raise DestinationRefused("a control character in a path, a user or a password is refused")
        return cls(target, credentials)

    def url(self, file_name: str) -> str:
        """Return the URL without user and password; where it ends with a slash, ``file_name`` is put behind it."""
        path, query_mark, query = self.target.path.partition("?")
        if path.endswith("/"):
            path += quote(file_name, safe="")
        return str(self.target).removesuffix(self.target.path) + path + query_mark + query

    def folders(self) -> tuple[list[str], str]:
        """Return the folders to walk through by FTP, and the name behind them, which may be empty (RFC 1738 3.2.2)."""
        path = self.target.path.partition("?")[0]
        *folders, last = (unquote(segment) for segment in path.removeprefix("/").split("/"))
        return [folder for folder in folders if folder], last


def shown(location: str) -> str:
    """Return what may be shown of where somebody wants a file: no user, no password, no query."""
    try:
        parts = urlsplit(location)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return _NO_URL
    if not parts.scheme or not parts.hostname:
        return _NO_URL
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}{parts.path}"
