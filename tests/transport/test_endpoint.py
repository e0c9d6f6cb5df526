"""The reasons to hold a link are bits of one number."""

from gateway.transport.endpoint import Hold


def test_each_hold_has_a_bit_of_its_own() -> None:
    assert sum(hold.value for hold in Hold) == 2 ** len(Hold) - 1
    assert all(hold.value.bit_count() == 1 for hold in Hold)
