"""The codec: a document or a fragment to its root element, and an element to octets.

The profile of ISO 15118 ([V2G2-099], [V2G2-600]): one octet of header without options, bit-packed, not strict, nothing
preserved, no string table. What it could say beyond the schema (xsi:type, untyped values, strange elements) is refused.
"""

from typing import Final

from pki.iso15118.exi import Element, ExiError, QName, Schema, Value
from pki.iso15118.exi.bits import BitReader, BitWriter
from pki.iso15118.exi.datatypes import String
from pki.iso15118.exi.tables import Attribute, Characters, End, Roots, Start, State, tables_of

EXI_SIZE_MAX: Final = 16_384
"""Octets of a document. OCPP 2.1 carries 12,750 of them at most (exiResponse: 17,000 characters of base64)."""
ELEMENTS_MAX: Final = 512
"""Elements of a document; the largest one that a vehicle or a provider has use for has about 100."""

HEADER: Final = 0x80
"""Distinguishing bits, no options, final version 1 (EXI 5)."""

EMPTY_BITS: Final = 3
"""Of the event code behind the escape that ends a simple element without a value (EXI 8.5.4.4.1); the code is 0."""

ATTRIBUTE_VALUE: Final = String()


def decode_document(octets: bytes, schema: Schema) -> Element:
    """Return a document's root element.

    Raises:
        ExiError: it isn't a message of ``schema``, spelled in the one way that the profile has.
    """
    return _decode(octets, tables_of(schema).document)


def encode_document(element: Element, schema: Schema) -> bytes:
    """Return the document whose root is ``element``.

    Raises:
        ExiError: the schema has no such document.
    """
    return _encode(element, tables_of(schema).document)


def decode_fragment(octets: bytes, schema: Schema) -> Element:
    """Return the element of a fragment: a signed part of a message.

    Raises:
        ExiError: it isn't a signed part of ``schema``, spelled in the one way that the profile has.
    """
    return _decode(octets, tables_of(schema).fragment)


def encode_fragment(element: Element, schema: Schema) -> bytes:
    """Return the fragment of ``element``: what a digest is over (ISO 15118-2 J.2).

    Raises:
        ExiError: it isn't a signed part of ``schema``.
    """
    return _encode(element, tables_of(schema).fragment)


def _decode(octets: bytes, roots: Roots) -> Element:
    decoder = _Decoder(octets)
    element = decoder.root(roots)
    if _encode(element, roots, empty_is_spelled=decoder.empty_is_spelled) != octets:
        raise ExiError("it is spelled in another way than the one that a signature can be over")
    return element


def _encode(element: Element, roots: Roots, *, empty_is_spelled: bool = False) -> bytes:
    return _Encoder(empty_is_spelled=empty_is_spelled).root(element, roots)


class _Decoder:
    """Walks the grammar as the event codes say."""

    def __init__(self, octets: bytes) -> None:
        self._reader = BitReader(octets)
        self._size = len(octets)
        self._path: list[str] = []
        self._elements = 0
        self.empty_is_spelled = False
        """Whether an empty value was seen that has a length of zero, instead of being left out: both are in use."""

    def root(self, roots: Roots) -> Element:
        try:
            return self._root(roots)
        except ExiError as error:
            raise ExiError(f"{'/'.join(self._path)}: {error}" if self._path else str(error)) from None

    def _root(self, roots: Roots) -> Element:
        reader = self._reader
        _check_size(self._size)
        if reader.bits(8) != HEADER:
            raise ExiError(f"the header isn't 0x{HEADER:02x}: options, another version, or not EXI at all")
        start = roots.by_code.get(reader.bits(roots.bits))
        if start is None:
            raise ExiError("the root element isn't a message of certificate provisioning, nor a signed part of one")
        element = self._element(start)
        if roots.end is not None and reader.bits(roots.bits) != roots.end:
            raise ExiError("a second element in a fragment")
        reader.finish()
        return element

    def _element(self, start: Start) -> Element:
        self._path.append(start.name.local)
        self._elements = _one_more(self._elements)
        reader, states = self._reader, start.states
        children: list[Element] = []
        attributes: list[tuple[QName, str]] = []
        value: Value | None = None
        state = states[0]
        while True:
            code = reader.bits(state.bits)
            if code >= len(state.productions):
                value = self._empty(state, code)
                break
            production = state.productions[code]
            if isinstance(production, Start):
                children.append(self._element(production))
            elif isinstance(production, Characters):
                value = production.type.read(reader)
                self.empty_is_spelled |= value == production.type.empty
            elif isinstance(production, Attribute):
                attributes.append((production.name, ATTRIBUTE_VALUE.read(reader)))
            elif isinstance(production, End):
                break
            else:
                raise ExiError(production.reason)
            state = states[production.then]
        self._path.pop()
        return Element(start.name, tuple(children), value, tuple(attributes))

    def _empty(self, state: State, code: int) -> Value:
        """Return the value of an element that ends without one: the one event of the second level that is allowed."""
        if code == len(state.productions) and state.characters is not None and not self._reader.bits(EMPTY_BITS):
            value = state.characters.type.empty
            if value is not None:
                return value
        raise ExiError("something that the schema doesn't have here")


