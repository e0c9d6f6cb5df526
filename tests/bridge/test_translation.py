"""docs/translation.md is what the tables say."""

from pathlib import Path

from gateway.bridge.translation import page

DOCUMENT = Path(__file__).parents[2] / "docs" / "translation.md"


def test_the_page_is_up_to_date() -> None:
    assert DOCUMENT.read_text() == page(), "run make docs"


def test_no_cell_breaks_its_table() -> None:
    rows = [line for line in page().splitlines() if line.startswith("|")]
    widths = {line.count(" | ") for line in rows}
    assert rows
    assert widths <= {1, 2}
