"""What an idTag is answered while its backend is away."""

from datetime import UTC, datetime

import pytest

from gateway.bridge.books import Json
from gateway.bridge.offline_authorization import AuthorizeOffline, nothing_known, offline_info

NOW = datetime(2026, 5, 1, 12, 0, 0, 500_000, tzinfo=UTC)
AT_ONCE: Json = {"status": "Accepted", "expiryDate": "2026-05-01T12:00:00.500Z"}


@pytest.mark.parametrize(
    ("mode", "remembered", "expected"),
    [
        ("refuse", {"status": "Accepted"}, None),
        ("accept", None, AT_ONCE),
        ("accept", {"status": "Blocked"}, AT_ONCE),
        ("cache", None, None),
        ("cache", {"status": "Accepted"}, {"status": "Accepted"}),
        ("cache", {"status": "Invalid", "parentIdTag": "P"}, {"status": "Invalid", "parentIdTag": "P"}),
    ],
)
async def test_each_mode(mode: AuthorizeOffline, remembered: Json | None, expected: Json | None) -> None:
    async def recall(id_tag: str) -> Json | None:
        assert id_tag == "TAG"
        return remembered

    assert await offline_info(mode, recall, NOW, "TAG") == expected


@pytest.mark.parametrize(
    ("expiry", "holds"),
    [
        ("2026-05-01T12:00:01Z", True),
        ("2026-05-01T12:00:00.501Z", True),
        ("2026-05-01T12:00:00.500Z", False),
        ("2026-05-01T12:00:00Z", False),
        ("2026-05-01T14:00:01+02:00", True),
        ("2026-05-01T13:59:59+02:00", False),
        ("2026-05-01T12:00:01", True),
        ("some day", False),
    ],
)
async def test_the_backends_word_holds_until_its_expiry(expiry: str, *, holds: bool) -> None:
    info: Json = {"status": "Accepted", "expiryDate": expiry}

    async def recall(_: str) -> Json | None:
        return info

    assert await offline_info("cache", recall, NOW, "TAG") == (info if holds else None)


async def test_without_a_memory_nothing_is_known() -> None:
    assert await nothing_known("TAG") is None
