"""What every test may use: one OpenBao for its module, and a word in the summary, whichever worker it ran on."""

import gc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.bao import Bao, running_bao

# A machine under load is no fault of what is tested: no example has a deadline, nor has the making of one.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """Run an OpenBao with nothing in it, for all tests of a module."""
    with running_bao(tmp_path_factory.mktemp("bao")) as running:
        yield running


def pytest_collection_finish() -> None:
    """The tests are there to the end: the collector needn't look at 20,000 of them, for seconds on a loaded machine."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests recorded by ``record_property("summary", text)``."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    lines = [text for report in reports for name, text in report.user_properties if name == "summary"]
    if lines:
        terminalreporter.section("what was measured")
        for line in lines:
            terminalreporter.write_line(line)
