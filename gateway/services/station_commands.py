"""What the gateway itself asks of a station, in the words of the station's OCPP version.

2.0.1 has messages and variables for it; 1.6 those of the security white paper. Whatever the station answers becomes one
:class:`Reply`, a CALLERROR included: it is a refusal. PeerUnavailable passes, and is raised for an answer that can't be
read too: nothing is known then of what the station did.
"""

import enum
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable
from gateway.services.peer_text import printable
from gateway.session.boot import BootGate
from gateway.session.ports import Proof, StationRecord
from gateway.session.stages import InvalidAnswer
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.versions import Version

WORDS_MAX: Final = 300
"""Characters of a station's own words that are kept."""
MESSAGE_TIMEOUT: Final = 30
"""Seconds that a station waits for an answer under a network profile of ours (SetNetworkProfile, messageTimeout)."""


class ConnectedStation(Protocol):
    """A station's runtime, as far as the services need it; :class:`gateway.session.station.Station` is one."""

    record: StationRecord
    version: Version
    proof: Proof
    gate: BootGate
    note_vendor: str | None
    """1.6: the vendorId under which it last sent a message of the Plug & Charge note, as it wrote it."""

    @property
    def identity(self) -> str:
        """The identity in the station's URL."""

    @property
    def is_connected(self) -> bool:
        """True while the station's WebSocket is open."""

    async def call_station(self, action: str, payload: Json) -> Json:
        """Send a CALL to the station and return the answer's payload. Raises PeerUnavailable and CallError."""

    def disconnect(self, code: int, reason: str) -> None:
        """Close the station's WebSocket, if there is one."""


class Outcome(enum.Enum):
    """What a station made of a command."""

    ACCEPTED = "accepted"
    REBOOT_REQUIRED = "accepted, in force after a reboot"
    REJECTED = "rejected"
    NOT_SUPPORTED = "not supported"


@dataclass(frozen=True, slots=True)
class Reply:
    """An outcome, with the station's own words for a person to read."""

    outcome: Outcome
    words: str
    """Such as ``SetVariables: Rejected (ReadOnly)``; printable, at most ``WORDS_MAX`` characters."""
    status: str = ""
    """The status of the answer as it came; empty for a CALLERROR."""
    reason_code: str = ""
    """statusInfo.reasonCode, where 2.0.1 gave one."""

    @property
    def is_accepted(self) -> bool:
        """True when the station has done, or will do, as it was asked."""
        return self.outcome in {Outcome.ACCEPTED, Outcome.REBOOT_REQUIRED}


class Setting(enum.Enum):
    """A setting of a station: its (component, variable) of 2.0.1 and its key of 1.6; None where there is none."""

    PASSWORD = (("SecurityCtrlr", "BasicAuthPassword"), "AuthorizationKey")
    ORGANIZATION = (("SecurityCtrlr", "OrganizationName"), "CpoName")
    """What the station puts into the O of its CSR."""
    NETWORK_PRIORITY = (("OCPPCommCtrlr", "NetworkConfigurationPriority"), None)
    SECURITY_PROFILE = (None, "SecurityProfile")


@dataclass(frozen=True, slots=True)
class NetworkProfile:
    """Where a station shall connect to, and how (SetNetworkProfile, connectionData)."""

    url: str
    security_profile: int
    interface: str


_OUTCOMES: Final[Mapping[str, Outcome]] = {
    "Accepted": Outcome.ACCEPTED,
    "Scheduled": Outcome.ACCEPTED,
    "RebootRequired": Outcome.REBOOT_REQUIRED,
    "NotImplemented": Outcome.NOT_SUPPORTED,
    "NotSupported": Outcome.NOT_SUPPORTED,
    "NotSupportedAttributeType": Outcome.NOT_SUPPORTED,
    "UnknownComponent": Outcome.NOT_SUPPORTED,
    "UnknownVariable": Outcome.NOT_SUPPORTED,
}
"""Status -> outcome; every other one is a refusal."""
_UNKNOWN_CODES: Final = frozenset({ErrorCode.NOT_IMPLEMENTED, ErrorCode.NOT_SUPPORTED})


async def install_root(station: ConnectedStation, root_pem: str) -> Reply:
    """Give the station one root of the gateway's own certificate (2.0.1 M05, 1.6 M05). Raises PeerUnavailable."""
    is_16 = station.version is Version.V16
    kind = "CentralSystemRootCertificate" if is_16 else "CSMSRootCertificate"
    return await _command(station, "InstallCertificate", {"certificateType": kind, "certificate": root_pem})


async def change_setting(station: ConnectedStation, setting: Setting, value: str) -> Reply:
    """Set one setting. NOT_SUPPORTED where the station's version has none such. Raises PeerUnavailable."""
    variable, key = setting.value
    if station.version is Version.V16 and key is not None:
        return await _command(station, "ChangeConfiguration", {"key": key, "value": value})
    if station.version is Version.V16 or variable is None:
        return _foreign(setting, station.version)
    data = {**_named(variable), "attributeValue": value}
    try:
        answer = await _ask(station, "SetVariables", {"setVariableData": [data]})
    except CallError as error:
        return refusal_of("SetVariables", error)
    result = _result_of(variable, answer["setVariableResult"], "SetVariables")
    return _reply("SetVariables", result["attributeStatus"], result.get("attributeStatusInfo"))


