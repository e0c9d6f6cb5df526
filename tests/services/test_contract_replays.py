"""Signed requests: which are the same, and how long it is known."""

from dataclasses import replace

import pytest

from gateway.services import contract_replays
from gateway.services.contract_replays import REMEMBERED, SignedRequests
from pki.iso15118.messages import Header, Signature
from pki.iso15118.provisioning import ProvisioningRefused, Refusal, VerifiedRequest
from tests.services.vehicle_desk import SIGNED, installation, installation_20, verified


@pytest.fixture
def signed() -> SignedRequests:
    return SignedRequests()


def with_signature(value: bytes) -> VerifiedRequest:
    return verified(replace(installation(), header=Header(b"other", Signature(SIGNED, value))))


def test_the_other_half_of_a_signature_is_anybodys(signed: SignedRequests) -> None:
    signed.use(with_signature(b"r" * 32 + b"s" * 32), 0.0)
    with pytest.raises(ProvisioningRefused) as refused:
        signed.use(with_signature(b"r" * 32 + b"n" * 32), 1.0)
    assert refused.value.refusal is Refusal.REPLAYED


@pytest.mark.parametrize(
    "other",
    [
        with_signature(b"q" * 32 + b"s" * 32),
        verified(installation(), leaf="another vehicle"),
        verified(installation_20()),
    ],
)
def test_another_request(signed: SignedRequests, other: VerifiedRequest) -> None:
    signed.use(with_signature(b"r" * 32 + b"s" * 32), 0.0)
    signed.use(other, 0.0)
    assert len(signed) == 2


def test_it_is_known_for_a_day(signed: SignedRequests) -> None:
    signed.use(verified(installation()), 0.0)
    with pytest.raises(ProvisioningRefused):
        signed.use(verified(installation()), REMEMBERED - 1)
    signed.use(verified(installation()), REMEMBERED)
    assert len(signed) == 1


def test_one_without_effect_is_forgotten(signed: SignedRequests) -> None:
    name = signed.use(verified(installation()), 0.0)
    signed.give_back(name)
    signed.give_back(name)
    assert len(signed) == 0
    assert signed.use(verified(installation()), 0.0) == name


def test_the_oldest_goes_first(signed: SignedRequests, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract_replays, "REMEMBERED_MAX", 2)
    for r in (b"1", b"2", b"3"):
        signed.use(verified(installation(r=r)), 0.0)
    assert len(signed) == 2
    signed.use(verified(installation(r=b"1")), 0.0)
    with pytest.raises(ProvisioningRefused):
        signed.use(verified(installation(r=b"3")), 0.0)
