"""Rotation against a model of the registry: after every step that could be the last, what would open the door."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from gateway.bridge.ports import PeerUnavailable
from gateway.services.credentials import CredentialRotation, RotationRefused, RotationRejected, RotationUnanswered
from gateway.services.registration import Passwords
from gateway.services.station_commands import Outcome
from gateway.session.boot import BootGate
from gateway.session.ports import BootStatus, Proof, StationRecord, StoreAway
from gateway.session.stages import InvalidAnswer
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.versions import Version
from tests.services.conftest import KeptEvents, ScriptedStation, set_variables

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PASSWORDS = Passwords(
    generate=lambda: "the-new-password",
    check=lambda _: None,
    hash=lambda password: f"hash of {password}",
    generate_key=lambda: "ab" * 20,
)
OLD, NEW = "hash of old", "hash of the-new-password"


class Book:
    """The registry's rotation as the store does it. ``before`` is awaited before, ``after`` after each write."""

    def __init__(self) -> None:
        self.record: StationRecord | None = StationRecord("CS1", 2, password_hash=OLD)
        self.log: list[str] = []
        self.before: Callable[[str], Awaitable[None]] = _nothing
        self.after: Callable[[str], Awaitable[None]] = _nothing

    async def find(self, identity: str) -> StationRecord | None:
        await self.before("find")
        return self.record

    async def offer_password(self, identity: str, password_hash: str) -> None:
        if self.record is None:
            raise KeyError(identity)
        await self._write("offer", next_password_hash=password_hash, next_password_waits=False)

    async def settle_offer(self, identity: str, password_hash: str, *, accepted: bool) -> bool:
        assert self.record is not None
        if self.record.next_password_hash != password_hash:
            return False
        kept = password_hash if accepted else self.record.password_hash
        await self._write(f"settle {accepted}", password_hash=kept, next_password_hash=None, next_password_waits=False)
        return True

    async def await_reboot(self, identity: str, password_hash: str) -> bool:
        await self._write("await_reboot", next_password_waits=True)
        return True

    def used(self, password_hash: str) -> None:
        """The station comes with this password, as ``StationRegistry.password_used`` has it."""
        assert self.record is not None
        waits = self.record.next_password_waits and password_hash == self.record.password_hash
        if self.record.next_password_hash is not None and not waits:
            self.record = replace(self.record, password_hash=password_hash, next_password_hash=None)

    @property
    def opens(self) -> set[str]:
        """What the door would accept now."""
        assert self.record is not None
        return {each for each in (self.record.password_hash, self.record.next_password_hash) if each is not None}

    async def _write(self, name: str, **changes: Any) -> None:
        await self.before(name)
        assert self.record is not None
        self.record = replace(self.record, **changes)
        self.log.append(name)
        await self.after(name)


async def _nothing(_: str) -> None:
    pass


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def rotation(book: Book, events: KeptEvents) -> CredentialRotation:
    return CredentialRotation(book, PASSWORDS, events)


async def test_the_old_one_dies_exactly_when_the_station_has_accepted(rotation: CredentialRotation, book: Book) -> None:
    station = ScriptedStation()
    seen: list[set[str]] = []

    def answer(payload: Any) -> Any:
        seen.append(book.opens)
        return set_variables("Accepted")(payload)

    station.says("SetVariables", answer)
    assert await rotation.rotate(station) is Outcome.ACCEPTED
    assert seen == [{OLD, NEW}]
    assert book.opens == {NEW}
    assert book.log == ["offer", "settle True"]


async def test_a_16_station_gets_a_key(rotation: CredentialRotation, book: Book) -> None:
    station = ScriptedStation(version=Version.V16)
    assert await rotation.rotate(station) is Outcome.ACCEPTED
    assert station.calls == [("ChangeConfiguration", {"key": "AuthorizationKey", "value": "ab" * 20})]
    assert book.opens == {"hash of " + "ab" * 20}


async def test_a_station_of_profile_3_gets_its_first_one(rotation: CredentialRotation, book: Book) -> None:
    book.record = StationRecord("CS1", 3)
    await rotation.rotate(ScriptedStation(proof=Proof(3)))
    assert book.opens == {NEW}


