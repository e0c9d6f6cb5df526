"""The registers of a station's transactions that are newer than the store's."""

from collections.abc import Callable, Mapping

from gateway.bridge.books import Transaction
from gateway.session.ports import Register


class Registers:
    """Those of one station: their meter values went straight to the backend, which costs no write."""

    __slots__ = ("_epoch", "_identity", "_transactions", "_unsaved")

    def __init__(self, identity: str, epoch: Callable[[], int], transactions: Mapping[str, Transaction]) -> None:
        self._identity = identity
        self._epoch = epoch
        self._transactions = transactions
        self._unsaved: dict[str, Transaction] = {}

    def went_through(self, tx: Transaction) -> None:
        """The backend has a meter value of ``tx``, and the store hasn't."""
        self._unsaved[tx.station_tx] = tx

    def saved(self, tx: Transaction) -> None:
        """The store has ``tx`` as it is."""
        self._unsaved.pop(tx.station_tx, None)

    def take(self) -> list[Register]:
        """Return them, each once; the caller saves them."""
        unsaved, self._unsaved = self._unsaved, {}
        return [
            Register(self._identity, self._epoch(), tx.station_tx, tx.last_register)
            for tx in unsaved.values()
            if tx.last_register is not None
        ]

    def give_back(self, register: Register) -> None:
        """The store didn't take it: it is there again at the next :meth:`take`, or a newer one of its transaction."""
        tx = self._transactions.get(register.station_tx)
        if tx is not None:
            self._unsaved[tx.station_tx] = tx
