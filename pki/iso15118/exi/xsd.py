"""XML Schemas as EXI's grammars are made from them: elements, types and content models, without a validator.

Build time alone (see :mod:`pki.iso15118.exi.generate`). It knows the part of XML Schema that the ISO 15118 schemas use
and refuses the rest, so that a table is never made from a half-understood schema.
"""

import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Final

from pki.iso15118.exi import QName

XS: Final = "http://www.w3.org/2001/XMLSchema"

DOCTYPE: Final = re.compile(rb"<!DOCTYPE[^<>\[\]]*(\[[^\[\]]*\])?\s*>")
"""The document type declaration of xmldsig-core-schema, which nothing in that schema needs: it is cut out unread."""

UNBOUNDED: Final = -1
"""maxOccurs="unbounded"."""


class XsdError(Exception):
    """A schema that is missing, or that says something which isn't understood here."""


@dataclass(frozen=True, eq=False)
class ElementParticle:
    """An element in a content model: each name that may stand there (a substitution group has several)."""

    choices: tuple[tuple[QName, QName], ...]
    """(name, type), in the order of their event codes."""
    least: int
    most: int


@dataclass(frozen=True, eq=False)
class Wildcard:
    """xs:any."""

    least: int
    most: int


@dataclass(frozen=True, eq=False)
class Group:
    """xs:sequence or xs:choice."""

    is_choice: bool
    items: tuple["Particle", ...]
    least: int
    most: int


Particle = ElementParticle | Wildcard | Group


@dataclass(frozen=True)
class SimpleType:
    """A simple type, down to its built-in one, with the facets on the way."""

    builtin: str
    facets: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ComplexType:
    """A complex type: its bases' parts come first."""

    attributes: tuple[tuple[QName, bool], ...] = ()
    """(name, whether it is required)."""
    content: Particle | None = None
    value: QName | None = None
    """The simple type of a simple content."""
    is_mixed: bool = False


@dataclass(frozen=True)
class SchemaFile:
    """One file of a set."""

    name: str
    """Its path below the schemas' folder."""
    root: ET.Element
    prefixes: dict[str, str]
    sha256: str

    @property
    def namespace(self) -> str:
        return self.root.attrib["targetNamespace"]

    def resolve(self, name: str) -> QName:
        """Return the qualified name that ``prefix:local`` stands for in this file."""
        prefix, _, local = name.rpartition(":")
        if prefix not in self.prefixes:
            raise XsdError(f"{self.name}: {name}: no such prefix")
        return QName(self.prefixes[prefix], local)


@dataclass(frozen=True)
class Schemas:
    """All that a schema and those that it imports declare."""

    files: list[SchemaFile] = field(default_factory=list)
    globals: dict[QName, tuple[SchemaFile, ET.Element]] = field(default_factory=dict)
    types: dict[QName, tuple[SchemaFile, ET.Element]] = field(default_factory=dict)
    attributes: set[QName] = field(default_factory=set)
    """The name of every attribute that is declared anywhere."""
    declared: dict[QName, set[QName]] = field(default_factory=dict)
    """Every element's name, of local ones too -> the types that it is declared with."""
    substitutes: dict[QName, list[QName]] = field(default_factory=dict)

    def type_of(self, file: SchemaFile, element: ET.Element) -> QName:
        """Return the name of an element's type; one without a name goes by its element's."""
        if "type" in element.attrib:
            return file.resolve(element.attrib["type"])
        return QName(file.namespace, element.attrib["name"])

    def complex_type(self, name: QName) -> ComplexType | None:
        """Return the complex type of this name, or None for a simple one."""
        if name.namespace == XS:
            return None
        file, node = self._type(name)
        return self._complex(file, node) if node.tag == tag("complexType") else None

    def simple_type(self, name: QName) -> SimpleType:
        """Return the simple type of this name with all its facets."""
        if name.namespace == XS:
            return SimpleType(name.local)
        file, node = self._type(name)
        (restriction,) = [child for child in node if child.tag != tag("annotation")]
        if restriction.tag != tag("restriction"):
            raise XsdError(f"{file.name}: {name.local}: only a restriction is understood")
        base = self.simple_type(file.resolve(restriction.attrib["base"]))
        facets = tuple((facet.tag.rpartition("}")[2], facet.attrib["value"]) for facet in restriction)
        return SimpleType(base.builtin, base.facets + facets)

    def _type(self, name: QName) -> tuple[SchemaFile, ET.Element]:
        if name not in self.types:
            raise XsdError(f"{name.namespace}: no type {name.local}")
        return self.types[name]

    def _complex(self, file: SchemaFile, node: ET.Element) -> ComplexType:
        base, own = ComplexType(), node
        contents = [child for child in node if child.tag in {tag("simpleContent"), tag("complexContent")}]
        if contents:
            (own,) = contents[0]
            if own.tag != tag("extension"):
                raise XsdError(f"{file.name}: {node.get('name')}: only an extension is understood")
            name = file.resolve(own.attrib["base"])
            base = self.complex_type(name) or ComplexType(value=name)
        particles = [base.content, *(self._particle(file, child) for child in own if is_particle(child))]
        items = tuple(particle for particle in particles if particle is not None)
        attributes = tuple(
            (attribute_name(file, child), child.get("use") == "required")
            for child in own
            if child.tag == tag("attribute")
        )
        return ComplexType(
            attributes=base.attributes + attributes,
            content=Group(is_choice=False, items=items, least=1, most=1) if items else None,
            value=base.value,
            is_mixed=base.is_mixed or node.get("mixed") == "true",
        )

    def _particle(self, file: SchemaFile, node: ET.Element) -> Particle:
        least = int(node.get("minOccurs", "1"))
        most = node.get("maxOccurs", "1")
        occurs = (least, UNBOUNDED if most == "unbounded" else int(most))
        if node.tag == tag("element"):
            return ElementParticle(self._choices(file, node), *occurs)
        if node.tag == tag("any"):
            if node.get("namespace", "##any") not in {"##any", "##other"}:
                raise XsdError(f"{file.name}: a wildcard of named namespaces isn't understood")
            return Wildcard(*occurs)
        items = tuple(self._particle(file, child) for child in node if is_particle(child))
        return Group(node.tag == tag("choice"), items, *occurs)

    def _choices(self, file: SchemaFile, node: ET.Element) -> tuple[tuple[QName, QName], ...]:
        if "ref" not in node.attrib:
            return ((QName(file.namespace, node.attrib["name"]), self.type_of(file, node)),)
        head = file.resolve(node.attrib["ref"])
        names = sorted([head, *self.substitutes.get(head, [])], key=by_local_name)
        return tuple((name, self.type_of(*self.globals[name])) for name in names)


