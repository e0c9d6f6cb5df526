"""Elements as the XML that they stand for."""

import base64
import xml.etree.ElementTree as ET

from pki.iso15118.exi import Element, QName, Value

HEX_BINARY = "SessionID"
"""The one element whose octets XML spells in hex; all others are base64."""


def spellings(value: Value | None) -> set[str]:
    """Return how XML may spell a value."""
    if isinstance(value, bytes):
        return {value.hex().upper(), base64.b64encode(value).decode()}
    return {"" if value is None else str(value)}


def clark(name: QName) -> str:
    """Return a name as ElementTree has it."""
    return f"{{{name.namespace}}}{name.local}" if name.namespace else name.local


def assert_same(element: Element, node: ET.Element) -> None:
    """Check that an element says what its XML says."""
    assert node.tag == clark(element.name)
    assert node.attrib == {clark(name): text for name, text in element.attributes}
    assert (node.text or "") in spellings(element.value)
    for child, child_node in zip(element.children, node, strict=True):
        assert_same(child, child_node)


def xml_of(element: Element) -> str:
    """Return the XML document whose root is ``element``."""
    return ET.tostring(_node(element), encoding="unicode")


def _node(element: Element) -> ET.Element:
    node = ET.Element(clark(element.name), {clark(name): text for name, text in element.attributes})
    value = element.value
    if isinstance(value, bytes):
        node.text = value.hex().upper() if element.name.local == HEX_BINARY else base64.b64encode(value).decode()
    elif value is not None:
        node.text = str(value).lower() if isinstance(value, bool) else str(value)
    node.extend(map(_node, element.children))
    return node
