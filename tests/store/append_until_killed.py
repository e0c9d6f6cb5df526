"""A process that works a journal until it is killed: ``python append_until_killed.py URL IDENTITY EPOCH``.

It prints ``+ID`` when an append has returned and ``-ID`` when a settle has: from then on that must be durable. ``?ID``
says that a settle begins.
"""

import asyncio
import sys

from gateway.bridge.books import Transaction, TransactionState
from gateway.store.database import Database
from gateway.store.journal import Journal


async def main(url: str, identity: str, epoch: int) -> None:
    database = await Database.open(url, exclusive=True)
    journal = Journal(database)
    tx = Transaction("T1", TransactionState.OPEN)
    while True:
        entries = []
        for _ in range(3):
            tx.last_seq_no += 1
            entries.append(await journal.append(identity, epoch, tx, "MeterValues", {"seqNo": tx.last_seq_no}))
            print(f"+{entries[-1].id}", flush=True)
        print(f"?{entries[0].id}", flush=True)
        await journal.settle(entries[0], epoch, tx)
        print(f"-{entries[0].id}", flush=True)


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
