"""Charging profiles (block K): how one of 1.6 is said in 2.0.1, and which ones the backend has put where.

1.6 lets a profile replace the one of the same stack level, purpose and connector; 2.0.1 replaces by id alone and
refuses the second one (K01.FR.05, FR.06, FR.39). So what was installed is kept on a page of the books, by its id::

    {"7": {"evseId": 1, "chargingProfilePurpose": "TxProfile", "stackLevel": 0, "transactionId": "TX-1"}}

``remoteStartId`` stands in the place of ``transactionId`` where the profile came with a remote start.
"""

from datetime import datetime
from typing import Final

from gateway.bridge.books import Books, Json, Page, Transaction
from gateway.bridge.timestamps import backend_utc, spell
from gateway.bridge.v201_v16.context import Context

PERIODS_MAX: Final = 1024
"""Periods of one schedule (OCPP 2.0.1 ChargingScheduleType); 1.6 sets no bound, and lets there be none."""
INSTALLED_MAX: Final = 500
"""Profiles of one station that are remembered; the oldest is forgotten."""

PURPOSES: Final = {
    "ChargePointMaxProfile": "ChargingStationMaxProfile",
    "TxDefaultProfile": "TxDefaultProfile",
    "TxProfile": "TxProfile",
}
"""chargingProfilePurpose of 1.6 -> of 2.0.1. ChargingStationExternalConstraints is nothing that a CSMS may touch
(K10.FR.06)."""
STATION_MAX: Final = PURPOSES["ChargePointMaxProfile"]
TX: Final = PURPOSES["TxProfile"]


def profile_for(wanted: Json, now: datetime) -> Json | None:
    """Translate a ChargingProfile, its transactionId aside; None when it has no form in 2.0.1.

    That is: no period at all or too many, or a time that can't be read. The only schedule of a profile has its id.

    A schedule of 1.6 without startSchedule is relative to the start of charging, whatever its kind says. 2.0.1 wants
    one in an Absolute profile (K01.FR.40) and none in a Relative one (K01.FR.41). A limit of the whole station has no
    charging to begin with: it holds from ``validFrom``, or from now.
    """
    schedule: Json = wanted["chargingSchedule"]
    validity, start = _times(wanted, "validFrom", "validTo"), _times(schedule, "startSchedule")
    if validity is None or start is None or not 1 <= len(schedule["chargingSchedulePeriod"]) <= PERIODS_MAX:
        return None
    purpose, kind = PURPOSES[wanted["chargingProfilePurpose"]], wanted["chargingProfileKind"]
    if kind == "Absolute" and not start:
        if purpose == STATION_MAX:
            start = {"startSchedule": validity.get("validFrom", spell(now))}
        else:
            kind = "Relative"
    profile: Json = {
        "id": wanted["chargingProfileId"],
        "stackLevel": wanted["stackLevel"],
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": kind,
        **{name: wanted[name] for name in ("recurrencyKind",) if name in wanted},
        **validity,
    }
    rest = {name: value for name, value in schedule.items() if name != "startSchedule"}
    return {
        **profile,
        "chargingSchedule": [{"id": profile["id"], **rest, **({} if kind == "Relative" else start)}],
    }


def transaction_profile(wanted: Json, now: datetime) -> Json | None:
    """Translate the chargingProfile of a remote start; None when it isn't a TxProfile, or has no form in 2.0.1.

    It has no transactionId in 2.0.1: the transaction is yet to begin.
    """
    return profile_for(wanted, now) if wanted["chargingProfilePurpose"] == TX else None


def entry_of(profile: Json, evse_id: int | None, *, remote_start_id: int | None = None) -> Json:
    """Return what is remembered of a profile of 2.0.1; ``evse_id`` None: of whichever EVSE the remote start takes."""
    of_remote_start = {} if remote_start_id is None else {"remoteStartId": remote_start_id}
    at = {} if evse_id is None else {"evseId": evse_id}
    same = ("chargingProfilePurpose", "stackLevel", "transactionId")
    return {**at, **{name: profile[name] for name in same if name in profile}, **of_remote_start}


def rivals(books: Books, profile_id: int, entry: Json, tx: Transaction | None) -> list[int]:
    """Return the ids of the other profiles in whose place 1.6 puts the one of ``entry``, TxProfiles being of ``tx``."""
    installed = books.page(Page.CHARGING_PROFILES)
    return [
        int(other_id)
        for other_id, other in installed.items()
        if other_id != str(profile_id)
        and (other["chargingProfilePurpose"], other["stackLevel"])
        == (entry["chargingProfilePurpose"], entry["stackLevel"])
        and (other.get("evseId") == entry["evseId"] if tx is None else _is_of(other, tx))
    ]


def enter(context: Context, profile_id: int, entry: Json) -> None:
    """Remember an installed profile. Those whose transaction has ended have ended with it, and are forgotten here."""
    installed = context.books.page(Page.CHARGING_PROFILES)
    if installed.get(str(profile_id)) == entry:
        return
    for other_id in [other_id for other_id, other in installed.items() if _has_ended(context.books, other)]:
        del installed[other_id]
    installed.pop(str(profile_id), None)
    while len(installed) >= INSTALLED_MAX:
        del installed[next(iter(installed))]
    installed[str(profile_id)] = entry
    context.books.changed(Page.CHARGING_PROFILES)


def forget(context: Context, request: Json) -> None:
    """Forget the profiles that a ClearChargingProfile of 2.0.1 names, by id or by criteria."""
    installed = context.books.page(Page.CHARGING_PROFILES)
    if "chargingProfileId" in request:
        named = [str(request["chargingProfileId"])]
    else:
        criteria = request["chargingProfileCriteria"].items()
        named = [key for key, entry in installed.items() if criteria <= entry.items()]
    for key in named:
        if installed.pop(key, None) is not None:
            context.books.changed(Page.CHARGING_PROFILES)


def _times(fields: Json, *names: str) -> Json | None:
    """Return the named times that are there, in UTC; None when one can't be read."""
    times = {name: backend_utc(fields[name]) for name in names if name in fields}
    return None if None in times.values() else times


def _is_of(entry: Json, tx: Transaction) -> bool:
    if "transactionId" in entry:
        return bool(entry["transactionId"] == tx.station_tx)
    return tx.remote_start_id is not None and entry.get("remoteStartId") == tx.remote_start_id


def _has_ended(books: Books, entry: Json) -> bool:
    """True for a profile of a transaction that is over, or unknown by now. One whose remote start is open hasn't."""
    if "transactionId" in entry:
        tx = books.transactions.get(entry["transactionId"])
        return tx is None or tx.is_over
    return any(_is_of(entry, tx) for tx in books.transactions.values() if tx.is_over)
