"""The page docs/translation.md, written from the very tables that the 2.0.1 to 1.6 bridge works by (`make docs`)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gateway.bridge.actions_16 import OF_A_CENTRAL_SYSTEM, SECURITY_OF_A_CENTRAL_SYSTEM
from gateway.bridge.actions_201 import OF_A_CSMS
from gateway.bridge.firmware_orders import FIRMWARE_STATUSES
from gateway.bridge.guarded_keys import OF_THE_BACKEND_LEG
from gateway.bridge.security_event_names import TO_16
from gateway.bridge.v16_v16 import inexact as v16_v16_inexact
from gateway.bridge.v201_v16 import message_table
from gateway.bridge.v201_v16.certificates import CERTIFICATE_TYPES
from gateway.bridge.v201_v16.configuration_keys import FEATURES, KEYS, LIMITS, PHASE_ROTATION, Key, Variable
from gateway.bridge.v201_v16.configuration_questions import COUNTED, SUPPORTED_PROFILES
from gateway.bridge.v201_v16.inexact import INEXACT
from gateway.bridge.v201_v16.logs import LOG_STATUSES
from gateway.bridge.v201_v16.message_table import Row
from gateway.bridge.v201_v16.monitoring import ERROR_CODES
from gateway.bridge.v201_v16.remote_control import TRIGGERS, UNLOCK_STATUSES
from gateway.bridge.v201_v16.samples import MEASURANDS, UNITS
from gateway.bridge.v201_v16.start_stop import REASONS
from gateway.bridge.v201_v16.status import OCCUPIED

_HEAD: Final = """\
# How 2.0.1 becomes 1.6, and back

Written by `make docs` from the tables that the bridge itself works by; don't edit it. A test compares.
"""
_EXTENSION: Final = """\
Of the white paper "Improved security for OCPP 1.6-J"; a backend without `security_extension: true` is answered with the
CALLERROR NotSupported instead, and its security events are the same: """
_OTHER_STATES: Final = """\
Available, Reserved, Unavailable and Faulted keep their names, but that Available is Preparing while a transaction waits
for its cable, and Unavailable while another connector of the EVSE is in use.
"""
_OTHER_UNITS: Final = """\
Any other is left out, and an energy in it altogether. Hz is too, but Frequency has no other unit.
"""
_VENDOR_KEYS: Final = """\
Any other variable is the key `Component.Variable`, with `[instance]` behind either name and `@evse.connector` at the
end; those of the station's own security and connection are not.
"""
_GUARDED_KEYS: Final = """\
Unknown to the backend, whose connection ends at Voltgate, and never set at a station (in whatever case): """


def page() -> str:
    """Return the whole page."""
    return f"{_HEAD}\n{_messages()}\n{_values()}\n{_configuration()}\n{_inexact()}"


def _messages() -> str:
    refused = sorted(OF_A_CENTRAL_SYSTEM - message_table.FROM_BACKEND.keys())
    parts = [
        "## From the station\n",
        _table(("2.0.1", "1.6", "how"), _rows(message_table.FROM_STATION, "the station may be asked")),
        "## From the backend\n",
        _table(("1.6", "2.0.1", "how"), _rows(message_table.FROM_BACKEND, "the backend may hear")),
        f"{_EXTENSION}{_names(sorted(SECURITY_OF_A_CENTRAL_SYSTEM))}.\n",
    ]
    if refused:
        parts.append(f"Answered with the CALLERROR NotSupported: {_names(refused)}.\n")
    parts.append(
        f"A station that sends what only a CSMS sends is answered NotSupported: {_names(sorted(OF_A_CSMS))}.\n"
    )
    return "\n".join(parts)


def _rows(rows: Mapping[str, Row], asks: str) -> Iterable[tuple[str, str, str]]:
    for action, row in sorted(rows.items()):
        asked = f"; {asks} {_names(row.asks)}" if row.asks else ""
        yield f"`{action}`", _names(row.becomes) or "none", f"{row.how}{asked}"


def _values() -> str:
    phases = {phase.value: status for phase, status in OCCUPIED.items()}
    tables = [
        _words("chargingState and transaction of an Occupied connector", "status", phases),
        _OTHER_STATES,
        _words("stoppedReason", "reason", REASONS),
        _words("component of a problem", "errorCode", ERROR_CODES),
        _words("FirmwareStatus", "FirmwareStatus of 1.6", FIRMWARE_STATUSES),
        _words("UploadLogStatus", "DiagnosticsStatus", LOG_STATUSES),
        _words("security event", "security event of 1.6", TO_16),
        _words("certificateType of 1.6", "of 2.0.1", CERTIFICATE_TYPES),
        _words("UnlockStatus", "UnlockStatus of 1.6", UNLOCK_STATUSES),
        _words("requestedMessage of 1.6", "of 2.0.1", TRIGGERS),
        f"Measurands that both versions know: {_names(sorted(MEASURANDS))}. Samples of others are left out.\n",
        f"Units that 1.6 knows: {_names(UNITS)}; the multiplier is worked into the value.\n{_OTHER_UNITS}",
    ]
    return "\n".join(["## Values\n", *tables])


def _configuration() -> str:
    keys = [(f"`{name}`", _variables(key), "read" if key.readonly else "read, write") for name, key in KEYS.items()]
    rotation = (f"`{PHASE_ROTATION}`", "`Connector.PhaseRotation` of each connector", "read, write")
    limits = [(f"`{name}`", f"maxLimit of `{_spelled(variable)}`", "read") for name, variable in LIMITS.items()]
    own = [(f"`{name}`", "none: Voltgate counts by itself", "read") for name in COUNTED]
    profiles = [(f"`{name}`", "`Available` of the components behind, see below", "read") for name in SUPPORTED_PROFILES]
    table = _table(("1.6", "2.0.1", "access"), sorted([*keys, rotation, *limits, *own, *profiles]))
    features = _names(name for name, each in FEATURES.items() if each.actions <= message_table.FROM_BACKEND.keys())
    return "\n".join(
        [
            "## Configuration keys\n",
            table,
            f"Feature profiles, where the station has them: {features}.\n",
            _VENDOR_KEYS,
            f"{_GUARDED_KEYS}{_names(sorted(OF_THE_BACKEND_LEG))}.\n",
        ]
    )


def _inexact() -> str:
    of_16 = _topics(v16_v16_inexact.INEXACT)
    return (
        f"## What can't be exact\n\nThe log says so once per station, as `inexact_mapping`.\n\n{_topics(INEXACT)}\n"
        "The messages of a 1.6 station pass as they are, but for what [divergences](divergences.md) names. Of these, "
        f"too, the log tells:\n\n{of_16}"
    )


def _topics(inexact: Mapping[str, str]) -> str:
    return _table(("topic", "what"), ((f"`{topic}`", text) for topic, text in sorted(inexact.items())))


def _variables(key: Key) -> str:
    also = [f"`{_spelled(other.variable)}`" for other in key.also]
    return ", with it ".join([f"`{_spelled(key.variable)}`", *also])


def _spelled(variable: Variable) -> str:
    instance = f"[{variable.instance}]" if variable.instance is not None else ""
    return f"{variable.component}.{variable.name}{instance}"


def _words(left: str, right: str, words: Mapping[str, str]) -> str:
    return _table((left, right), words.items())


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
