"""`voltgate firmware update`, `updates` and `cancel`, on a gateway whose answers are known."""

import json
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]


def shown(number: int = 1, **fields: Any) -> dict[str, Any]:
    values = {"id": number, "identity": "CS1", "image_id": 4, "source": "backend", "by": "old", "state": "preparing"}
    return values | {"status": None, "changed_at": "2026-03-01T12:00:00+00:00", "reason": None} | fields


class Gateway:
    """The API: notes what it is asked, and gives the next answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.answers: list[Any] = []

    async def request(self, _: Any, method: str, path: str, body: Any) -> Any:
        self.asked.append((method, path, body))
        return self.answers.pop(0)


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    made = Gateway()
    monkeypatch.setattr("gateway.cli.api.request", made.request)
    return made


def test_an_update_is_ordered(run: Run, gateway: Gateway) -> None:
    gateway.answers = [shown(), shown(2)]
    times = ("--retrieve-at", "2026-03-01T12:00:00", "--install-at", "2026-03-01T13:00:00")

    ordered = run("firmware", "update", "CS1", "4", *times)
    again = run("firmware", "update", "CS/1", "4", "--json")

    body = {"image_id": 4, "retrieve_at": "2026-03-01T12:00:00+00:00", "install_at": "2026-03-01T13:00:00+00:00"}
    assert gateway.asked == [
        ("POST", "stations/CS1/firmware", body),
        ("POST", "stations/CS%2F1/firmware", {"image_id": 4}),
    ]
    assert ordered.output == "update 1 of station CS1: preparing\n"
    assert json.loads(again.output)["id"] == 2


@pytest.mark.parametrize("arguments", [("CS1",), ("CS1", "0"), ("CS1", "4", "--retrieve-at", "soon")])
def test_what_can_not_be_meant(run: Run, gateway: Gateway, arguments: tuple[str, ...]) -> None:
    assert run("firmware", "update", *arguments).exit_code == 2
    assert gateway.asked == []


def test_updates_are_listed_page_by_page(run: Run, gateway: Gateway) -> None:
    first, second = shown(1), shown(2, state="sent", status="Downloading", reason="\x1b[2J")
    gateway.answers = [{"updates": [first], "next": 1}, {"updates": [second], "next": None}]

    listed = run("firmware", "updates", "--identity", "CS1")

    assert [path for _, path, _ in gateway.asked] == [
        "firmware/updates?state=preparing%2Cwaiting%2Csent&identity=CS1&after=0",
        "firmware/updates?state=preparing%2Cwaiting%2Csent&identity=CS1&after=1",
    ]
    assert "Downloading" in listed.output
    assert "\x1b" not in listed.output


def test_all_of_them_as_json(run: Run, gateway: Gateway) -> None:
    gateway.answers = [{"updates": [shown(state="refused")], "next": None}]

    listed = run("firmware", "updates", "--all", "--json")

    assert gateway.asked == [("GET", "firmware/updates?after=0", None)]
    assert json.loads(listed.output)[0]["state"] == "refused"


def test_one_is_canceled(run: Run, gateway: Gateway) -> None:
    gateway.answers = [shown(state="canceled"), shown(state="canceled")]

    assert run("firmware", "cancel", "1").output == "update 1 of station CS1 is canceled\n"
    assert json.loads(run("firmware", "cancel", "1", "--json").output)["state"] == "canceled"
    assert gateway.asked == [("DELETE", "firmware/updates/1", None)] * 2
