"""What the log may call inexact is on the page, and nothing else is."""

import ast
from collections.abc import Iterator
from pathlib import Path

from gateway.bridge import v201_v16
from gateway.bridge.v201_v16.inexact import INEXACT


def topics(source: str) -> Iterator[str]:
    """Yield the first argument of every ``note(...)`` call of a source text."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "note":
            topic = node.args[0]
            assert isinstance(topic, ast.Constant), f"line {node.lineno}: a topic is a text in place"
            assert isinstance(topic.value, str), f"line {node.lineno}: a topic is a text"
            yield topic.value


def test_how_topics_are_found() -> None:
    assert list(topics('context.note("a", "b")\nself.context.note("c", f"{d}")\nnote_register(1)')) == ["a", "c"]


def test_every_topic_is_on_the_page_and_every_one_there_is_used() -> None:
    files = Path(next(iter(v201_v16.__path__))).glob("*.py")
    assert {topic for file in files for topic in topics(file.read_text())} == INEXACT.keys()
