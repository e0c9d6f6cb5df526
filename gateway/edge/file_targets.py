"""What the path of a request to the file endpoint names: a secret, and perhaps a file name."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from gateway.session.file_links import LinkKind

NAME_MAX: Final = 255
"""Characters of a file's name that are kept."""
FOLDERS: Final = {"/firmware/": LinkKind.DOWNLOAD, "/logs/": LinkKind.UPLOAD}

_SECRET: Final = re.compile(r"([A-Za-z0-9_-]{43})(?:/(.*))?", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Target:
    """A link that a request names; whether there is one is another question."""

    kind: LinkKind
    secret: str
    name: str | None
    """The file's, of an upload."""

    def __repr__(self) -> str:
        return f"<Target {self.kind.value} {self.name!r}>"


def target_of(path: str) -> Target | None:
    """Return what a path, as it stands in the request line, names; None for anything that can't be a link.

    Behind a download's secret may stand one name, of any kind: the secret says what is loaded. Behind an upload's may
    stand any path, of which the last part names the log: there are stations that take a location for a folder.
    """
    path = path.partition("?")[0]
    for folder, kind in FOLDERS.items():
        found = _SECRET.fullmatch(path.removeprefix(folder)) if path.startswith(folder) else None
        if found is None:
            continue
        secret, rest = found[1], found[2] or ""
        if kind is LinkKind.UPLOAD:
            return Target(kind, secret, file_name(unquote(rest)))
        return Target(kind, secret, None) if "/" not in rest else None
    return None


def file_name(text: str | None) -> str | None:
    """Return the name at the end of what a station calls a file: printable, without a separator; None: there is none.

    Nothing is opened by it; it is a label for people.
    """
    last = re.split(r"[/\\]", text or "")[-1]
    name = "".join(each for each in last if each.isprintable()).strip(" .")[-NAME_MAX:].strip(" .")
    return name or None
