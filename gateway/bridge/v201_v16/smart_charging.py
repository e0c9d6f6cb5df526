"""Smart charging (block K): SetChargingProfile, ClearChargingProfile and GetCompositeSchedule of the backend."""

from dataclasses import dataclass
from typing import Final

from gateway.bridge.books import Books, Json, Transaction, TransactionState
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.timestamps import utc
from gateway.bridge.v201_v16.charging_profiles import (
    PURPOSES,
    STATION_MAX,
    TX,
    enter,
    entry_of,
    forget,
    profile_for,
    rivals,
)
from gateway.bridge.v201_v16.connectors import evse_of, of_evse
from gateway.bridge.v201_v16.context import UNSUPPORTED, Context
from gateway.wire.errors import CallError

_DUPLICATE: Final = "DuplicateProfile"
"""reasonCode of a station that has a profile in the same place (K01.FR.06, FR.39, FR.52, FR.53)."""
_TX_DEFAULT: Final = PURPOSES["TxDefaultProfile"]


@dataclass(frozen=True, slots=True)
class _Order:
    """A SetChargingProfile, read: what the station is asked, and the transaction that a TxProfile is for."""

    request: Json
    tx: Transaction | None

    @property
    def profile_id(self) -> int:
        return int(self.request["chargingProfile"]["id"])

    @property
    def entry(self) -> Json:
        return entry_of(self.request["chargingProfile"], self.request["evseId"])

    @property
    def place(self) -> Json:
        """Return the criteria of what 1.6 replaces by it."""
        return {name: value for name, value in self.entry.items() if name != "transactionId"}


async def set_charging_profile(context: Context, payload: Json) -> Json:
    """SetChargingProfile. What 1.6 replaces by it is cleared first: 2.0.1 would refuse the second one.

    Rejected without asking the station: an unknown connector, a TxProfile for a transaction that doesn't run there, a
    profile that 2.0.1 has no form for. NotSupported when the station says that it knows no such thing.
    """
    order = _read(context, payload)
    if order is None:
        return {"status": "Rejected"}
    try:
        status = await _install(context, order)
    except PeerUnavailable:
        return {"status": "Rejected"}
    except CallError as error:
        return {"status": "NotSupported" if error.code in UNSUPPORTED else "Rejected"}
    return {"status": status}


async def clear_charging_profile(context: Context, payload: Json) -> Json:
    """ClearChargingProfile, by id or by criteria.

    Without a purpose each is asked for, but for the station's own constraints, which aren't the backend's to clear
    (K10.FR.06). Accepted when anything was cleared; Unknown is all that 1.6 can say of a station that doesn't answer.
    """
    statuses = []
    for request in _clearings(context.books, payload):
        answer = await context.ask_station("ClearChargingProfile", request)
        if answer is None:
            break
        forget(context, request)
        statuses.append(answer["status"])
    return {"status": "Accepted" if "Accepted" in statuses else "Unknown"}


async def get_composite_schedule(context: Context, payload: Json) -> Json:
    """GetCompositeSchedule; Rejected, too, when the station doesn't answer or its schedule can't be read."""
    evse_id = _evse_id(context.books, payload["connectorId"])
    if evse_id is None:
        return {"status": "Rejected"}
    request = {"evseId": evse_id, **{name: value for name, value in payload.items() if name != "connectorId"}}
    answer = await context.ask_station("GetCompositeSchedule", request)
    if answer is None or answer["status"] != "Accepted":
        return {"status": "Rejected"}
    if "schedule" not in answer:
        return {"status": "Accepted", "connectorId": payload["connectorId"]}
    return composite_schedule(answer["schedule"], payload["connectorId"])


def composite_schedule(schedule: Json, number: int) -> Json:
    """Return the GetCompositeSchedule.conf for a CompositeSchedule of 2.0.1; limits have one decimal in 1.6."""
    try:
        start = utc(schedule["scheduleStart"], "schedule.scheduleStart")
    except CallError:
        return {"status": "Rejected"}
    periods = [
        {
            "startPeriod": period["startPeriod"],
            "limit": round(period["limit"], 1),
            **({"numberPhases": period["numberPhases"]} if "numberPhases" in period else {}),
        }
        for period in schedule["chargingSchedulePeriod"]
    ]
    return {
        "status": "Accepted",
        "connectorId": number,
        "scheduleStart": start,
        "chargingSchedule": {
            "duration": schedule["duration"],
            "chargingRateUnit": schedule["chargingRateUnit"],
            "chargingSchedulePeriod": periods,
        },
    }


