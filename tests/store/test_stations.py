"""The registry of stations, on either database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from gateway.bridge.books import Connector, Transaction, TransactionState
from gateway.session.identity import IdentityRejected
from gateway.session.ports import BootStatus, JournalEntry, RecordChanged, StaleEpoch, StationRecord
from gateway.session.quarantine import REFUSED, Why
from gateway.store.certificates import Certificates
from gateway.store.connectors import Connectors
from gateway.store.database import Database
from gateway.store.journal import Journal
from gateway.store.pending_stations import PendingStations
from gateway.store.quarantine import Quarantine
from gateway.store.stations import (
    SERIAL_MAX,
    AlreadyRegistered,
    NotRegistered,
    PendingMessages,
    RunningSessions,
    SerialRejected,
    SerialTaken,
    Stations,
)
from gateway.wire.versions import Version

UNASKED = Stations(cast("Database", None))
"""For what is refused before the database is asked."""
BOOT = {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}}


async def add(stations: Stations, identity: str, *, serial: str | None = None, profile: int = 1) -> StationRecord:
    return await stations.add(identity, profile=profile, serial=serial, backend=None, password_hash=None)


# --- the registry


async def test_a_registered_station_is_found_as_it_was_added(stations: Stations) -> None:
    added = await stations.add("CS1", profile=2, serial="SN-1", backend="legacy", password_hash="scrypt$x")
    assert added == StationRecord("CS1", 2, "SN-1", "legacy", "scrypt$x")
    assert await stations.find("CS1") == added


async def test_a_password_hash_is_in_no_repr(stations: Stations) -> None:
    await stations.add("CS1", profile=2, serial=None, backend=None, password_hash="scrypt$x")
    assert "scrypt" not in repr(await stations.find("CS1"))


async def test_a_station_is_found_to_the_byte_only(stations: Stations) -> None:
    await add(stations, "CS1")
    for other in ["cs1", "CS1 ", "CS", "CS11", "", "CS_", "CS%", "CS\N{SUPERSCRIPT ONE}"]:
        assert await stations.find(other) is None


async def test_the_list_is_in_the_order_of_identities(stations: Stations) -> None:
    for identity in ["b", "a", "B", "*", "10", "9"]:
        await add(stations, identity)
    assert [record.identity for record in await stations.list()] == ["*", "10", "9", "B", "a", "b"]


async def test_an_identity_is_registered_once(stations: Stations) -> None:
    await add(stations, "CS1", serial="SN-1")
    with pytest.raises(AlreadyRegistered, match="'CS1' is registered already"):
        await add(stations, "CS1", serial="SN-2")


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [
        (("CS1", "SN-1"), ("CS2", "SN-1"), "SN-1"),
        (("CS1", None), ("CS2", "CS1"), "CS1"),
        (("CS1", "CS2"), ("CS2", None), "CS2"),
    ],
)
async def test_no_certificate_name_fits_two_stations(
    stations: Stations, first: tuple[str, str | None], second: tuple[str, str | None], name: str
) -> None:
    await add(stations, first[0], serial=first[1])
    with pytest.raises(SerialTaken, match=f"'{name}' is that of station 'CS1'"):
        await add(stations, second[0], serial=second[1])
    assert await stations.find("CS2") is None


async def test_a_serial_may_be_the_identity_of_a_station_that_has_another_serial(stations: Stations) -> None:
    await add(stations, "CS1", serial="SN-1")
    await add(stations, "CS2", serial="CS1")
    await add(stations, "CS3", serial="CS3")


@pytest.mark.parametrize("identity", ["", "a:b", "..", "x" * 49])
async def test_what_is_no_identity_is_not_registered(identity: str) -> None:
    with pytest.raises(IdentityRejected):
        await add(UNASKED, identity)


@pytest.mark.parametrize("serial", ["", " SN", "SN ", "S\nN", "S\0N", "x" * (SERIAL_MAX + 1)])
async def test_what_is_no_serial_is_refused(serial: str) -> None:
    with pytest.raises(SerialRejected, match="1 to 64 printable characters"):
        await add(UNASKED, "CS1", serial=serial)
    with pytest.raises(SerialRejected):
        await UNASKED.set_serial("CS1", serial)


async def test_a_serial_may_have_its_longest(stations: Stations) -> None:
    assert (await add(stations, "CS1", serial="x" * SERIAL_MAX)).serial == "x" * SERIAL_MAX


@pytest.mark.parametrize("profile", [-1, 0, 4])
async def test_there_are_three_profiles(profile: int) -> None:
    with pytest.raises(ValueError, match="1, 2 or 3"):
        await add(UNASKED, "CS1", profile=profile)


async def test_two_that_add_the_same_station_at_once_get_it_once(
    url: str, opened: Callable[..., Awaitable[Database]]
) -> None:
    both = [Stations(await opened(url)), Stations(await opened(url))]
    results = await asyncio.gather(*(add(stations, "CS1") for stations in both * 3), return_exceptions=True)
    assert sum(isinstance(result, StationRecord) for result in results) == 1
    assert sum(isinstance(result, AlreadyRegistered) for result in results) == 5


# --- changes


async def test_a_password_is_replaced_and_taken_away(stations: Stations) -> None:
    await add(stations, "CS1")
    await stations.set_password("CS1", "scrypt$new")
    assert (await stations.find("CS1")).password_hash == "scrypt$new"  # type: ignore[union-attr]  # it is registered
    await stations.set_password("CS1", None)
    assert (await stations.find("CS1")).password_hash is None  # type: ignore[union-attr]  # it is registered


async def test_a_serial_is_replaced_and_the_old_one_free(stations: Stations) -> None:
    await add(stations, "CS1", serial="SN-1")
    await stations.set_serial("CS1", "SN-2")
    await stations.set_serial("CS1", "SN-2")
    assert (await stations.find("CS1")).serial == "SN-2"  # type: ignore[union-attr]  # it is registered
    await add(stations, "CS2", serial="SN-1")
    with pytest.raises(SerialTaken):
        await stations.set_serial("CS1", "SN-1")


async def test_without_a_serial_the_identity_is_the_certificate_name(stations: Stations) -> None:
    await add(stations, "CS1", serial="SN-1")
    await add(stations, "CS2", serial="CS1")
    with pytest.raises(SerialTaken):
        await stations.set_serial("CS1", None)
    await stations.set_serial("CS2", None)
    await stations.set_serial("CS1", None)
    assert (await stations.find("CS1")).certificate_name == "CS1"  # type: ignore[union-attr]  # it is registered


async def test_the_group_and_the_backend_are_set_and_taken_away(stations: Stations) -> None:
    assert (await add(stations, "CS1")).group is None
    for group, backend in (("depot-north", "other"), (None, None)):
        before = await stations.revision()
        await stations.set_group("CS1", group)
        await stations.set_backend("CS1", backend)
        record = await stations.find("CS1")
        assert record is not None
        assert (record.group, record.backend) == (group, backend)
        assert await stations.revision() == before + 2


@pytest.mark.parametrize(("profile", "now"), [(1, 2), (2, 2), (3, 3)])
async def test_the_minimum_profile_only_rises(stations: Stations, profile: int, now: int) -> None:
    await add(stations, "CS1", profile=2)
    await stations.take("CS1", profile)
    assert (await stations.find("CS1")).minimum_profile == now  # type: ignore[union-attr]  # it is registered


async def test_exceptions_are_set_one_by_one(stations: Stations) -> None:
    await add(stations, "CS1")
    for change, now in [
        ({"expired": True}, (True, False)),
        ({"downgrade": True}, (True, True)),
        ({"expired": False}, (False, True)),
        ({}, (False, True)),
        ({"expired": True, "downgrade": False}, (True, False)),
    ]:
        await stations.allow("CS1", **change)
        record = await stations.find("CS1")
        assert record is not None
        assert (record.allow_expired, record.allow_downgrade) == now


async def test_whether_any_station_may_come_with_an_expired_certificate(stations: Stations) -> None:
    assert await stations.any_allows_expired() is False
    await add(stations, "CS1")
    await add(stations, "CS2")
    await stations.allow("CS1", downgrade=True)
    assert await stations.any_allows_expired() is False
    await stations.allow("CS2", expired=True)
    assert await stations.any_allows_expired() is True
    await stations.remove("CS2")
    assert await stations.any_allows_expired() is False


async def test_a_version_is_pinned_and_set_free(stations: Stations) -> None:
    added = await stations.add(
        "CS1", profile=1, serial=None, backend=None, password_hash=None, pinned_version=Version.V16
    )
    assert added.pinned_version is Version.V16
    assert await stations.find("CS1") == added
    for version in (Version.V201, None):
        await stations.pin_version("CS1", version)
        assert (await stations.find("CS1")).pinned_version is version  # type: ignore[union-attr]  # it is registered


async def test_a_person_who_sets_the_password_takes_back_what_was_offered(stations: Stations) -> None:
    await add(stations, "CS1")
    await stations.offer_password("CS1", "offered")
    await stations.await_reboot("CS1", "offered")
    await stations.set_password("CS1", "set")
    assert await stations.find("CS1") == StationRecord("CS1", 1, password_hash="set")
    assert await stations.settle_offer("CS1", "offered", accepted=True) is False
    await stations.password_used("CS1", "offered")
    assert (await stations.find("CS1")).password_hash == "set"  # type: ignore[union-attr]  # it is registered


async def test_a_station_that_is_registered_is_pending_no_more(
    stations: Stations, pending_stations: PendingStations
) -> None:
    await pending_stations.seen("CS1", remote="192.0.2.1", profile=2)
    await pending_stations.seen("CS2", remote="192.0.2.1", profile=2)
    await add(stations, "CS1")
    assert [each.identity for each in await pending_stations.list()] == ["CS2"]


async def test_changes_of_an_unknown_station_say_so(stations: Stations) -> None:
    for change in (
        stations.set_password("CS1", "x"),
        stations.set_serial("CS1", "x"),
        stations.allow("CS1", expired=True),
        stations.pin_version("CS1", Version.V16),
        stations.set_group("CS1", "depot-north"),
        stations.set_backend("CS1", "other"),
        stations.offer_password("CS1", "x"),
        stations.remove("CS1"),
    ):
        with pytest.raises(NotRegistered) as unknown:
            await change
        assert str(unknown.value) == "no station 'CS1' is registered"


# --- the revision


async def test_each_change_of_a_person_moves_the_revision(stations: Stations) -> None:
    seen = [await stations.revision()]
    for change in (
        add(stations, "CS1"),
        stations.set_password("CS1", "x"),
        stations.set_serial("CS1", "SN"),
        stations.allow("CS1", expired=True),
        stations.pin_version("CS1", Version.V16),
        stations.remove("CS1"),
    ):
        await change
        seen.append(await stations.revision())
    assert seen == sorted(set(seen))


async def test_what_a_session_writes_and_what_is_refused_leaves_the_revision(stations: Stations, epoch: int) -> None:
    before = await stations.revision()
    await stations.take("CS1", 3)
    await stations.save_boot("CS1", epoch + 1, BootStatus.ACCEPTED, 300, BOOT, reported=True)
    with pytest.raises(AlreadyRegistered):
        await add(stations, "CS1")
    with pytest.raises(NotRegistered):
        await stations.remove("CS2")
    assert await stations.revision() == before


async def test_a_change_is_seen_by_another_process_at_once(
    url: str, opened: Callable[..., Awaitable[Database]]
) -> None:
    here, there = Stations(await opened(url)), Stations(await opened(url))
    before = await here.revision()
    await add(there, "CS1")
    assert await here.revision() > before
    assert await here.find("CS1") is not None


# --- ownership


async def test_each_owner_has_a_higher_epoch(stations: Stations, epoch: int) -> None:
    assert [await stations.take("CS1", 1), await stations.take("CS1", 1)] == [epoch + 1, epoch + 2]


@pytest.mark.parametrize(("registered", "admitted", "now"), [(1, 3, 3), (2, 1, 2), (2, 0, 2), (3, 3, 3)])
async def test_taking_ratchets_the_minimum_profile(
    stations: Stations, registered: int, admitted: int, now: int
) -> None:
    await add(stations, "CS1", profile=registered)
    await stations.take("CS1", admitted)
    assert (await stations.find("CS1")).minimum_profile == now  # type: ignore[union-attr]  # it is registered


async def test_taking_notes_the_version_of_the_connection(stations: Stations) -> None:
    await add(stations, "CS1")
    for version, now in [(None, None), (Version.V16, Version.V16), (None, Version.V16), (Version.V201, Version.V201)]:
        await stations.take("CS1", 0, version)
        assert (await stations.find("CS1")).version is now  # type: ignore[union-attr]  # it is registered


async def test_a_removed_station_cannot_be_taken(stations: Stations, epoch: int) -> None:
    await stations.remove("CS1")
    with pytest.raises(KeyError):
        await stations.take("CS1", epoch)


async def test_epochs_are_unique_among_those_who_take_at_once(
    url: str, opened: Callable[..., Awaitable[Database]]
) -> None:
    both = [Stations(await opened(url)), Stations(await opened(url))]
    await add(both[0], "CS1")
    epochs = await asyncio.gather(*(stations.take("CS1", 1) for stations in both * 10))
    assert len(set(epochs)) == 20


async def test_the_owner_of_a_removed_station_does_not_own_its_successor(stations: Stations, epoch: int) -> None:
    old = await stations.take("CS1", 1)
    await stations.remove("CS1")
    await add(stations, "CS2")
    await add(stations, "CS1")
    with pytest.raises(StaleEpoch):
        await stations.save_boot("CS1", epoch, BootStatus.ACCEPTED, 300, BOOT, reported=True)
    assert await stations.take("CS1", 1) > old


# --- the boot


async def test_a_station_begins_without_a_boot(stations: Stations, epoch: int) -> None:
    record = await stations.find("CS1")
    assert record == StationRecord("CS1", 1)
    assert record.boot_status is BootStatus.NONE
    assert epoch == 1


async def test_the_answer_to_a_boot_lasts(stations: Stations, epoch: int) -> None:
    await stations.save_boot("CS1", epoch, BootStatus.ACCEPTED, 300, BOOT, reported=False)
    record = await stations.find("CS1")
    assert record == StationRecord(
        "CS1", 1, boot_status=BootStatus.ACCEPTED, boot_interval=300, boot_payload=BOOT, boot_reported=False
    )


@pytest.mark.parametrize("status", [BootStatus.PENDING, BootStatus.REJECTED])
async def test_the_last_accepted_request_outlives_a_later_refusal(
    stations: Stations, epoch: int, status: BootStatus
) -> None:
    await stations.save_boot("CS1", epoch, BootStatus.ACCEPTED, 300, BOOT, reported=True)
    await stations.save_boot("CS1", epoch, status, 60, {"reason": "Unknown"}, reported=True)
    record = await stations.find("CS1")
    assert record is not None
    assert (record.boot_status, record.boot_interval, record.boot_payload) == (status, 60, BOOT)


async def test_a_stale_owner_saves_no_boot(stations: Stations, epoch: int) -> None:
    await stations.take("CS1", 1)
    with pytest.raises(StaleEpoch, match="another owner than epoch 1"):
        await stations.save_boot("CS1", epoch, BootStatus.ACCEPTED, 300, BOOT, reported=True)
    assert (await stations.find("CS1")).boot_status is BootStatus.NONE  # type: ignore[union-attr]  # it is registered


# --- removal


async def test_a_station_with_pending_messages_is_not_removed(stations: Stations, entry: JournalEntry) -> None:
    with pytest.raises(PendingMessages, match="1 messages of station 'CS1' wait for the backend") as refused:
        await stations.remove("CS1")
    assert refused.value.count == 1
    assert await stations.find(entry.identity) is not None


@pytest.mark.parametrize("state", [state for state in TransactionState if state is not TransactionState.ENDED])
async def test_a_station_whose_session_runs_is_not_removed(
    stations: Stations, journal: Journal, epoch: int, state: TransactionState
) -> None:
    await journal.save("CS1", epoch, Transaction("T1", state))
    with pytest.raises(RunningSessions, match="1 sessions of station 'CS1' have not ended") as refused:
        await stations.remove("CS1")
    assert refused.value.count == 1
    await journal.save("CS1", epoch, Transaction("T1", TransactionState.ENDED))
    await stations.remove("CS1")
    assert await stations.find("CS1") is None


async def test_a_forced_removal_takes_the_journal_with_it(
    stations: Stations, journal: Journal, connectors: Connectors, entry: JournalEntry
) -> None:
    await connectors.save("CS1", Connector(1, 1, 1))
    await stations.remove("CS1", force=True)
    assert await stations.find("CS1") is None
    assert await journal.pending("CS1") == []
    assert await journal.transactions(entry.identity) == []
    assert await journal.depths() == {}
    assert await connectors.load("CS1") == []


async def test_what_was_set_aside_and_certified_outlives_the_station(
    stations: Stations,
    journal: Journal,
    quarantine: Quarantine,
    certificates: Certificates,
    entry: JournalEntry,
    epoch: int,
) -> None:
    await journal.refuse(entry, epoch, Transaction("T1", TransactionState.ENDED), Why(REFUSED, "no"))
    await certificates.remember_key("ab", "CS1")
    await stations.remove("CS1")
    assert [message.id for message in await quarantine.list("CS1")] == [entry.id]
    assert await certificates.key_owner("ab") == "CS1"


@pytest.mark.parametrize(
    ("change", "arguments"),
    [
        ("set_serial", {"serial": "SN9"}),
        ("set_password", {"password_hash": "another"}),
        ("offer_password", {"password_hash": "another"}),
        ("allow", {"expired": True}),
        ("allow", {"downgrade": True}),
        ("pin_version", {"version": Version.V16}),
        ("set_group", {"group": "north"}),
        ("set_backend", {"backend": "other"}),
        ("take", {"profile": 3}),
        ("remove", {}),
    ],
)
async def test_nobody_is_let_in_by_a_record_that_has_changed(
    stations: Stations, change: str, arguments: dict[str, object]
) -> None:
    before = await stations.add("CS1", profile=1, serial="SN1", backend=None, password_hash="hash")
    await getattr(stations, change)("CS1", **arguments)
    with pytest.raises(RecordChanged):
        await stations.confirm(before)
    now = await stations.find("CS1")
    with pytest.raises(RecordChanged):
        await stations.let_in(before, 3, Version.V16)
    assert await stations.find("CS1") == now


async def test_who_is_let_in_gets_the_record_as_it_was_right_before(stations: Stations) -> None:
    before = await stations.add("CS1", profile=1, serial="SN1", backend=None, password_hash=None)
    epoch = await stations.take("CS1", 0, Version.V16)
    await stations.save_boot("CS1", epoch, BootStatus.ACCEPTED, 300, {"reason": "PowerUp"}, reported=False)
    booted = await stations.find("CS1")
    await stations.confirm(before)
    taken = await stations.let_in(before, 2, Version.V201)
    assert (taken.epoch, taken.record) == (epoch + 1, booted)
    assert taken.record.version is Version.V16
    after = await stations.find("CS1")
    assert after is not None
    assert (after.minimum_profile, after.version) == (2, Version.V201)
