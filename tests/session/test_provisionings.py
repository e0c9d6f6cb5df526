"""Contract certificates that vehicles were given: their states are words of the inventory."""

from gateway.session.provisionings import ContractStatus, ProvidedCertificate
from gateway.store.contract_certificates import STATES


def test_every_state_is_one_of_the_inventory() -> None:
    assert {each.value for each in ContractStatus} == {state.value for state in STATES}


def test_a_certificate_of_a_vehicle_that_is_not_known() -> None:
    assert ProvidedCertificate(ContractStatus.ISSUED, "DE8EXC12345678", None).pcid is None
