"""What a station hears of what is kept, what follows it there, and how it goes on when a person lets it."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.bridge.books import Json, Page, Transaction, TransactionState
from gateway.bridge.given_numbers import given
from gateway.bridge.ports import PeerUnavailable
from gateway.session.peer import Unanswerable
from gateway.session.ports import BootStatus, JournalFull, StaleEpoch, StoreAway
from gateway.session.quarantine import FOLLOWS, FOREIGN, Kept, QuarantinedMessage, ReleaseRefused, State
from gateway.session.releasing import is_released
from gateway.session.stages import NotSendable
from gateway.session.station_quarantine import StationQuarantine, Surroundings
from gateway.session.tally import Leg
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.versions import Version
from policies.words import Outcome, Reason, Verdict

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
START = {"connectorId": 1, "idTag": "TAG", "meterStart": 7, "timestamp": "2026-03-01T12:00:00Z"}
INVALID = {"status": "Invalid"}


def verdict(payload: Json | None = None) -> Verdict:
    return Verdict(Outcome.QUARANTINED, "no-big-ids", Reason.MATCHED, "idTag: too long", payload)


def event(kind: str, seq_no: int = 0, **more: Any) -> Json:
    return {"eventType": kind, "seqNo": seq_no, "transactionInfo": {"transactionId": "T1"}, **more}


class MemoryQuarantine:
    """The store's contract, in memory."""

    def __init__(self) -> None:
        self.rows: list[QuarantinedMessage] = []
        self.digests: list[str] = []
        self.fault: Exception | None = None
        self.ends = False
        self.is_another = False
        self.ended: dict[str, Transaction] = {}
        self._numbers = itertools.count(1)

    def _check(self, epoch: int) -> None:
        assert epoch == 7
        if self.fault is not None:
            raise self.fault

    async def append(self, identity: str, epoch: int, message: Kept) -> tuple[QuarantinedMessage, bool] | None:
        self._check(epoch)
        if self.is_another and message.why.rule == FOLLOWS:
            return None
        if message.digest in self.digests:
            return self.rows[self.digests.index(message.digest)], False
        number, answer, name = next(self._numbers), message.answer, message.station_tx
        if message.action == "StartTransaction":
            answer, name = {**answer, "transactionId": given(number)}, str(given(number))
        why = message.why
        row = QuarantinedMessage(
            number, identity, State.HELD, message.leg, message.protocol, name, message.action, message.payload,
            why.rule, why.reason, answer, why.gathers, 0, "", NOON, NOON, None, "", "",
        )  # fmt: skip
        self.rows.append(row)
        self.digests.append(message.digest)
        return row, True

    async def released(self, identity: str, limit: int = 100) -> list[QuarantinedMessage]:
        return self.rows

    async def delivered(self, message: QuarantinedMessage, epoch: int) -> bool:
        self._check(epoch)
        self.rows = [row for row in self.rows if row.id != message.id]
        return self.ends

    async def transaction(self, identity: str, station_tx: str) -> Transaction | None:
        return self.ended.get(station_tx)

    async def put_back(self, message: QuarantinedMessage, epoch: int, error: str) -> None:
        raise NotImplementedError


class Desk:
    """A station of either version, and its quarantine."""

    def __init__(self, house: Any, backend: Version) -> None:
        self.house = house
        self.station = house.station
        self.store = MemoryQuarantine()
        self.counted: list[tuple[str, str]] = []
        self.sent: list[tuple[Any, str, Json]] = []
        self.backend = backend
        self.restart()

    def restart(self) -> None:
        """What is only in memory is gone; the books are read back."""
        self.station.quarantine = StationQuarantine(
            self.station,
            Surroundings(self.store, self.backend, self._to_backend, lambda *what: self.counted.append(what)),
        )

    async def _to_backend(self, tx: Transaction | None, action: str, payload: Json) -> None:
        assert is_released()
        assert self.station.turn.locked()
        self.sent.append((tx, action, payload))

    def bridge_raises(self, error: Exception | None) -> None:
        self.house.bridge.outcome = {} if error is None else error


@pytest.fixture
def desk(house: Callable[..., Any]) -> Callable[..., Desk]:
    def make(version: Version = Version.V201, backend: Version = Version.V16) -> Desk:
        return Desk(house(BootStatus.ACCEPTED, version=version), backend)

    return make


