"""A desk that receives logs, for the bridges' tests: it writes down what it was asked and told."""

from gateway.bridge.ports import LogOrdered

OURS = "https://gateway.example.com:8444/logs/secret"


class FakeLogDesk:
    """Fulfils :class:`gateway.bridge.ports.LogDesk`; without ``place`` nothing can be received."""

    def __init__(self, place: str | None = OURS) -> None:
        self.at = place
        self.placed: list[LogOrdered] = []
        self.answers: list[tuple[LogOrdered, bool, str | None]] = []

    async def place(self, ordered: LogOrdered) -> str | None:
        self.placed.append(ordered)
        return self.at

    async def answered(self, ordered: LogOrdered, *, is_accepted: bool, file_name: str | None) -> None:
        self.answers.append((ordered, is_accepted, file_name))
