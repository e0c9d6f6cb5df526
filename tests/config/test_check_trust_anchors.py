"""``voltgate check`` on the roots that stations are to trust."""

from pathlib import Path

import pytest

from gateway.config.check_trust_anchors import check_trust_anchors
from gateway.config.trust_anchors import TrustAnchors
from tests.roots import DAY, NOON, Authority, pem

ROOT, OTHER = Authority("root"), Authority("other")
EXPIRED = Authority("expired", days=1, since=NOON - 3 * DAY)


@pytest.mark.parametrize(
    ("content", "remove", "problem"),
    [
        (ROOT.pem, False, None),
        (EXPIRED.pem, True, None),
        (EXPIRED.pem, False, "CN=expired expired on 2026-05-30"),
        (None, False, "No such file"),
        ("x", False, "holds no certificates"),
        (pem(ROOT.signs(OTHER)), False, "CN=other is signed by CN=root; a root is signed by itself"),
    ],
)
def test_the_file_is_looked_at(tmp_path: Path, content: str | None, remove: bool, problem: str | None) -> None:
    file = tmp_path / "roots.pem"
    if content is not None:
        file.write_text(content)
    entry = TrustAnchors(type="MORootCertificate", file=file, remove=remove)
    found = [str(each) for each in check_trust_anchors("trust_anchors[0]", entry, NOON)]
    assert len(found) == (problem is not None)
    assert problem is None or problem in found[0]
    assert all("trust_anchors[0].file" in each for each in found)
