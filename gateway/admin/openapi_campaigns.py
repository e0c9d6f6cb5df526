"""Firmware campaigns, in the API's description."""

from typing import TYPE_CHECKING, Any, Final

from gateway.admin.firmware_campaigns import (
    STATES,
    STATION_STATES,
    CampaignFilter,
    CampaignResumption,
    CampaignStationFilter,
    CampaignStop,
    CampaignToCreate,
)
from gateway.admin.openapi_operations import errors, json_answer, operation, page_answer
from gateway.admin.openapi_words import TIME, a_text, an_object

if TYPE_CHECKING:
    from gateway.admin.requests import Query

_NUMBER: Final = {"type": "integer"}
_CAMPAIGN: Final = an_object(
    {
        "id": _NUMBER | {"description": "Rises in the order in which campaigns began."},
        "name": a_text(),
        "image_id": _NUMBER,
        "group": a_text("null: its stations were named.", null=True),
        "batch_size": _NUMBER | {"description": "Updates under way at once."},
        "halt_above": _NUMBER | {"description": "Per cent of failures."},
        "halt_after": _NUMBER | {"description": "Stations that must be through before that counts."},
        "window": a_text("Of the day, UTC; null: always.", null=True),
        "state": {"enum": [*STATES], "description": "halted: too many stations have failed, or the image isn't good."},
        "reason": a_text("Why it is so.", null=True),
        "total": _NUMBER | {"description": "Stations."},
        "over": _NUMBER | {"description": "Of these: nothing is to be done any more."},
        "stations": an_object(dict.fromkeys(STATION_STATES, _NUMBER)) | {"description": "How many are in which state."},
        "created_at": TIME,
        "created_by": a_text("API, or the user of the command."),
        "changed_at": TIME,
        "changed_by": a_text("voltgate: it has halted, or is done."),
    }
)
_STATION: Final = an_object(
    {
        "identity": a_text(),
        "state": {"enum": [*STATION_STATES], "description": "skipped: the reason says why."},
        "update_id": {"type": ["integer", "null"], "description": "Its last update of this campaign."},
        "status": a_text("FirmwareStatus of that update.", null=True),
        "reason": a_text(null=True),
        "changed_at": TIME,
    }
)
CAMPAIGN_SCHEMAS: Final = {"FirmwareCampaign": _CAMPAIGN, "FirmwareCampaignStation": _STATION}
"""By name, for ``#/components/schemas``."""
_ID: Final = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
    "description": "The campaign's id.",
}


_ONE: Final = {"200": json_answer("FirmwareCampaign")}


def firmware_campaigns() -> dict[str, Any]:
    """Return the paths."""
    return {
        "firmware/campaigns": {
            "get": operation(
                "List the campaigns, in pages.",
                {"200": page_answer("campaigns", "FirmwareCampaign"), **errors("400", "409")},
                query=CampaignFilter,
            ),
            "post": operation(
                "Begin a campaign: a verified image to the stations of a group or a list, some at a time.",
                {"201": json_answer("FirmwareCampaign"), **errors("400", "404", "409")},
                body=CampaignToCreate,
            ),
        },
        "firmware/campaigns/{id}": {
            "parameters": [_ID],
            "get": operation("Show how far a campaign is.", {**_ONE, **errors("404", "409")}),
        },
        "firmware/campaigns/{id}/stations": {
            "parameters": [_ID],
            "get": operation(
                "List where its stations stand, in pages.",
                {"200": _stations(), **errors("400", "404", "409")},
                query=CampaignStationFilter,
            ),
        },
        **_changes(),
    }


def _changes() -> dict[str, Any]:
    words: dict[str, tuple[type[Query], str]] = {
        "pause": (CampaignStop, "Order no more stations; what a station has not heard of is taken back."),
        "resume": (CampaignResumption, "Let one go on that is paused or halted, or try those again that failed."),
        "cancel": (CampaignStop, "End a campaign; stations that have heard of their update go on with it."),
    }
    return {
        f"firmware/campaigns/{{id}}/{word}": {
            "parameters": [_ID],
            "post": operation(summary, {**_ONE, **errors("400", "404", "409")}, query=query),
        }
        for word, (query, summary) in words.items()
    }


def _stations() -> dict[str, Any]:
    """Its pages go by identity."""
    answer = page_answer("stations", "FirmwareCampaignStation")
    following = {
        "type": ["string", "null"],
        "description": "What after= begins the next page with; null: this is the last one.",
    }
    answer["content"]["application/json"]["schema"]["properties"]["next"] = following
    return answer
