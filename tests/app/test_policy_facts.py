"""What rules are told of a station, in both dialects, and whose transaction a number is."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from gateway.app.policy_facts import FactsOf, Ownership
from gateway.bridge.books import Books, Transaction, TransactionState
from gateway.bridge.given_numbers import LAST
from gateway.session.boot import BootGate
from gateway.session.ports import BootStatus, StationRecord
from gateway.wire.versions import Version
from policies.words import Facts

if TYPE_CHECKING:
    from gateway.session.station import Station

OPEN, ENDED = TransactionState.OPEN, TransactionState.ENDED
BOOT_16 = {"chargePointVendor": "Example", "chargePointModel": "AC11", "chargePointSerialNumber": "SN-16"}
BOOT_201 = {
    "reason": "PowerUp",
    "chargingStation": {"vendorName": "Example", "model": "AC22", "serialNumber": "SN-201"},
}


def station(*transactions: Transaction, boot: Any = None, **record: Any) -> Any:
    return SimpleNamespace(
        record=StationRecord("CS1", 2, **record),
        version=Version.V201,
        profile=2,
        remote="192.0.2.7",
        gate=BootGate(BootStatus.ACCEPTED),
        books=Books({tx.station_tx: tx for tx in transactions}),
        boot=boot,
    )


def test_what_is_known_of_a_station() -> None:
    running, over = Transaction("TX1", OPEN, 7), Transaction("TX0", ENDED, 6)
    fake = station(running, over, boot=BOOT_201, serial="SN1", group="north", backend="pinned-but-not-routed")

    assert FactsOf(cast("Station", fake), "legacy")() == Facts(
        "CS1",
        group="north",
        backend="legacy",
        protocol="ocpp2.0.1",
        security_profile=2,
        serial="SN-201",
        vendor="Example",
        model="AC22",
        address="192.0.2.7",
        is_booted=True,
        running=1,
    )


@pytest.mark.parametrize("state", TransactionState)
def test_running_are_those_that_are_not_over(state: TransactionState) -> None:
    tx = Transaction("TX1", state, 7)

    assert FactsOf(cast("Station", station(tx)), "legacy")().running == int(not tx.is_over)


def test_they_are_those_of_now() -> None:
    fake = station(serial="SN1")
    facts = FactsOf(cast("Station", fake), "legacy")
    before = facts()
    fake.boot = BOOT_16
    fake.gate.answered(BootStatus.PENDING)
    fake.books.transactions["TX1"] = Transaction("TX1", OPEN, 7)
    after = facts()

    assert (before.model, before.serial, before.is_booted, before.running) == (None, "SN1", True, 0)
    assert (after.model, after.serial, after.is_booted, after.running) == ("AC11", "SN-16", False, 1)


@pytest.mark.parametrize(
    ("name", "is_own"),
    [
        *(("TX1", True), ("TX0", True), ("TX2", False)),
        *((7, True), (6, True), (8, False), (-1, True), (0, False)),
        *((None, False), (True, False), (7.0, False), ("7", False)),
    ],
)
def test_whose_transaction_it_is(name: object, is_own: bool) -> None:
    books = Books({"TX1": Transaction("TX1", OPEN, 7), "TX0": Transaction("TX0", ENDED, 6), "TX3": Transaction("TX3")})
    owns = Ownership(books)

    assert [owns(name), owns(name)] == [is_own] * 2


def test_a_number_is_known_from_when_the_backend_gives_it_until_it_is_forgotten() -> None:
    books = Books({"TX1": Transaction("TX1")})
    owns = Ownership(books)
    assert not owns(7)

    books.transactions["TX1"].backend_tx = 7
    assert owns(7)

    books.transactions["TX2"] = Transaction("TX2", OPEN, 8)
    assert owns(8)

    del books.transactions["TX1"]
    assert (owns(7), owns(8)) == (False, True)


def test_a_number_that_a_backend_gives_twice_is_the_stations_while_either_is_known() -> None:
    books = Books({"7": Transaction("7", ENDED, 7), "7/2": Transaction("7/2", OPEN, 7)})
    owns = Ownership(books)
    assert owns(7)
    del books.transactions["7/2"]
    assert owns(7)


@pytest.mark.parametrize(
    ("name", "is_own"), [(LAST, True), (7, True), (LAST - 1, True), (LAST - 2, False), ("TX2", True), ("TX3", False)]
)
def test_what_the_quarantine_knows_of_is_its_own_too(name: object, is_own: bool) -> None:
    books = Books({str(LAST): Transaction(str(LAST), OPEN, 7)}, quarantined={str(LAST - 1): "digest", "TX2": "digest"})
    owns = Ownership(books)

    assert [owns(name), owns(name)] == [is_own] * 2