class _Encoder:
    """Walks the grammar as an element says."""

    def __init__(self, *, empty_is_spelled: bool) -> None:
        self._writer = BitWriter()
        self._path: list[str] = []
        self._elements = 0
        self._empty_is_spelled = empty_is_spelled

    def root(self, element: Element, roots: Roots) -> bytes:
        try:
            return self._root(element, roots)
        except ExiError as error:
            raise ExiError(f"{'/'.join(self._path)}: {error}" if self._path else str(error)) from None

    def _root(self, element: Element, roots: Roots) -> bytes:
        start = roots.by_name.get(element.name)
        if start is None:
            raise ExiError(
                f"{element.name.local} isn't a message of certificate provisioning, nor a signed part of one"
            )
        writer = self._writer
        writer.bits(HEADER, 8)
        writer.bits(start.code, roots.bits)
        self._element(element, start)
        if roots.end is not None:
            writer.bits(roots.end, roots.bits)
        octets = writer.finish()
        _check_size(len(octets))
        return octets

    def _element(self, element: Element, start: Start) -> None:
        self._path.append(start.name.local)
        self._elements = _one_more(self._elements)
        writer, states = self._writer, start.states
        state = states[0]
        for name, text in sorted(element.attributes, key=by_local_name):
            attribute = state.attributes.get(name)
            if attribute is None:
                raise ExiError(f"an attribute {name.local} isn't allowed here")
            writer.bits(attribute.code, state.bits)
            ATTRIBUTE_VALUE.write(writer, text)
            state = states[attribute.then]
        for child in element.children:
            child_start = state.elements.get(child.name)
            if child_start is None:
                raise ExiError(f"an element {child.name.local} isn't allowed here")
            writer.bits(child_start.code, state.bits)
            self._element(child, child_start)
            state = states[child_start.then]
        if element.value is not None:
            after = self._value(element.value, state)
            if after is None:
                self._path.pop()
                return
            state = states[after]
        if state.end is None:
            raise ExiError("it is incomplete")
        writer.bits(state.end.code, state.bits)
        self._path.pop()

    def _value(self, value: Value, state: State) -> int | None:
        """Write a value; return the state behind it, or None if the element has ended with it."""
        characters = state.characters
        if characters is None:
            raise ExiError("a value isn't allowed here")
        if not self._empty_is_spelled and value == characters.type.empty:
            self._writer.bits(len(state.productions), state.bits)
            self._writer.bits(0, EMPTY_BITS)
            return None
        self._writer.bits(characters.code, state.bits)
        characters.type.write(self._writer, value)
        return characters.then


def _check_size(size: int) -> None:
    if size > EXI_SIZE_MAX:
        raise ExiError(f"{size} octets, at most {EXI_SIZE_MAX}")


def _one_more(elements: int) -> int:
    if elements == ELEMENTS_MAX:
        raise ExiError(f"more than {ELEMENTS_MAX} elements")
    return elements + 1


def by_local_name(attribute: tuple[QName, str]) -> tuple[str, str]:
    """Return what EXI sorts attributes by (EXI 8.5.4.3)."""
    return attribute[0].local, attribute[0].namespace
