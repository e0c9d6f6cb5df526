"""How the OpenAPI description says what an endpoint takes and answers."""

from typing import Any, Final

from pydantic import BaseModel

from gateway.admin.requests import Query

IDENTITY: Final = {
    "name": "identity",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "maxLength": 48},
    "description": "The station's identity, as in its URL.",
}
"""The parameter of every path that names a station."""


def operation(
    summary: str,
    responses: dict[str, Any],
    *,
    body: type[BaseModel] | None = None,
    query: type[Query] | None = None,
) -> dict[str, Any]:
    """Return what is told of one method of a path; every one may answer 401 and 503, one with a body 413."""
    described: dict[str, Any] = {"summary": summary, "responses": {**responses, **errors("401", "503")}}
    if body is not None:
        described["responses"] |= errors("413")
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema_ref(body.__name__)}},
        }
    if query is not None:
        schema = without_definitions(query.model_json_schema())
        described["parameters"] = [
            {"name": name, "in": "query", "required": False, "schema": each}
            for name, each in schema["properties"].items()
        ]
    return described


def without_definitions(schema: dict[str, Any]) -> dict[str, Any]:
    """Put the enumerations that pydantic keeps aside where they are used: a $ref must lead somewhere in here."""
    definitions = schema.pop("$defs", {})

    def written_out(node: Any) -> Any:
        if isinstance(node, dict):
            name = str(node.get("$ref", "")).rpartition("/")[2]
            rest = {key: written_out(value) for key, value in node.items() if key != "$ref"}
            return {**definitions[name], **rest} if name in definitions else rest
        return [written_out(each) for each in node] if isinstance(node, list) else node

    found: dict[str, Any] = written_out(schema)
    return found


def errors(*statuses: str) -> dict[str, Any]:
    """Return the answers by which a request is refused."""
    return {status: json_answer("Error", "Refused.") for status in statuses}


def json_answer(name: str, description: str | None = None) -> dict[str, Any]:
    """Return an answer of one named shape."""
    return {"description": description or f"{name}.", "content": {"application/json": {"schema": schema_ref(name)}}}


def list_answer(key: str, name: str) -> dict[str, Any]:
    """Return an answer that lists things of one named shape."""
    schema = {"type": "object", "required": [key], "properties": {key: {"type": "array", "items": schema_ref(name)}}}
    return {"description": f"{name}s.", "content": {"application/json": {"schema": schema}}}


def page_answer(key: str, name: str) -> dict[str, Any]:
    """Return a list of bounded length: ``next`` is what ``after`` begins the next page with, or null at the end."""
    listed = list_answer(key, name)
    schema = listed["content"]["application/json"]["schema"]
    schema["required"].append("next")
    schema["properties"]["next"] = {
        "type": ["integer", "null"],
        "description": "What after= begins the next page with; null: this is the last one.",
    }
    return listed


def schema_ref(name: str) -> dict[str, Any]:
    """Return what leads to a named shape."""
    return {"$ref": f"#/components/schemas/{name}"}
