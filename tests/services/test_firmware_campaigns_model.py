"""The scheduler of campaigns against what must hold, whatever people, stations, crashes and time do to it."""

import asyncio
import contextlib
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from gateway.session.campaign_windows import is_in_window
from gateway.session.firmware import CampaignState, FirmwareConflict, UpdateRecord, UpdateState
from gateway.session.firmware_campaigns import UNDER_WAY
from gateway.store.database import Database
from tests.campaigns import CampaignDesk, Here, Killed, boot_of

NAMES = ("A", "B", "C", "D", "E")
HOUR = timedelta(hours=1)
NEXT = {
    UpdateState.PREPARING: [UpdateState.WAITING, UpdateState.SENT, UpdateState.REFUSED],
    UpdateState.WAITING: [UpdateState.SENT],
    UpdateState.SENT: [UpdateState.INSTALLED, UpdateState.FAILED],
}
GOOD = {UpdateState.INSTALLED, UpdateState.SENT, UpdateState.PREPARING, UpdateState.WAITING}
ENDS = {
    "installed": {UpdateState.INSTALLED},
    "failed": {UpdateState.FAILED, UpdateState.REFUSED, UpdateState.SENT, UpdateState.PREPARING, UpdateState.WAITING},
}
"""What a station's last update is; one that was silent for a day may still be under way."""


class WatchedDesk(CampaignDesk):
    """Looks at each order when it is given."""

    plan_id = 0
    retries = 0

    async def order(self, identity: str, image_id: int, **how: Any) -> UpdateRecord:
        campaign = await self.campaigns.find(self.plan_id)
        assert campaign is not None
        assert campaign.state is CampaignState.RUNNING
        assert is_in_window(campaign.plan, self.date)
        assert identity in self.here
        earlier = [each.state for each in await self.updates.list(identity=identity)]
        assert not GOOD.intersection(earlier), "ordered although it has it, or hears of it"
        assert earlier.count(UpdateState.FAILED) + earlier.count(UpdateState.REFUSED) <= self.retries
        return await super().order(identity, image_id, **how)


class CampaignModel(RuleBasedStateMachine):
    """One campaign of five stations, two at once."""

    def __init__(self, database: Database, runner: asyncio.Runner) -> None:
        super().__init__()
        self.runner = runner
        self.desk = WatchedDesk(database)

    def run(self, call: Awaitable[Any]) -> Any:
        async def run() -> Any:
            return await call

        return self.runner.run(run())

    @initialize(halt_above=st.sampled_from([30, 100]), has_window=st.booleans())
    def begin(self, halt_above: int, *, has_window: bool) -> None:
        window: dict[str, Any] = {"window_from": 11 * 60, "window_until": 14 * 60} if has_window else {}
        self.run(self.desk.add(*NAMES))
        create = self.desk.create(batch_size=2, halt_above=halt_above, halt_after=2, **window)
        self.campaign = self.run(create)
        self.desk.plan_id = self.campaign.id

    def teardown(self) -> None:
        try:
            self.run(self.ends_well())
        finally:
            self.run(self.desk.wipe())

    async def ends_well(self) -> None:
        """When all is well from now on, each station is through, and so is the campaign."""
        desk = self.desk
        if (await desk.again(self.campaign)).state is CampaignState.CANCELED:
            return
        for name in NAMES:
            self.come(name)
        for _ in range(4 * len(NAMES)):
            for each in await desk.open():
                await desk.moves(each, UpdateState.INSTALLED)
            state = (await desk.again(self.campaign)).state
            if state is CampaignState.DONE:
                break
            if state is not CampaignState.RUNNING:
                await desk.campaigns.resume(self.campaign.id, "ann")
            desk.date = desk.date.replace(hour=12)
            await desk.later()
        assert (await desk.again(self.campaign)).state is CampaignState.DONE
        assert not set((await desk.states(self.campaign)).values()) & {"pending", *(each.value for each in UNDER_WAY)}

    # --- what happens

    @rule(name=st.sampled_from(NAMES))
    def come(self, name: str) -> None:
        self.desk.here.setdefault(name, Here(boot_of()))

    @rule(name=st.sampled_from(NAMES))
    def go(self, name: str) -> None:
        self.desk.here.pop(name, None)

    @rule(span=st.sampled_from([timedelta(seconds=1), timedelta(minutes=6), 3 * HOUR, 25 * HOUR]))
    def time_passes(self, span: timedelta) -> None:
        self.run(self.desk.later(span))

    @rule()
    def look(self) -> None:
        self.run(self.desk.later())

    @rule(data=st.data())
    def an_update_goes_on(self, data: st.DataObject) -> None:
        found = self.run(self.desk.open())
        if found:
            record = data.draw(st.sampled_from(found), "update")
            state = data.draw(st.sampled_from(NEXT[record.state]), "state")
            self.run(self.desk.moves(record, state))
            self.look()  # what comes too late is heard, too

    @rule(word=st.sampled_from(["pause", "pause", "resume", "resume", "retry", "cancel"]))
    def a_person_says(self, word: str) -> None:
        campaigns, number = self.desk.campaigns, self.campaign.id
        try:
            if word == "retry":
                self.run(campaigns.resume(number, "bob", retry_failed=True))
                self.desk.retries += 1
            else:
                self.run(getattr(campaigns, word)(number, "bob"))
        except FirmwareConflict:
            pass  # it isn't so that this can be said

    @rule(when=st.sampled_from(["order", "ordered", "cancel", "canceled"]))
    def the_process_is_killed(self, when: str) -> None:
        def kill(moment: str) -> None:
            if moment == when:
                raise Killed

        self.desk.killed = kill
        with contextlib.suppress(Killed):
            self.run(self.desk.later())
        self.desk.killed = None
        self.desk.restart()

    # --- what holds

    @invariant()
    def each_has_one_update_at_most_and_ends_as_its_last_one(self) -> None:
        updates = self.run(self.desk.updates.list())
        states = self.run(self.desk.states(self.campaign))
        names = [each.identity for each in updates if each.state.is_open]
        assert len(set(names)) == len(names)
        assert sum(state in {each.value for each in UNDER_WAY} for state in states.values()) <= 2
        assert set(states) == set(NAMES)
        last = {each.identity: each.state for each in updates}
        assert all(last[name] in ENDS[state] for name, state in states.items() if state in ENDS)


def test_the_scheduler_keeps_to_its_plan(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        opening = Database.open(f"sqlite+aiosqlite:///{tmp_path}/voltgate.db", exclusive=True)
        database = runner.run(opening)
        try:
            run_state_machine_as_test(
                lambda: CampaignModel(database, runner),  # type: ignore[arg-type]  # hypothesis calls it
                settings=settings(
                    max_examples=8,
                    stateful_step_count=20,
                    deadline=None,
                    suppress_health_check=[HealthCheck.too_slow],
                ),
            )
        finally:
            runner.run(database.close())
