"""`voltgate station call`, `rotate-password` and `upgrade`, on a gateway whose answers are known."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.cli import station_live

Run = Callable[..., Any]


class Gateway:
    """The API: notes what it is asked, and gives the next answer; the last one again and again."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.answers: list[Any] = []

    async def request(self, config: Any, method: str, path: str, body: Any) -> Any:
        self.asked.append((method, path, body))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    made = Gateway()
    monkeypatch.setattr("gateway.cli.api.request", made.request)
    monkeypatch.setattr(station_live, "POLL", 0)
    return made


def upgrade_at(step: str, detail: str = "", *, is_over: bool = False, has_failed: bool = False) -> dict[str, Any]:
    upgrade = {"target_profile": 3, "step": step, "detail": detail, "is_over": is_over, "has_failed": has_failed}
    return {"identity": "CS1", "profile": 2, "upgrade": upgrade}


def test_a_gateway_that_does_not_answer(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VOLTGATE_TEST_TOKEN", "a-token-for-tests")
    assert run("station", "call", "CS1", "ClearCache").exit_code == 1
    said = capsys.readouterr().err
    assert "no gateway answers at admin.bind 127.0.0.1:1" in said
    assert "a-token" not in said


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (("call", "CS1", "Reset", "{"), 2, "JSON"),
        (("call", "CS1", "Reset", '{"type":"OnIdle"}'), 1, "admin.token"),
        (("rotate-password", "CS1"), 1, "admin.token"),
        (("upgrade", "CS1"), 2, "profile"),
        (("upgrade", "CS1", "--profile", "1"), 2, "profile"),
        (("upgrade", "CS1", "--profile", "3"), 1, "admin.token"),
        (("cancel-upgrade", "CS1"), 1, "admin.token"),
    ],
)
def test_refusals(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], status: int, complaint: str
) -> None:
    result = run("station", *arguments)
    assert result.exit_code == status
    assert complaint in result.stderr + capsys.readouterr().err


def test_call_takes_json_like_every_command_that_shows_something(run: Run, gateway: Gateway) -> None:
    gateway.answers = [{"action": "ClearCache", "payload": {"status": "Accepted"}}]
    for more in ((), ("--json",)):
        assert json.loads(run("station", "call", "CS1", "ClearCache", *more).stdout) == {"status": "Accepted"}
    assert gateway.asked[0] == ("POST", "stations/CS1/calls", {"action": "ClearCache", "payload": {}})


@pytest.mark.parametrize(
    ("state", "words"),
    [("settled", "has taken its new password"), ("awaiting reboot", "restarted"), ("unknown", "not known")],
)
def test_rotate_password(run: Run, gateway: Gateway, state: str, words: str) -> None:
    gateway.answers = [{"identity": "CS 1", "password_rotation": state}]
    assert words in run("station", "rotate-password", "CS 1").stdout
    assert json.loads(run("station", "rotate-password", "CS 1", "--force", "--json").stdout) == gateway.answers[0]
    assert [path for _, path, _ in gateway.asked] == [
        "stations/CS%201/password",
        "stations/CS%201/password?force=true",
    ]


def test_upgrade_begins(run: Run, gateway: Gateway) -> None:
    gateway.answers = [upgrade_at("roots", "installing the root")]
    begun = run("station", "upgrade", "CS1", "--profile", "3", "--interface", "Wireless1")
    assert begun.stdout == "to security profile 3: roots: installing the root\n"
    assert gateway.asked == [("POST", "stations/CS1/security-profile", {"profile": 3, "interface": "Wireless1"})]
    assert json.loads(run("station", "upgrade", "CS1", "--profile", "3", "--json").stdout) == gateway.answers[0]


def test_upgrade_is_waited_for(run: Run, gateway: Gateway) -> None:
    gateway.answers = [
        upgrade_at("roots", "a"),
        upgrade_at("roots", "a"),
        upgrade_at("reset", "b"),
        upgrade_at("done", "c", is_over=True),
    ]
    waited = run("station", "upgrade", "CS1", "--profile", "3", "--wait")
    assert waited.exit_code == 0
    assert waited.stdout.splitlines() == [
        f"to security profile 3: {each}" for each in ("roots: a", "reset: b", "done: c")
    ]
    assert gateway.asked[1:] == [("GET", "stations/CS1/security-profile", None)] * 3


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_an_upgrade_that_fails(
    run: Run, gateway: Gateway, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    gateway.answers = [
        upgrade_at("roots"),
        upgrade_at("failed", "it does not\x1b[1m take it", is_over=True, has_failed=True),
    ]
    failed = run("station", "upgrade", "CS1", "--profile", "3", "--wait", *more)
    assert failed.exit_code == 1
    assert capsys.readouterr().err == "upgrade of CS1 failed: it does not\\x1b[1m take it\n"
    if more:
        assert json.loads(failed.stdout)["upgrade"]["step"] == "failed"


def test_cancel(run: Run, gateway: Gateway) -> None:
    gateway.answers = [upgrade_at("roots", is_over=True, has_failed=True)]
    assert run("station", "cancel-upgrade", "CS1").stdout == "upgrade of CS1 cancelled\n"
    assert json.loads(run("station", "cancel-upgrade", "CS1", "--json").stdout) == gateway.answers[0]
    assert gateway.asked[0] == ("DELETE", "stations/CS1/security-profile", None)
