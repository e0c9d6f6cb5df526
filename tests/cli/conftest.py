"""The command, in this process, on a deployment of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml
from typer.testing import CliRunner, Result

from gateway.app.records import records
from gateway.cli import app
from gateway.cli.output import Failed, fail
from gateway.config import load


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """A command that logs does so to the stderr of its own run, which is closed when the next test comes."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "voltgate.yaml"
    tree: dict[str, Any] = {
        "backends": {"legacy": {"url": "wss://csms.example.com/{identity}"}},
        "admin": {"bind": "127.0.0.1:1", "token": "env:VOLTGATE_TEST_TOKEN"},
    }
    path.write_text(yaml.safe_dump(tree))
    return path


@pytest.fixture
def run(config: Path) -> Callable[..., Result]:
    """``run("station", "list")`` runs the command on the deployment; failures end as `main` ends them."""

    def call(*arguments: str, stdin: str | None = None) -> Result:
        placed = (
            [*arguments, "--config", str(config)] if arguments[0] not in {"init", "demo", "--version"} else arguments
        )
        result = CliRunner().invoke(app, list(placed), input=stdin)
        if isinstance(result.exception, Failed):
            result.exit_code = fail(str(result.exception))
        return result

    return call


@pytest.fixture
def stored(config: Path) -> Callable[..., Any]:
    """``stored(work)`` runs ``work`` on the deployment's records, as another process would."""

    def run(work: Callable[[Any], Awaitable[Any]]) -> Any:
        async def opened() -> Any:
            async with records(load(config, {})) as records_:
                return await work(records_)

        return asyncio.run(opened())

    return run
