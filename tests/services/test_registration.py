"""Registration: what may be registered, and with which password."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from gateway.services.registration import NotPending, NotRegistered, Passwords, Registration
from gateway.session.identity import parse_identity
from gateway.session.pending import PendingStation
from gateway.session.ports import RegistrationInvalid, RegistrationRefused, StationRecord
from gateway.wire.versions import Version

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Book:
    def __init__(self) -> None:
        self.records: dict[str, StationRecord] = {}

    async def add(
        self,
        identity: str,
        *,
        profile: int,
        serial: str | None,
        backend: str | None,
        password_hash: str | None,
        pinned_version: Version | None,
        group: str | None,
    ) -> StationRecord:
        if identity in self.records:
            raise RegistrationRefused("is registered already")
        self.records[identity] = StationRecord(
            parse_identity(identity),
            profile,
            serial,
            backend,
            password_hash,
            pinned_version=pinned_version,
            group=group,
        )
        return self.records[identity]

    async def find(self, identity: str) -> StationRecord | None:
        return self.records.get(identity)

    async def list(self) -> Sequence[StationRecord]:
        return [self.records[key] for key in sorted(self.records)]

    async def remove(self, identity: str, *, force: bool = False) -> None:
        if identity == "BUSY" and not force:
            raise RegistrationRefused("3 messages wait for the backend")
        del self.records[identity]

    async def set_password(self, identity: str, password_hash: str) -> None:
        self.records[identity] = replace(self.records[identity], password_hash=password_hash)

    async def set_serial(self, identity: str, serial: str | None) -> None:
        if serial == "TAKEN":
            raise RegistrationRefused("is another station's")
        self.records[identity] = replace(self.records[identity], serial=serial)

    async def set_group(self, identity: str, group: str | None) -> None:
        self.records[identity] = replace(self.records[identity], group=group)

    async def set_backend(self, identity: str, backend: str | None) -> None:
        self.records[identity] = replace(self.records[identity], backend=backend)

    async def pin_version(self, identity: str, version: Version | None) -> None:
        self.records[identity] = replace(self.records[identity], pinned_version=version)

    async def allow(self, identity: str, *, expired: bool | None = None, downgrade: bool | None = None) -> None:
        old = self.records[identity]
        self.records[identity] = replace(
            old,
            allow_expired=old.allow_expired if expired is None else expired,
            allow_downgrade=old.allow_downgrade if downgrade is None else downgrade,
        )


def seen(identity: str, version: Version | None = None) -> PendingStation:
    """Return one that came with a certificate."""
    return PendingStation(identity, NOON, NOON, 1, "10.1.2.3", 3, "SN-PRESENTED", "CN=SN-PRESENTED", "00", version)


class Pending:
    def __init__(self) -> None:
        self.seen: dict[str, PendingStation] = {}

    async def find(self, identity: str) -> PendingStation | None:
        return self.seen.get(identity)

    async def list(self) -> Sequence[PendingStation]:
        return list(self.seen.values())

    async def remove(self, identity: str) -> bool:
        return self.seen.pop(identity, None) is not None


def _check(password: str) -> None:
    if len(password) < 4:
        raise ValueError("too short")


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def pending() -> Pending:
    return Pending()


@pytest.fixture
def registration(book: Book, pending: Pending) -> Registration:
    passwords = Passwords(
        generate=lambda: "generated", check=_check, hash=lambda text: f"hash of {text}", generate_key=lambda: "ab" * 20
    )
    return Registration(book, pending, passwords, ["legacy", "new"])


@pytest.mark.parametrize(("profile", "password"), [(1, "generated"), (2, "generated"), (3, None)])
async def test_a_password_is_generated_where_the_profile_uses_one(
    registration: Registration, profile: int, password: str | None
) -> None:
    made = await registration.add("CS1", profile=profile)
    assert made.password == password
    assert made.record.password_hash == (f"hash of {password}" if password else None)
    assert "generated" not in repr(made)


async def test_a_given_password_is_taken_for_every_profile(registration: Registration) -> None:
    made = await registration.add("CS1", profile=3, serial="SN1", backend="new", password="given")
    assert (made.password, made.record.serial, made.record.backend) == (None, "SN1", "new")
    assert made.record.password_hash == "hash of given"


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ({"profile": 0}, "security profile 0"),
        ({"profile": 4}, "security profile 4"),
        ({"profile": 2, "serial": ""}, "serial number"),
        ({"profile": 2, "serial": "x" * 26}, "serial number"),
        ({"profile": 2, "serial": "ümlaut"}, "serial number"),
        ({"profile": 2, "serial": " SN1"}, "no space at its ends"),
        ({"profile": 2, "backend": "none"}, "no backend 'none'.*legacy, new"),
        ({"profile": 2, "password": "abc"}, "too short"),
        ({"profile": 2, "group": ""}, "a group's name"),
        ({"profile": 2, "group": "depot*"}, "a group's name"),
        ({"profile": 2, "group": "x" * 65}, "a group's name"),
    ],
)
async def test_refused(registration: Registration, book: Book, wanted: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RegistrationInvalid, match=complaint):
        await registration.add("CS1", **wanted)
    assert book.records == {}


async def test_an_identity_that_is_none_is_malformed(registration: Registration) -> None:
    with pytest.raises(RegistrationInvalid, match="identity: the character ':'"):
        await registration.add("CS:1", profile=2)


async def test_what_the_book_refuses_is_refused(registration: Registration) -> None:
    await registration.add("CS1", profile=2)
    with pytest.raises(RegistrationRefused, match="already") as refused:
        await registration.add("CS1", profile=2)
    assert not isinstance(refused.value, RegistrationInvalid)


async def test_list_show_and_remove(registration: Registration) -> None:
    for identity in ("B", "A", "BUSY"):
        await registration.add(identity, profile=2)
    assert [record.identity for record in await registration.list()] == ["A", "B", "BUSY"]
    assert (await registration.show("A")).identity == "A"
    await registration.remove("A")
    with pytest.raises(NotRegistered, match="no station 'A'"):
        await registration.show("A")
    with pytest.raises(NotRegistered):
        await registration.remove("A")
    with pytest.raises(RegistrationRefused, match="3 messages"):
        await registration.remove("BUSY")
    await registration.remove("BUSY", force=True)


async def test_set_password(registration: Registration, book: Book) -> None:
    await registration.add("CS1", profile=2)
    assert await registration.set_password("CS1") == "generated"
    assert await registration.set_password("CS1", "another") == "another"
    assert book.records["CS1"].password_hash == "hash of another"
    with pytest.raises(RegistrationRefused, match="too short"):
        await registration.set_password("CS1", "x")
    with pytest.raises(NotRegistered):
        await registration.set_password("CS9")


async def test_a_16_station_gets_an_authorization_key(registration: Registration, book: Book) -> None:
    made = await registration.add("CS1", profile=2, version=Version.V16)
    assert (made.password, made.record.pinned_version) == ("ab" * 20, Version.V16)
    assert await registration.set_password("CS1") == "ab" * 20
    await registration.pin_version("CS1", Version.V201)
    assert await registration.set_password("CS1") == "generated"
    await registration.pin_version("CS1", None)
    book.records["CS1"] = replace(book.records["CS1"], version=Version.V16)
    assert await registration.set_password("CS1") == "ab" * 20


async def test_approved_is_what_the_operator_says_and_not_what_was_presented(
    registration: Registration, pending: Pending
) -> None:
    pending.seen = {"CS1": seen("CS1"), "CS2": seen("CS2", Version.V16), "CS3": seen("CS3", Version.V201)}
    assert [each.identity for each in await registration.pending()] == ["CS1", "CS2", "CS3"]
    made = await registration.approve("CS1", profile=3)
    assert (made.record.serial, made.record.pinned_version, made.password) == (None, None, None)
    made = await registration.approve("CS2", profile=2, serial="SN2", backend="new")
    assert (made.record.serial, made.record.backend, made.record.pinned_version) == ("SN2", "new", None)
    assert made.password == "ab" * 20
    made = await registration.approve("CS3", profile=2)
    assert (made.password, made.record.pinned_version) == ("generated", None)


async def test_what_is_not_pending_is_neither_approved_nor_dismissed(
    registration: Registration, pending: Pending, book: Book
) -> None:
    with pytest.raises(NotPending, match="'CS1' is pending"):
        await registration.approve("CS1", profile=3)
    pending.seen = {"CS1": seen("CS1")}
    await registration.dismiss("CS1")
    with pytest.raises(NotPending, match="'CS1' is pending"):
        await registration.dismiss("CS1")
    assert book.records == {}


async def test_exceptions_and_serial_numbers(registration: Registration, book: Book) -> None:
    await registration.add("CS1", profile=3, serial="SN1")
    await registration.allow("CS1", expired=True)
    await registration.allow("CS1", downgrade=True)
    assert (book.records["CS1"].allow_expired, book.records["CS1"].allow_downgrade) == (True, True)
    await registration.allow("CS1", expired=False)
    assert (book.records["CS1"].allow_expired, book.records["CS1"].allow_downgrade) == (False, True)
    await registration.set_serial("CS1", "SN2")
    assert (await registration.show("CS1")).serial == "SN2"
    await registration.set_serial("CS1", None)
    assert (await registration.show("CS1")).serial is None
    with pytest.raises(RegistrationInvalid, match="1 to 25"):
        await registration.set_serial("CS1", "x" * 26)
    with pytest.raises(RegistrationRefused, match="another station's"):
        await registration.set_serial("CS1", "TAKEN")


async def test_groups_and_backends(registration: Registration, book: Book) -> None:
    await registration.add("CS1", profile=3, group="depot-north", backend="new")
    assert (book.records["CS1"].group, book.records["CS1"].backend) == ("depot-north", "new")
    await registration.set_group("CS1", "x" * 64)
    await registration.set_backend("CS1", "legacy")
    assert (book.records["CS1"].group, book.records["CS1"].backend) == ("x" * 64, "legacy")
    for group in ("", "a b", "-a", "x" * 65, "depot\n"):
        with pytest.raises(RegistrationInvalid, match="a group's name"):
            await registration.set_group("CS1", group)
    with pytest.raises(RegistrationInvalid, match=r"no backend 'none'.*legacy, new"):
        await registration.set_backend("CS1", "none")
    await registration.set_group("CS1", None)
    await registration.set_backend("CS1", None)
    assert (book.records["CS1"].group, book.records["CS1"].backend) == (None, None)


async def test_nobody_is_changed_who_is_not_there(registration: Registration) -> None:
    with pytest.raises(NotRegistered):
        await registration.set_group("CS9", "a")
    with pytest.raises(NotRegistered):
        await registration.set_backend("CS9", "new")
    with pytest.raises(NotRegistered):
        await registration.set_serial("CS9", "SN9")
    with pytest.raises(NotRegistered):
        await registration.allow("CS9", expired=True)
    with pytest.raises(NotRegistered):
        await registration.pin_version("CS9", None)
