"""The station's inventory (OCPP 2.0.1 B07): GetBaseReport, and what NotifyReport brings, asked for or not.

The bridge asks by itself, one CALL when the station has been quiet for a while. It works without an answer, too.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from gateway.bridge.books import Json, Page
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.request_ids import next_request
from gateway.bridge.v201_v16.configuration_keys import BEHIND_KEYS
from gateway.bridge.v201_v16.connectors import learn
from gateway.bridge.v201_v16.context import Context
from gateway.bridge.v201_v16.device_model import (
    enter_facts,
    enter_inventory,
    forget_refusal,
    is_known,
    is_wanted,
    read_entry,
    refused,
)
from gateway.bridge.v201_v16.inventory_parts import InventoryParts
from gateway.wire.errors import CallError

NEXT_PART_WITHIN: Final = timedelta(minutes=2)
"""After the answer, or the part before: then the report is given up."""
ATTEMPTS_MAX: Final = 3
"""Reports that are asked for in vain between two boots."""
_REQUEST: Final = "inventory"
"""The last requestId of ours, on the page of requests."""


async def settle_in(context: Context, boot: Json | None) -> bool:
    """Ask for the whole inventory, unless that of this firmware is known, refused, or on its way.

    ``boot`` is the BootNotificationRequest that was accepted last, where it is known. False: ask again in a while, it
    may still come or have got lost.
    """
    memory, firmware, now = context.memory, firmware_of(boot), context.clock()
    if not is_wanted(context.books, firmware) or (boot is None and is_known(context.books)):
        return True
    if memory.inventory is not None and now - memory.inventory.heard_at < NEXT_PART_WITHIN:
        return False
    if memory.inventories_asked >= ATTEMPTS_MAX:
        return await _do_without(context, "it never came whole")
    memory.inventories_asked += 1
    request_id = next_request(context.books, _REQUEST, now)
    await context.save_page_now(Page.REQUESTS)  # parts of an older report must not pass for this one's
    memory.inventory = InventoryParts(request_id, firmware, now)
    try:
        answer = await context.call_station("GetBaseReport", {"requestId": request_id, "reportBase": "FullInventory"})
        status = answer["status"]
    except PeerUnavailable:
        memory.inventory = None
        return False
    except CallError as error:
        status = error.code.value
    return False if status == "Accepted" else await _do_without(context, status)


def booted(context: Context, boot: Json) -> None:
    """The station has sent BootNotification, whatever it is answered: it may be asked anew."""
    context.memory.inventory = None
    context.memory.inventories_asked = 0
    forget_refusal(context.books, firmware_of(boot))


async def notify_report(context: Context, payload: Json) -> Json:
    """NotifyReport: a part of the inventory that was asked for, or what somebody else asked for.

    The inventory replaces the old one when it is whole, and its connectors are numbered in (evse, connector) order. Any
    other report teaches connectors, and what the keys of 1.6 want to know, at once.
    """
    # Taken out, so that thousands of stations that report at once don't keep all that they said while it is written.
    entries = [read_entry(datum) for datum in payload.pop("reportData", ())]
    parts = context.memory.inventory
    if parts is None or payload["requestId"] != parts.request_id:
        enter_facts(context.books, (entry for entry in entries if entry.path in BEHIND_KEYS))
        await _learn(context, {entry.connector for entry in entries if entry.connector is not None})
        return {}
    parts.take(payload["seqNo"], entries, is_last=not payload.get("tbc", False))
    parts.heard_at = context.clock()
    if parts.is_whole:
        context.memory.inventory = None
        await _enter(context, parts)
    return {}


def firmware_of(boot: Json | None) -> str:
    """Return the firmwareVersion of a BootNotificationRequest, "" where there is none."""
    version: Any = (boot or {}).get("chargingStation", {}).get("firmwareVersion", "")
    return str(version)


async def _enter(context: Context, parts: InventoryParts) -> None:
    if parts.is_cut:
        context.note("inventory-cut", "the station has more variables than are kept; of the others nothing is known")
    places = sorted(parts.connectors)
    enter_inventory(
        context.books,
        parts.firmware,
        variables=parts.variables,
        values=parts.values,
        connectors=places,
        is_cut=parts.is_cut,
    )
    await _learn(context, places)


async def _learn(context: Context, places: Iterable[tuple[int, int]]) -> None:
    for place in sorted(places):
        await learn(context, *place)


async def _do_without(context: Context, reason: str) -> bool:
    context.memory.inventory = None
    context.note("inventory", f"no inventory of the station ({reason}): which keys are read-only isn't known")
    refused(context.books)
    await context.save_changes()
    return True
