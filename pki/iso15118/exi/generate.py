"""Write the grammar tables of the EXI codec from the schemas: python -m pki.iso15118.exi.generate XSD_FOLDER

The schemas are ISO's and aren't part of this project. XSD_FOLDER has xmldsig-core-schema.xsd and the folders iso15118_2
and iso15118_20, as the Python package ``iso15118`` ships them. How a table is read: :mod:`pki.iso15118.exi.tables`.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from pki.iso15118.exi import QName, Schema
from pki.iso15118.exi.grammars import AnyElement, Attribute, Characters, End, Production, Start, Text, type_states
from pki.iso15118.exi.tables import UNUSED, file_of
from pki.iso15118.exi.xsd import Schemas, SimpleType, XsdError, by_local_name, read_schemas

BODY: Final = "urn:iso:15118:2:2013:MsgBody"

STRINGS: Final = {"string", "anyURI", "ID"}
BINARIES: Final = {"base64Binary", "hexBinary"}
INTEGERS: Final = {
    "integer": ("*", "*"),
    "short": (-(2**15), 2**15 - 1),
    "unsignedByte": (0, 2**8 - 1),
    "unsignedLong": (0, 2**64 - 1),
}
RELAXED: Final = "~"
"""Stands behind the name of an element whose grammar in a fragment is the relaxed one."""


@dataclass(frozen=True)
class Selection:
    """What of a schema is written down; the rest only counts for the width of the event codes."""

    schema: Schema
    file: str
    documents: tuple[QName, ...]
    fragments: tuple[QName, ...]
    """The elements that are signed."""
    substitutes: tuple[QName, ...] = ()
    """Members of a substitution group that are of interest; where none is, all are."""


SELECTIONS: Final = (
    Selection(
        Schema.ISO_2,
        "iso15118_2/V2G_CI_MsgDef.xsd",
        documents=(QName(Schema.ISO_2.value, "V2G_Message"),),
        fragments=tuple(
            QName(BODY, local)
            for local in (
                "CertificateInstallationReq", "CertificateUpdateReq", "ContractSignatureCertChain",
                "ContractSignatureEncryptedPrivateKey", "DHpublickey", "eMAID",
            )
        ),
        substitutes=tuple(
            QName(BODY, f"Certificate{action}{way}") for action in ("Installation", "Update") for way in ("Req", "Res")
        ),
    ),
    Selection(
        Schema.ISO_20,
        "iso15118_20/V2G_CI_CommonMessages.xsd",
        documents=tuple(QName(Schema.ISO_20.value, f"CertificateInstallation{way}") for way in ("Req", "Res")),
        fragments=(
            QName(Schema.ISO_20.value, "OEMProvisioningCertificateChain"),
            QName(Schema.ISO_20.value, "SignedInstallationData"),
        ),
    ),
    Selection(
        Schema.XMLDSIG,
        "xmldsig-core-schema.xsd",
        documents=(),
        fragments=(QName(Schema.XMLDSIG.value, "SignedInfo"),),
    ),
)  # fmt: skip


class Writer:
    """Collects the types that a selection reaches, as the tables write them."""

    def __init__(self, schemas: Schemas, selection: Selection) -> None:
        self._schemas = schemas
        self._substitutes = selection.substitutes
        self._open: list[QName] = []
        self.namespaces: dict[str, str] = {}
        self.simple: dict[str, str] = {}
        self.complex: dict[str, list[str]] = {}

    def name(self, name: QName) -> str:
        """Return a name with its prefix."""
        if not name.namespace:
            return name.local
        prefix = prefix_of(name.namespace)
        if self.namespaces.setdefault(prefix, name.namespace) != name.namespace:
            raise XsdError(f"{name.namespace}: another namespace is called {prefix} too")
        return f"{prefix}:{name.local}"

    def type_name(self, type_name: QName) -> str:
        """Return the name of a type, and write the type down if it isn't yet.

        Raises:
            XsdError: it contains itself, so that nothing would bound the depth of a document.
        """
        text = self.name(type_name)
        if type_name in self._open:
            raise XsdError(f"the type {text} contains itself")
        if text not in self.simple and text not in self.complex:
            self._open.append(type_name)
            type_ = self._schemas.complex_type(type_name)
            if type_ is None:
                self.simple[text] = simple_text(self._schemas.simple_type(type_name))
            else:
                self.complex[text] = [state_text(map(self._production, state)) for state in type_states(type_)]
            self._open.pop()
        return text

    def relaxed_type(self, name: QName) -> str:
        """Write down the grammar of a fragment's element whose name has several types (EXI 8.5.3); return its name."""
        types = [(each, self._schemas.complex_type(each)) for each in self._schemas.declared[name]]
        ((attribute, value),) = [
            (type_.attributes[0][0], type_.value)
            for _, type_ in types
            if type_ is not None and type_.value is not None and len(type_.attributes) == 1
        ]
        if {each for each, type_ in types if type_ is None} != {value}:
            raise XsdError(f"{name.local}: its types differ by more than an attribute")
        attributes = sorted(self._schemas.attributes, key=by_local_name)
        attribute_texts = [f"@{self.name(each)}>1" if each == attribute else UNUSED for each in attributes]
        no_element = [UNUSED] * (len(self._schemas.declared) + 1)
        text = f"{self.name(name)}{RELAXED}"
        self.complex[text] = [
            state_text([*attribute_texts, UNUSED, *no_element, UNUSED, UNUSED]),
            state_text([UNUSED] * (len(attributes) + 1) + [*no_element, UNUSED, f"={self.type_name(value)}>2"]),
            state_text([*no_element, ".", UNUSED]),
        ]
        return text

    def _production(self, production: Production) -> str:
        match production:
            case Attribute(name, then):
                text = f"@{self.name(name)}>{then}"
            case Start(name, type_name, then):
                wanted = self._is_of_interest(name)
                text = f"{self.name(name)}={self.type_name(type_name)}>{then}" if wanted else UNUSED
            case Characters(type_name, then):
                text = f"={self.type_name(type_name)}>{then}"
            case AnyElement():
                text = "*"
            case End():
                text = "."
            case Text():
                text = "#"
        return text

    def _is_of_interest(self, name: QName) -> bool:
        groups = self._schemas.substitutes.items()
        substitutes = any(name == head or name in members for head, members in groups)
        return name in self._substitutes or not substitutes


