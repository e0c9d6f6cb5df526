"""Publications in the description: the station is named by the same parameter as everywhere."""

from gateway.admin.openapi import document
from gateway.session.firmware import PublicationState


def test_the_path_and_every_state() -> None:
    described = document()
    paths = described["paths"]
    item = next(item for path, item in paths.items() if path.endswith("/publications"))
    calls = next(item for path, item in paths.items() if path.endswith("/stations/{identity}/calls"))
    assert item["parameters"] == calls["parameters"]
    states = described["components"]["schemas"]["Publication"]["properties"]["status"]["enum"]
    assert {*states} == {each.value for each in PublicationState}
