"""What is opened for firmware: nothing, an endpoint, updates, or both."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.app.firmware_delivery import FirmwareDelivery
from gateway.app.foundation import Foundation
from gateway.session.tally import Tally
from tests.services.conftest import KeptEvents
from tests.services.firmware_town import Catalogue, UpdatedStation

FILES = {
    "bind": "127.0.0.1:0",
    "public_url": "http://files.example.com:8444",
    "plain": True,
    "trusted_networks": ["127.0.0.0/8"],
}
FIRMWARE = {"manufacturers": {"m": {"roots": "roots.pem"}}}


class Parts:
    """A catalogue, as far as it matters here."""

    catalogue = Catalogue()
    manufacturers: Any = SimpleNamespace(of_vendor=lambda _: None)
    files: Any = None


@pytest.fixture
def delivery(foundation: Foundation, configured: Callable[..., Any], tmp_path: Any) -> Callable[..., FirmwareDelivery]:
    (tmp_path / "roots.pem").write_text("")

    def make(**sections: Any) -> FirmwareDelivery:
        config = configured(**sections)
        return FirmwareDelivery(
            config,
            foundation.stations._database,
            cast("Any", Parts()) if config.firmware is not None else None,
            KeptEvents(),
            Tally(),
            foundation.tasks,
            live=lambda _: None,
        )

    return make


@pytest.mark.parametrize(
    ("sections", "updates", "links"),
    [
        ({}, False, False),
        ({"firmware": FIRMWARE}, False, False),
        ({"firmware": FIRMWARE | {"serve": "original"}}, True, False),
        ({"files": FILES}, False, True),
        ({"firmware": FIRMWARE, "files": FILES}, True, True),
    ],
)
async def test_what_there_is(
    delivery: Callable[..., FirmwareDelivery], sections: Any, updates: bool, links: bool
) -> None:
    made = delivery(**sections)
    station = cast("Any", UpdatedStation())

    assert (made.updates is not None, made.links is not None) == (updates, links)
    assert (made.campaigns is not None) is updates
    assert (made.desk(station, "legacy") is not None) is updates
    await made.load()
    made.opened(station)
    assert made.connections is None


async def test_the_endpoint_is_open_as_long_as_it_is_to_be(delivery: Callable[..., FirmwareDelivery]) -> None:
    made = delivery(files=FILES)

    async with AsyncExitStack() as stack:
        (line,) = await made.open(stack)
        assert (line.startswith("listening http://127.0.0.1:"), line.endswith(" files")) == (True, True)
        assert made.connections == 0


async def test_without_the_section_nothing_is_opened(delivery: Callable[..., FirmwareDelivery]) -> None:
    async with AsyncExitStack() as stack:
        assert await delivery().open(stack) == []
