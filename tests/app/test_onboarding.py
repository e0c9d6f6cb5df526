"""Unknown identities on their way to the operator: written down in the background, bounded."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.app.onboarding import WAITING_MAX, Onboarding
from gateway.app.tasks import Tasks
from gateway.session.ports import StoreAway
from gateway.wire.versions import Version

SHOWN = {
    "tls": "TLSv1.3 x",
    "certificate_subject": "CN=SN9,O=Maker",
    "certificate_name": "SN9",
    "certificate_fingerprint": "ab",
}


class Book:
    def __init__(self) -> None:
        self.seen_ones: list[tuple[str, dict[str, Any]]] = []
        self.outcome: bool | Exception = True

    async def seen(self, identity: str, **presented: Any) -> bool:
        self.seen_ones.append((identity, presented))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    made = Tasks()
    yield made
    await made.close()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("presented", "profile", "serial", "version"),
    [
        (SHOWN, 3, "SN9", None),
        ({"tls": "TLSv1.3 x", "offered": "ocpp9, ocpp1.6, ocpp2.0.1"}, 2, None, Version.V16),
        ({"offered": "ocpp2.0.1"}, 1, None, Version.V201),
    ],
)
async def test_what_it_presented_is_kept(
    tasks: Tasks, presented: dict[str, str], profile: int, serial: str | None, version: Version | None
) -> None:
    book = Book()
    Onboarding(book, tasks).note_pending("CS9", presented, "192.0.2.1")
    await settled()
    assert book.seen_ones == [
        (
            "CS9",
            {
                "remote": "192.0.2.1",
                "profile": profile,
                "serial": serial,
                "subject": presented.get("certificate_subject"),
                "fingerprint": presented.get("certificate_fingerprint"),
                "version": version,
            },
        )
    ]


async def test_a_flood_is_cut(tasks: Tasks) -> None:
    book = Book()
    onboarding = Onboarding(book, tasks)
    for number in range(WAITING_MAX + 10):
        onboarding.note_pending(f"CS{number}", {}, "192.0.2.1")
    await settled()
    assert len(book.seen_ones) == WAITING_MAX
    onboarding.note_pending("CS-later", {}, "192.0.2.1")
    await settled()
    assert book.seen_ones[-1][0] == "CS-later"


@pytest.mark.parametrize(
    ("outcome", "event"), [(False, "pending_stations_full"), (StoreAway("gone"), "pending_station_not_kept")]
)
async def test_what_cannot_be_kept_is_logged(tasks: Tasks, outcome: bool | Exception, event: str) -> None:
    book = Book()
    book.outcome = outcome
    with capture_logs() as lines:
        Onboarding(book, tasks).note_pending("CS9", {}, "192.0.2.1")
        await settled()
    assert [line["event"] for line in lines] == [event]
