"""The interval, at its bounds and one past them."""

import pytest

from gateway.bridge.boot_interval import sane_interval


@pytest.mark.parametrize(("said", "told"), [(-(2**62), 0), (0, 0), (300, 300), (86_400, 86_400), (86_401, 86_400)])
def test_an_absurd_interval_is_brought_to_reason(said: int, told: int) -> None:
    assert sane_interval(said) == told
