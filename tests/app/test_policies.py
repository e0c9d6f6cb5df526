"""The policies in force, and what they are told of a station."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from gateway.app.policies import PoliciesInForce, facts_of, owns
from gateway.app.problems import StartFailed
from gateway.bridge.books import Books, Transaction, TransactionState
from gateway.bridge.given_numbers import LAST
from gateway.config import Config
from gateway.session.boot import BootGate
from gateway.session.ports import BootStatus, StationRecord
from gateway.wire.versions import Version
from policies.words import PASSED, Facts, Kind, Stage

if TYPE_CHECKING:
    from gateway.session.station import Station

Configured = Callable[..., Config]


def station(*transactions: Transaction, **record: Any) -> "Station":
    fake = SimpleNamespace(
        record=StationRecord("CS1", 2, **record),
        version=Version.V201,
        profile=2,
        remote="192.0.2.7",
        gate=BootGate(BootStatus.ACCEPTED),
        books=Books({tx.station_tx: tx for tx in transactions}),
    )
    return cast("Station", fake)


def test_a_broken_policy_never_starts_the_gateway(configured: Configured, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("name: own\nrulez: []\n")

    with pytest.raises(StartFailed, match=r"policy: .*own\.yaml.*rulez"):
        PoliciesInForce(configured(policy="own.yaml"))


def test_what_no_rule_concerns_passes(configured: Configured) -> None:
    guard = PoliciesInForce(configured()).guard(station())

    assert guard.inspect(Stage.FROM_STATION, Kind.CALL, "ocpp2.0.1", "Heartbeat", {}) is PASSED


def test_what_is_known_of_a_station() -> None:
    running = Transaction("TX1", TransactionState.OPEN, 7)
    over = Transaction("TX0", TransactionState.ENDED, 6)

    assert facts_of(station(running, over, serial="SN1", group="north", backend="legacy"))() == Facts(
        "CS1",
        group="north",
        backend="legacy",
        protocol="ocpp2.0.1",
        security_profile=2,
        serial="SN1",
        address="192.0.2.7",
        is_booted=True,
        running=1,
    )


@pytest.mark.parametrize(("number", "is_own"), [("TX1", True), ("TX2", False), (7, True), (8, False)])
def test_whose_transaction_it_is(number: object, is_own: bool) -> None:
    assert owns(station(Transaction("TX1", TransactionState.OPEN, 7)), number) is is_own


@pytest.mark.parametrize(("number", "is_own"), [(LAST, True), (LAST - 1, True), (LAST - 2, False), ("TX2", True)])
def test_what_the_quarantine_knows_of_is_its_own_too(number: object, is_own: bool) -> None:
    known = station(Transaction(str(LAST), TransactionState.OPEN, 7))
    known.books.quarantined.update({str(LAST - 1): "digest", "TX2": "digest"})
    assert owns(known, number) is is_own
