"""Registration: what may be registered, and with which password."""

from collections.abc import Sequence
from typing import Any

import pytest

from gateway.services.registration import NotRegistered, Passwords, Registration
from gateway.session.ports import RegistrationRefused, StationRecord


class Book:
    def __init__(self) -> None:
        self.records: dict[str, StationRecord] = {}

    async def add(
        self, identity: str, *, profile: int, serial: str | None, backend: str | None, password_hash: str | None
    ) -> StationRecord:
        if identity in self.records:
            raise RegistrationRefused("is registered already")
        self.records[identity] = StationRecord(identity, profile, serial, backend, password_hash)
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
        self.records[identity] = StationRecord(identity, 2, password_hash=password_hash)


def _check(password: str) -> None:
    if len(password) < 4:
        raise ValueError("too short")


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def registration(book: Book) -> Registration:
    return Registration(book, Passwords(lambda: "generated", _check, lambda text: f"hash of {text}"), ["legacy", "new"])


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
        ({"profile": 2, "backend": "none"}, "no backend 'none'.*legacy, new"),
        ({"profile": 2, "password": "abc"}, "too short"),
    ],
)
async def test_refused(registration: Registration, book: Book, wanted: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RegistrationRefused, match=complaint):
        await registration.add("CS1", **wanted)
    assert book.records == {}


async def test_what_the_book_refuses_is_refused(registration: Registration) -> None:
    await registration.add("CS1", profile=2)
    with pytest.raises(RegistrationRefused, match="already"):
        await registration.add("CS1", profile=2)


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
