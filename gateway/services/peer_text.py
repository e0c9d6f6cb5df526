"""A peer's words, made fit for a log line, a terminal and a database (attack C7)."""


def printable(text: str, most: int) -> str:
    """Return ``text`` cut to ``most`` characters, escapes included: what doesn't print is escaped as in Python."""
    text = text[:most]
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")[:most]