# --- what the station hears


async def test_a_start_is_answered_with_a_number_of_its_own_and_what_names_it_follows(desk: Any) -> None:
    here = desk(Version.V16)
    answer = await here.station.keep("StartTransaction", START, verdict({"transactionId": 0, "idTagInfo": INVALID}))
    number = given(1)
    assert answer == {"transactionId": number, "idTagInfo": INVALID}
    for action, payload in (
        ("MeterValues", {"connectorId": 1, "transactionId": number, "meterValue": []}),
        ("StopTransaction", {"transactionId": number, "meterStop": 9, "timestamp": "x"}),
    ):
        assert await here.station.from_station(action, payload) == {}
    assert [(row.rule, row.action) for row in here.store.rows] == [
        ("no-big-ids", "StartTransaction"),
        (FOLLOWS, "MeterValues"),
        (FOLLOWS, "StopTransaction"),
    ]
    assert here.store.rows[1].reason == "follows its start"
    assert here.house.bridge.heard == []
    assert here.counted[1:] == [(FOLLOWS, "MeterValues"), (FOLLOWS, "StopTransaction")]


async def test_other_transactions_and_other_messages_go_their_way(desk: Any) -> None:
    here = desk(Version.V16)
    await here.station.keep("StartTransaction", START, verdict({"idTagInfo": INVALID}))
    others: list[tuple[str, Json]] = [
        ("StopTransaction", {"transactionId": 17}),
        ("MeterValues", {"connectorId": 1}),
        ("Heartbeat", {}),
    ]
    others += [("StartTransaction", START | {"meterStart": 8})]
    for action, payload in others:
        assert await here.station.from_station(action, payload) == {"by": "bridge"}


async def test_a_start_that_is_said_again_is_answered_as_before_though_the_policy_lets_it_pass_by_now(
    desk: Any,
) -> None:
    here = desk(Version.V16)
    answer = await here.station.keep("StartTransaction", START, verdict({"idTagInfo": INVALID}))
    here.restart()
    assert await here.station.from_station("StartTransaction", dict(reversed(START.items()))) == answer
    assert await here.station.keep("StartTransaction", START, verdict({"idTagInfo": INVALID})) == answer
    assert len(here.store.rows) == len(here.counted) == 1


async def test_every_event_of_a_transaction_follows_its_started(desk: Any) -> None:
    here = desk()
    assert await here.station.keep("TransactionEvent", event("Started"), verdict()) == {}
    token = {"idToken": "TAG", "type": "ISO14443"}
    assert await here.station.from_station("TransactionEvent", event("Updated", 1)) == {}
    said = await here.station.from_station("TransactionEvent", event("Ended", 2, idToken=token))
    assert said == {"idTokenInfo": INVALID}
    assert [row.rule for row in here.store.rows] == ["no-big-ids", FOLLOWS, FOLLOWS]
    assert {row.leg for row in here.store.rows} == {Leg.STATION}


async def test_an_event_that_is_no_begin_takes_nothing_along(desk: Any) -> None:
    here = desk()
    await here.station.keep("TransactionEvent", event("Updated", 4), verdict())
    assert await here.station.from_station("TransactionEvent", event("Updated", 5)) == {"by": "bridge"}
    assert here.station.books.quarantined == {}


async def test_a_name_that_is_used_again_is_free_once_the_first_was_discarded(desk: Any) -> None:
    here = desk()
    await here.station.keep("TransactionEvent", event("Started"), verdict())
    here.store.is_another = True
    assert await here.station.from_station("TransactionEvent", event("Started", 9)) == {"by": "bridge"}
    assert here.station.books.quarantined == {}


@pytest.mark.parametrize(
    ("fault", "words"),
    [(JournalFull(), "is full"), (StaleEpoch(), "another owner"), (StoreAway(), "nothing can be kept")],
)
async def test_what_can_not_be_kept_is_not_answered(desk: Any, fault: Exception, words: str) -> None:
    here = desk()
    here.store.fault = fault
    with pytest.raises(Unanswerable, match=words):
        await here.station.keep("TransactionEvent", event("Started"), verdict())
    here.station.books.quarantined["T1"] = "x"
    with pytest.raises(Unanswerable, match=words):
        await here.station.from_station("TransactionEvent", event("Updated", 1))


