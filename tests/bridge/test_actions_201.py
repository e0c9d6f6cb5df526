"""The tables against the official schemas."""

from gateway.bridge.actions_201 import OF_A_CSMS, OF_A_STATION
from gateway.wire.schemas import operations
from gateway.wire.versions import Version


def test_every_action_goes_one_way_but_data_transfer() -> None:
    assert OF_A_CSMS | OF_A_STATION | {"DataTransfer"} == operations(Version.V201).keys()
    assert not OF_A_CSMS & OF_A_STATION
    assert "DataTransfer" not in OF_A_CSMS | OF_A_STATION
