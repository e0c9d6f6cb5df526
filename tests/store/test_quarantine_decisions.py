"""A person's word: all that was meant or nothing, in the order of each transaction, and never twice."""

from typing import Any

import pytest

from gateway.session.quarantine import FOLLOWS, Kept, ReleaseRefused, Selection, State, Why
from gateway.session.tally import Leg
from gateway.store import quarantine_decisions as module
from gateway.store.quarantine import Quarantine
from gateway.store.quarantine_decisions import QuarantineDecisions
from gateway.store.stations import Stations


class Desk:
    """One station's quarantine, and who decides about it."""

    def __init__(self, quarantine: Quarantine, decisions: QuarantineDecisions, epoch: int) -> None:
        self.quarantine = quarantine
        self.decisions = decisions
        self.epoch = epoch

    async def keep(self, tx: str, seq_no: int, rule: str = "r1") -> int:
        kind = "Started" if seq_no == 0 else "Updated"
        payload = {"eventType": kind, "seqNo": seq_no, "transactionInfo": {"transactionId": tx}}
        why = Why(rule, "because", gathers=seq_no == 0)
        made = await self.quarantine.append(
            "CS1", self.epoch, Kept(Leg.STATION, "ocpp2.0.1", "TransactionEvent", payload, why)
        )
        assert made is not None
        return made[0].id

    async def states(self) -> dict[int, str]:
        return {each.id: each.state.value for each in await self.quarantine.list(states=list(State))}


@pytest.fixture
def desk(quarantine: Quarantine, decisions: QuarantineDecisions, epoch: int) -> Desk:
    return Desk(quarantine, decisions, epoch)


async def test_a_begin_takes_what_follows_it_along_and_nothing_else(desk: Desk) -> None:
    begin, after, own = await desk.keep("T1", 0), await desk.keep("T1", 1, FOLLOWS), await desk.keep("T1", 2, "r2")
    other = await desk.keep("T2", 0)
    assert await desk.decisions.release(Selection([begin]), "me") == [begin, after]
    assert await desk.states() == {begin: "released", after: "released", own: "held", other: "held"}
    found = await desk.quarantine.find(begin)
    assert found is not None
    assert (found.decided_by, found.decided_at) == ("me", found.kept_at)


async def test_nothing_goes_before_the_begin_of_its_transaction(desk: Desk) -> None:
    begin, after = await desk.keep("T1", 0), await desk.keep("T1", 1, FOLLOWS)
    with pytest.raises(ReleaseRefused, match=f"the transaction of message {after} begins with message {begin}"):
        await desk.decisions.release(Selection([after]), "me")
    assert await desk.states() == {begin: "held", after: "held"}
    assert await desk.decisions.release(Selection([after, begin]), "me") == [begin, after]


async def test_one_message_may_stay_behind_that_is_no_begin(desk: Desk) -> None:
    begin, bad, after = await desk.keep("T1", 0), await desk.keep("T1", 1, "r2"), await desk.keep("T1", 2, FOLLOWS)
    assert await desk.decisions.release(Selection([begin]), "me") == [begin, after]
    assert await desk.decisions.release(Selection([bad]), "me") == [bad]


async def test_nothing_goes_whose_begin_was_discarded(desk: Desk) -> None:
    begin, own = await desk.keep("T1", 0), await desk.keep("T1", 1, "r2")
    assert await desk.decisions.discard(Selection([begin]), "me", "a test") == [begin]
    with pytest.raises(ReleaseRefused, match=f"message {begin}, with which .* message {own} begins, was discarded"):
        await desk.decisions.release(Selection([own]), "me")
    assert await desk.decisions.discard(Selection([own]), "me", "a test") == [own]


async def test_a_whole_transaction_or_all_of_a_rule(desk: Desk) -> None:
    one = [await desk.keep("T1", 0), await desk.keep("T1", 1, "r2")]
    two = [await desk.keep("T2", 0), await desk.keep("T2", 1, FOLLOWS)]
    assert await desk.decisions.release(Selection(identity="CS1", station_tx="T1"), "me") == one
    assert await desk.decisions.release(Selection(rule="r1"), "me") == two


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (Selection([999]), "there is no message 999 in the quarantine"),
        (Selection(identity="CS1", station_tx="T9"), "nothing that is held .* is of station 'CS1', transaction 'T9'"),
        (Selection(rule="r9"), "of rule 'r9'"),
    ],
)
async def test_what_is_not_there_is_nothing_to_decide_about(desk: Desk, selection: Selection, words: str) -> None:
    await desk.keep("T1", 0)
    for decide in (desk.decisions.release(selection, "me"), desk.decisions.discard(selection, "me", "no")):
        with pytest.raises(LookupError, match=words):
            await decide


async def test_what_is_decided_is_decided(desk: Desk) -> None:
    first, second = await desk.keep("T1", 0), await desk.keep("T2", 0)
    await desk.decisions.release(Selection([first]), "me")
    await desk.decisions.discard(Selection([second]), "me", "no")
    decides: list[Any] = [
        desk.decisions.release(Selection([second]), "me"),
        desk.decisions.discard(Selection([first]), "me", "no"),
        desk.decisions.release(Selection([first, second]), "me"),
    ]
    for decide, words in zip(decides, (f"{second} is discarded", f"{first} is released", "already"), strict=True):
        with pytest.raises(ReleaseRefused, match=words):
            await decide


async def test_one_that_can_not_go_keeps_all_back(desk: Desk) -> None:
    number = await desk.keep("T1", 0)
    with pytest.raises(LookupError):
        await desk.decisions.release(Selection([number, 999]), "me")
    assert await desk.states() == {number: "held"}


async def test_messages_of_a_removed_station_have_nowhere_to_go(desk: Desk, stations: Stations) -> None:
    number = await desk.keep("T1", 0)
    await stations.remove("CS1")
    with pytest.raises(ReleaseRefused, match="'CS1' isn't registered any more"):
        await desk.decisions.release(Selection([number]), "me")
    await desk.decisions.discard(Selection([number]), "me", "it is gone")


async def test_who_and_why_are_kept_within_bounds(desk: Desk) -> None:
    number = await desk.keep("T1", 0)
    await desk.decisions.discard(Selection([number]), "\0" + "w" * 200, "y" * 2_000)
    found = await desk.quarantine.find(number)
    assert found is not None
    assert (len(found.decided_by), len(found.decision)) == (module.WHO_MAX, 1_000)


async def test_a_word_is_about_so_many_at_most(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DECIDED_AT_ONCE", 2)
    numbers = [await desk.keep(f"T{n}", 0) for n in range(3)]
    assert await desk.decisions.release(Selection(rule="r1"), "me") == numbers[:2]
    assert await desk.decisions.release(Selection(rule="r1"), "me") == numbers[2:]
