"""The nine states of a 1.6 connector out of the five of 2.0.1 and the transaction that runs there, as tables."""

import enum
from typing import Final

from gateway.bridge.books import Transaction


class Phase(enum.Enum):
    """Where the use of a connector stands, as its transaction tells."""

    __hash__ = object.__hash__
    """As of :class:`gateway.bridge.books.Page`."""

    NONE = "no transaction"
    AUTHORIZED = "a token was accepted, no cable yet"
    PLUGGED = "the cable is in, no energy yet"
    CHARGING = "charging"
    SUSPENDED_EV = "suspended by the vehicle"
    SUSPENDED_EVSE = "suspended by the station"
    PAUSED = "energy flowed, none is offered now"
    DEAUTHORIZED = "the authorization has ended, the transaction has not"
    ENDED = "the transaction has ended, the cable is still in"


_OFFERING: Final = {
    "Charging": Phase.CHARGING,
    "SuspendedEV": Phase.SUSPENDED_EV,
    "SuspendedEVSE": Phase.SUSPENDED_EVSE,
}
"""chargingState in which the power path is closed or only suspended."""

CABLE_IN: Final = frozenset({"EVConnected", *_OFFERING})
"""chargingState that can't be without a cable."""

OCCUPIED: Final = {
    Phase.NONE: "Preparing",
    Phase.AUTHORIZED: "Preparing",
    Phase.PLUGGED: "Preparing",
    Phase.CHARGING: "Charging",
    Phase.SUSPENDED_EV: "SuspendedEV",
    Phase.SUSPENDED_EVSE: "SuspendedEVSE",
    Phase.PAUSED: "SuspendedEVSE",
    Phase.DEAUTHORIZED: "Finishing",
    Phase.ENDED: "Finishing",
}
_STATION_ITSELF: Final = {"Unavailable": "Unavailable", "Faulted": "Faulted"}
"""connectorId 0 knows no other states but Available (OCPP 1.6, 4.9)."""


def phase_of(tx: Transaction | None, *, finishing: bool) -> Phase:
    """Return the phase of a connector: ``tx`` runs there now; ``finishing``: one has ended, the cable is still in."""
    if tx is None:
        return Phase.ENDED if finishing else Phase.NONE
    offering = _OFFERING.get(tx.charging_state or "")
    if offering is not None:
        return offering
    if tx.deauthorized:
        return Phase.DEAUTHORIZED
    if tx.energy_flowed:
        return Phase.PAUSED
    return Phase.PLUGGED if tx.charging_state == "EVConnected" else Phase.AUTHORIZED


def recall(tx: Transaction, status: str | None) -> None:
    """Bring a running transaction to where it was when its connector was in this 1.6 ``status``."""
    if status in _OFFERING:
        tx.charging_state = status
        tx.energy_flowed |= status == "Charging"
    elif status == "Finishing":
        tx.deauthorized = True
        tx.charging_state = "EVConnected"


def derive(connector_status: str, phase: Phase) -> str:
    """Return the 1.6 status of a connector whose 2.0.1 connectorStatus is ``connector_status``.

    Available while a transaction has its cable in means that the cable has just left: the end of it is on its way.
    """
    if connector_status == "Occupied":
        return OCCUPIED[phase]
    if connector_status == "Available" and phase is Phase.AUTHORIZED:
        return "Preparing"
    return connector_status


def derive_station(connector_status: str) -> str:
    """Return the 1.6 status of connectorId 0 for ChargingStation.AvailabilityState."""
    return _STATION_ITSELF.get(connector_status, "Available")
