"""The byte vectors: an EXI file each, the XML of it beside it, and manifest.json, which says what each one is."""

import json
from collections.abc import Callable
from pathlib import Path

from pki.iso15118.exi import Element, Schema
from pki.iso15118.exi.codec import decode_document, decode_fragment, encode_document, encode_fragment

Decode = Callable[[bytes, Schema], Element]
Encode = Callable[[Element, Schema], bytes]

VECTORS = Path(__file__).parent / "vectors"
SCHEMAS = {"iso2": Schema.ISO_2, "iso20": Schema.ISO_20, "dsig": Schema.XMLDSIG, "dsig20": Schema.XMLDSIG}
MANIFEST = {entry["name"]: entry for entry in json.loads((VECTORS / "manifest.json").read_text())}


def vector(name: str) -> tuple[bytes, Schema, Decode, Encode]:
    """Return a vector's octets, its schema, and the two halves of the codec for it."""
    entry = MANIFEST[name]
    ways: tuple[Decode, Encode] = (
        (decode_fragment, encode_fragment) if entry["fragment"] else (decode_document, encode_document)
    )
    return (VECTORS / f"{name}.exi").read_bytes(), SCHEMAS[entry["schema"]], *ways
