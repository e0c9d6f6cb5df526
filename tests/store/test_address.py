"""How store.url is read, and that no part of a password shows when it is mistyped."""

import pytest
from sqlalchemy import make_url

from gateway.store.address import parse_url, place
from gateway.store.unavailable import StoreUnavailable


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("sqlite+aiosqlite:////var/lib/voltgate.db", "/var/lib/voltgate.db"),
        ("postgresql+asyncpg://gate:hunter2@db.example.com/volt", "postgresql db.example.com/volt"),
        (
            "postgresql+asyncpg://gate:hunter2@db.example.com:5433/volt?ssl=require",
            "postgresql db.example.com:5433/volt",
        ),
        ("postgresql+asyncpg://gate:p%40ss@[::1]:5432/volt", "postgresql ::1:5432/volt"),
        ("postgresql+asyncpg://gate@/volt?host=/run/postgresql", "postgresql /run/postgresql/volt"),
        ("postgresql+asyncpg://", "postgresql localhost/"),
    ],
)
def test_the_place_of_a_store_is_named_without_user_and_password(url: str, where: str) -> None:
    assert place(parse_url(url)) == where


def test_a_relative_file_is_named_in_full(tmp_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert place(make_url("sqlite+aiosqlite:///v.db")) == f"{tmp_path}/v.db"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "isn't a database URL"),
        ("hunter2", "isn't a database URL"),
        ("postgresql+asyncpg://gate:x@db:hunter2/volt", "isn't a database URL"),
        ("postgresql+asyncpg://gate:@hunter2@db/volt", "an @ too many"),
        ("postgresql+asyncpg://gate:x@db/volt@hunter2", "an @ too many"),
        ("postgresql+asyncpg://gate@db/volt?password=hunter2", "option that isn't known"),
        ("postgresql+asyncpg://gate@db/volt?sslmode=require", "ssl=require"),
        ("postgresql://gate:hunter2@db/volt", "begins with neither"),
        ("sqlite:///hunter2.db", "begins with neither"),
        ("sqlite+aiosqlite://hunter2/file.db", "more than a file"),
        ("sqlite+aiosqlite:///file.db?mode=hunter2", "more than a file"),
        ("sqlite+aiosqlite://", "names no file"),
        ("sqlite+aiosqlite:///", "names no file"),
        ("sqlite+aiosqlite:///:memory:", "names no file"),
        ("sqlite+aiosqlite:///file:hunter2", "names no file"),
    ],
)
def test_any_other_url_is_refused_without_quoting_it(url: str, said: str) -> None:
    with pytest.raises(StoreUnavailable, match=said) as refused:
        parse_url(url)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
