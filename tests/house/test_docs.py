"""Every relative link in the documentation leads somewhere: to a file, and to a heading where it names one."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]

FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
INLINE_LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
REFERENCE_LINK = re.compile(r"^\[[^\]]+\]:\s*<?(\S+?)>?(?:\s.*)?$", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)
"""A link with a scheme: not ours to follow."""


def documents(root: Path) -> list[Path]:
    return sorted([*root.glob("*.md"), *(root / "docs").rglob("*.md")])


def links(text: str) -> list[str]:
    """Return the targets of the links of a Markdown text, those in code left out."""
    prose = CODE.sub("", FENCE.sub("", text))
    return INLINE_LINK.findall(prose) + REFERENCE_LINK.findall(prose)


def anchors(text: str) -> set[str]:
    """Return the anchors of a Markdown text's headings, as the forges make them: "Who, what?" -> "who-what"."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        doubles = sum(1 for anchor in found if re.fullmatch(re.escape(slug) + r"(-\d+)?", anchor))
        found.add(f"{slug}-{doubles}" if doubles else slug)
    return found


def broken_links(document: Path) -> Iterator[str]:
    """Yield what is wrong with each relative link of ``document`` that leads nowhere."""
    for link in links(document.read_text()):
        if ELSEWHERE.match(link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = document.parent / path if path else document
        if not target.exists():
            yield f"{document}: {link}: no such file"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text()):
            yield f"{document}: {link}: no such heading"


@pytest.mark.parametrize(
    ("link", "wrong"),
    [
        ("[a](other.md)", None),
        ("[a](other.md#who-what)", None),
        ("[a](other.md#who-what-1)", None),
        ("[a](#here)", None),
        ("[a](sub/)", None),
        ("[a](https://example.com/nowhere)", None),
        ("`[a](nowhere.md)`", None),
        ("```\n[a](nowhere.md)\n```", None),
        ("[a](nowhere.md)", "nowhere.md: no such file"),
        ("[a](other.md#nobody)", "other.md#nobody: no such heading"),
        ("[a](#nowhere)", "#nowhere: no such heading"),
        ('[a](nowhere.md "title")', "nowhere.md: no such file"),
        ("[a]\n\n[a]: nowhere.md", "nowhere.md: no such file"),
    ],
    ids=str,
)
def test_what_counts_as_broken(tmp_path: Path, link: str, wrong: str | None) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "other.md").write_text("# Who, what?\n\n## Who, `what`?\n")
    page = tmp_path / "page.md"
    page.write_text(f"# Here\n\n{link}\n")

    assert list(broken_links(page)) == ([f"{page}: {wrong}"] if wrong else [])


def test_every_link_leads_somewhere() -> None:
    pages = documents(ROOT)
    broken = [finding for page in pages for finding in broken_links(page)]

    assert pages
    assert not broken, "\n".join(broken)
