"""What a station is asked about its trust anchors, in the words of its OCPP version (2.0.1 M03 to M05).

1.6 has the messages of the white paper for the CSMS and the manufacturer, and those of the Plug & Charge note, which
travel in DataTransfer, for V2G and mobility operators.
"""

from collections.abc import Awaitable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from gateway.bridge.books import Json
from gateway.services.pnc_16 import ask_wrapped
from gateway.services.station_commands import (
    ConnectedStation,
    Outcome,
    Reply,
    read_key,
    read_variable,
    readable,
    refusal_of,
    reply_to,
)
from gateway.session.trust import SPOKEN_TYPES, AnchorType, Installed
from gateway.wire.errors import CallError
from gateway.wire.versions import Version

INSTALLED_MAX: Final = 256
"""Roots of one station that are looked at."""

_WORDS_16: Final = {
    AnchorType.CSMS: "CentralSystemRootCertificate",
    AnchorType.MANUFACTURER: "ManufacturerRootCertificate",
}
_WRAPPED_16: Final = frozenset({AnchorType.V2G, AnchorType.MO})
_LISTING: Final = "GetInstalledCertificateIds"


@dataclass(frozen=True, slots=True)
class Listing:
    """What a station has of the types that it has answered for."""

    answered: frozenset[AnchorType] = frozenset()
    installed: tuple[Installed, ...] = ()
    problem: str = ""
    """Its words, where it doesn't say what it has of some type."""

    def __add__(self, other: "Listing") -> "Listing":
        problem = "; ".join(each for each in (self.problem, other.problem) if each)
        return Listing(self.answered | other.answered, (*self.installed, *other.installed)[:INSTALLED_MAX], problem)


async def installed_roots(station: ConnectedStation, types: Collection[AnchorType]) -> Listing:
    """Ask which roots of these types the station has (2.0.1 M03, in one request; 1.6 type by type).

    A station that can't answer for several types together is asked for each. Raises PeerUnavailable.
    """
    asked = sorted(set(types) & SPOKEN_TYPES, key=lambda each: each.value)
    if station.version is Version.V16:
        wrapped = [each for each in asked if each in _WRAPPED_16]
        groups = [[each] for each in asked if each not in _WRAPPED_16] + ([wrapped] if wrapped else [])
    else:
        groups = [asked] if asked else []
    found = Listing()
    for group in groups:
        part = await _listed(station, group)
        if part.problem and len(group) > 1:
            part = Listing()
            for each in group:
                part += await _listed(station, [each])
        found += part
    return found


async def install(station: ConnectedStation, type_: AnchorType, pem: str) -> Reply:
    """Give the station one root (M05). Raises PeerUnavailable."""
    payload = {"certificateType": type_.value, "certificate": pem}
    if station.version is Version.V16 and type_ not in _WRAPPED_16:
        payload["certificateType"] = _WORDS_16[type_]
    return await reply_to("InstallCertificate", _asking(station, type_, "InstallCertificate", payload))


async def delete(station: ConnectedStation, root: Installed) -> Reply:
    """Have the station delete one root, named just as it has named it itself (M04.FR.07). Raises PeerUnavailable.

    NotFound is as good as Accepted.
    """
    payload = {"certificateHashData": root.reported}
    reply = await reply_to("DeleteCertificate", _asking(station, root.type, "DeleteCertificate", payload))
    if reply.status == "NotFound":
        return Reply(Outcome.ACCEPTED, reply.words, reply.status)
    return reply


async def checks_roots(station: ConnectedStation) -> bool:
    """Return whether it takes a new CSMS root only as signed by the old one (AdditionalRootCertificateCheck).

    One that doesn't know the variable does not. Raises PeerUnavailable.
    """
    value = await _value(station, "AdditionalRootCertificateCheck")
    return value is not None and value.strip().casefold() == "true"


async def store_size(station: ConnectedStation) -> str:
    """Return in words how full its store of certificates is, for one that refuses a root; empty: it doesn't say.

    Raises PeerUnavailable.
    """
    if station.version is Version.V16:
        most = await _value(station, "CertificateStoreMaxLength")
        return f"its CertificateStoreMaxLength is {most[:10]}" if most else ""
    held = await _value(station, "CertificateEntries")
    return f"its CertificateEntries is {held[:10]}" if held else ""


async def _listed(station: ConnectedStation, types: list[AnchorType]) -> Listing:
    words = [each.value for each in types]
    plain_16 = station.version is Version.V16 and types[0] not in _WRAPPED_16
    payload = {"certificateType": _WORDS_16[types[0]] if plain_16 else words}
    try:
        answer = await readable(_asking(station, types[0], _LISTING, payload))
    except CallError as error:
        return Listing(problem=refusal_of(f"{_LISTING} of {', '.join(words)}", error).words)
    if plain_16:
        pairs: Iterable[tuple[str, Json]] = ((words[0], each) for each in answer.get("certificateHashData", []))
    else:
        chains = answer.get("certificateHashDataChain", [])
        pairs = ((each["certificateType"], each["certificateHashData"]) for each in chains)
    # A list beside NotFound is taken at its word; what wasn't asked for is left out.
    installed = [Installed(AnchorType(word), dict(named)) for word, named in pairs if word in words]
    return Listing(frozenset(types), tuple(installed[:INSTALLED_MAX]))


def _asking(station: ConnectedStation, type_: AnchorType, action: str, payload: Json) -> Awaitable[Json]:
    """Return what asks the station, in DataTransfer where 1.6 has no message of its own for this type."""
    if station.version is Version.V16 and type_ in _WRAPPED_16:
        return ask_wrapped(station, action, payload)
    return station.call_station(action, payload)


async def _value(station: ConnectedStation, name: str) -> str | None:
    """Return a variable of SecurityCtrlr, or the key of 1.6; None where it isn't there."""
    if station.version is Version.V16:
        return await read_key(station, name)
    return await read_variable(station, ("SecurityCtrlr", name))