@pytest.mark.parametrize(
    "answer",
    [
        set_variables("Rejected"),
        set_variables("UnknownVariable"),
        CallError(ErrorCode.NOT_IMPLEMENTED),
        CallError(ErrorCode.GENERIC_ERROR, "flash is full"),
    ],
    ids=["rejected", "unknown", "not implemented", "failed"],
)
async def test_what_the_station_does_not_take_is_forgotten(
    rotation: CredentialRotation, book: Book, answer: Any
) -> None:
    station = ScriptedStation()
    station.says("SetVariables", answer)
    with pytest.raises(RotationRejected, match="old password is valid"):
        await rotation.rotate(station)
    assert book.opens == {OLD}


async def test_reboot_required_keeps_both_until_the_new_one_is_used(rotation: CredentialRotation, book: Book) -> None:
    station = ScriptedStation()
    station.says("SetVariables", set_variables("RebootRequired"))
    assert await rotation.rotate(station) is Outcome.REBOOT_REQUIRED
    book.used(OLD)
    assert book.opens == {OLD, NEW}
    book.used(NEW)
    assert book.opens == {NEW}


@pytest.mark.parametrize("used", [OLD, NEW])
@pytest.mark.parametrize("answer", [PeerUnavailable("no answer"), InvalidAnswer(ErrorCode.FORMAT_VIOLATION)])
async def test_without_an_answer_both_stay_until_one_is_used(
    rotation: CredentialRotation, book: Book, answer: Exception, used: str
) -> None:
    station = ScriptedStation()
    station.says("SetVariables", answer)
    with pytest.raises(RotationUnanswered, match="accepted until it uses one"):
        await rotation.rotate(station)
    assert book.opens == {OLD, NEW}
    book.used(used)
    assert book.opens == {used}


async def test_a_station_that_came_back_before_the_answer_was_settled(rotation: CredentialRotation, book: Book) -> None:
    station = ScriptedStation()

    def answer(payload: Any) -> Any:
        book.used(NEW)
        return set_variables("Accepted")(payload)

    station.says("SetVariables", answer)
    assert await rotation.rotate(station) is Outcome.ACCEPTED
    assert book.opens == {NEW}


async def test_a_connection_with_the_old_one_in_between_locks_nobody_out(
    rotation: CredentialRotation, book: Book
) -> None:
    station = ScriptedStation()

    def answer(payload: Any) -> Any:
        book.used(OLD)
        return set_variables("Accepted")(payload)

    station.says("SetVariables", answer)
    assert await rotation.rotate(station) is Outcome.ACCEPTED
    assert book.opens == {NEW}


@pytest.mark.parametrize(("before", "after"), [(OLD, NEW), (None, None)])
async def test_the_session_goes_on_by_the_new_one(
    rotation: CredentialRotation, before: str | None, after: str | None
) -> None:
    station = ScriptedStation()
    station.proof = replace(station.proof, password_hash=before)
    station.says("SetVariables", set_variables("Accepted"))
    await rotation.rotate(station)
    assert station.proof.password_hash == after


async def test_what_an_operator_sets_meanwhile_holds(
    rotation: CredentialRotation, book: Book, events: KeptEvents
) -> None:
    station = ScriptedStation()

    def answer(payload: Any) -> Any:
        assert book.record is not None
        book.record = replace(book.record, password_hash="hash of the operator's", next_password_hash=None)
        return set_variables("Accepted")(payload)

    station.says("SetVariables", answer)
    await rotation.rotate(station)
    assert book.opens == {"hash of the operator's"}
    assert any("set it anew" in event.detail for event in events.noted)


# --- dropped at every step: (where, what the station answers) -> what opens the door afterwards

DROPS = [
    ("before find", "Accepted", {OLD}),
    ("before offer", "Accepted", {OLD}),
    ("after offer", "Accepted", {OLD, NEW}),
    ("asked", "Accepted", {OLD, NEW}),
    ("before settle True", "Accepted", {OLD, NEW}),
    ("after settle True", "Accepted", {NEW}),
    ("before settle False", "Rejected", {OLD, NEW}),
    ("after settle False", "Rejected", {OLD}),
    ("before await_reboot", "RebootRequired", {OLD, NEW}),
    ("after await_reboot", "RebootRequired", {OLD, NEW}),
]


