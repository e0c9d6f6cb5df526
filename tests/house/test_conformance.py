"""docs/conformance.md names every test of a certification case, and none that isn't written."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CASE = re.compile(r"TC_[A-Z]_\d{2}")


def named(table: str) -> list[tuple[str, str]]:
    """Return (case, test) for every row of the table, from its first and its last cell."""
    rows = [[cell.strip() for cell in line.strip("| \n").split("|")] for line in table.splitlines()]
    return [(row[0], test) for row in rows if CASE.fullmatch(row[0]) for test in re.findall(r"`(\w+)`", row[-1])]


def written(source: str) -> set[str]:
    """Return the tests of certification cases in a test file."""
    nodes = ast.walk(ast.parse(source))
    return {node.name for node in nodes if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_tc_")}


def test_how_a_table_is_read() -> None:
    table = "| id | test |\n|---|---|\n| TC_A_01 | x | `test_tc_a_01_one`, `test_tc_a_01_two` |\n| other | `test_x` |"
    assert named(table) == [("TC_A_01", "test_tc_a_01_one"), ("TC_A_01", "test_tc_a_01_two")]
    assert written("async def test_tc_a_01_one(): ...\nasync def test_other(): ...") == {"test_tc_a_01_one"}


def test_the_table_and_the_tests_agree() -> None:
    rows = named((ROOT / "docs/conformance.md").read_text())
    files = (ROOT / "tests/system").glob("test_conformance*.py")
    tests = set().union(*(written(file.read_text()) for file in files))

    assert tests
    assert {test for _, test in rows} == tests
    assert [row for row in rows if not row[1].startswith(f"test_{row[0].lower()}_")] == []
