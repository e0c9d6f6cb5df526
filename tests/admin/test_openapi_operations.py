"""How an endpoint is described: its body, its parameters, its answers."""

import enum

from gateway.admin.openapi_operations import (
    errors,
    json_answer,
    list_answer,
    operation,
    page_answer,
    without_definitions,
)
from gateway.admin.requests import Query, Request


class Colour(enum.Enum):
    """A choice."""

    RED = "red"


class Body(Request):
    """What is sent."""


class Wanted(Query):
    """What is asked for."""

    colour: Colour | None = None


def test_an_operation_may_be_refused_for_want_of_a_token_or_a_store_and_for_a_body_too_large() -> None:
    described = operation("Do it.", {"200": json_answer("Thing"), **errors("404")}, body=Body)
    assert set(described["responses"]) == {"200", "401", "404", "413", "503"}
    assert described["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Body"}
    assert "parameters" not in described


def test_parameters_come_from_the_model_that_reads_them() -> None:
    (parameter,) = operation("List.", {}, query=Wanted)["parameters"]
    assert (parameter["name"], parameter["in"]) == ("colour", "query")
    assert "red" in str(parameter["schema"])
    assert "$ref" not in str(parameter["schema"])


def test_enumerations_are_written_out() -> None:
    assert "$defs" not in without_definitions(Wanted.model_json_schema())


def test_a_page_says_where_the_next_one_begins() -> None:
    whole = list_answer("things", "Thing")["content"]["application/json"]["schema"]
    page = page_answer("things", "Thing")["content"]["application/json"]["schema"]
    assert whole["required"] == ["things"]
    assert page["required"] == ["things", "next"]
