"""An update in the words of a station: UpdateFirmware of 2.0.1, SignedUpdateFirmware of the white paper, plain 1.6."""

from datetime import datetime
from typing import Final

from gateway.bridge.books import Json
from gateway.bridge.timestamps import spell
from gateway.services.station_commands import ConnectedStation, Outcome, Reply, readable, refusal_of, reply_to
from gateway.session.firmware import FirmwareImage, UpdateRecord
from gateway.wire.errors import CallError
from gateway.wire.versions import Version

AGREED: Final = frozenset({"Accepted", "AcceptedCanceled"})
"""UpdateFirmwareStatus of a station that does as it was asked (L01.FR.24)."""
CERTIFICATE_REFUSED: Final = frozenset({"InvalidCertificate", "RevokedCertificate"})
"""Of one that doesn't trust the signer (L01.FR.21, L01.FR.22)."""


async def send_signed(
    station: ConnectedStation, update: UpdateRecord, image: FirmwareImage, location: str, now: datetime
) -> Reply:
    """Send an update with signature and signing certificate; ``location``: where the station loads it.

    ``status`` of the reply is the station's own word; empty for a CALLERROR. Raises PeerUnavailable.
    """
    firmware = {
        "location": location,
        "retrieveDateTime": spell(update.retrieve_at or now),
        "signingCertificate": image.signing_certificate,
        "signature": image.signature,
    }
    if update.install_at is not None:
        firmware["installDateTime"] = spell(update.install_at)
    action = "SignedUpdateFirmware" if station.version is Version.V16 else "UpdateFirmware"
    payload = {"requestId": update.request_id, "firmware": firmware, **_retries(update)}
    return await reply_to(action, station.call_station(action, payload))


async def send_plain(station: ConnectedStation, update: UpdateRecord, location: str, now: datetime) -> Reply:
    """Send UpdateFirmware of 1.6, which knows neither signature nor requestId, nor a word for no.

    Raises PeerUnavailable.
    """
    payload = {"location": location, "retrieveDate": spell(update.retrieve_at or now), **_retries(update)}
    try:
        await readable(station.call_station("UpdateFirmware", payload))
    except CallError as error:
        return refusal_of("UpdateFirmware", error)
    return Reply(Outcome.ACCEPTED, "UpdateFirmware: answered", "Accepted")


def _retries(update: UpdateRecord) -> Json:
    given = {"retries": update.retries, "retryInterval": update.retry_interval}
    return {name: value for name, value in given.items() if value is not None}
