"""The words that providers and those who ask them share."""

import pytest

from pki.iso15118.provisioning import ProvisioningRefused, Refusal


def test_each_refusal_has_a_name_of_its_own() -> None:
    """It stands in audit and metrics."""
    names = [each.value for each in Refusal]

    assert len(set(names)) == len(names)
    assert all(name.isascii() and name.isalnum() and name[0].isupper() for name in names)


@pytest.mark.parametrize("refusal", Refusal)
def test_a_refusal_says_why(refusal: Refusal) -> None:
    refused = ProvisioningRefused(refusal, "the contract has ended")

    assert refused.refusal is refusal
    assert str(refused) == "the contract has ended"