def tag(local: str) -> str:
    return f"{{{XS}}}{local}"


UNDERSTOOD: Final = {
    tag(local)
    for local in (
        "schema", "import", "annotation", "documentation", "element", "complexType", "simpleType", "sequence", "choice",
        "any", "attribute", "complexContent", "simpleContent", "extension", "restriction", "enumeration", "length",
        "minLength", "maxLength", "minInclusive", "maxInclusive",
    )
}  # fmt: skip


def is_particle(node: ET.Element) -> bool:
    return node.tag in {tag("element"), tag("any"), tag("sequence"), tag("choice")}


def by_local_name(name: QName) -> tuple[str, str]:
    """Return what EXI sorts names by (EXI 8.4): the local name, then the namespace."""
    return name.local, name.namespace


def attribute_name(file: SchemaFile, node: ET.Element) -> QName:
    form = node.get("form", file.root.get("attributeFormDefault", "unqualified"))
    return QName(file.namespace if form == "qualified" else "", node.attrib["name"])


def read_file(folder: Path, name: str) -> SchemaFile:
    """Return the schema file ``name`` below ``folder``.

    Raises:
        XsdError: it can't be read, has entities, or says something that isn't understood.
    """
    try:
        octets = (folder / name).read_bytes()
    except OSError as error:
        raise XsdError(f"{name}: {error.strerror}") from error
    text = DOCTYPE.sub(b"", octets, count=1)
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise XsdError(f"{name}: a document type declaration that can't be cut out")
    prefixes: dict[str, str] = {}
    try:
        for _, (prefix, uri) in ET.iterparse(BytesIO(text), events=("start-ns",)):  # noqa: S314 - no DTD is left to harm
            if prefixes.setdefault(prefix, uri) != uri:
                raise XsdError(f"{name}: the prefix {prefix} stands for two namespaces")
        root = ET.fromstring(text)  # noqa: S314 - the same
    except ET.ParseError as error:
        raise XsdError(f"{name}: {error}") from error
    strange = sorted({node.tag for node in root.iter()} - UNDERSTOOD)
    if strange or root.get("elementFormDefault") != "qualified":
        raise XsdError(f"{name}: not understood: {', '.join(strange) or 'unqualified elements'}")
    return SchemaFile(name, root, prefixes, hashlib.sha256(octets).hexdigest())


def read_schemas(folder: Path, name: str) -> Schemas:
    """Return what the schema ``name`` below ``folder`` and all those that it imports declare.

    Raises:
        XsdError: one is missing or isn't understood.
    """
    schemas = Schemas()
    waiting = [name]
    while waiting:
        name = waiting.pop()
        if name in {file.name for file in schemas.files}:
            continue
        file = read_file(folder, name)
        schemas.files.append(file)
        waiting += [located(folder, name, node.attrib["schemaLocation"]) for node in file.root.iter(tag("import"))]
    for file in schemas.files:
        declare(schemas, file)
    return schemas


def located(folder: Path, importer: str, location: str) -> str:
    """Return the imported file's name below ``folder``; one that isn't beside its importer may lie in ``folder``."""
    beside = (folder / importer).parent / location
    path = beside if beside.is_file() else folder / Path(location).name
    return path.resolve().relative_to(folder.resolve()).as_posix()


def declare(schemas: Schemas, file: SchemaFile) -> None:
    for node in file.root:
        if node.tag == tag("element"):
            name = QName(file.namespace, node.attrib["name"])
            schemas.globals[name] = (file, node)
            if "substitutionGroup" in node.attrib:
                head = file.resolve(node.attrib["substitutionGroup"])
                schemas.substitutes.setdefault(head, []).append(name)
        elif node.tag in {tag("complexType"), tag("simpleType")}:
            schemas.types[QName(file.namespace, node.attrib["name"])] = (file, node)
    for node in elements_of(file):
        name, type_name = QName(file.namespace, node.attrib["name"]), schemas.type_of(file, node)
        schemas.declared.setdefault(name, set()).add(type_name)
        if "type" not in node.attrib:
            if type_name in schemas.types:
                raise XsdError(f"{file.name}: {name.local}: a type has the name of one without a name")
            schemas.types[type_name] = (file, next(child for child in node if child.tag != tag("annotation")))
    schemas.attributes.update(attribute_name(file, node) for node in file.root.iter(tag("attribute")))


def elements_of(file: SchemaFile) -> Iterator[ET.Element]:
    """Yield every declaration of an element, global or local."""
    return (node for node in file.root.iter(tag("element")) if "name" in node.attrib)
