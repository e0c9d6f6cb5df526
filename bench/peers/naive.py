"""The naive gateway: what one builds in a day with the `ocpp` package on `websockets`.

OCPP 2.0.1 comes in over TLS, OCPP 1.6 goes out; both sides' schemas are checked by the package, as it does by default.
Every station has the same password. It journals nothing, has no policy and forgets its transactions when it ends. For
what speed it can have: uvloop, no compression, no logging.
``python -m bench.peers.naive CHAIN KEY BACKEND_URL PASSWORD`` prints its port.
"""

import asyncio
import logging
import ssl
import sys
from typing import Any

import uvloop
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, basic_auth, serve

from gateway.demo.typed_ocpp import ChargePoint16, ChargePoint201, call16, on, result201


class Gateway(ChargePoint201):  # type: ignore[misc]  # the package has no types
    """One station: a CSMS for it, a charge point for the backend."""

    def __init__(self, name: str, station: Any, backend: Any) -> None:
        super().__init__(name, station)
        self.backend = ChargePoint16(name, backend)
        self.transactions: dict[str, int] = {}

    @on("BootNotification")
    async def on_boot(self, charging_station: dict[str, Any], **_: Any) -> Any:
        said = await self.backend.call(
            call16.BootNotification(charging_station["model"], charging_station["vendor_name"])
        )
        return result201.BootNotification(said.current_time, said.interval, said.status)

    @on("Heartbeat")
    async def on_heartbeat(self) -> Any:
        return result201.Heartbeat((await self.backend.call(call16.Heartbeat())).current_time)

    @on("StatusNotification")
    async def on_status(self, timestamp: str, connector_status: str, evse_id: int, **_: Any) -> Any:
        status = "Preparing" if connector_status == "Occupied" else connector_status
        await self.backend.call(call16.StatusNotification(evse_id, "NoError", status, timestamp))
        return result201.StatusNotification()

    @on("TransactionEvent")
    async def on_event(self, event_type: str, timestamp: str, transaction_info: dict[str, Any], **more: Any) -> Any:
        name = transaction_info["transaction_id"]
        readings = [_reading(each) for each in more.get("meter_value", [])]
        energy = int(float(readings[0]["sampledValue"][0]["value"]))
        if event_type == "Started":
            tag = more["id_token"]["id_token"]
            said = await self.backend.call(call16.StartTransaction(more["evse"]["id"], tag, energy, timestamp))
            self.transactions[name] = said.transaction_id
            return result201.TransactionEvent(id_token_info={"status": said.id_tag_info["status"]})
        if event_type == "Updated":
            await self.backend.call(call16.MeterValues(more["evse"]["id"], readings, self.transactions[name]))
        else:
            await self.backend.call(call16.StopTransaction(energy, timestamp, self.transactions.pop(name)))
        return result201.TransactionEvent()


def _reading(said: dict[str, Any]) -> dict[str, Any]:
    """A meter value of 2.0.1 as 1.6 has it: values are texts, the unit is one of them."""
    samples = [
        {name: each[name] for name in ("context", "measurand", "phase", "location") if name in each}
        | {"value": str(each["value"]), "unit": each.get("unit_of_measure", {}).get("unit", "Wh")}
        for each in said["sampled_value"]
    ]
    return {"timestamp": said["timestamp"], "sampledValue": samples}


async def main(chain: str, key: str, backend_url: str, password: str) -> None:
    """Serve until the process is ended."""

    async def handle(station: ServerConnection) -> None:
        name = station.request.path.rpartition("/")[2] if station.request else ""
        protocols: Any = ["ocpp1.6"]
        async with connect(f"{backend_url}/{name}", subprotocols=protocols, compression=None) as backend:
            gateway = Gateway(name, station, backend)
            await asyncio.gather(gateway.start(), gateway.backend.start())

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(chain, key)
    protocols: Any = ["ocpp2.0.1"]
    more: Any = {"compression": None, "process_request": basic_auth(check_credentials=lambda _, said: said == password)}
    async with serve(handle, "127.0.0.1", 0, ssl=tls, subprotocols=protocols, **more) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    logging.disable()
    uvloop.run(main(*sys.argv[1:]))
