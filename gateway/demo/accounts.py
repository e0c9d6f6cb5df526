"""The books of the demo's 1.6 backend: which sessions it knows, and what it will bill."""

from dataclasses import dataclass, field
from typing import Any, Final

from gateway.demo.meter import REGISTER

WH_PER: Final = {"Wh": 1.0, "kWh": 1000.0}
"""Units that an energy register may come in (OCPP 1.6 UnitOfMeasure; absent: Wh)."""


class AccountFault(Exception):
    """A message that doesn't fit the books; the text says how."""


@dataclass(slots=True)
class Transaction:
    """One session of the ledger; registers in Wh."""

    number: int
    station: str
    connector: int
    id_tag: str
    start: int
    samples: list[int] = field(default_factory=list)
    stop: int | None = None

    def account(self) -> dict[str, Any]:
        """Return the session as the backend will bill it."""
        return {"id_tag": self.id_tag, "start": self.start, "samples": self.samples, "stop": self.stop}


class Accounts:
    """Gives transactionIds in sequence and books what comes. ``lose`` Wh are booked short at each stop."""

    def __init__(self, *, lose: int = 0) -> None:
        self._lose = lose
        self._transactions: dict[int, Transaction] = {}
        self._starts: dict[tuple[Any, ...], Transaction] = {}

    def start(self, station: str, connector: int, id_tag: str, register: int, timestamp: str) -> Transaction:
        """Book StartTransaction; one that is repeated identically is the same session, as in the field."""
        key = (station, connector, id_tag, register, timestamp)
        known = self._starts.get(key)
        if known is not None:
            return known
        if connector < 1:
            raise AccountFault(f"StartTransaction on connector {connector}")
        running = [
            each.number
            for each in self._transactions.values()
            if (each.station, each.connector, each.stop) == (station, connector, None)
        ]
        if running:
            raise AccountFault(f"StartTransaction on connector {connector} while transaction {running[0]} runs there")
        transaction = Transaction(len(self._transactions) + 1, station, connector, id_tag, register)
        self._transactions[transaction.number] = transaction
        self._starts[key] = transaction
        return transaction

    def sample(self, station: str, number: int, meter_values: list[dict[str, Any]]) -> list[int]:
        """Book the energy registers in MeterValues of a running transaction, and return them in Wh."""
        transaction = self._running(station, number)
        found = [
            round(float(sample["value"]) * WH_PER[sample.get("unit", "Wh")])
            for value in meter_values
            for sample in value["sampled_value"]
            if sample.get("measurand", REGISTER) == REGISTER
            and sample.get("context", "Sample.Periodic") == "Sample.Periodic"
        ]
        transaction.samples += found
        return found

    def stop(self, station: str, number: int, register: int) -> Transaction:
        """Book StopTransaction."""
        transaction = self._running(station, number)
        if register < transaction.start:
            raise AccountFault(f"transaction {number} stops at {register} Wh, before its start at {transaction.start}")
        transaction.stop = register - self._lose
        return transaction

    def _running(self, station: str, number: int) -> Transaction:
        transaction = self._transactions.get(number)
        if transaction is None or transaction.station != station:
            raise AccountFault(f"{station} has no transaction {number}")
        if transaction.stop is not None:
            raise AccountFault(f"transaction {number} has ended already")
        return transaction
