"""The story, on a stage with actors that only recite."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.demo import story as story_module
from gateway.demo.child import DemoFailed
from gateway.demo.story import ENERGY, ID_TAG, IDENTITY, SERIAL
from gateway.demo.timeline import Outcome
from tests.demo.stage import ACCOUNT, Stage


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, monkeypatch)


async def test_the_whole_story(stage: Stage) -> None:
    await stage.story.play()
    assert await stage.story.end() == 0

    assert stage.story.comparison is not None
    assert stage.story.comparison.agrees
    assert {step.outcome for step in stage.timeline.steps} == {Outcome.OK}
    assert sorted(stage.log[:2]) == [
        "init Example CPO",
        f"start backend --id-tag {ID_TAG} --password-file ./backend-password --lose-wh 7",
    ]
    assert stage.log[2] == "backend 4711"
    assert sorted(stage.log[3:5]) == [
        f"add {IDENTITY} {SERIAL} 2",
        f"start station --identity {IDENTITY} --serial {SERIAL} --operator Example CPO --folder ./station",
    ]
    assert stage.log[5:] == [
        "station: connect {'url': 'wss://localhost:1/ocpp'}",
        f"renew {IDENTITY}",
        f"backend: remote_start {{'station': '{IDENTITY}', 'connector': 1, 'id_tag': '{ID_TAG}'}}",
        "station: plug_in",
        f"station: charge {{'samples': 4, 'energy': {ENERGY}}}",
        "station: stop {'energy': 83}",
        "station: unplug",
        "station dismissed",
        "gateway stopped",
        "backend dismissed",
    ]


async def test_the_installer_leaves_password_and_roots_to_the_station_alone(stage: Stage) -> None:
    await stage.story.play()

    folder = stage.story.station_folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "password").stat().st_mode) == 0o600
    assert (folder / "password").read_text() == "f0rget-me"
    assert {path.name for path in folder.iterdir()} == {"password", "csms-root.pem", "cso-root.pem"}
    assert "f0rget-me" not in stage.screen.getvalue()


def says(line: str, **facts: Any) -> Callable[[Stage], None]:
    return lambda stage: stage.script.update({line: stage.script.get(line, {}) | facts})


def admits_profile_2(stage: Stage) -> None:
    stage.gateway.profile = 2


@pytest.mark.parametrize(
    ("mishap", "failure"),
    [
        (says("station.csr", status="Rejected"), "SignCertificate.*Rejected"),
        (says("station.certificate", status="Rejected", why="wrong CA"), "refused the certificate: wrong CA"),
        (admits_profile_2, "below security profile 3"),
        (says("backend.remote_start", status="Rejected"), "backend got .*Rejected"),
        (says("station.remote_start", id_token={"id_token": "OTHER", "type": "Central"}), "the station took .*OTHER"),
        (says("backend.stop_transaction", account=ACCOUNT | {"stop": None}), "not complete"),
    ],
)
async def test_what_makes_it_fail(stage: Stage, mishap: Callable[[Stage], None], failure: str) -> None:
    mishap(stage)

    with pytest.raises(DemoFailed, match=failure):
        await stage.story.play()

    assert stage.story.comparison is None


async def test_a_ledger_that_differs_is_found(stage: Stage) -> None:
    says("backend.stop_transaction", account=ACCOUNT | {"stop": 2_076})(stage)

    await stage.story.play()

    assert stage.story.comparison is not None
    assert not stage.story.comparison.agrees


async def test_a_fault_after_the_last_step_counts(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = stage.story._stop

    async def stop_badly() -> Any:
        stage.actors["backend"].fault = "the books don't add up"
        return await stop()

    monkeypatch.setattr(stage.story, "_stop", stop_badly)

    with pytest.raises(DemoFailed, match="add up"):
        await stage.story.play()


async def test_a_step_has_its_deadline(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.script["backend.authorize"] = None
    monkeypatch.setattr(story_module, "DEADLINE", 0.1)

    with pytest.raises(DemoFailed, match=r"station -> backend, Authorize: did not happen within 0\.1 s"):
        await stage.story.play()

    assert stage.timeline.steps[-1].outcome is Outcome.FAILED


async def test_one_of_several_at_once_fails(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def init(_operator: str) -> None:
        raise DemoFailed("the folder is not empty")

    stage.script["backend.listening"] = None
    monkeypatch.setattr(stage.gateway, "init", init)

    with pytest.raises(DemoFailed, match="voltgate init: the folder is not empty"):
        await stage.story.play()

    assert [step.outcome for step in stage.timeline.steps] == [Outcome.DROPPED, Outcome.FAILED]
    await stage.story.end()
    assert stage.log[-2:] == ["gateway stopped", "backend dismissed"]


async def test_the_last_events_help_to_see_why(stage: Stage) -> None:
    stage.script["station.csr"] = {"status": "Rejected"}

    with pytest.raises(DemoFailed):
        await stage.story.play()

    assert stage.story.last_events()[1] == "station: {'event': 'csr', 'status': 'Rejected'}"


async def test_without_a_running_gateway_nobody_connects(stage: Stage) -> None:
    with pytest.raises(DemoFailed, match="not running"):
        await stage.story._boot()
