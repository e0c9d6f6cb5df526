"""GetConfiguration and ChangeConfiguration over the device model (blocks B05 and B06)."""

from collections.abc import Iterable
from typing import Final

from gateway.bridge.books import Json
from gateway.bridge.guarded_keys import GUARDED, OF_THE_BACKEND_LEG, report_attempt, small_name
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v16.configuration_keys import (
    BY_SMALL_NAME,
    PHASE_ROTATION,
    Variable,
    name_of,
    names_guarded,
    vendor_variable,
)
from gateway.bridge.v201_v16.configuration_questions import all_keys, may_set, phase_rotation_of, question
from gateway.bridge.v201_v16.configuration_words import BY_DATA_TYPE, PLAIN, NotSayable, is_exact, items
from gateway.bridge.v201_v16.connectors import numbered
from gateway.bridge.v201_v16.context import UNSUPPORTED, Context
from gateway.bridge.v201_v16.device_model import facts_of, is_missing
from gateway.bridge.v201_v16.variables import get_variables, set_variables
from gateway.wire.errors import CallError

VALUE_MAX: Final = 500
"""Characters of a value in GetConfiguration.conf; a variable has up to 2500."""

_CHANGE_STATUSES: Final = {
    "Accepted": "Accepted",
    "Rejected": "Rejected",
    "RebootRequired": "RebootRequired",
    "UnknownComponent": "NotSupported",
    "UnknownVariable": "NotSupported",
    "NotSupportedAttributeType": "NotSupported",
}
"""SetVariableStatus -> ConfigurationStatus."""
_WORST_FIRST: Final = ("Rejected", "NotSupported", "RebootRequired", "Accepted")


async def get_configuration(context: Context, payload: Json) -> Json:
    """GetConfiguration: the asked keys, or all that 1.6 names and the station knows.

    Raises :class:`CallError` GenericError when the station can't be reached: GetConfiguration.conf has no refusal.
    """
    asked = list(dict.fromkeys(payload.get("key", ())))
    questions = {key: question(context, key) for key in asked or all_keys()}
    wanted = {variable.path: variable for ask in questions.values() if ask for variable in ask.variables}
    found = await get_variables(context, list(wanted.values()))
    configuration, unknown = [], []
    for key, ask in questions.items():
        value = ask.compose(found) if ask is not None else None
        if ask is None or value is None:
            unknown.append(key)
        else:
            configuration.append({"key": key, "readonly": ask.readonly, "value": _cut(context, key, value)})
    answer: Json = {}
    if configuration:
        answer["configurationKey"] = configuration
    if unknown and asked:
        answer["unknownKey"] = unknown
    return answer


async def change_configuration(context: Context, payload: Json) -> Json:
    """ChangeConfiguration. A read-only key is Rejected, as is a value that can't be said in 2.0.1.

    NotSupported for unknown keys, and for those that concern the backend's own leg: they never reach the station, and
    the attempt is a security event.
    """
    key, value = payload["key"], payload["value"]
    if small_name(key) in GUARDED or names_guarded(key):
        report_attempt(context.report, key, value)
    try:
        settings = assignments(context, key, value)
    except NotSayable:
        return {"status": "Rejected"}
    if settings is None:
        ask = question(context, key)
        return {"status": "Rejected" if ask is not None and ask.readonly else "NotSupported"}
    if not settings:
        return {"status": "Rejected"}
    try:
        results = await set_variables(context, settings)
    except PeerUnavailable:
        return {"status": "Rejected"}
    except CallError as error:
        return {"status": "NotSupported" if error.code in UNSUPPORTED else "Rejected"}
    return {"status": change_status(settings[0][0], results, context)}


def assignments(context: Context, key: str, value: str) -> list[tuple[Variable, str]] | None:
    """Return the variables to set and their values, none where one is read-only; None when ``key`` can't be set.

    Raises :class:`NotSayable` for a value that has no form in 2.0.1.
    """
    small = key.casefold()
    if small in OF_THE_BACKEND_LEG:
        return None
    if small == PHASE_ROTATION.casefold():
        settings = _phase_rotations(context, value)
        return settings if all(may_set(context, variable) for variable, _ in settings) else []
    mapped = BY_SMALL_NAME.get(small)
    if mapped is None:
        return _vendor(context, key, value)
    if mapped.readonly:
        return None
    if not may_set(context, mapped.variable):
        return []
    said = mapped.words.to_station(value)
    if not is_exact(mapped.words, value, said):
        context.note(
            "configuration-measurands",
            f"{key} is set to {said}: 2.0.1 has no measurand of one phase, "
            "and without the energy register a session's energy isn't known",
        )
    along = [other for other in mapped.also if may_set(context, other.variable)]
    return [(mapped.variable, said), *((other.variable, other.words.to_station(value)) for other in along)]


def change_status(main: Variable, results: Iterable[Json], context: Context) -> str:
    """Return the 1.6 status of a change: that of the ``main`` variable, or the worst where all are of its name."""
    statuses = []
    for result in results:
        status = _CHANGE_STATUSES[result["attributeStatus"]]
        if (result["component"]["name"].casefold(), result["variable"]["name"].casefold()) == (
            main.component.casefold(),
            main.name.casefold(),
        ):
            statuses.append(status)
        elif status not in {"Accepted", "RebootRequired"}:
            context.note("configuration-part", f"{name_of(result['component'], result['variable'])} was not set along")
    return next((status for status in _WORST_FIRST if status in statuses), "Rejected")


def _vendor(context: Context, key: str, value: str) -> list[tuple[Variable, str]] | None:
    """A pseudo key: as the station's inventory has it, or where there is none, as it is."""
    variable = vendor_variable(key)
    if variable is None or is_missing(context.books, variable.path):
        return None
    facts = facts_of(context.books, variable.path)
    words = PLAIN if facts is None else BY_DATA_TYPE.get(facts.data_type, PLAIN)
    return [(variable, words.to_station(value))] if may_set(context, variable) else []


def _phase_rotations(context: Context, value: str) -> list[tuple[Variable, str]]:
    """Read ``1.RST,2.RTS``; 0, the main connection, has no variable and is passed over."""
    settings = []
    for item in items(value):
        number, _, rotation = item.partition(".")
        connector = numbered(context.books, int(number)) if number.isascii() and number.isdigit() else None
        if number == "0":
            context.note("phase-rotation", "ConnectorPhaseRotation of the main connection (0) can't be set")
        elif connector is None or not rotation:
            raise NotSayable("a phase rotation is given per connector")
        else:
            settings.append((phase_rotation_of(connector), rotation))
    return settings


def _cut(context: Context, key: str, value: str) -> str:
    if len(value) > VALUE_MAX:
        context.note("configuration-value", f"the value of {key} was cut to {VALUE_MAX} characters")
    return value[:VALUE_MAX]
