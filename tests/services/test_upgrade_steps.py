"""Each step as a table: what the station is asked, and where each of its answers leads."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import trustme
from cryptography import x509

from gateway.bridge.ports import PeerUnavailable
from gateway.services.certificates import NotRenewed, TriggerRefused
from gateway.services.station_commands import ConnectedStation
from gateway.services.upgrade_steps import (
    COMES_BACK_WITHIN,
    GOOD_FOR,
    SLOTS_MAX,
    Step,
    StepFailed,
    UpgradeOffer,
    UpgradeSteps,
    first_step,
    moved,
)
from gateway.session.ports import Proof
from gateway.session.upgrades import UpgradeRecord
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.versions import Version
from tests.services.conftest import Answer, ScriptedStation, get_variables, set_variables

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROOTS: Final = [trustme.CA().cert_pem.bytes().decode() for _ in range(2)]
URL: Final = "wss://csms.example/ocpp"


class Surroundings:
    """Fulfils ``Renewal`` and ``InstalledCertificates``."""

    def __init__(self) -> None:
        self.roots: str | None = "".join(ROOTS)
        self.is_offered = True
        self.good: datetime | None = None
        self.failure: Exception | None = None
        self.renewals = 0

    def offer(self, profile: int) -> UpgradeOffer | None:
        return UpgradeOffer(URL, self.roots) if self.is_offered else None

    async def renew_and_wait(self, station: ConnectedStation, within: float, usage: str = "station") -> str:
        self.renewals += 1
        if self.failure is not None:
            raise self.failure
        return "abc123"

    async def good_until(self, identity: str) -> datetime | None:
        return self.good


@pytest.fixture
def around() -> Surroundings:
    return Surroundings()


@pytest.fixture
def steps(around: Surroundings) -> UpgradeSteps:
    return UpgradeSteps(operator="CPO", offer=around.offer, renewal=around, installed=around, now=lambda: NOON)


def at(step: Step, target: int = 3, slot: int | None = None, previous: int = 2, **data: Any) -> UpgradeRecord:
    return UpgradeRecord(
        "CS1", target, previous, step.value, slot, "", {"interface": "Wired0", **data}, False, NOON, NOON
    )


def notes(record: UpgradeRecord) -> list[str]:
    found: list[str] = record.data["notes"]
    assert all(note in record.detail for note in found)
    return found


@pytest.mark.parametrize(
    ("version", "target", "order"),
    [
        (Version.V201, 2, ["roots", "slots"]),
        (Version.V201, 3, ["roots", "organization", "certificate", "slots"]),
        (Version.V16, 2, ["roots", "security-profile"]),
        (Version.V16, 3, ["organization", "roots", "certificate", "security-profile"]),
    ],
)
async def test_the_order(
    steps: UpgradeSteps, around: Surroundings, version: Version, target: int, order: list[str]
) -> None:
    around.roots = None
    station = ScriptedStation(version=version)
    record = at(first_step(version, target), target)
    walked = [record.step]
    while record.step not in {"slots", "security-profile"}:
        record = await steps.take(station, record, is_repeat=False)
        walked.append(record.step)
    assert walked == order


# --- the root


async def test_each_root_by_itself_and_none_twice(steps: UpgradeSteps) -> None:
    station = ScriptedStation()
    record = await steps.take(station, at(Step.ROOTS), is_repeat=False)
    assert (record.step, record.data["roots"]) == ("roots", 1)
    record = await steps.take(station, record, is_repeat=False)
    assert (record.step, record.data["roots"]) == ("roots", 2)
    record = await steps.take(station, record, is_repeat=False)
    assert record.step == "organization"
    assert station.actions == ["InstallCertificate"] * 2
    sent = [x509.load_pem_x509_certificate(payload["certificate"].encode()) for _, payload in station.calls]
    assert sent == [x509.load_pem_x509_certificate(root.encode()) for root in ROOTS]
    assert notes(record) == []


@pytest.mark.parametrize(
    ("profile", "is_repeat", "is_fatal"), [(1, False, True), (1, True, False), (2, False, False), (2, True, False)]
)
@pytest.mark.parametrize("answer", [{"status": "Rejected"}, {"status": "Failed"}, CallError(ErrorCode.NOT_IMPLEMENTED)])
async def test_a_root_that_is_not_taken(
    steps: UpgradeSteps, answer: Any, profile: int, is_repeat: bool, is_fatal: bool
) -> None:
    station = ScriptedStation(proof=Proof(profile))
    station.says("InstallCertificate", answer)
    if is_fatal:
        with pytest.raises(StepFailed, match=r"does not take the root.*InstallCertificate"):
            await steps.take(station, at(Step.ROOTS), is_repeat=is_repeat)
        return
    record = await steps.take(station, at(Step.ROOTS), is_repeat=is_repeat)
    assert record.data["roots"] == 1
    assert "a root was not taken" in notes(record)[0]


async def test_without_configured_roots_that_is_said(steps: UpgradeSteps, around: Surroundings) -> None:
    around.roots = None
    record = await steps.take(ScriptedStation(), at(Step.ROOTS), is_repeat=False)
    assert record.step == "organization"
    assert "no csms_roots are configured" in notes(record)[0]


# --- the credentials of profile 3


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        (set_variables("Accepted"), None),
        (set_variables("RebootRequired"), None),
        (
            set_variables("Rejected", "ReadOnly"),
            "the organisation name was not taken (SetVariables: Rejected (ReadOnly))",
        ),
    ],
    ids=["accepted", "after a reboot", "read only"],
)
async def test_the_organisation(steps: UpgradeSteps, answer: Answer, note: str | None) -> None:
    station = ScriptedStation()
    station.says("SetVariables", answer)
    record = await steps.take(station, at(Step.ORGANIZATION), is_repeat=False)
    assert record.step == "certificate"
    assert notes(record) == ([note] if note else [])


@pytest.mark.parametrize(
    ("good_for", "renewals"),
    [(None, 1), (timedelta(days=-1), 1), (GOOD_FOR - timedelta(seconds=1), 1), (GOOD_FOR, 0)],
)
async def test_a_good_certificate_is_not_renewed(
    steps: UpgradeSteps, around: Surroundings, good_for: timedelta | None, renewals: int
) -> None:
    around.good = None if good_for is None else NOON + good_for
    record = await steps.take(ScriptedStation(), at(Step.CERTIFICATE), is_repeat=False)
    assert record.step == "slots"
    assert around.renewals == renewals


@pytest.mark.parametrize("failure", [NotRenewed("rejected"), TriggerRefused("NotImplemented")])
async def test_without_a_certificate_it_ends(steps: UpgradeSteps, around: Surroundings, failure: Exception) -> None:
    around.failure = failure
    with pytest.raises(StepFailed, match=f"no certificate for security profile 3: {failure}"):
        await steps.take(ScriptedStation(), at(Step.CERTIFICATE), is_repeat=False)


# --- the network profile


@pytest.mark.parametrize(
    ("priority", "used", "tried"),
    [
        ("1", [1], [2, 3, 4, 5, 6]),
        ("0", [0], [1, 2, 3, 4, 5]),
        ("2, 1", [2, 1], [3, 4, 5, 6, 7]),
        ("0,2", [0, 2], [1, 3, 4, 5, 6]),
        ("", [], [1, 2, 3, 4, 5]),
    ],
)
async def test_free_slots_ascending(steps: UpgradeSteps, priority: str, used: list[int], tried: list[int]) -> None:
    station = ScriptedStation()
    station.says("GetVariables", get_variables(priority))
    record = await steps.take(station, at(Step.SLOTS), is_repeat=False)
    assert (record.step, record.slot) == ("network-profile", tried[0])
    assert (record.data["priority"], [record.slot, *record.data["free"]]) == (used, tried)
    assert len(tried) == SLOTS_MAX


@pytest.mark.parametrize(
    "answer",
    [get_variables(None, "UnknownVariable"), get_variables("one"), get_variables("-1"), get_variables("9" * 10)],
    ids=["unknown", "words", "negative", "absurd"],
)
async def test_slots_that_cannot_be_known(steps: UpgradeSteps, answer: Answer) -> None:
    station = ScriptedStation()
    station.says("GetVariables", answer)
    with pytest.raises(StepFailed, match="does not say which network configuration slots"):
        await steps.take(station, at(Step.SLOTS), is_repeat=False)


async def test_the_profile_goes_into_the_first_slot_that_takes_it(steps: UpgradeSteps) -> None:
    station = ScriptedStation()
    refused: Any = {"status": "Rejected", "statusInfo": {"reasonCode": "InvalidConfSlot"}}
    station.says("SetNetworkProfile", refused, {"status": "Rejected"}, {"status": "Accepted"})
    record = at(Step.NETWORK_PROFILE, slot=2, priority=[1], free=[3, 4, 5])
    walked = []
    while record.step == "network-profile":
        record = await steps.take(station, record, is_repeat=False)
        walked.append((record.step, record.slot))
    assert walked == [("network-profile", 3), ("network-profile", 4), ("priority", 4)]
    assert [payload["configurationSlot"] for _, payload in station.calls] == [2, 3, 4]
    connection = station.calls[0][1]["connectionData"]
    assert (connection["ocppCsmsUrl"], connection["securityProfile"]) == (URL, 3)


@pytest.mark.parametrize(
    ("answer", "free"),
    [
        ({"status": "Rejected", "statusInfo": {"reasonCode": "InvalidConfSlot"}}, []),
        ({"status": "Rejected", "statusInfo": {"reasonCode": "InvalidNetworkConf"}}, [3]),
        ({"status": "Rejected", "statusInfo": {"reasonCode": "NoSecurityDowngrade"}}, [3]),
        ({"status": "Failed"}, [3]),
        (CallError(ErrorCode.NOT_SUPPORTED), [3]),
    ],
)
async def test_a_profile_that_no_slot_takes(steps: UpgradeSteps, answer: Any, free: list[int]) -> None:
    station = ScriptedStation()
    station.says("SetNetworkProfile", answer)
    with pytest.raises(StepFailed, match="does not take the network profile in slot 2"):
        await steps.take(station, at(Step.NETWORK_PROFILE, slot=2, priority=[1], free=free), is_repeat=False)


async def test_a_listener_that_is_gone_from_the_configuration(steps: UpgradeSteps, around: Surroundings) -> None:
    around.is_offered = False
    for record in (at(Step.ROOTS), at(Step.NETWORK_PROFILE, slot=2, priority=[1], free=[])):
        with pytest.raises(StepFailed, match="no listener with a public_url serves security profile 3"):
            await steps.take(ScriptedStation(), record, is_repeat=False)


async def test_the_new_slot_first_and_the_old_ones_behind(steps: UpgradeSteps) -> None:
    station = ScriptedStation()
    station.says("SetVariables", set_variables("RebootRequired"))
    record = await steps.take(station, at(Step.PRIORITY, slot=3, priority=[2, 1]), is_repeat=False)
    assert record.step == "reset"
    assert station.calls[0][1]["setVariableData"][0]["attributeValue"] == "3,2,1"
    station.says("SetVariables", set_variables("Rejected"))
    with pytest.raises(StepFailed, match=r"order 3,2,1 .*Rejected"):
        await steps.take(station, at(Step.PRIORITY, slot=3, priority=[2, 1]), is_repeat=False)


# --- the restart


DEADLINE = (NOON + COMES_BACK_WITHIN).isoformat()


@pytest.mark.parametrize(("status", "deadline"), [("Accepted", DEADLINE), ("Scheduled", None)])
async def test_restarted(steps: UpgradeSteps, status: str, deadline: str | None) -> None:
    station = ScriptedStation()
    station.says("Reset", {"status": status})
    record = await steps.take(station, at(Step.RESET, slot=2), is_repeat=False)
    assert (record.step, record.data["deadline"]) == ("waiting", deadline)
    assert station.calls == [("Reset", {"type": "OnIdle"})]


async def test_not_restarted(steps: UpgradeSteps) -> None:
    station = ScriptedStation()
    station.says("Reset", {"status": "Rejected"})
    with pytest.raises(StepFailed, match="when somebody restarts it"):
        await steps.take(station, at(Step.RESET, slot=2), is_repeat=False)


@pytest.mark.parametrize(
    ("version", "step", "action"),
    [
        (Version.V201, Step.RESET, "Reset"),
        (Version.V16, Step.RESET, "Reset"),
        (Version.V16, Step.SECURITY_PROFILE, "ChangeConfiguration"),
    ],
)
async def test_a_station_that_leaves_instead_of_answering_has_done_what_it_was_asked(
    steps: UpgradeSteps, version: Version, step: Step, action: str
) -> None:
    station = ScriptedStation(version=version)

    def leave(payload: Any) -> Exception:
        station.is_connected = False
        return PeerUnavailable("1006")

    station.says(action, leave)
    record = await steps.take(station, at(step), is_repeat=False)
    assert (record.step, record.data["deadline"]) == ("waiting", DEADLINE)
    with pytest.raises(PeerUnavailable):
        await steps.take(station, at(step), is_repeat=True)
    station.is_connected = True
    station.says(action, PeerUnavailable("no answer in time"))
    with pytest.raises(PeerUnavailable):
        await steps.take(station, at(step), is_repeat=False)


# --- 1.6


@pytest.mark.parametrize(("status", "step"), [("Accepted", "waiting"), ("RebootRequired", "reset")])
async def test_a_16_station_is_told_its_profile(steps: UpgradeSteps, status: str, step: str) -> None:
    station = ScriptedStation(version=Version.V16)
    station.says("ChangeConfiguration", {"status": status})
    record = await steps.take(station, at(Step.SECURITY_PROFILE, previous=1), is_repeat=False)
    assert record.step == step
    assert station.calls == [("ChangeConfiguration", {"key": "SecurityProfile", "value": "3"})]
    assert notes(record) == ["its new address must be set in the station itself"]
    record = await steps.take(station, at(Step.SECURITY_PROFILE), is_repeat=False)
    assert notes(record) == []


@pytest.mark.parametrize("status", ["Rejected", "NotSupported"])
async def test_a_16_station_that_does_not_take_its_profile(steps: UpgradeSteps, status: str) -> None:
    station = ScriptedStation(version=Version.V16)
    station.says("ChangeConfiguration", {"status": status})
    with pytest.raises(StepFailed, match=f"does not take security profile 3: .*{status}"):
        await steps.take(station, at(Step.SECURITY_PROFILE), is_repeat=False)


# --- records


async def test_a_station_that_has_changed_its_version(steps: UpgradeSteps, around: Surroundings) -> None:
    around.good = NOON + timedelta(days=300)
    with pytest.raises(StepFailed, match="does not say which"):
        await steps.take(ScriptedStation(version=Version.V16), at(Step.SLOTS), is_repeat=False)
    odd = at(Step.CERTIFICATE, target=2)
    with pytest.raises(StepFailed, match=r"speaks ocpp2\.0\.1 by now"):
        await steps.take(ScriptedStation(), odd, is_repeat=False)


async def test_a_step_of_another_release(steps: UpgradeSteps) -> None:
    with pytest.raises(StepFailed, match="another release of Voltgate left it at the step 'dancing'"):
        await steps.take(ScriptedStation(), replace(at(Step.ROOTS), step="dancing"), is_repeat=True)


def test_notes_stay_and_are_said_once() -> None:
    record = moved(at(Step.ROOTS), Step.ORGANIZATION, note="first")
    record = moved(record, Step.CERTIFICATE, note="second", more=1)
    record = moved(record, Step.SLOTS, note="first")
    assert record.data == {"interface": "Wired0", "notes": ["first", "second"], "more": 1}
    assert record.detail == "asking for its network configuration slots; first; second"
