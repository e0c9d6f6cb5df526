"""A street with a door in it."""

from collections.abc import Iterator

import pytest

from tests.edge.street import Street


@pytest.fixture
def street() -> Iterator[Street]:
    with Street() as made:
        yield made
