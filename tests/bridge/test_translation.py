"""docs/translation.md is what the tables say."""

from pathlib import Path

from gateway.bridge.guarded_keys import OF_THE_BACKEND_LEG
from gateway.bridge.translation import page
from gateway.bridge.v201_v16.configuration_questions import all_keys

DOCUMENT = Path(__file__).parents[2] / "docs" / "translation.md"


def test_the_page_is_up_to_date() -> None:
    assert DOCUMENT.read_text() == page(), "run make docs"


def test_every_configuration_key_has_a_row_or_is_named_as_none_of_the_backends() -> None:
    _, _, section = page().partition("## Configuration keys")
    keys = section.partition("## What")[0]
    assert [key for key in all_keys() if f"\n| `{key}` | " not in keys] == []
    assert [key for key in OF_THE_BACKEND_LEG if f"`{key}`" not in keys] == []


def test_no_cell_breaks_its_table() -> None:
    rows = [line for line in page().splitlines() if line.startswith("|")]
    widths = {line.count(" | ") for line in rows}
    assert rows
    assert widths <= {1, 2}