def prefix_of(namespace: str) -> str:
    """Return by what name the tables call a namespace: its last part."""
    return namespace.rstrip("#").replace("/", ":").rpartition(":")[2]


def state_text(productions: Iterable[str]) -> str:
    """Return a state's productions in one line; those that aren't of interest are counted."""
    groups = ((text, len(list(same))) for text, same in groupby(productions))
    return " ".join(f"{UNUSED}{count}" if text == UNUSED else " ".join([text] * count) for text, count in groups)


def simple_text(type_: SimpleType) -> str:
    """Return a simple type as the tables write it."""
    enumerated = [value for facet, value in type_.facets if facet == "enumeration"]
    facets = {facet: value for facet, value in type_.facets if facet != "enumeration"}
    exact = facets.pop("length", None)
    if enumerated:
        text = " ".join(["enumeration", *enumerated])
    elif type_.builtin in STRINGS | BINARIES:
        kind = "string" if type_.builtin in STRINGS else "binary"
        least, most = facets.pop("minLength", exact or "0"), facets.pop("maxLength", exact or "*")
        text = f"{kind} {least} {most}"
    elif type_.builtin in INTEGERS:
        low, high = INTEGERS[type_.builtin]
        text = f"integer {facets.pop('minInclusive', low)} {facets.pop('maxInclusive', high)}"
    else:
        raise XsdError(f"the built-in type {type_.builtin} isn't understood")
    if facets:
        raise XsdError(f"the facets {', '.join(facets)} of {type_.builtin} aren't understood")
    return text


def tables(folder: Path, selection: Selection) -> str:
    """Return the text of a table file.

    Raises:
        XsdError: a schema is missing or isn't understood.
    """
    schemas = read_schemas(folder, selection.file)
    writer = Writer(schemas, selection)
    roots, names = sorted(schemas.globals, key=by_local_name), sorted(schemas.declared, key=by_local_name)
    document = {
        str(roots.index(name)): f"{writer.name(name)}={writer.type_name(schemas.type_of(*schemas.globals[name]))}"
        for name in selection.documents
    }
    fragment = {
        str(names.index(name)): f"{writer.name(name)}={signed_type(writer, schemas, name)}"
        for name in selection.fragments
    }
    content = {
        "written by": "python -m pki.iso15118.exi.generate XSD_FOLDER",
        "schemas": {file.name: file.sha256 for file in sorted(schemas.files, key=lambda file: file.name)},
        "namespaces": dict(sorted(writer.namespaces.items())),
        # SE(*) is one more event; in a fragment the end is one too. Neither has a second level (EXI 8.5.1, 8.5.2).
        "document": {"bits": len(roots).bit_length(), "elements": document},
        "fragment": {"bits": (len(names) + 1).bit_length(), "end": len(names) + 1, "elements": fragment},
        "simple": dict(sorted(writer.simple.items())),
        "complex": dict(sorted(writer.complex.items())),
    }
    return json.dumps(content, indent=1) + "\n"


def signed_type(writer: Writer, schemas: Schemas, name: QName) -> str:
    """Return the type of a fragment's element."""
    types = schemas.declared[name]
    return writer.type_name(*types) if len(types) == 1 else writer.relaxed_type(name)


def main(arguments: Sequence[str]) -> str | None:
    """Write all tables; return what is wrong, if anything is."""
    if len(arguments) != 1:
        return __doc__
    try:
        texts = {selection.schema: tables(Path(arguments[0]), selection) for selection in SELECTIONS}
    except XsdError as error:
        return f"{arguments[0]}: {error}"
    for schema, text in texts.items():
        Path(str(file_of(schema))).write_text(text, encoding="utf-8")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
