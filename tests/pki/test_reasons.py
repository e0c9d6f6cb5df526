"""The reasons for which a station's certificate is revoked."""

import pytest
from cryptography.x509 import ReasonFlags

from pki.reasons import FOR_GOOD


def test_names_are_those_of_the_standard() -> None:
    assert FOR_GOOD["keyCompromise"] is ReasonFlags.key_compromise
    assert all(reason.value == name for name, reason in FOR_GOOD.items())


@pytest.mark.parametrize("name", ["cACompromise", "aACompromise", "certificateHold", "removeFromCRL"])
def test_what_is_a_cas_or_can_be_taken_back_is_none(name: str) -> None:
    assert ReasonFlags(name).value == name
    assert name not in FOR_GOOD
