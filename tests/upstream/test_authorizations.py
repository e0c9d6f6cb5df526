"""What the backends say of idTags, heard beside their answers and recalled while they are away."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from gateway.bridge.books import Json
from gateway.session.ports import Authorization, StoreAway
from gateway.upstream import authorizations as module
from gateway.upstream.authorizations import REMEMBERED_FOR, RememberedAuthorizations

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
ACCEPTED: Json = {"idTagInfo": {"status": "Accepted"}}


class Store:
    """Keeps in memory; ``fails`` are raised instead, one a call."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Authorization] = {}
        self.batches: list[int] = []
        self.forgotten: list[tuple[list[str], datetime]] = []
        self.fails: list[Exception] = []

    def _check(self) -> None:
        if self.fails:
            raise self.fails.pop(0)

    async def find(self, backend: str, id_tag: str) -> Authorization | None:
        self._check()
        return self.rows.get((backend, id_tag))

    async def keep(self, heard: Sequence[Authorization]) -> None:
        self._check()
        self.batches.append(len(heard))
        self.rows |= {(each.backend, each.id_tag): each for each in heard}

    async def forget(self, backends: Collection[str], before: datetime) -> None:
        self._check()
        self.forgotten.append((sorted(backends), before))


class Desk:
    """The memory of one process, its store and a backend that says what it is told to."""

    def __init__(self) -> None:
        self.now = NOW
        self.store = Store()
        self.conf: Json = ACCEPTED
        self.memory = RememberedAuthorizations(self.store, ["legacy"], clock=lambda: self.now)
        self.call = self.memory.listening("legacy", self._backend)

    async def _backend(self, action: str, payload: Json) -> Json:
        return self.conf

    async def recall(self, id_tag: str = "tag") -> Json | None:
        return await self.memory.recall("legacy", id_tag)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize("action", ["Authorize", "StartTransaction", "StopTransaction"])
async def test_each_answer_about_a_tag_is_remembered(desk: Desk, action: str) -> None:
    desk.conf = {"transactionId": 7, "idTagInfo": {"status": "Blocked", "parentIdTag": "P"}}
    assert await desk.call(action, {"idTag": "Tag"}) == desk.conf
    assert await desk.recall("tAG") == {"status": "Blocked", "parentIdTag": "P"}
    await desk.memory.flush()
    assert list(desk.store.rows) == [("legacy", "tag")]
    assert await desk.recall() == {"status": "Blocked", "parentIdTag": "P"}


@pytest.mark.parametrize(
    ("action", "payload", "conf"),
    [
        ("DataTransfer", {"idTag": "TAG"}, ACCEPTED),
        ("Authorize", {"idTag": "TAG\0"}, ACCEPTED),
        ("StopTransaction", {"meterStop": 1}, ACCEPTED),
        ("StopTransaction", {"idTag": "TAG"}, {}),
        ("StartTransaction", {"idTag": "TAG"}, {"idTagInfo": {"status": "ConcurrentTx"}}),
    ],
)
async def test_what_says_nothing_of_a_tag_leaves_no_trace(desk: Desk, action: str, payload: Json, conf: Json) -> None:
    await desk.call("Authorize", {"idTag": "TAG"})
    desk.conf = conf
    await desk.call(action, payload)
    await desk.memory.flush()
    assert desk.store.batches == [1]
    assert await desk.recall() == ACCEPTED["idTagInfo"]


async def test_of_a_backend_that_isnt_to_be_remembered_nothing_is(desk: Desk) -> None:
    call = desk.memory.listening("other", desk._backend)
    assert call == desk._backend


async def test_a_word_that_is_too_old_is_none(desk: Desk) -> None:
    await desk.call("Authorize", {"idTag": "TAG"})
    await desk.memory.flush()
    desk.now += REMEMBERED_FOR - timedelta(seconds=1)
    assert await desk.recall() is not None
    desk.now += timedelta(seconds=1)
    assert await desk.recall() is None


async def test_a_store_that_is_away_costs_a_verdict_and_no_memory(desk: Desk) -> None:
    await desk.call("Authorize", {"idTag": "TAG"})
    desk.store.fails = [StoreAway("disk full"), StoreAway("disk full")]
    with structlog.testing.capture_logs() as logs:
        await desk.memory.flush()
        assert await desk.recall("another") is None
        await desk.memory.flush()
    assert [line["event"] for line in logs] == ["authorizations_wait", "authorization_not_recalled"]
    assert list(desk.store.rows) == [("legacy", "tag")]


async def test_rows_that_no_store_takes_are_dropped_and_the_next_are_kept(desk: Desk) -> None:
    await desk.call("Authorize", {"idTag": "BAD"})
    desk.store.fails = [ValueError("no such text")]
    with structlog.testing.capture_logs() as logs:
        await desk.memory.flush()
    await desk.call("Authorize", {"idTag": "GOOD"})
    await desk.memory.flush()
    assert [line["event"] for line in logs] == ["authorizations_not_kept"]
    assert list(desk.store.rows) == [("legacy", "good")]


async def test_what_waits_is_bounded_and_written_in_batches(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 3)
    monkeypatch.setattr(module, "BATCH_MAX", 2)
    for name in ("a", "b", "a", "c", "d"):
        await desk.call("Authorize", {"idTag": name})
    await desk.memory.flush()
    assert [name for _, name in desk.store.rows] == ["a", "c", "d"]
    assert desk.store.batches == [2, 1]


async def test_what_is_heard_while_it_is_being_written_is_written_next(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.call("Authorize", {"idTag": "TAG"})
    original = desk.store.keep

    async def meanwhile(heard: Sequence[Authorization]) -> None:
        if not desk.store.batches:
            desk.conf = {"idTagInfo": {"status": "Blocked"}}
            await desk.call("Authorize", {"idTag": "TAG"})
        await original(heard)

    monkeypatch.setattr(desk.store, "keep", meanwhile)
    await desk.memory.flush()
    assert desk.store.rows["legacy", "tag"].info == {"status": "Blocked"}
    assert desk.store.batches == [1, 1]


async def test_it_forgets_at_the_start_and_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FORGET_EVERY", 3)
    desk, waits = Desk(), []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 5:
            raise asyncio.CancelledError

    desk.memory = RememberedAuthorizations(desk.store, ["legacy"], clock=lambda: NOW, sleep=sleep)
    with pytest.raises(asyncio.CancelledError):
        await desk.memory.run()
    assert desk.store.forgotten == [(["legacy"], NOW - REMEMBERED_FOR)] * 2
    assert waits == [module.WRITE_EVERY] * 5
