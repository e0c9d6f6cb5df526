"""What the shapes of the API's answers are made of, as a validator reads them."""

import jsonschema_rs
import pytest

from gateway.admin.openapi_words import a_text, a_version, an_object


@pytest.mark.parametrize(
    ("shape", "value", "fits"),
    [
        (a_text(), "x", True),
        (a_text(), None, False),
        (a_text(null=True), None, True),
        (a_version("whose"), "ocpp1.6", True),
        (a_version("whose"), None, True),
        (a_version("whose"), "ocpp1.5", False),
        (an_object({"a": a_text()}), {"a": "x"}, True),
        (an_object({"a": a_text()}), {}, False),
        (an_object({"a": a_text()}, optional=("a",)), {}, True),
    ],
)
def test_what_fits_a_shape(shape: dict[str, object], value: object, fits: bool) -> None:
    assert jsonschema_rs.Draft202012Validator(shape).is_valid(value) is fits


def test_a_description_is_there_where_there_is_something_to_say() -> None:
    assert (a_text(), a_text("why")["description"]) == ({"type": "string"}, "why")
