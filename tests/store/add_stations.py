"""A command beside a running ``serve``: ``python add_stations.py URL COUNT`` registers X0, X1 and so on."""

import asyncio
import sys

from gateway.store.database import Database
from gateway.store.stations import Stations


async def main(url: str, count: int) -> None:
    database = await Database.open(url, exclusive=False)
    stations = Stations(database)
    for number in range(count):
        await stations.add(f"X{number}", profile=1, serial=None, backend=None, password_hash=None)
        print(number, flush=True)
    await database.close()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