async def test_who_may_not_speak_yet_is_not_kept(desk: Any, house: Callable[..., Any]) -> None:
    here = Desk(house(), Version.V16)
    with pytest.raises(CallError):
        await here.station.keep("TransactionEvent", event("Started"), verdict())
    assert here.store.rows == []


# --- what a policy stops on its way to the backend


async def test_a_start_that_the_backend_must_not_hear_is_kept_as_the_station_said_it(desk: Any) -> None:
    here = desk(Version.V16)
    here.bridge_raises(NotSendable(ErrorCode.SECURITY_ERROR, "refused by policy", verdict({"of": "the backend"})))
    answer = await here.station.from_station("StartTransaction", START)
    assert answer == {"transactionId": given(1), "idTagInfo": INVALID}
    assert (here.store.rows[0].leg, here.store.rows[0].gathers) == (Leg.STATION, True)
    with pytest.raises(NotSendable):
        await here.station.from_station("Heartbeat", {})
    here.bridge_raises(NotSendable(ErrorCode.SECURITY_ERROR, "denied", replace(verdict(), outcome=Outcome.DENIED)))
    with pytest.raises(NotSendable):
        await here.station.from_station("StopTransaction", {"transactionId": 17})


async def test_what_moves_no_money_is_kept_as_the_backend_was_to_hear_it(desk: Any) -> None:
    here = desk()
    here.house.backend.answer = NotSendable(ErrorCode.SECURITY_ERROR, "x", verdict({"status": "Rejected"}))
    assert await here.station.call_backend("DataTransfer", {"vendorId": "V"}) == {"status": "Rejected"}
    (row,) = here.store.rows
    assert (row.leg, row.protocol, row.rule, row.gathers) == (Leg.BACKEND, "ocpp1.6", "no-big-ids", False)
    with pytest.raises(NotSendable):
        await here.station.call_backend("StopTransaction", {"transactionId": 17})


async def test_what_the_bridge_sets_aside_is_in_the_backends_words(desk: Any) -> None:
    here = desk()
    await here.station.quarantine.set_aside("StopTransaction", {"transactionId": 17}, "a stranger's")
    (row,) = here.store.rows
    assert (row.leg, row.protocol, row.rule, row.reason, row.station_tx) == (
        Leg.BACKEND, "ocpp1.6", FOREIGN, "a stranger's", "17",
    )  # fmt: skip
    here.store.fault = StoreAway()
    with pytest.raises(StoreAway):
        await here.station.quarantine.set_aside("StopTransaction", {"transactionId": 18}, "a stranger's")


# --- what a person has let go


async def _kept(here: Desk, action: str, payload: Json) -> QuarantinedMessage:
    await here.station.keep(action, payload, verdict({}))
    return here.store.rows[-1]


async def test_a_released_message_goes_through_the_bridge_and_what_follows_goes_its_way_when_all_is_there(
    desk: Any,
) -> None:
    here = desk()
    begin = await _kept(here, "TransactionEvent", event("Started"))
    await here.station.from_station("TransactionEvent", event("Updated", 1))
    after = here.store.rows[1]
    await here.station.quarantine.deliver(begin)
    assert here.station.quarantine.follows("TransactionEvent", event("Updated", 2))
    here.store.ends = True
    await here.station.quarantine.deliver(after)
    assert here.house.bridge.let_go == [
        ("TransactionEvent", begin.payload, "T1"),
        ("TransactionEvent", after.payload, "T1"),
    ]
    assert not here.station.quarantine.follows("TransactionEvent", event("Updated", 2))
    assert here.store.rows == []


@pytest.mark.parametrize("error", [CallError(ErrorCode.GENERIC_ERROR, "no"), PeerUnavailable("away")])
async def test_what_is_not_delivered_stays(desk: Any, error: Exception) -> None:
    here = desk()
    message = await _kept(here, "TransactionEvent", event("Started"))
    here.bridge_raises(error)
    with pytest.raises(type(error)):
        await here.station.quarantine.deliver(message)
    assert here.store.rows == [message]
    assert not here.station.turn.locked()


