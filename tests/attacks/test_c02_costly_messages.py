"""Attack C2: messages within every limit that are dear to work through. No other station may wait for them."""

import time
from typing import Any

from gateway.bridge.books import Books, Connector
from gateway.bridge.v201_v16 import Settings, V201ToV16
from gateway.bridge.v201_v16.connectors import CONNECTORS_MAX

AT = "2026-01-01T00:00:00Z"
BLOCKED_MAX = 1.0
"""s without a turn for anybody else: far above what it takes, far below the 13 s that it took."""


async def _nothing(*_: Any) -> Any:
    return {}


def _problem(number: int) -> dict[str, Any]:
    return {
        "eventId": number,
        "timestamp": AT,
        "trigger": "Alerting",
        "actualValue": "1",
        "eventNotificationType": "HardWiredNotification",
        "component": {"name": f"c{number % 256}", "evse": {"id": 1, "connectorId": 200}},
        "variable": {"name": "b"},
    }


async def test_a_thousand_problems_of_a_station_with_every_connector_faulted() -> None:
    """One NotifyEvent of 200 KB once blocked the event loop for 13 s."""
    told = {"status": "Faulted", "errorCode": "OtherError"}
    plugs = {(1, n): Connector(1, n, n, "Faulted", told) for n in range(1, CONNECTORS_MAX)}
    bridge = V201ToV16(
        books=Books(connectors=plugs),
        ledger=None,  # type: ignore[arg-type]  # no transaction takes part
        call_station=_nothing,
        call_backend=_nothing,
        note=lambda topic, text: None,
        clock=None,  # type: ignore[arg-type]  # nothing asks for the time
        settings=Settings(),
        save_connector=_nothing,
        save_page=_nothing,
        afterwards=lambda follow_up: None,
    )
    began = time.process_time()
    answer = await bridge.from_station(
        "NotifyEvent", {"generatedAt": AT, "seqNo": 0, "eventData": [_problem(n) for n in range(900)]}
    )
    assert answer == {}
    assert time.process_time() - began < BLOCKED_MAX
