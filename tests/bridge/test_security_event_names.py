"""Names of security events, there and back."""

import pytest

from gateway.bridge.security_event_names import FROM_16, TO_16


@pytest.mark.parametrize(("name", "name_16"), sorted(TO_16.items()))
def test_a_name_comes_back_as_it_was(name: str, name_16: str) -> None:
    assert FROM_16[name_16] == name
    assert len(name_16) <= 50


def test_no_name_means_two_things() -> None:
    assert len(FROM_16) == len(TO_16) == 4
    assert not FROM_16.keys() & TO_16.keys()
