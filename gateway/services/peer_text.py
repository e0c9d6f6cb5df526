"""A peer's words, made fit for a log line, a terminal and a database (attack C7); ours, made fit for a peer."""

from typing import Final

ADDITIONAL_INFO_MAX: Final = 512
"""Characters of StatusInfo.additionalInfo (OCPP 2.0.1)."""


def printable(text: str, most: int) -> str:
    """Return ``text`` cut to ``most`` characters, escapes included: what doesn't print is escaped as in Python."""
    text = text[:most]
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")[:most]


def status_info(reason_code: str, text: str) -> dict[str, str]:
    """Return StatusInfo (OCPP 2.0.1): a code of at most 20 characters, and words for a person."""
    return {"reasonCode": reason_code, "additionalInfo": text[:ADDITIONAL_INFO_MAX]}
