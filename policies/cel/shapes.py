"""What the official schemas say of a field that a condition names, over all messages that its rule is for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from policies.vocabulary import ANY, OBJECT, Field, Vocabulary
from policies.words import RuleError, Target

_PAYLOAD: Final = Field((), OBJECT, is_required=True, schema={"additionalProperties": False})


@dataclass(frozen=True, slots=True)
class Spot:
    """One field in the schema of one message."""

    target: Target
    field: Field
    is_certain: bool
    """True when the schema requires it and everything above it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A field in all messages that have it; without spots: in none. ``path`` is spelt for the vocabulary."""

    vocabulary: Vocabulary
    path: str
    spots: tuple[Spot, ...]

    @property
    def kinds(self) -> frozenset[str]:
        """Return its types, as ``policies.vocabulary.Field`` has them."""
        return frozenset(spot.field.type for spot in self.spots)

    @property
    def targets(self) -> frozenset[Target]:
        """Return the messages that have it."""
        return frozenset(spot.target for spot in self.spots)

    @property
    def is_certain(self) -> bool:
        """True when no message lacks it that has what it was reached from."""
        return all(spot.is_certain for spot in self.spots)

    @property
    def length_max(self) -> int | None:
        """Return the most characters or elements that the schemas allow; None where one has no bound."""
        bounds = [spot.field.max_length or spot.field.schema.get("maxItems") for spot in self.spots]
        return max((bound for bound in bounds if bound), default=None) if all(bounds) else None

    @property
    def is_time(self) -> bool:
        return any(spot.field.format == "date-time" for spot in self.spots)

    @property
    def words(self) -> tuple[str, ...]:
        """Return the texts that it may be, where the schemas list them."""
        return tuple(word for spot in self.spots for word in spot.field.enum or ())

    def step(self, step: str | int) -> "Shape":
        """Return the field ``step`` of it, or its element at a place."""
        path = f"{self.path}[]" if isinstance(step, int) else f"{self.path}.{step}".removeprefix(".")
        found = (below for spot in self.spots for below in self._below(spot, step, path))
        return Shape(self.vocabulary, path, tuple(found))

    def _below(self, spot: Spot, step: str | int, path: str) -> Iterator[Spot]:
        if spot.field.is_open and step not in spot.field.schema.get("properties", ()):
            if isinstance(step, str):
                yield Spot(spot.target, Field((), ANY), is_certain=False)
            return
        try:
            fields = self.vocabulary.resolve(path, spot.target)
        except RuleError:
            return  # ['a b']: no schema has such a name
        for field in fields:
            yield Spot(spot.target, field, is_certain=spot.is_certain and field.is_required)


def payload_of(targets: Sequence[Target], vocabulary: Vocabulary) -> Shape:
    """Return the payload of messages."""
    return Shape(vocabulary, "", tuple(Spot(target, _PAYLOAD, is_certain=True) for target in targets))
