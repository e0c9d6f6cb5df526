"""No file over 400 lines and no function over 50: one that passes wants to be two (CONTRIBUTING.md)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FILE_LINES = 400
FUNCTION_LINES = 50

GENERATED: dict[str, str] = {}
"""File that may be longer -> the program that writes it. Tables that a person writes are cut by subject instead."""


def oversized(name: str, source: str) -> Iterator[str]:
    """Yield a line for ``source`` itself, and for each of its functions, that is too long."""
    length = len(source.splitlines())
    if length > FILE_LINES:
        yield f"{name}: {length} lines, at most {FILE_LINES}"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{name}:{node.lineno}: {node.name} has {length} lines, at most {FUNCTION_LINES}"


def function_of(lines: int) -> str:
    return "async def handle():\n" + "    pass\n" * (lines - 1)


@pytest.mark.parametrize(
    ("source", "findings"),
    [
        ("x = 1\n" * FILE_LINES, []),
        ("x = 1\n" * (FILE_LINES + 1), ["wire.py: 401 lines, at most 400"]),
        (function_of(FUNCTION_LINES), []),
        (function_of(FUNCTION_LINES + 1), ["wire.py:1: handle has 51 lines, at most 50"]),
    ],
    ids=["longest file", "file too long", "longest function", "function too long"],
)
def test_what_counts_as_oversized(source: str, findings: list[str]) -> None:
    assert list(oversized("wire.py", source)) == findings


def test_nothing_is_oversized() -> None:
    files = [path for folder in ("gateway", "pki", "policies") for path in sorted((ROOT / folder).rglob("*.py"))]
    names = {path.relative_to(ROOT).as_posix(): path for path in files}
    found = [
        line for name, path in names.items() if name not in GENERATED for line in oversized(name, path.read_text())
    ]

    assert files
    assert not found, "\n".join(found)


def test_every_generated_file_is_there() -> None:
    assert all((ROOT / name).is_file() for name in GENERATED)
