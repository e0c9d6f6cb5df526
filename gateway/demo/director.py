"""Runs the story, shows it, cleans up: no process and no folder is left behind, unless they were asked for."""

import asyncio
import shlex
import shutil
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from gateway.demo.child import DemoFailed
from gateway.demo.story import IDENTITY, Story
from gateway.demo.timeline import Timeline

LOG_TAIL: Final = 20
"""Lines of a process's log that are shown when the demo fails."""
ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Director:
    """One run of the demo, or of another ``tale``. ``backend_options`` go to the backend's command line as they are."""

    def __init__(
        self, console: Console, *, keep: bool, backend_options: Sequence[str] = (), tale: type[Story] | None = None
    ) -> None:
        self._console = console
        self._keep = keep
        self._backend_options = backend_options
        self._tale = tale
        self._interrupted = False
        self._waiting: asyncio.Event | None = None
        """Set while the kept demo waits for its end; a signal is welcome then."""

    async def run(self) -> bool:
        """Return True when every step happened and the ledger agrees with the meter."""
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        # Under nohup, which ignores SIGHUP, the demo outlives its terminal.
        ending = [each for each in ENDING if each is not signal.SIGHUP or signal.getsignal(each) is not signal.SIG_IGN]
        folder = Path(tempfile.mkdtemp(prefix="voltgate-demo-"))
        try:
            for each in ending:
                loop.add_signal_handler(each, self._interrupt, task)
            return await self._perform(folder)
        except asyncio.CancelledError:
            if not self._interrupted or task is None:
                raise
            task.uncancel()
            self._say("interrupted", "bold red")
            return False
        finally:
            if self._keep:
                self._say(f"kept: {folder}")
            else:
                await asyncio.to_thread(shutil.rmtree, folder)
            for each in ending:
                loop.remove_signal_handler(each)

    def _interrupt(self, task: "asyncio.Task[object] | None") -> None:
        """End the demo, once: what cleans up must not be interrupted again."""
        if self._waiting is not None:
            self._waiting.set()
        elif task is not None and not self._interrupted:
            self._interrupted = True
            task.cancel()

    async def _perform(self, folder: Path) -> bool:
        timeline = Timeline(self._console)
        story = (self._tale or Story)(folder, timeline, self._backend_options)
        try:
            with timeline:
                await story.play()
                if not self._keep:
                    await self._end(story, timeline)
            agrees = self._show_ledger(story, timeline)
            if self._keep and agrees:
                await self._wait_for_the_end(story, folder)
                await self._end(story, timeline)
        except DemoFailed as failure:
            self._explain(story, folder, str(failure))
            return False
        finally:
            await story.end()
        return agrees

    async def _end(self, story: Story, timeline: Timeline) -> None:
        with timeline.step("operator", "voltgate", "SIGTERM") as step:
            status = await story.end()
            if status != 0:
                raise DemoFailed(f"voltgate serve ended with status {status} after SIGTERM, not 0")
            step.detail = "exit status 0"

    def _show_ledger(self, story: Story, timeline: Timeline) -> bool:
        if story.comparison is None:
            raise DemoFailed("there is no ledger to compare")
        self._console.print()
        self._console.print(story.comparison.table())
        if not story.comparison.agrees:
            self._say("FAILED: the backend's ledger and the station's meter differ", "bold red")
            return False
        took = f"{len(timeline.steps)} steps in {timeline.elapsed:.1f} s"
        self._say(f"OK: {took}; ledger and meter agree to the Wh", "bold green")
        return True

    def _explain(self, story: Story, folder: Path, failure: str) -> None:
        self._say(f"FAILED: {failure}", "bold red")
        for line in story.last_events():
            self._say(f"  last event of {line}")
        for log in sorted(folder.glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()[-LOG_TAIL:]
            if lines:
                self._say(f"{log.name}, last lines:", "bold")
            for line in lines:
                self._say(f"  {line}")

    async def _wait_for_the_end(self, story: Story, folder: Path) -> None:
        where = story.gateway.endpoints
        if where is None:
            raise DemoFailed("the gateway is not running")
        settings = folder / "settings.sh"
        settings.write_text(
            "".join(f"export {name}={shlex.quote(value)}\n" for name, value in story.gateway.settings().items())
        )
        self._say(f"stations    {where.stations}/{{identity}}  (profiles 2 and 3)")
        self._say(
            f"admin API   http://127.0.0.1:{where.admin_port}/api/v1  (token: {story.gateway.home}/secrets/admin-token)"
        )
        self._say(f"credentials {story.station_folder}  (password, key and certificate of {IDENTITY})")
        self._say(f"commands    . {settings}; voltgate station show {IDENTITY} --config {story.gateway.config}")
        self._say("running until Ctrl-C")
        self._waiting = asyncio.Event()
        await self._waiting.wait()

    def _say(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style), soft_wrap=True)
