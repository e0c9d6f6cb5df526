"""What the backends have said of idTags, on either database."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from gateway.session.ports import Authorization
from gateway.store.authorizations import FRESH_FOR, Authorizations
from gateway.store.database import Database
from gateway.store.models import AuthorizationRow

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)


def heard(id_tag: str, status: str = "Accepted", *, backend: str = "legacy", at: datetime = NOW) -> Authorization:
    return Authorization(backend, id_tag, {"status": status}, at)


async def tags(database: Database) -> list[tuple[str, str]]:
    """Return (backend, idTag) of all rows."""
    statement = select(AuthorizationRow.backend, AuthorizationRow.id_tag)
    rows = await database.read(lambda connection: connection.execute(statement).all())
    return sorted((row.backend, row.id_tag) for row in rows)


async def test_the_last_word_is_kept_for_each_backend(database: Database) -> None:
    authorizations = Authorizations(database)
    await authorizations.keep([heard("a"), heard("b", "Blocked"), heard("a", "Invalid", backend="other")])
    await authorizations.keep([heard("a", "Expired", at=NOW + timedelta(seconds=1))])
    assert await authorizations.find("legacy", "a") == heard("a", "Expired", at=NOW + timedelta(seconds=1))
    assert await authorizations.find("legacy", "b") == heard("b", "Blocked")
    assert await authorizations.find("other", "a") == heard("a", "Invalid", backend="other")
    assert await authorizations.find("other", "b") is None


async def test_nothing_is_written_when_nothing_is_new(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    authorizations = Authorizations(database)
    await authorizations.keep([heard("a")])
    later = NOW + FRESH_FOR

    async def no_write(_: object) -> None:
        pytest.fail("a write that says nothing new")

    with monkeypatch.context() as patch:
        patch.setattr(database, "write", no_write)
        await authorizations.keep([heard("a", at=later - timedelta(seconds=1))])
        await authorizations.keep([])
    await authorizations.keep([heard("a", at=later)])
    assert await authorizations.find("legacy", "a") == heard("a", at=later)


async def test_what_is_old_or_of_another_backend_is_forgotten(database: Database) -> None:
    authorizations = Authorizations(database)
    await authorizations.keep(
        [
            heard("old", at=LONG_AGO - timedelta(seconds=1)),
            heard("young", at=LONG_AGO),
            heard("old", backend="other", at=LONG_AGO - timedelta(seconds=1)),
            heard("x", backend="gone"),
        ]
    )
    await authorizations.forget(["legacy", "other"], LONG_AGO)
    assert await tags(database) == [("legacy", "young")]
    await authorizations.forget([], LONG_AGO)
    assert await tags(database) == []


async def test_each_backend_has_its_bound_and_the_oldest_go(database: Database) -> None:
    authorizations = Authorizations(database, kept=2)
    await authorizations.keep([heard(name, at=NOW + timedelta(seconds=n)) for n, name in enumerate("cab")])
    await authorizations.keep([heard(name, backend="other") for name in "yz"])
    await authorizations.forget(["legacy", "other"], LONG_AGO)
    assert await tags(database) == [("legacy", "a"), ("legacy", "b"), ("other", "y"), ("other", "z")]


def test_what_is_personal_is_not_shown() -> None:
    assert "SECRET" not in repr(Authorization("legacy", "SECRET", {"parentIdTag": "SECRET"}, NOW))
