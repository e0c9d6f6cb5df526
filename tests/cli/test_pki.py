"""`voltgate pki`."""

from collections.abc import Callable

from typer.testing import CliRunner, Result

from gateway.cli import app


def test_its_commands() -> None:
    shown = CliRunner().invoke(app, ["pki", "--help"]).output
    assert "bootstrap" in shown
    assert "check" in shown


def test_the_embedded_ca_can_be_checked_with_the_command(run: Callable[..., Result]) -> None:
    assert "station (local): ok" in run("pki", "check").output
