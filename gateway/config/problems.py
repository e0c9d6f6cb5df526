"""One thing that ``voltgate check`` reports of a configuration that has loaded."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with what a key points to. An error keeps the gateway from starting or stations from coming in."""

    severity: Literal["error", "warning"]
    key: str
    text: str

    @classmethod
    def error(cls, key: str, text: str) -> "Problem":
        return cls("error", key, text)

    @classmethod
    def warning(cls, key: str, text: str) -> "Problem":
        return cls("warning", key, text)

    @property
    def is_error(self) -> bool:
        return self.severity == "error"

    def shown(self) -> dict[str, str]:
        """Return the problem as JSON has it."""
        return {"severity": self.severity, "key": self.key, "text": self.text}

    def __str__(self) -> str:
        return f"{self.severity}: {self.key}: {self.text}"
