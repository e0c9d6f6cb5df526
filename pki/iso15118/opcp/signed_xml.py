"""What an OPCP provisioning service signs comes as XML, and the vehicle speaks EXI: the one becomes the other.

Only what the message can hold is read: no document type, no entity, no processing instruction, bounded size and depth.
Whether it is a message at all is for the codec to say, which knows the schema; whether it is the right one, for the
check of the answer, whose digests are over what the codec writes.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn
from xml.parsers import expat

from pki.iso15118.exi import Element, ExiError, QName, Schema, Value
from pki.iso15118.exi.codec import encode_document

XML_MAX: Final = 48 * 1024
"""Bytes; a real one has 8 kB."""
DEPTH_MAX: Final = 12
"""Levels; V2G_Message down to the Transform of a reference has 8."""
ELEMENTS_MAX: Final = 256
"""A real one has about 50."""

_HEADER: Final = QName(Schema.ISO_2.value, "Header")
_SESSION_ID: Final = QName("urn:iso:15118:2:2013:MsgHeader", "SessionID")
_BASE64: Final = frozenset(
    {"Certificate", "ContractSignatureEncryptedPrivateKey", "DHpublickey", "DigestValue", "SignatureValue"}
)
_SPACE: Final = " \t\r\n"


@dataclass(slots=True)
class _Open:
    """An element whose end hasn't come."""

    name: QName
    attributes: tuple[tuple[QName, str], ...]
    children: list[Element] = field(default_factory=list)
    text: list[str] = field(default_factory=list)


def to_exi(xml: bytes, session_id: bytes) -> bytes:
    """Return the EXI of a V2G_Message of ISO 15118-2 in XML, under ``session_id`` if it names none. Raises ExiError."""
    return encode_document(_with_session(read(xml), session_id), Schema.ISO_2)


def read(xml: bytes) -> Element:
    """Read the document. Raises ExiError; its text repeats nothing of the document."""
    if len(xml) > XML_MAX:
        raise ExiError(f"the XML has more than {XML_MAX} bytes")
    reader = _Reader()
    try:
        return reader.read(xml)
    except expat.ExpatError as error:
        raise ExiError(f"it isn't XML: {expat.ErrorString(error.code)}") from None


class _Reader:
    """Builds the elements as they come."""

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._root: Element
        self._count = 0
        parser = self._parser = expat.ParserCreate("utf-8", " ")
        parser.buffer_text = True
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._refuse
        parser.ProcessingInstructionHandler = self._refuse

    def read(self, xml: bytes) -> Element:
        self._parser.Parse(xml, True)
        # Without a root, or with a second one, it isn't XML.
        return self._root

    def _begin(self, name: str, attributes: Mapping[str, str]) -> None:
        self._count += 1
        if len(self._open) >= DEPTH_MAX or self._count > ELEMENTS_MAX:
            raise ExiError("the XML has more elements or levels than a message can have")
        pairs = tuple((_name(each), value) for each, value in attributes.items())
        self._open.append(_Open(_name(name), pairs))

    def _end(self, _: str) -> None:
        done = self._open.pop()
        element = _element(done)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element

    def _text(self, text: str) -> None:
        self._open[-1].text.append(text)

    def _refuse(self, *_: object) -> NoReturn:
        raise ExiError("the XML has a document type or a processing instruction")


def _name(text: str) -> QName:
    namespace, _, local = text.rpartition(" ")
    return QName(namespace, local)


def _element(done: _Open) -> Element:
    text = "".join(done.text)
    if done.children:
        if text.strip(_SPACE):
            raise ExiError("the XML has text between elements")
        return Element(done.name, tuple(done.children), attributes=done.attributes)
    if not text and done.name.local not in _BASE64:
        return Element(done.name, attributes=done.attributes)
    return Element(done.name, value=_value(done.name.local, text), attributes=done.attributes)


def _value(name: str, text: str) -> Value:
    try:
        if name in _BASE64:
            # xs:base64Binary may be broken into lines (XML Schema 2, 3.2.16).
            return base64.b64decode("".join(text.split()), validate=True)
        if name == _SESSION_ID.local:
            return bytes.fromhex(text)
    except (binascii.Error, ValueError):
        raise ExiError(f"the XML has a {name} that isn't binary") from None
    return text.strip(_SPACE)


def _with_session(message: Element, session_id: bytes) -> Element:
    """Put the SessionID in front of the header: a provisioning service knows of none."""
    children = []
    for child in message.children:
        header = child
        if child.name == _HEADER and not any(each.name == _SESSION_ID for each in child.children):
            session = Element(_SESSION_ID, value=session_id)
            header = Element(child.name, (session, *child.children), attributes=child.attributes)
        children.append(header)
    return Element(message.name, tuple(children), attributes=message.attributes)
