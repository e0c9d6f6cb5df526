"""Authorities hear of every revocation, whatever happens in between."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from cryptography.x509 import ReasonFlags
from structlog.testing import capture_logs

from gateway.services import authority_notices
from gateway.services.authority_notices import POLL, RETRY_MAX, AuthorityNotices
from gateway.session.ports import StoreAway
from pki.authority import AuthorityUnavailable, RevocationUnsupported, SigningRefused
from tests.services.conftest import settle


@dataclass(frozen=True)
class OnFile:
    id: int
    usage: str = "station"
    reason: str | None = "superseded"
    authority_told: bool = False

    @property
    def serial(self) -> str:
        return format(self.id, "x")


@dataclass
class Store:
    """The outbox: what waits in it survives whoever reads it."""

    records: dict[int, OnFile] = field(default_factory=dict)
    details: list[str] = field(default_factory=list)
    problem: Exception | None = None

    async def untold(self, at_most: int, after_id: int) -> Sequence[OnFile]:
        if self.problem is not None:
            raise self.problem
        waiting = [each for each in self.records.values() if not each.authority_told and each.id > after_id]
        return waiting[:at_most]

    async def told(self, record: OnFile, detail: str) -> OnFile:
        self.details.append(detail)
        self.records[record.id] = replace(record, authority_told=True)
        return self.records[record.id]


@dataclass
class Authority:
    heard: list[tuple[str, str]] = field(default_factory=list)
    problems: dict[str, Exception] = field(default_factory=dict)
    asked: int = 0

    async def revoke(self, serial: str, reason: ReasonFlags) -> None:
        self.asked += 1
        problem = self.problems.get(serial) or self.problems.get("all")
        if problem is not None:
            raise problem
        self.heard.append((serial, reason.value))


class Authorities(dict[str, Authority]):
    def revoking(self, usage: str) -> Authority | None:
        if usage == "seen":
            return None
        if usage not in self:
            raise AuthorityUnavailable(f"authority.{usage} isn't configured")
        return self[usage]


def outbox(*records: OnFile) -> Store:
    return Store({record.id: record for record in records})


async def test_each_authority_hears_of_its_own() -> None:
    store = outbox(OnFile(1), OnFile(2, "v2g", "keyCompromise"), OnFile(3, reason="because"), OnFile(4, reason=None))
    authorities = Authorities(station=Authority(), v2g=Authority())
    assert await AuthorityNotices(store, authorities).tell_all()
    assert authorities["station"].heard == [("1", "superseded"), ("3", "unspecified"), ("4", "unspecified")]
    assert authorities["v2g"].heard == [("2", "keyCompromise")]
    assert store.details[:2] == ["the authority of station was told", "the authority of v2g was told"]
    assert await AuthorityNotices(store, authorities).tell_all()
    assert authorities["station"].asked == 3


async def test_of_another_issuers_certificate_nobody_is_told() -> None:
    store = outbox()
    seen = OnFile(1, "seen", authority_told=True)
    assert await AuthorityNotices(store, Authorities()).tell(seen) is seen
    assert store.details == []


async def test_an_authority_that_is_away_is_asked_once_and_holds_up_no_other() -> None:
    store = outbox(OnFile(1), OnFile(2), OnFile(3, "v2g"), OnFile(4, "server"), OnFile(5, "v2g"))
    authorities = Authorities(station=Authority(problems={"all": AuthorityUnavailable("sealed")}), v2g=Authority())
    assert not await AuthorityNotices(store, authorities).tell_all()
    assert authorities["station"].asked == 1
    assert [serial for serial, _ in authorities["v2g"].heard] == ["3", "5"]
    authorities["station"].problems.clear()
    authorities["server"] = Authority()
    assert await AuthorityNotices(store, authorities).tell_all()
    assert all(record.authority_told for record in store.records.values())


async def test_one_that_can_not_be_told_is_not_tried_for_ever() -> None:
    """EST has no word for revocation (RFC 7030): the log and the history say what a person has to do."""
    store = outbox(OnFile(1))
    authority = Authority(problems={"all": RevocationUnsupported("revoke 1 at the CA")})
    notices = AuthorityNotices(store, Authorities(station=authority))
    with capture_logs() as lines:
        assert not await notices.tell_all()
        assert await notices.tell_all()
    assert authority.asked == 1
    assert [(line["event"], line["reason"]) for line in lines if line["log_level"] == "error"] == [
        ("authority_not_told", "revoke 1 at the CA")
    ]
    assert store.details == ["the authority of station wasn't told: revoke 1 at the CA"]


async def test_one_that_is_refused_holds_up_none_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority_notices, "BATCH", 2)
    store = outbox(*map(OnFile, range(1, 8)))
    authority = Authority(problems=dict.fromkeys("123", SigningRefused("no such certificate")))
    assert not await AuthorityNotices(store, Authorities(station=authority)).tell_all()
    assert [serial for serial, _ in authority.heard] == ["4", "5", "6", "7"]


async def test_what_an_earlier_run_left_is_told_by_the_next() -> None:
    class Crash(BaseException):
        """The process dies after its authority has heard, and before that is written down."""

    store = outbox(OnFile(1), OnFile(2))
    authority = Authority(problems={"2": SigningRefused("")})

    async def told(record: OnFile, detail: str) -> OnFile:
        raise Crash

    dying = replace(store)
    dying.told = told  # type: ignore[method-assign]  # this is the crash
    with pytest.raises(Crash):
        await AuthorityNotices(dying, Authorities(station=authority)).tell_all()
    authority.problems.clear()
    assert await AuthorityNotices(store, Authorities(station=authority)).tell_all()
    assert authority.heard == [("1", "superseded"), ("1", "superseded"), ("2", "superseded")]


async def test_it_asks_ever_more_seldom_and_goes_on_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    store = outbox(OnFile(1))
    authority = Authority(problems={"all": AuthorityUnavailable("sealed")})
    waits: list[float] = []

    async def pause(_: asyncio.Event, seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            store.problem = StoreAway("locked")
        if len(waits) == 4:
            store.problem = RuntimeError("a mistake of ours")
        if len(waits) == 8:
            store.problem = None
            authority.problems.clear()
        if len(waits) == 10:
            raise asyncio.CancelledError

    monkeypatch.setattr("gateway.services.authority_notices.pause_or_wake", pause)
    with pytest.raises(asyncio.CancelledError):
        await AuthorityNotices(store, Authorities(station=authority)).run()
    assert waits[:3] == [2 * POLL, 4 * POLL, 8 * POLL]
    assert waits[6:] == [RETRY_MAX, RETRY_MAX, POLL, POLL]
    assert authority.heard == [("1", "superseded")]


async def test_what_is_revoked_here_is_told_at_once() -> None:
    store, authority = outbox(), Authority()
    notices = AuthorityNotices(store, Authorities(station=authority))
    telling = asyncio.create_task(notices.run())
    await settle()
    store.records[1] = OnFile(1)
    notices.soon()
    await settle()
    telling.cancel()
    assert authority.heard == [("1", "superseded")]
