"""PyPI's ``iso15118`` in a process of its own: a vehicle, its EXI codec, and the EXIficient in it as an oracle."""

import json
import os
from pathlib import Path
from typing import Final

from pki.iso15118.exi import Schema
from tests.interop.child import ROOT, Child, Json

PYTHON: Final = Path(os.environ.get("VOLTGATE_ISO15118_PYTHON", ROOT / ".venv/iso15118/bin/python"))
SCRIPT: Final = Path(__file__).with_name("josev_process.py")
HEAP: Final = "-Xmx768m"
"""It needs less; without a limit it takes a quarter of the machine's memory."""
MISSING: Final = "PyPI's iso15118 isn't installed: make interop-iso15118"


class JosevRaised(Exception):
    """What the package, or its codec in the JVM, raised: type and text."""


class Josev:
    """The package. Starts a JVM, which takes some seconds."""

    def __init__(self) -> None:
        command: list[str | Path] = [PYTHON, "-P", SCRIPT]  # -P: nothing from beside it
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        self._child = Child("iso15118", command, json.loads, env=environment | {"JAVA_TOOL_OPTIONS": HEAP})

    def do(self, command: str, **told: object) -> Json:
        """Return its answer. Raises :class:`JosevRaised`."""
        self._child.write(json.dumps({"do": command, **told}))
        answer = self._child.take(f"what it made of {command}", lambda _: True)
        if "raised" in answer:
            raise JosevRaised(answer["raised"])
        return answer

    def decode(self, exi: bytes, schema: Schema) -> Json:
        """Return a document as the package's codec reads it."""
        read: Json = json.loads(self.do("decode", exi=exi.hex(), namespace=schema.value)["json"])
        return read

    def encode(self, content: Json, schema: Schema) -> bytes:
        return bytes.fromhex(self.do("encode", text=json.dumps(content), namespace=schema.value)["exi"])

    def exificient_encode(self, xml: str, schema: Schema, *, is_fragment: bool) -> bytes:
        """Return XML as EXIficient writes it by the schema."""
        told = {"xml": xml, "schema": schema.name, "is_fragment": is_fragment}
        return bytes.fromhex(self.do("exificient_encode", **told)["exi"])

    def exificient_decode(self, exi: bytes, schema: Schema, *, is_fragment: bool) -> str:
        """Return EXI as XML, as EXIficient reads it by the schema."""
        told = {"exi": exi.hex(), "schema": schema.name, "is_fragment": is_fragment}
        return str(self.do("exificient_decode", **told)["xml"])

    def stop(self) -> int:
        return self._child.stop()
