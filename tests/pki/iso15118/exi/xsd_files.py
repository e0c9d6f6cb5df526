"""Small schemas of our own, to make grammars from."""

from pathlib import Path

NAMESPACE = "urn:test:Own"


def write_schema(folder: Path, body: str, *, name: str = "own.xsd", namespace: str = NAMESPACE, head: str = "") -> str:
    """Write a schema with ``body`` below ``folder`` and return its name; in it ``own:`` is its own namespace."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        f'{head}<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="{namespace}" xmlns:own="{namespace}" '
        f'xmlns:other="urn:test:Other" targetNamespace="{namespace}" elementFormDefault="qualified" '
        f'attributeFormDefault="qualified">{body}</xs:schema>'
    )
    return name
