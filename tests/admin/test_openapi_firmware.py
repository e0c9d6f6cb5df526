"""The description of the catalogue names what the answers have."""

from gateway.admin.firmware_shown import image_shown
from gateway.admin.openapi_firmware import FIRMWARE_SCHEMAS, firmware
from tests.linked_files import IMAGE


def test_an_image_as_it_is_described() -> None:
    schema = FIRMWARE_SCHEMAS["FirmwareImage"]
    assert [*schema["properties"]] == [*image_shown(IMAGE, whole=True)]
    assert schema["required"] == [*image_shown(IMAGE)]


def test_octets_are_uploaded_as_they_are() -> None:
    body = firmware()["firmware/{id}/content"]["put"]["requestBody"]
    assert [*body["content"]] == ["application/octet-stream"]
