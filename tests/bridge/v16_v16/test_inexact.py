"""What the log may say of a 1.6 station is on the page, and nothing else is."""

from pathlib import Path

from gateway.bridge import v16_v16
from gateway.bridge.v16_v16.inexact import INEXACT
from tests.bridge.v201_v16.test_inexact import topics


def test_every_topic_is_on_the_page_and_every_one_there_is_used() -> None:
    files = Path(next(iter(v16_v16.__path__))).glob("*.py")
    assert {topic for file in files for topic in topics(file.read_text())} == INEXACT.keys()
