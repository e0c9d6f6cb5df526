"""The description of updates names what the answers have."""

from gateway.admin.firmware_updates import update_shown
from gateway.admin.openapi_firmware_updates import FIRMWARE_UPDATE_SCHEMAS, firmware_updates
from gateway.session.firmware import UpdateSource, UpdateState
from tests.admin.test_firmware_updates import update_of


def test_every_member_is_described() -> None:
    schema = FIRMWARE_UPDATE_SCHEMAS["FirmwareUpdate"]

    assert set(schema["properties"]) == set(schema["required"]) == set(update_shown(update_of()))
    assert set(schema["properties"]["state"]["enum"]) == {state.value for state in UpdateState}
    assert set(schema["properties"]["source"]["enum"]) == {source.value for source in UpdateSource}


def test_a_stations_path_names_its_station() -> None:
    identity = {"name": "identity", "in": "path"}

    assert firmware_updates(identity)["stations/{identity}/firmware"]["parameters"] == [identity]
