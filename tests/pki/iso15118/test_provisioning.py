"""The words of a refusal: what becomes of them outside."""

from pki.iso15118.provisioning import ProvisioningRefused, Refusal


def test_each_refusal_has_a_word_of_its_own() -> None:
    words = [refusal.value for refusal in Refusal]
    assert len(set(words)) == len(words)
    assert all(word.isascii() and word.isalpha() for word in words)


def test_a_refusal_says_why() -> None:
    refused = ProvisioningRefused(Refusal.NO_CONTRACT, "no contract for it; add one")
    assert (refused.refusal, str(refused)) == (Refusal.NO_CONTRACT, "no contract for it; add one")
