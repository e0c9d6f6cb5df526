"""What the shapes of the API's answers are made of."""

from typing import Any, Final

from gateway.wire.versions import Version

VERSIONS: Final = [version.value for version in Version]
TIME: Final = {"type": "string", "format": "date-time"}


def a_text(description: str = "", *, null: bool = False) -> dict[str, Any]:
    """Return the shape of a text."""
    return {"type": ["string", "null"] if null else "string"} | ({"description": description} if description else {})


def a_version(description: str) -> dict[str, Any]:
    """Return the shape of an OCPP version, or null."""
    return {"enum": [*VERSIONS, None], "description": description}


def an_object(properties: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the shape of an object; all properties are required but those that are ``optional``."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties}
