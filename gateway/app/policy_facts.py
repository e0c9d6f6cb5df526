"""What the rules of a policy are told of a station: asked only by rules that name it."""

from typing import Final, Protocol

from gateway.bridge.books import Books, Json, Transaction, TransactionState
from gateway.session.boot import BootGate
from gateway.session.nameplate import Nameplate, nameplate
from gateway.session.ports import StationRecord
from gateway.wire.versions import Version
from policies.words import Facts

_STOPPING, _ENDED = TransactionState.STOPPING, TransactionState.ENDED
NEVER_STARTED: Final = -1
"""transactionId of a StopTransaction whose start no backend took (OCPP 1.6 errata): it names nobody's transaction."""


class Known(Protocol):
    """What is known of a station, be it here or not."""

    @property
    def record(self) -> StationRecord:
        """What the registry says of it."""

    @property
    def version(self) -> Version:
        """The OCPP version that it speaks, or spoke last."""

    @property
    def profile(self) -> int:
        """The security profile of its present, or last, connection."""

    @property
    def remote(self) -> str:
        """The address of that."""

    @property
    def gate(self) -> BootGate:
        """Whether it has booted."""

    @property
    def books(self) -> Books:
        """Its transactions."""

    @property
    def boot(self) -> Json | None:
        """What it said of itself when it last booted."""


class AbsentStation:
    """A station that has no runtime now, as the store knows it."""

    def __init__(self, record: StationRecord, books: Books) -> None:
        self.record = record
        self.version = record.version or Version.V201
        self.profile = record.minimum_profile
        self.remote = ""
        self.gate = BootGate(record.boot_status)
        self.books = books
        self.boot = record.boot_payload


class FactsOf:
    """Gathers what is known of one station now."""

    def __init__(self, station: Known, backend: str) -> None:
        """``backend``: the name of the one that the station has, by whatever route."""
        self._station = station
        self._backend = backend
        self._boot: Json | None = None
        self._nameplate = Nameplate()

    def revision(self) -> object:
        """Return what is another object when something that rules ask of the station is another."""
        return self._station.record

    def __call__(self) -> Facts:
        station, record = self._station, self._station.record
        if station.boot is not self._boot:
            self._boot, self._nameplate = station.boot, nameplate(station.boot)
        plate = self._nameplate
        return Facts(
            record.identity,
            group=record.group,
            backend=self._backend,
            protocol=station.version.value,
            security_profile=station.profile,
            serial=plate.serial or record.serial,
            vendor=plate.vendor,
            model=plate.model,
            address=station.remote,
            is_booted=station.gate.is_open,
            running=_running(station.books),
        )


def _running(books: Books) -> int:
    """Count what isn't over (:attr:`Transaction.is_over`), without a look-up of the states' names for each."""
    states = [tx.state for tx in books.transactions.values()]
    return len([state for state in states if state is not _STOPPING and state is not _ENDED])


class Ownership:
    """Tells whether a transactionId is one of a station's: its own name for it, or the backend's number.

    So is one whose begin is in the quarantine: what is said of it follows it there. A station has some hundred
    transactions, and a rule may ask at each message: numbers are looked up in an index that is made anew when one isn't
    found in it.
    """

    def __init__(self, books: Books) -> None:
        self._books = books
        self._by_number: dict[int | None, Transaction] = {}

    def __call__(self, number: object) -> bool:
        books = self._books
        if isinstance(number, str):
            return number in books.transactions or number in books.quarantined
        if type(number) is not int:
            return False
        if number == NEVER_STARTED or self._is_known(number):
            return True
        self._by_number = {}
        for tx in books.transactions.values():
            self._by_number[tx.backend_tx] = self._by_number[tx.station_number] = tx
        return number in self._by_number or str(number) in books.quarantined

    def _is_known(self, number: int) -> bool:
        tx = self._by_number.get(number)
        if tx is None or self._books.transactions.get(tx.station_tx) is not tx:
            return False
        return number in {tx.backend_tx, tx.station_number}
