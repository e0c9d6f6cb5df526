"""What happens, as it happens: who to whom, what, how it went. A live table on a terminal, plain lines elsewhere."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Final, Self

from rich import box
from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

REFRESH: Final = 8
"""Times a second that the live table is drawn."""
HEADING: Final = 5
"""Lines of the live table beside its steps."""
LINES_PER_STEP: Final = 3
"""Most lines that a step takes on a terminal of 80 columns."""


class Outcome(Enum):
    """How a step went."""

    RUNNING = "..."
    OK = "OK"
    FAILED = "FAILED"
    DROPPED = "ended"
    """Given up, because another step failed or somebody pressed Ctrl-C."""


STYLES: Final = {Outcome.RUNNING: "yellow", Outcome.OK: "green", Outcome.FAILED: "bold red", Outcome.DROPPED: "dim"}


@dataclass(slots=True)
class Step:
    """One line of the timeline; times in seconds since its start."""

    who: str
    whom: str
    what: str
    began: float
    ended: float | None = None
    outcome: Outcome = Outcome.RUNNING
    detail: str = ""

    @property
    def way(self) -> str:
        """Who to whom."""
        return f"{self.who} -> {self.whom}" if self.whom else self.who


class Timeline:
    """Shows steps while they run; a context manager for the time that it is on the screen."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.steps: list[Step] = []
        self._console = console
        self._clock = clock
        self._zero = clock()
        self._spinner = Spinner("dots")
        self._live = (
            Live(console=console, get_renderable=self._newest, refresh_per_second=REFRESH, transient=True)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._console.print(self.table())

    @property
    def elapsed(self) -> float:
        """Seconds since the timeline began."""
        return self._clock() - self._zero

    @contextmanager
    def step(self, who: str, whom: str, what: str) -> Iterator[Step]:
        """Show a step while the block runs; it has failed when the block raises, but for a cancellation."""
        step = Step(who, whom, what, self.elapsed)
        self.steps.append(step)
        try:
            yield step
        except asyncio.CancelledError:
            self._end(step, Outcome.DROPPED)
            raise
        except BaseException:
            self._end(step, Outcome.FAILED)
            raise
        self._end(step, Outcome.OK)

    def _newest(self) -> Table:
        """Return the steps that fit on the screen: those that happen now, not those that were."""
        return self.table(max(1, (self._console.height - HEADING) // LINES_PER_STEP))

    def table(self, newest: int | None = None) -> Table:
        """Return the steps so far, or the newest of them."""
        title = "Voltgate between a 2.0.1 station and a 1.6 backend"
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
        table.add_column("s", justify="right")
        table.add_column("who -> whom", no_wrap=True)
        table.add_column("what")
        table.add_column("")
        table.add_column("took", justify="right")
        for step in self.steps[-newest:] if newest else self.steps:
            running = step.outcome is Outcome.RUNNING
            mark = self._spinner if running else Text(step.outcome.value, STYLES[step.outcome])
            took = (self.elapsed if step.ended is None else step.ended) - step.began
            table.add_row(f"{step.began:.1f}", step.way, _words(step), mark, f"{took:.2f}")
        return table

    def _end(self, step: Step, outcome: Outcome) -> None:
        step.ended = self.elapsed
        step.outcome = outcome
        if self._live is None:
            line = f"{step.ended:6.2f} s  {outcome.value:6}  {step.way:21}  {_words(step)}"
            self._console.print(Text(line), soft_wrap=True)


def _words(step: Step) -> Text:
    text = Text(step.what)
    return text.append(f": {step.detail}", "dim") if step.detail else text
