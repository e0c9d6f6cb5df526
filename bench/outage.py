"""The journals of 1,000 stations after an hour without their backend: how fast they are delivered when it is back.

Each station holds one session of that hour: StartTransaction, a MeterValues every five minutes, StopTransaction. The
gateway is a real ``voltgate serve`` that finds them in its store; the backend, a process of its own, answers so many
messages a second, or as many as it can. Journals drain at the backend's speed when the time comes out as messages
divided by that number.
"""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from bench import fleet, handshakes, servers
from gateway.bridge.books import Json, Transaction, TransactionState
from gateway.store.database import Database
from gateway.store.journal import Journal
from gateway.store.stations import Stations

STATIONS: Final = 1_000
OUTAGE: Final = timedelta(hours=1)
BETWEEN: Final = timedelta(minutes=5)
SPEEDS: Final = (200, 400, 0)
"""Messages that the backend answers a second; 0: as many as it can."""
BEGAN: Final = datetime(2026, 1, 1, tzinfo=UTC)
WH_A_STEP: Final = 917


def messages() -> list[tuple[str, Json]]:
    """Return (action, payload) of one session, in order, as the bridge hands them to the journal."""
    steps = OUTAGE // BETWEEN
    moments = [(BEGAN + BETWEEN * step).isoformat().replace("+00:00", "Z") for step in range(steps + 1)]
    start: Json = {"connectorId": 1, "idTag": "D0A1B2C3", "meterStart": 0, "timestamp": moments[0]}
    stop: Json = {"meterStop": WH_A_STEP * steps, "timestamp": moments[-1], "reason": "Local"}
    meters = [
        {"connectorId": 1, "meterValue": [{"timestamp": at, "sampledValue": [{"value": str(WH_A_STEP * step)}]}]}
        for step, at in enumerate(moments[1:-1], 1)
    ]
    return [("StartTransaction", start), *(("MeterValues", each) for each in meters), ("StopTransaction", stop)]


async def fill(deployment: Path, names: Sequence[str]) -> int:
    """Write the journals, through the store that the gateway uses; return how many messages they hold."""
    database = await Database.open(f"sqlite+aiosqlite:///{deployment / 'voltgate.db'}", exclusive=False)
    session = messages()
    try:
        stations, journal = Stations(database), Journal(database)

        async def one(name: str) -> None:
            epoch = await stations.take(name, 0)
            tx = Transaction(f"TX-{name}", TransactionState.STARTING, evse_id=1, connector_id=1, id_tag="D0A1B2C3")
            for action, payload in session:
                if action == "StopTransaction":
                    tx.state = TransactionState.STOPPING
                await journal.append(name, epoch, tx, action, payload)

        await asyncio.gather(*(one(name) for name in names))
    finally:
        await database.close()
    return len(names) * len(session)


def drain(scratch: Path, names: Sequence[str], per_second: int) -> dict[str, Any]:
    """Let one gateway deliver what it finds; return the figures. SystemExit when anything came wrong."""
    (folder,) = handshakes.prepare(scratch, list(names), 1)
    count = asyncio.run(fill(folder, names))
    with (
        servers.ledger(count, per_second) as (backend_port, result),
        servers.gateway(folder, backend_port, {"VOLTGATE__LOG__LEVEL": "warning"}) as server,
    ):
        said = json.loads(result())
        spent = server.settle()
    if said["faults"]:
        raise SystemExit(f"{len(said['faults'])} messages came wrong; the first: {said['faults'][0]}")
    return {
        "messages": count,
        "per_second": per_second,
        "seconds": round(said["seconds"], 2),
        "delivered_per_second": round(count / said["seconds"]),
        "gateway_cpu_us_per_message": round(spent / count * 1e6),
        "backend_cpu_us_per_message": round(said["cpu"] / count * 1e6),
    }


def main() -> None:
    """Print a line for each speed and write ``bench/results/outage.json``. Only on Linux."""
    names = fleet.identities(STATIONS, "O")
    found = []
    for speed in SPEEDS:
        with tempfile.TemporaryDirectory() as scratch:
            found.append(drain(Path(scratch), names, speed))
        one = found[-1]
        print(
            f"{one['messages']} messages of {STATIONS} stations, backend answers {speed or 'as fast as it can'}: "
            f"{one['seconds']} s, {one['delivered_per_second']} a second; CPU a message: gateway "
            f"{one['gateway_cpu_us_per_message']} us, backend {one['backend_cpu_us_per_message']} us"
        )
    result = {"machine": servers.machine(), "stations": STATIONS, "drains": found}
    handshakes.RESULTS.mkdir(exist_ok=True)
    (handshakes.RESULTS / "outage.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
