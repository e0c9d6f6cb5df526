"""When a provider isn't waited for any more, and who goes and sees."""

import pytest

from pki.iso15118.opcp.circuit import FAILURES_MAX, PAUSE, Circuit
from pki.iso15118.provisioning import ProvisioningRefused, Refusal


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_after_failures_in_a_row_and_one_request_goes_and_sees() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    for _ in range(FAILURES_MAX):
        circuit.pass_one()
        circuit.failed("no answer within 3.6 s")
    with pytest.raises(
        ProvisioningRefused, match=r"^hasn't answered 3 times .*no answer within 3\.6 s.* in 5 s"
    ) as caught:
        circuit.pass_one()
    assert caught.value.refusal is Refusal.PROVIDER_UNAVAILABLE
    assert repr(circuit) == "Circuit(open, failures=3)"

    with pytest.raises(ProvisioningRefused, match="3 times"):
        circuit.check()

    clock.now += PAUSE
    circuit.check()
    circuit.check()
    circuit.pass_one()
    with pytest.raises(ProvisioningRefused):
        circuit.pass_one()
    circuit.failed("no answer")
    clock.now += PAUSE - 0.1
    with pytest.raises(ProvisioningRefused, match="4 times"):
        circuit.pass_one()


def test_an_answer_closes_it() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    for _ in range(FAILURES_MAX - 1):
        circuit.failed("away")
    circuit.succeeded()
    for _ in range(FAILURES_MAX - 1):
        circuit.failed("away")
    circuit.pass_one()
    circuit.failed("away")
    clock.now += PAUSE
    circuit.pass_one()
    circuit.succeeded()
    circuit.pass_one()
    circuit.pass_one()
    assert repr(circuit) == "Circuit(closed, failures=0)"


def test_one_that_went_to_see_and_never_came_back_keeps_nobody_out_for_good() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    for _ in range(FAILURES_MAX):
        circuit.failed("away")
    clock.now += PAUSE
    circuit.pass_one()
    clock.now += PAUSE
    circuit.pass_one()
