"""Messages of a 2.0.1 station for which 1.6 has no word: Voltgate answers them itself."""

import copy
from typing import Final

from gateway.bridge.books import Json
from gateway.bridge.v201_v16.context import Context

_HEARD: Final = (
    "ClearedChargingLimit",
    "NotifyChargingLimit",
    "NotifyCustomerInformation",
    "NotifyDisplayMessages",
    "NotifyMonitoringReport",
    "PublishFirmwareStatusNotification",
    "ReportChargingProfiles",
    "ReservationStatusUpdate",
)
ANSWERS: Final[dict[str, Json]] = {
    **{action: {} for action in _HEARD},
    "Get15118EVCertificate": {
        "status": "Failed",
        "exiResponse": "",
        "statusInfo": {"reasonCode": "NotConfigured"},  # as where a provider is missing for a generation
    },
    "NotifyEVChargingNeeds": {"status": "Rejected"},
    "NotifyEVChargingSchedule": {"status": "Accepted"},
}
"""Action -> answer. A 1.6 backend never hears of an EV's needs, so they are Rejected: no schedule will follow, and the
station goes by the limits that it has. Certificates are the business of the gateway's services; what gets here, none of
them wanted."""


async def answer(action: str, _: Context, __: Json) -> Json:
    """Return the fixed answer to ``action``."""
    return copy.deepcopy(ANSWERS[action])