@pytest.mark.parametrize(("where", "status", "opens"), DROPS, ids=[row[0] for row in DROPS])
async def test_dropped_at_every_step(
    rotation: CredentialRotation, book: Book, where: str, status: str, opens: set[str]
) -> None:
    reached = asyncio.Event()

    async def stop_at(place: str) -> None:
        if place == where:
            reached.set()
            await asyncio.Future()

    async def before(name: str) -> None:
        await stop_at(f"before {name}")

    async def after(name: str) -> None:
        await stop_at(f"after {name}")

    async def answer(payload: Any) -> Any:
        await stop_at("asked")
        return set_variables(status)(payload)

    book.before, book.after = before, after
    station = ScriptedStation()
    station.says("SetVariables", answer)
    rotating = asyncio.ensure_future(rotation.rotate(station))
    await reached.wait()
    rotating.cancel()
    await asyncio.wait([rotating])
    assert rotating.cancelled()
    assert book.opens == opens
    # Whatever the station really did, what it has now lets it in.
    taken = {"Accepted": {OLD, NEW}, "RebootRequired": {OLD, NEW}, "Rejected": {OLD}}[status]
    if where.startswith("after settle"):
        taken = opens
    if where in {"before find", "before offer", "after offer"}:
        taken = {OLD}
    assert taken <= book.opens
    # And nothing is held up.
    book.before = book.after = _nothing
    station.says("SetVariables", set_variables("Accepted"))
    await rotation.rotate(station, force=True)
    assert book.opens == {NEW}


@pytest.mark.parametrize("place", ["offer", "settle True"])
async def test_a_store_that_is_away(rotation: CredentialRotation, book: Book, place: str) -> None:
    async def fail(name: str) -> None:
        if name == place:
            raise StoreAway("locked")

    book.before = fail
    station = ScriptedStation()
    with pytest.raises(StoreAway):
        await rotation.rotate(station)
    assert len(station.calls) == (place != "offer")
    assert book.opens == ({OLD} if place == "offer" else {OLD, NEW})


# --- refused


async def test_one_at_a_time(rotation: CredentialRotation, book: Book) -> None:
    station = ScriptedStation()
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def answer(payload: Any) -> Any:
        asked.set()
        await go_on.wait()
        return set_variables("Accepted")(payload)

    station.says("SetVariables", answer)
    first = asyncio.ensure_future(rotation.rotate(station))
    await asked.wait()
    with pytest.raises(RotationRefused, match="wait for its answer"):
        await rotation.rotate(station, force=True)
    go_on.set()
    await first
    await rotation.rotate(station)


async def test_refused_while_the_last_one_is_open(rotation: CredentialRotation, book: Book) -> None:
    station = ScriptedStation()
    station.says("SetVariables", PeerUnavailable("gone"), set_variables("Accepted"))
    with pytest.raises(RotationUnanswered):
        await rotation.rotate(station)
    with pytest.raises(RotationRefused, match="not known yet"):
        await rotation.rotate(station)
    assert len(station.calls) == 1
    assert await rotation.rotate(station, force=True) is Outcome.ACCEPTED


async def test_refused_without_a_station_to_hear_it(rotation: CredentialRotation, book: Book) -> None:
    station = ScriptedStation()
    station.gate = BootGate(BootStatus.REJECTED)
    with pytest.raises(RotationRefused, match="BootNotification is Rejected"):
        await rotation.rotate(station)
    station.is_connected = False
    with pytest.raises(RotationRefused, match="not connected"):
        await rotation.rotate(station)
    book.record = None
    with pytest.raises(RotationRefused, match="not registered"):
        await rotation.rotate(station)
    assert book.log == []


async def test_removed_in_the_very_moment(rotation: CredentialRotation, book: Book) -> None:
    found = book.record

    async def find(identity: str) -> StationRecord | None:
        book.record = None
        return found

    book.find = find  # type: ignore[method-assign]  # the station goes while it is looked up
    station = ScriptedStation()
    with pytest.raises(RotationRefused, match="not registered"):
        await rotation.rotate(station)
    assert station.calls == []


# --- secrets


@pytest.mark.parametrize(
    "answer",
    [set_variables("Accepted"), set_variables("Rejected"), set_variables("RebootRequired"), PeerUnavailable("gone")],
    ids=["accepted", "rejected", "reboot required", "no answer"],
)
async def test_nobody_but_the_station_hears_the_password(
    rotation: CredentialRotation, events: KeptEvents, answer: Any
) -> None:
    station = ScriptedStation()
    station.says("SetVariables", answer)
    said = ""
    with capture_logs() as lines:
        try:
            said = repr(await rotation.rotate(station))
        except (RotationRejected, RotationUnanswered) as error:
            said = repr(error)
    assert "the-new-password" not in f"{said} {lines} {events.noted}"
    assert NEW not in f"{said} {lines} {events.noted}"
    assert set(events.kinds) <= {"ReconfigurationOfSecurityParameters"}
