"""Each command as a table: what is asked in the words of either version, and what is made of the answer."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.bridge.ports import PeerUnavailable
from gateway.services import station_commands as commands
from gateway.services.station_commands import NetworkProfile, Outcome, Reply, Setting
from gateway.session.stages import InvalidAnswer, NotSendable
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.versions import Version
from tests.services.conftest import ScriptedStation, get_variables, set_variables

Command = Callable[..., Awaitable[Reply]]

PASSWORD = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
ORGANIZATION = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "OrganizationName"}}
PRIORITY = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "NetworkConfigurationPriority"}}
PROFILE = NetworkProfile("wss://csms.example/ocpp", 3, "Wired0")

ASKED: list[tuple[str, Command, dict[str, Any], str, dict[str, Any]]] = [
    (
        "ocpp2.0.1",
        commands.install_root,
        {"root_pem": "ROOT"},
        "InstallCertificate",
        {"certificateType": "CSMSRootCertificate", "certificate": "ROOT"},
    ),
    (
        "ocpp1.6",
        commands.install_root,
        {"root_pem": "ROOT"},
        "InstallCertificate",
        {"certificateType": "CentralSystemRootCertificate", "certificate": "ROOT"},
    ),
    (
        "ocpp2.0.1",
        commands.change_setting,
        {"setting": Setting.PASSWORD, "value": "secret"},
        "SetVariables",
        {"setVariableData": [{**PASSWORD, "attributeValue": "secret"}]},
    ),
    (
        "ocpp1.6",
        commands.change_setting,
        {"setting": Setting.PASSWORD, "value": "00" * 20},
        "ChangeConfiguration",
        {"key": "AuthorizationKey", "value": "00" * 20},
    ),
    (
        "ocpp2.0.1",
        commands.change_setting,
        {"setting": Setting.ORGANIZATION, "value": "CPO"},
        "SetVariables",
        {"setVariableData": [{**ORGANIZATION, "attributeValue": "CPO"}]},
    ),
    (
        "ocpp1.6",
        commands.change_setting,
        {"setting": Setting.ORGANIZATION, "value": "CPO"},
        "ChangeConfiguration",
        {"key": "CpoName", "value": "CPO"},
    ),
    (
        "ocpp2.0.1",
        commands.change_setting,
        {"setting": Setting.NETWORK_PRIORITY, "value": "2,1"},
        "SetVariables",
        {"setVariableData": [{**PRIORITY, "attributeValue": "2,1"}]},
    ),
    (
        "ocpp1.6",
        commands.change_setting,
        {"setting": Setting.SECURITY_PROFILE, "value": "3"},
        "ChangeConfiguration",
        {"key": "SecurityProfile", "value": "3"},
    ),
    (
        "ocpp2.0.1",
        commands.set_network_profile,
        {"slot": 2, "profile": PROFILE},
        "SetNetworkProfile",
        {
            "configurationSlot": 2,
            "connectionData": {
                "ocppVersion": "OCPP20",
                "ocppTransport": "JSON",
                "ocppCsmsUrl": "wss://csms.example/ocpp",
                "messageTimeout": 30,
                "securityProfile": 3,
                "ocppInterface": "Wired0",
            },
        },
    ),
    ("ocpp2.0.1", commands.reset, {}, "Reset", {"type": "OnIdle"}),
    ("ocpp1.6", commands.reset, {}, "Reset", {"type": "Soft"}),
]


@pytest.mark.parametrize(
    ("version", "command", "arguments", "action", "payload"),
    ASKED,
    ids=[f"{version} {action} {index}" for index, (version, _, _, action, _) in enumerate(ASKED)],
)
async def test_asked_in_the_words_of_the_version(
    version: str, command: Command, arguments: Any, action: str, payload: Any
) -> None:
    station = ScriptedStation(version=Version(version))
    reply = await command(station, **arguments)
    assert station.calls == [(action, payload)]
    assert reply.outcome is Outcome.ACCEPTED
    assert reply.is_accepted


@pytest.mark.parametrize(
    ("version", "setting"),
    [
        (Version.V16, Setting.NETWORK_PRIORITY),
        (Version.V201, Setting.SECURITY_PROFILE),
    ],
)
async def test_a_setting_that_the_version_has_not_is_not_asked_for(version: Version, setting: Setting) -> None:
    station = ScriptedStation(version=version)
    reply = await commands.change_setting(station, setting, "1")
    assert reply.outcome is Outcome.NOT_SUPPORTED
    assert version.value in reply.words
    assert station.calls == []


@pytest.mark.parametrize(
    ("answer", "outcome", "words", "status"),
    [
        ({"status": "Accepted"}, Outcome.ACCEPTED, "Reset: Accepted", "Accepted"),
        ({"status": "Scheduled"}, Outcome.ACCEPTED, "Reset: Scheduled", "Scheduled"),
        (
            {"status": "Rejected", "statusInfo": {"reasonCode": "Busy", "additionalInfo": "a\nlie"}},
            Outcome.REJECTED,
            "Reset: Rejected (Busy: a\\nlie)",
            "Rejected",
        ),
        (CallError(ErrorCode.NOT_IMPLEMENTED, "no"), Outcome.NOT_SUPPORTED, "Reset: CALLERROR NotImplemented: no", ""),
        (CallError(ErrorCode.NOT_SUPPORTED), Outcome.NOT_SUPPORTED, "Reset: CALLERROR NotSupported", ""),
        (
            CallError(ErrorCode.INTERNAL_ERROR, "x" * 900),
            Outcome.REJECTED,
            "Reset: CALLERROR InternalError: " + "x" * 268,
            "",
        ),
        (
            NotSendable(ErrorCode.SECURITY_ERROR, "policy"),
            Outcome.REJECTED,
            "Reset: CALLERROR SecurityError: policy",
            "",
        ),
    ],
)
async def test_an_answer_becomes_an_outcome(answer: Any, outcome: Outcome, words: str, status: str) -> None:
    station = ScriptedStation()
    station.says("Reset", answer)
    reply = await commands.reset(station)
    assert (reply.outcome, reply.words, reply.status) == (outcome, words, status)
    assert reply.is_accepted == (outcome is Outcome.ACCEPTED)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("Accepted", Outcome.ACCEPTED),
        ("RebootRequired", Outcome.REBOOT_REQUIRED),
        ("Rejected", Outcome.REJECTED),
        ("UnknownComponent", Outcome.NOT_SUPPORTED),
        ("UnknownVariable", Outcome.NOT_SUPPORTED),
        ("NotSupportedAttributeType", Outcome.NOT_SUPPORTED),
    ],
)
async def test_what_became_of_a_variable(status: str, outcome: Outcome) -> None:
    station = ScriptedStation()
    station.says("SetVariables", set_variables(status, "ReadOnly"))
    reply = await commands.change_setting(station, Setting.ORGANIZATION, "CPO")
    assert reply.outcome is outcome
    assert reply.reason_code == "ReadOnly"
    assert reply.words == f"SetVariables: {status} (ReadOnly)"


async def test_a_variable_that_the_station_refuses_with_a_callerror() -> None:
    station = ScriptedStation()
    station.says("SetVariables", CallError(ErrorCode.FORMAT_VIOLATION))
    assert (await commands.change_setting(station, Setting.PASSWORD, "x")).outcome is Outcome.REJECTED


@pytest.mark.parametrize("status", ["RebootRequired", "NotSupported", "Rejected"])
async def test_what_became_of_a_key(status: str) -> None:
    station = ScriptedStation(version=Version.V16)
    station.says("ChangeConfiguration", {"status": status})
    reply = await commands.change_setting(station, Setting.PASSWORD, "00" * 20)
    assert reply.outcome.name.replace("_", "") == status.upper()


@pytest.mark.parametrize("answer", [PeerUnavailable("no answer"), InvalidAnswer(ErrorCode.TYPE_CONSTRAINT_VIOLATION)])
async def test_without_a_usable_answer_nothing_is_known(answer: Exception) -> None:
    station = ScriptedStation()
    for action in ("Reset", "SetVariables", "GetVariables"):
        station.says(action, answer)
    with pytest.raises(PeerUnavailable):
        await commands.reset(station)
    with pytest.raises(PeerUnavailable):
        await commands.change_setting(station, Setting.PASSWORD, "x")
    with pytest.raises(PeerUnavailable):
        await commands.network_priority(station)


async def test_an_answer_about_another_variable_says_nothing() -> None:
    station = ScriptedStation()
    result = {"attributeStatus": "Accepted", **ORGANIZATION}
    station.says("SetVariables", {"setVariableResult": [result]})
    with pytest.raises(PeerUnavailable, match=r"SecurityCtrlr\.BasicAuthPassword"):
        await commands.change_setting(station, Setting.PASSWORD, "x")


async def test_names_are_compared_without_case() -> None:
    station = ScriptedStation()
    result = {
        "attributeStatus": "Accepted",
        "component": {"name": "securityctrlr"},
        "variable": {"name": "BASICAUTHPASSWORD"},
    }
    station.says("SetVariables", {"setVariableResult": [result]})
    assert (await commands.change_setting(station, Setting.PASSWORD, "x")).is_accepted


@pytest.mark.parametrize(
    ("answer", "outcome", "value"),
    [
        (get_variables("1,0"), Outcome.ACCEPTED, "1,0"),
        (get_variables(None), Outcome.ACCEPTED, ""),
        (get_variables("1", "Rejected"), Outcome.REJECTED, ""),
        (get_variables(None, "UnknownVariable"), Outcome.NOT_SUPPORTED, ""),
        (CallError(ErrorCode.NOT_IMPLEMENTED), Outcome.NOT_SUPPORTED, ""),
    ],
)
async def test_the_order_of_the_network_slots(answer: Any, outcome: Outcome, value: str) -> None:
    station = ScriptedStation()
    station.says("GetVariables", answer)
    reply, told = await commands.network_priority(station)
    assert (reply.outcome, told) == (outcome, value)
    assert station.calls == [("GetVariables", {"getVariableData": [PRIORITY]})]


async def test_a_16_station_has_no_network_slots() -> None:
    station = ScriptedStation(version=Version.V16)
    reply, _ = await commands.network_priority(station)
    assert reply.outcome is Outcome.NOT_SUPPORTED
    assert station.calls == []
