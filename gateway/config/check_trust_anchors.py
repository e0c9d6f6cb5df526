"""What ``voltgate check`` looks at in the roots that stations are to trust."""

from collections.abc import Iterator
from datetime import datetime

from gateway.config.problems import Problem
from gateway.config.trust_anchors import TrustAnchors
from pki.anchors import read_anchors


def check_trust_anchors(place: str, entry: TrustAnchors, now: datetime) -> Iterator[Problem]:
    """Check the file of one entry."""
    try:
        anchors = read_anchors(entry.file.read_bytes())
    except OSError as error:
        yield Problem.error(f"{place}.file", f"{entry.file}: {error.strerror}")
        return
    except ValueError as error:
        yield Problem.error(f"{place}.file", f"{entry.file}: {error}")
        return
    for anchor in anchors:
        ends = anchor.certificate.not_valid_after_utc
        if ends < now and not entry.remove:
            yield Problem.warning(f"{place}.file", f"{entry.file}: {anchor.subject} expired on {ends:%Y-%m-%d}")
