"""In which words a station asked for a certificate, and the commands that are given it in the same."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from gateway.bridge.books import Json
from gateway.services.pnc_16 import ask_wrapped
from gateway.services.station_commands import ConnectedStation, Reply, reply_to
from gateway.wire.versions import Version
from pki.authority import CertificateAuthority
from pki.profiles import CertificateProfile

STATION: Final = "station"
V2G: Final = "v2g"
STATION_CERTIFICATE: Final = "ChargingStationCertificate"
"""certificateType of the certificate for TLS; also what its absence means (A02.FR.13)."""
V2G_CERTIFICATE: Final = "V2GCertificate"
"""certificateType of what a station shows to vehicles (ISO 15118-2)."""
V2G_20_CERTIFICATE: Final = "V2G20Certificate"
"""The same for ISO 15118-20 (OCPP 2.1)."""
_TRIGGERS: Final = {STATION: "SignChargingStationCertificate", V2G: "SignV2GCertificate"}


@dataclass(frozen=True, slots=True)
class CertificateKind:
    """What stands behind one certificateType."""

    usage: str
    profile: CertificateProfile
    authority: CertificateAuthority
    needs_approval: bool = False
    """True: a person decides about each CSR that has passed the review."""


Kinds = Mapping[str, CertificateKind]
"""By certificateType; what isn't in it is Rejected."""


@dataclass(frozen=True, slots=True)
class Words:
    """How one SignCertificate was said."""

    kind: str
    """Its certificateType, or what the absence of one means."""
    name: str
    """The CN that it asks for; the review has allowed it."""
    is_said: bool = False
    """True when the station named the certificateType: then it is echoed (A02.FR.14)."""
    vendor_id: str | None = None
    """1.6: the vendorId of the DataTransfer that it came in."""
    request_id: int | None = None
    """OCPP 2.1 A02.FR.22: to be echoed."""

    def to_json(self) -> Json:
        """Return it as it is kept."""
        return asdict(self)


async def trigger_csr(station: ConnectedStation, usage: str) -> Reply:
    """Ask for a CSR (2.0.1 A02.FR.01; 1.6 white paper A02, application note): SignCertificate follows.

    Raises PeerUnavailable.
    """
    if station.version is not Version.V16:
        wanted = {"requestedMessage": _TRIGGERS[usage]}
        return await reply_to("TriggerMessage", station.call_station("TriggerMessage", wanted))
    if usage == V2G:
        return await reply_to("TriggerMessage", ask_wrapped(station, "TriggerMessage", {}))
    wanted = {"requestedMessage": "SignChargePointCertificate"}
    return await reply_to("ExtendedTriggerMessage", station.call_station("ExtendedTriggerMessage", wanted))


async def deliver_certificate(station: ConnectedStation, chain_pem: str, words: Words) -> Reply:
    """Hand over a signed certificate in the words of the request. Raises PeerUnavailable."""
    payload: Json = {"certificateChain": chain_pem}
    if words.vendor_id is not None:
        asking = ask_wrapped(station, "CertificateSigned", payload, words.vendor_id)
        return await reply_to("CertificateSigned", asking)
    if words.is_said:
        payload["certificateType"] = words.kind
    if words.request_id is not None:
        payload["requestId"] = words.request_id
    return await reply_to("CertificateSigned", station.call_station("CertificateSigned", payload))
