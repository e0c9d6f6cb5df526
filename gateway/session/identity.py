"""A station's identity: the one place that says what may be one and how it is read from the request target.

The identity is what the URL carries, an identifierString of at most 48 characters (OCPP 2.0.1 Part 4, 3.1.1), without
a colon (A00.FR.204). It is compared to the byte, decoded exactly once and never normalised (attack A8).
"""

import re
from typing import Final

IDENTITY_MAX: Final = 48
"""Characters of an identity (OCPP 2.0.1, variable SecurityCtrlr.Identity)."""
TARGET_MAX: Final = 2048
"""Characters of a request target that are looked at; a longer one is refused unread."""
PLACEHOLDER: Final = "{identity}"

_ALLOWED: Final = re.compile(r"[A-Za-z0-9*\-_=+|@.]")
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})?")


class IdentityRejected(Exception):
    """The text isn't a station's identity. ``reason`` is fit for a log: it quotes one character at most, escaped."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def parse_identity(text: str) -> str:
    """Return ``text`` if it is an identity: 1 to 48 of ``A-Z a-z 0-9 * - _ = + | @ .`` and neither ``.`` nor ``..``.

    Raises :class:`IdentityRejected` otherwise.
    """
    if not text:
        raise IdentityRejected("the identity is empty")
    if len(text) > IDENTITY_MAX:
        raise IdentityRejected(f"the identity is longer than {IDENTITY_MAX} characters")
    stranger = next((character for character in text if not _ALLOWED.fullmatch(character)), None)
    if stranger is not None:
        raise IdentityRejected(f"the character {stranger!a} is not allowed in an identity")
    if text in {".", ".."}:
        raise IdentityRejected("the identity is a relative path")
    return text


def identity_from_path(raw_target: str, template: str) -> str:
    """Return the identity that an HTTP request target carries, as it came over the wire, where ``template`` has it.

    ``template`` is a path such as ``/ocpp/{identity}``; all of it but the placeholder must be met to the letter.
    Percent-escapes are decoded once, in the identity alone. Raises :class:`IdentityRejected` for anything else, and
    ValueError when the template itself can't be used.
    """
    prefix, suffix = _around(template)
    if len(raw_target) > TARGET_MAX:
        raise IdentityRejected(f"the request target is longer than {TARGET_MAX} characters")
    if not raw_target.isascii():
        raise IdentityRejected("the request target is not ASCII")
    if "?" in raw_target or "#" in raw_target:
        raise IdentityRejected("the request target has a query or a fragment")
    if not raw_target.startswith(prefix):
        raise IdentityRejected("the request target has another path than this listener's")
    rest = raw_target.removeprefix(prefix)
    segment, slash, after = rest.partition("/")
    if slash + after != suffix:
        raise IdentityRejected("the request target has other segments than this listener's path")
    return parse_identity(_decode_once(segment))


def _around(template: str) -> tuple[str, str]:
    """Return what stands before and behind the placeholder. It must be a whole segment, and there only once."""
    prefix, found, suffix = template.partition(PLACEHOLDER)
    whole = prefix.startswith("/") and prefix.endswith("/") and (not suffix or suffix.startswith("/"))
    if not found or not whole or "{" in suffix:
        raise ValueError(f"the path {template!r} must hold {PLACEHOLDER} once, as a whole segment")
    return prefix, suffix


def _decode_once(segment: str) -> str:
    def decode(escape: re.Match[str]) -> str:
        if escape[1] is None:
            raise IdentityRejected("the request target has a broken percent-escape")
        return chr(int(escape[1], 16))

    return _ESCAPE.sub(decode, segment)
