"""The tables against the official schemas."""

from gateway.bridge.actions_16 import OF_A_CENTRAL_SYSTEM, OF_A_CHARGE_POINT, SECURITY_OF_A_CENTRAL_SYSTEM
from gateway.wire.schemas import operations
from gateway.wire.versions import Version


def test_every_action_goes_one_way_but_data_transfer() -> None:
    assert OF_A_CENTRAL_SYSTEM | OF_A_CHARGE_POINT | {"DataTransfer"} == operations(Version.V16).keys()
    assert not OF_A_CENTRAL_SYSTEM & OF_A_CHARGE_POINT
    assert "DataTransfer" not in OF_A_CENTRAL_SYSTEM | OF_A_CHARGE_POINT


def test_the_security_extension_is_among_them() -> None:
    assert SECURITY_OF_A_CENTRAL_SYSTEM < OF_A_CENTRAL_SYSTEM
