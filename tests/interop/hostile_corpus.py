"""The corpus of hostile messages: how it was made, and how it is read.

``python -m tests.interop.hostile_corpus`` makes it anew, out of the official schemas, the same each time with the same
hypothesis. It is kept as files, so that what was sent once is sent for ever: ``hostile/*.json``, a message a line.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.app.policy_schemas import OfficialSchemas
from gateway.bridge.actions_16 import OF_A_CENTRAL_SYSTEM, OF_A_CHARGE_POINT
from gateway.bridge.actions_201 import OF_A_STATION
from policies.paths import EACH, Steps
from policies.vocabulary import Field, Vocabulary
from policies.words import Kind, Stage, Target
from tests.interop.hostile_values import ENDLESS, LIST_LENGTH, TOO_LONG, Attack, attacks_on, marker

FOLDER: Final = Path(__file__).parent / "hostile"
TRIES: Final = 16
"""Messages that are drawn for each action; those with the same attack on the same field are made once."""
ONE_LINE: Final = frozenset({"BootNotification", "StatusNotification"})
"""Actions whose texts are one line each; in others a line end may be honest."""
QUIETLY: Final = settings(
    derandomize=True,
    database=None,
    max_examples=TRIES,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
SCHEMAS: Final = OfficialSchemas()
VOCABULARY: Final = Vocabulary(SCHEMAS)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who says what, and how it is looked at."""

    protocol: str
    stage: Stage
    actions: frozenset[str]


SENDERS: Final = {
    "station-201": Sender("ocpp2.0.1", Stage.FROM_STATION, OF_A_STATION | {"DataTransfer"}),
    "station-16": Sender("ocpp1.6", Stage.FROM_STATION, OF_A_CHARGE_POINT | {"DataTransfer"}),
    "backend-16": Sender("ocpp1.6", Stage.FROM_BACKEND, OF_A_CENTRAL_SYSTEM | {"DataTransfer"}),
}


@dataclass(frozen=True, slots=True)
class Hostile:
    """One message of the corpus."""

    action: str
    path: str
    attack: str
    marker: str
    """A text that its hostile value has, or the number that it is."""
    fits: bool
    """It fits the official schema: only a policy can tell."""
    mended: bool
    """It may go on without what is hostile in it."""
    payload: dict[str, Any]
    repeat: int = 1
    """How often the first element of the list at ``path`` stands there."""

    def message(self) -> dict[str, Any]:
        """Return the payload as it is sent."""
        if self.repeat == 1:
            return self.payload
        made: dict[str, Any] = json.loads(json.dumps(self.payload))
        holder: Any = made
        *above, last = self.path.replace("[]", ".0").split(".")
        for step in above:
            holder = holder[int(step) if step == "0" else step]
        holder[last] *= self.repeat
        return made


def read(name: str) -> list[Hostile]:
    """Return the messages of one sender."""
    return [Hostile(**each) for each in json.loads((FOLDER / f"{name}.json").read_text("utf-8"))]


def make(name: str, first: int) -> list[Hostile]:
    """Make the messages of one sender; their markers count from ``first``."""
    sender, made = SENDERS[name], list[Hostile]()
    for action in sorted(sender.actions):
        for field, attack, payload in _drawn(sender, action):
            number = first + len(made)
            made.append(_hostile(sender.protocol, action, field, attack, number, payload))
    return made


def _drawn(sender: Sender, action: str) -> list[tuple[Field, Attack, dict[str, Any]]]:
    target = Target(sender.stage, Kind.CALL, sender.protocol, action)
    choices = list(_choices(target))
    found: dict[tuple[Steps, str], tuple[Field, Attack, dict[str, Any]]] = {}
    document = SCHEMAS.document(sender.protocol, action, Kind.CALL)
    if not choices or document is None:
        return []

    @QUIETLY
    @given(st.data())
    def draw(data: st.DataObject) -> None:
        field, attack = data.draw(st.sampled_from(choices))
        payload = data.draw(_payloads(document, document, field.steps))
        found.setdefault((field.steps, attack.name), (field, attack, payload))

    draw()
    return list(found.values())


def _choices(target: Target) -> Iterator[tuple[Field, Attack]]:
    towards_station = target.stage is Stage.FROM_BACKEND
    for field in VOCABULARY.fields(target):
        if field.steps and "customData" not in field.steps[:-1]:
            is_line = target.action in ONE_LINE
            for attack in attacks_on(field, towards_station=towards_station, is_line=is_line):
                if attack.name == TOO_LONG or len(str(attack.value(0))) <= (field.max_length or math.inf):
                    yield field, attack


def _payloads(document: Mapping[str, Any], schema: Mapping[str, Any], way: Steps) -> st.SearchStrategy[Any]:
    """Return what fits ``schema`` and has something at ``way``: else its required fields alone."""
    schema = _resolved(document, schema)
    kind = schema.get("type")
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if kind == "object":
        properties = schema.get("properties", {})
        names = dict.fromkeys([*schema.get("required", ()), *way[:1]])
        below = {name: way[1:] if way[:1] == (name,) else () for name in names}
        return st.fixed_dictionaries(
            {name: _payloads(document, properties[name], below[name]) for name in names if name in properties}
        )
    if kind == "array":
        return st.lists(
            _payloads(document, schema["items"], way[1:] if way[:1] == (EACH,) else ()), min_size=1, max_size=1
        )
    return _scalars(schema)


def _scalars(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    kind = schema.get("type")
    if kind in {"integer", "number"}:
        return st.integers(0, 3)
    if kind == "boolean":
        return st.booleans()
    if schema.get("format") == "date-time":
        return st.integers(0, 59).map(lambda minute: f"2026-01-01T09:{minute:02}:00Z")
    if schema.get("format") == "uri":
        return st.just("https://files.example.com/in")
    most = min(schema.get("maxLength", 12), 12)
    return st.text("abcdefghijkmnopqrstuvwxyz0123456789", min_size=min(3, most), max_size=most)


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = document["definitions"][schema["$ref"].removeprefix("#/definitions/")]
    return schema


def _hostile(protocol: str, action: str, field: Field, attack: Attack, number: int, payload: dict[str, Any]) -> Hostile:
    value, repeat, told = attack.value(number), 1, marker(number)
    if attack is ENDLESS:
        value, repeat = _elements(payload, field, number), LIST_LENGTH
    elif told not in str(value):
        told = str(value)
    _put(payload, field.steps, value)
    made = Hostile(action, field.path, attack.name, told, True, attack.is_mended, payload, repeat)
    return replace(made, fits=SCHEMAS.complaint(protocol, action, Kind.CALL, made.message()) is None)


def _elements(payload: dict[str, Any], field: Field, number: int) -> Any:
    """Return the list at ``field``; a text in it, or the idTag of its element, is the marker."""
    elements: Any = payload
    for step in field.steps:
        elements = elements[0 if step is EACH else step]
    if isinstance(elements[0], str):
        return [marker(number)]
    if "idTag" in elements[0]:
        elements[0]["idTag"] = marker(number)
    return elements


def _put(payload: Any, steps: Steps, value: Any) -> None:
    for step in steps[:-1]:
        payload = payload[0 if step is EACH else step]
    payload[0 if steps[-1] is EACH else steps[-1]] = value


def main() -> None:
    """Write the files."""
    first = 1
    for name in SENDERS:
        made = make(name, first)
        first += len(made)
        lines = ",\n".join(json.dumps(asdict(each), ensure_ascii=True) for each in made)
        (FOLDER / f"{name}.json").write_text(f"[\n{lines}\n]\n", "utf-8")


if __name__ == "__main__":
    main()