async def network_priority(station: ConnectedStation) -> tuple[Reply, str]:
    """Return what the station says of its network configuration slots, in order, such as ``"1,0"`` (2.0.1 B10).

    The text is empty unless the reply is accepted. Raises PeerUnavailable.
    """
    if station.version is Version.V16:
        return _foreign(Setting.NETWORK_PRIORITY, station.version), ""
    variable, _ = Setting.NETWORK_PRIORITY.value
    try:
        answer = await _ask(station, "GetVariables", {"getVariableData": [_named(variable)]})
    except CallError as error:
        return refusal_of("GetVariables", error), ""
    result = _result_of(variable, answer["getVariableResult"], "GetVariables")
    reply = _reply("GetVariables", result["attributeStatus"], result.get("attributeStatusInfo"))
    return reply, result.get("attributeValue", "") if reply.is_accepted else ""


async def set_network_profile(station: ConnectedStation, slot: int, profile: NetworkProfile) -> Reply:
    """Store a network profile in a slot (2.0.1 B09). Raises PeerUnavailable."""
    connection = {
        "ocppVersion": "OCPP20",
        "ocppTransport": "JSON",
        "ocppCsmsUrl": profile.url,
        "messageTimeout": MESSAGE_TIMEOUT,
        "securityProfile": profile.security_profile,
        "ocppInterface": profile.interface,
    }
    return await _command(station, "SetNetworkProfile", {"configurationSlot": slot, "connectionData": connection})


async def reset(station: ConnectedStation) -> Reply:
    """Restart the station when no session runs: OnIdle, in 1.6 Soft. ``status`` tells Scheduled from Accepted.

    Raises PeerUnavailable.
    """
    return await _command(station, "Reset", {"type": "Soft" if station.version is Version.V16 else "OnIdle"})


async def reply_to(action: str, asking: Awaitable[Json]) -> Reply:
    """Return what the station makes of ``action``, whose answer has a status. Raises PeerUnavailable."""
    try:
        answer = await readable(asking)
    except CallError as error:
        return refusal_of(action, error)
    return _reply(action, answer["status"], answer.get("statusInfo"))


async def read_variable(station: ConnectedStation, variable: tuple[str, str], evse_id: int | None = None) -> str | None:
    """Return the value of a (component, variable) of a 2.0.1 station; None without one. Raises PeerUnavailable."""
    asked = _named(variable)
    if evse_id is not None:
        asked["component"]["evse"] = {"id": evse_id}
    try:
        answer = await _ask(station, "GetVariables", {"getVariableData": [asked]})
    except CallError:
        return None
    result = _result_of(variable, answer["getVariableResult"], "GetVariables")
    value: str | None = result.get("attributeValue")
    return value if result["attributeStatus"] == "Accepted" else None


async def read_key(station: ConnectedStation, key: str) -> str | None:
    """Return the value of a configuration key of a 1.6 station; None without one. Raises PeerUnavailable."""
    try:
        answer = await _ask(station, "GetConfiguration", {"key": [key]})
    except CallError:
        return None
    found = [
        each.get("value") for each in answer.get("configurationKey", ()) if each["key"].casefold() == key.casefold()
    ]
    return found[0] if found else None


async def _command(station: ConnectedStation, action: str, payload: Json) -> Reply:
    return await reply_to(action, station.call_station(action, payload))


async def _ask(station: ConnectedStation, action: str, payload: Json) -> Json:
    return await readable(station.call_station(action, payload))


async def readable(asking: Awaitable[Json]) -> Json:
    """Return an answer's payload. Raises CallError, and PeerUnavailable where nothing is known of what was done."""
    try:
        return await asking
    except InvalidAnswer as error:
        raise PeerUnavailable(str(error)) from None


def _named(variable: tuple[str, str]) -> Json:
    component, name = variable
    return {"component": {"name": component}, "variable": {"name": name}}


def _result_of(variable: tuple[str, str], results: list[Json], action: str) -> Json:
    """Return the result for ``variable``; names are compared without case (2.0.1 ComponentType, VariableType)."""
    for result in results:
        found = result["component"]["name"], result["variable"]["name"]
        if [name.casefold() for name in found] == [name.casefold() for name in variable]:
            return result
    raise PeerUnavailable(f"the answer to {action} says nothing of {'.'.join(variable)}")


def _reply(action: str, status: str, info: Json | None) -> Reply:
    said: dict[str, Any] = info or {}
    code = said.get("reasonCode", "")
    reasons = ": ".join(text for text in (code, said.get("additionalInfo", "")) if text)
    words = f"{action}: {status} ({reasons})" if reasons else f"{action}: {status}"
    return Reply(_OUTCOMES.get(status, Outcome.REJECTED), printable(words, WORDS_MAX), status, code)


def refusal_of(action: str, error: CallError) -> Reply:
    """Return what a CALLERROR means."""
    outcome = Outcome.NOT_SUPPORTED if error.code in _UNKNOWN_CODES else Outcome.REJECTED
    return Reply(outcome, printable(f"{action}: CALLERROR {error}", WORDS_MAX))


def _foreign(setting: Setting, version: Version) -> Reply:
    return Reply(Outcome.NOT_SUPPORTED, f"{version.value} has no setting {setting.name.lower()}")