async def test_what_the_gateway_answers_itself_it_does(desk: Any) -> None:
    here = desk()
    await here.station.quarantine.deliver(await _kept(here, "SignCertificate", {"csr": "x"}))
    assert here.house.served == ["SignCertificate"]


async def test_what_is_in_other_words_by_now_is_not_delivered(desk: Any) -> None:
    here = desk()
    message = await _kept(here, "TransactionEvent", event("Started"))
    for wrong in (
        replace(message, protocol="ocpp1.6"),
        replace(message, leg=Leg.BACKEND),
        replace(message, action="BootNotification"),
    ):
        with pytest.raises(ReleaseRefused, match=r"by now|when it boots"):
            await here.station.quarantine.deliver(wrong)


async def test_a_message_of_the_backends_leg_goes_with_its_transaction(desk: Any) -> None:
    here = desk(backend=Version.V201)
    message = replace(await _kept(here, "TransactionEvent", event("Ended", 9)), leg=Leg.BACKEND)
    with pytest.raises(ReleaseRefused, match="too long ago"):
        await here.station.quarantine.deliver(message)
    tx = here.station.books.transactions["T1"] = Transaction("T1", TransactionState.ENDED, started_at="s")
    here.station.books.withheld.add("T1")
    here.store.ends = True
    await here.station.quarantine.deliver(message)
    assert here.sent == [(tx, "TransactionEvent", message.payload)]
    assert here.station.books.withheld == set()


async def test_one_that_ended_too_long_ago_for_the_books_is_read_back_unless_it_may_be_another_backends(
    desk: Any,
) -> None:
    here = desk()
    tx = here.store.ended["T1"] = Transaction("T1", TransactionState.ENDED, backend_tx=17, started_at="s")
    message = replace(
        await _kept(here, "StopTransaction", {"transactionId": 1}), leg=Leg.BACKEND, protocol="ocpp1.6", station_tx="T1"
    )
    here.station.books.page(Page.BEFORE)["T0"] = "r"
    with pytest.raises(ReleaseRefused, match="too long ago"):
        await here.station.quarantine.deliver(message)
    here.station.books.page(Page.BEFORE).clear()
    await here.station.quarantine.deliver(message)
    assert here.sent == [(tx, "StopTransaction", message.payload)]


async def test_a_transaction_of_the_former_backend_stays_there(desk: Any) -> None:
    here = desk(backend=Version.V201)
    message = replace(await _kept(here, "TransactionEvent", event("Ended", 9)), leg=Leg.BACKEND)
    here.station.books.transactions["T1"] = Transaction("T1", TransactionState.ENDED, started_at="s")
    here.station.books.page(Page.BEFORE)["T1"] = "s"
    with pytest.raises(ReleaseRefused, match="had before"):
        await here.station.quarantine.deliver(message)


@pytest.mark.parametrize("version", Version)
async def test_what_was_said_of_it_stays_there_too_for_the_number_may_be_a_strangers_here(
    desk: Any, version: Version
) -> None:
    """Measured late, kept as the station said it, and let go when the station has another backend."""
    here = desk(version)
    if version is Version.V16:
        message = await _kept(here, "MeterValues", {"connectorId": 1, "transactionId": 17, "meterValue": []})
    else:
        message = await _kept(here, "TransactionEvent", event("Updated", 9))
    books, name = here.station.books, "17/2" if version is Version.V16 else "T1"
    books.transactions["old"] = Transaction("old", TransactionState.ENDED, backend_tx=3, started_at="r")
    tx = books.transactions[name] = Transaction(name, TransactionState.ENDED, backend_tx=17, started_at="s")
    books.page(Page.BEFORE)[name] = "s"
    with pytest.raises(ReleaseRefused, match="had before"):
        await here.station.quarantine.deliver(message)
    assert here.house.bridge.let_go == []
    tx.state = TransactionState.OPEN
    await here.station.quarantine.deliver(message)
    assert len(here.house.bridge.let_go) == 1


async def test_a_strangers_transaction_goes_as_it_is(desk: Any) -> None:
    here = desk()
    await here.station.quarantine.set_aside("StopTransaction", {"transactionId": 17}, "a stranger's")
    await here.station.quarantine.deliver(here.store.rows[0])
    assert here.sent == [(None, "StopTransaction", {"transactionId": 17})]