def _read(context: Context, payload: Json) -> _Order | None:
    """Read SetChargingProfile.req; None for one that a charge point rejects, or that has no form in 2.0.1."""
    wanted: Json = payload["csChargingProfiles"]
    number: int = payload["connectorId"]
    evse_id = _evse_id(context.books, number)
    profile = profile_for(wanted, context.clock())
    if evse_id is None or profile is None:
        return None
    purpose = profile["chargingProfilePurpose"]
    if purpose == STATION_MAX and number != 0:
        return None
    tx = None
    if purpose == TX:
        tx = _transaction(context.books, number, wanted.get("transactionId"))
        if tx is None:
            return None
        profile["transactionId"] = tx.station_tx
    if number != 0 and len(of_evse(context.books, evse_id)) > 1:
        context.note("evse-shared", "connectors of one EVSE share its charging profiles")
    return _Order({"evseId": evse_id, "chargingProfile": profile}, tx)


def _transaction(books: Books, number: int, backend_tx: int | None) -> Transaction | None:
    """Return the transaction that a TxProfile is for: this station's, and on this very connector; None if none is."""
    running = books.on_connector(number)
    if running is None or running.state is TransactionState.HELD:
        return None
    if backend_tx is None:
        return running
    named = books.by_backend_tx(backend_tx)
    return named if named is not None and named.connector_id == number else None


async def _install(context: Context, order: _Order) -> str:
    """Put the profile where it belongs and return the station's status.

    Raises :class:`CallError` and :class:`PeerUnavailable` as the station's leg does.
    """
    for rival in rivals(context.books, order.profile_id, order.entry, order.tx):
        await _clear(context, {"chargingProfileId": rival})
    answer = await _set(context, order)
    if _is_duplicate(answer) and await _clear(context, {"chargingProfileCriteria": order.place}) == "Accepted":
        answer = await _set(context, order)
    if _is_duplicate(answer) and order.place["chargingProfilePurpose"] == _TX_DEFAULT:
        context.note(
            "default-profile-overlap",
            "a TxDefaultProfile for the whole station and one for a connector can't have the same stackLevel in 2.0.1; "
            "have the backend give them different ones",
        )
    status: str = answer["status"]
    return status


async def _set(context: Context, order: _Order) -> Json:
    """Ask the station to install the profile, and remember it where it did, or may have."""
    try:
        answer = await context.call_station("SetChargingProfile", order.request)
    except PeerUnavailable:
        _remember(context, order)
        raise
    if answer["status"] == "Accepted":
        _remember(context, order)
    return answer


def _remember(context: Context, order: _Order) -> None:
    """Enter the profile, unless its transaction has ended while the station was asked."""
    if order.tx is None or not order.tx.is_over:
        enter(context, order.profile_id, order.entry)


async def _clear(context: Context, request: Json) -> str:
    """Clear at the station what ``request`` names; raises as the station's leg does, and then nothing is forgotten."""
    answer = await context.call_station("ClearChargingProfile", request)
    forget(context, request)
    status: str = answer["status"]
    return status


def _is_duplicate(answer: Json) -> bool:
    return bool(answer["status"] == "Rejected" and answer.get("statusInfo", {}).get("reasonCode") == _DUPLICATE)


def _clearings(books: Books, payload: Json) -> list[Json]:
    """Return the requests of 2.0.1 that make up one of 1.6; none for a connector that the station hasn't."""
    if "id" in payload:
        return [{"chargingProfileId": payload["id"]}]
    criteria: Json = {name: payload[name] for name in ("stackLevel",) if name in payload}
    purposes = tuple(PURPOSES.values())
    if "connectorId" in payload:
        criteria["evseId"] = _evse_id(books, payload["connectorId"])
        purposes = (STATION_MAX, _TX_DEFAULT) if payload["connectorId"] == 0 else (_TX_DEFAULT, TX)
        if criteria["evseId"] is None:
            return []
    if "chargingProfilePurpose" in payload:
        purposes = (PURPOSES[payload["chargingProfilePurpose"]],)
    return [{"chargingProfileCriteria": {**criteria, "chargingProfilePurpose": purpose}} for purpose in purposes]


def _evse_id(books: Books, number: int) -> int | None:
    """Return the evseId of a 1.6 connectorId, 0 being the whole station in both; None for an unknown connector."""
    return 0 if number == 0 else evse_of(books, number)
