"""The roots that the configuration declares, read from their files; read again when these are replaced."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from gateway.app.problems import StartFailed
from gateway.config import Config
from gateway.config.trust_anchors import TrustAnchors
from gateway.services.trust_plan import Declared
from gateway.session.trust import AnchorType
from pki.anchors import Anchor, read_anchors

FILE_MAX: Final = 1_048_576
"""Bytes of a file of roots."""

log = structlog.get_logger(__name__)


class TrustFiles:
    """Holds what the files said when they last could be read."""

    def __init__(self, config: Config) -> None:
        """Read all files. Raises StartFailed."""
        self._entries = config.trust_anchors
        self._csms_roots = sorted(
            {each.tls.csms_roots for each in config.listeners if each.tls is not None and each.tls.csms_roots}
        )
        self._complaints: dict[str, str] = {}
        self._content: dict[str, bytes] = {}
        """By entry: what its file held when it last could be read."""
        self._other: dict[str, bytes] = {}
        """By entry: what its file held at the last look, where that is something else."""
        declared = []
        for index, entry in enumerate(self._entries):
            place = f"trust_anchors[{index}]"
            try:
                self._content[place] = self._read(entry.file)
                declared.append(_declared(place, entry, self._content[place]))
            except OSError as error:
                raise StartFailed(f"{place}.file: {entry.file}: {error.strerror}") from None
            except ValueError as error:
                raise StartFailed(f"{place}.file: {entry.file}: {error}") from None
        self.declared = tuple(declared)
        self._shown = self._read_csms_roots()

    @property
    def known(self) -> list[Anchor]:
        """The roots that are declared for anybody, and those of the gateway's own certificates."""
        return [*(anchor for each in self.declared for anchor in each.anchors), *self._shown]

    async def reload(self) -> bool:
        """Read the files again; return whether any says something else. What is wrong is logged once.

        What is new is taken at the second look that finds it: a file that is being written may end between two roots,
        and what it doesn't name yet must not be deleted from stations.
        """
        return await asyncio.to_thread(self._reload)

    def _reload(self) -> bool:
        self._shown = self._read_csms_roots()
        fresh = tuple(self._again(index, entry) for index, entry in enumerate(self._entries))
        if fresh == self.declared:
            return False
        self.declared = fresh
        log.info("trust_anchors_reloaded")
        return True

    def _again(self, index: int, entry: TrustAnchors) -> Declared:
        former, complaint = self.declared[index], ""
        try:
            content = self._read(entry.file)
            before, self._other[former.place] = self._other.get(former.place), content
            if content == self._content.get(former.place):
                return former
            fresh = _declared(former.place, entry, content)
            if content != before:
                return former
        except OSError as error:
            complaint = f"{entry.file}: {error.strerror}"
        except ValueError as error:
            complaint = f"{entry.file}: {error}"
        else:
            self._content[former.place] = content
            return fresh
        finally:
            if complaint and complaint != self._complaints.get(former.place):
                log.error("trust_anchors_not_reloaded", entry=former.place, reason=complaint)
            self._complaints[former.place] = complaint
        return former

    @staticmethod
    def _read(path: Path) -> bytes:
        with path.open("rb") as file:
            content = file.read(FILE_MAX + 1)
        if len(content) > FILE_MAX:
            raise ValueError(f"has more than {FILE_MAX} bytes")
        return content

    def _read_csms_roots(self) -> list[Anchor]:
        found: list[Anchor] = []
        for path in self._csms_roots:
            with suppress(OSError, ValueError):
                found += read_anchors(self._read(path))
        return found


def _declared(place: str, entry: TrustAnchors, content: bytes) -> Declared:
    anchors = tuple(read_anchors(content))
    return Declared(place, AnchorType(entry.type), anchors, entry, exclusive=entry.exclusive, remove=entry.remove)
