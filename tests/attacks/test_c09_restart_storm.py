"""Attack C9: the gateway is killed, and all of its stations come back at once."""

import asyncio
import contextlib
import json
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from tests.system.stations import Registered, certify, register, station_ca

BY_CERTIFICATE: Final = 180
BY_PASSWORD: Final = 20
"""An scrypt each, twice: the process that starts has no proof of anybody yet."""
CHARGING: Final = 20
"""The first of them have a transaction that runs."""
AT_ONCE: Final = 40
"""Connections that are made at once before the kill; afterwards it is all of them."""
DEADLINE: Final = 15.0
"""Seconds from the moment when the gateway serves again until the last station is served."""


class Crowd:
    """Stations with their credentials, and the connections that they have."""

    def __init__(self, gateway: Any) -> None:
        self.gateway = gateway
        self.stations: list[tuple[Registered, dict[str, Any]]] = []
        self.present: list[Any] = []

    async def register(self, folder: Path) -> None:
        issuer = station_ca(self.gateway)

        async def one(number: int) -> tuple[Registered, dict[str, Any]]:
            profile = 3 if number % 10 else 2
            station = await register(self.gateway, f"CS{number}", profile=profile)
            return station, {"certificate": certify(folder, issuer, station.serial)} if profile == 3 else {}

        for start in range(0, BY_CERTIFICATE + BY_PASSWORD, AT_ONCE):
            self.stations += await asyncio.gather(*(one(number) for number in range(start, start + AT_ONCE)))

    async def come(self, stack: AsyncExitStack, at_once: int) -> None:
        """Connect all of them, so many at a time; whoever isn't let in fails it."""
        turn = asyncio.Semaphore(at_once)

        async def one(station: Registered, credentials: dict[str, Any]) -> Any:
            async with turn:
                coming = station.comes(open_timeout=DEADLINE, **credentials)
                return await stack.enter_async_context(coming)

        self.present = await asyncio.gather(*(one(*each) for each in self.stations))

    async def all_are_served(self) -> bool:
        pairs = zip(self.stations, self.present, strict=True)
        return all(await asyncio.gather(*(station.is_served(here) for (station, _), here in pairs)))

    def admitted(self) -> Counter[str]:
        """Return how often the process that runs now has let each in."""
        lines = [json.loads(line) for line in self.gateway.log.splitlines() if line.startswith("{")]
        assert [line for line in lines if line["event"] == "not_admitted"] == []
        return Counter(line["identity"] for line in lines if line["event"] == "admitted")


def registers(backend: Any, action: str, name: str) -> Counter[int]:
    """Return the registers that the backend was told with a transaction's start or stop, and how often each."""
    return Counter(payload[name] for heard, payload in backend.log if heard == action)


@pytest.mark.timeout(180)
async def test_all_are_in_none_twice_and_no_transaction_is_lost_or_doubled(
    new_deployment: Callable[[], AbstractAsyncContextManager[Any]],
    transaction_event: Callable[..., dict[str, Any]],
    tmp_path: Path,
) -> None:
    token = {"idToken": "TAG1", "type": "ISO14443"}

    def started(number: int) -> dict[str, Any]:
        evse = {"id": 1, "connectorId": 1}
        return transaction_event("Started", 0, wh=1000 + number, tx=f"tx-{number}", idToken=token, evse=evse)

    def ended(number: int) -> dict[str, Any]:
        return transaction_event("Ended", 2, wh=5000 + number, tx=f"tx-{number}")

    on_their_way = range(0, CHARGING, 2)
    # It slows these two hundred clients down, who share the processors with what is tested.
    asyncio.get_running_loop().set_debug(False)
    async with new_deployment() as gateway, AsyncExitStack() as outer:
        await gateway.start()
        crowd = Crowd(gateway)
        await crowd.register(tmp_path)
        before = await outer.enter_async_context(AsyncExitStack())
        await crowd.come(before, AT_ONCE)
        pairs = list(zip(crowd.stations, crowd.present, strict=True))
        assert set(await asyncio.gather(*(station.boots(here) for (station, _), here in pairs))) == {"Accepted"}
        for number in range(CHARGING):
            await crowd.present[number].call("TransactionEvent", started(number))
        # These are on their way when the gateway dies: nobody knows what became of them.
        for number in on_their_way:
            await crowd.present[number].send(json.dumps([2, f"last-{number}", "TransactionEvent", ended(number)]))
        await gateway.stop(signal.SIGKILL)
        with contextlib.suppress(Exception):
            await before.aclose()

        await gateway.start()
        began = time.monotonic()
        await crowd.come(outer, len(crowd.stations))
        assert await crowd.all_are_served()
        assert time.monotonic() - began < DEADLINE
        await gateway.logged("admitted", times=len(crowd.stations))
        assert crowd.admitted() == {station.identity: 1 for station, _ in crowd.stations}
        for number in range(CHARGING):
            assert (await crowd.present[number].call("TransactionEvent", ended(number)))[0] == 3
        # One that was safe before the kill is answered at once, and may still be on its way to the backend.
        told: set[int] = set()
        while len(told) < CHARGING:
            told.add((await gateway.backend.expect("StopTransaction"))["meterStop"])
        starts = registers(gateway.backend, "StartTransaction", "meterStart")
        assert starts == {1000 + number: 1 for number in range(CHARGING)}
        # What was on its way may be told again, identically: the backend knows it by its transactionId.
        stops = registers(gateway.backend, "StopTransaction", "meterStop")
        assert set(stops) == {5000 + number for number in range(CHARGING)}
        assert {meter for meter, times in stops.items() if times > 1} <= {5000 + number for number in on_their_way}
        ids = {payload["transactionId"] for heard, payload in gateway.backend.log if heard == "StopTransaction"}
        assert len(ids) == CHARGING
