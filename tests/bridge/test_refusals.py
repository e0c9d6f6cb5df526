"""What is refused: the answer fits the schema, the event is there, and what follows comes after the answer."""

import pytest

from gateway.bridge.books import Json
from gateway.bridge.ports import RECONFIGURATION, UNSAFE_LOCATION, UNVERIFIED_FIRMWARE, FollowUp, PeerUnavailable
from gateway.bridge.refusals import (
    REFUSED,
    check_known,
    refuse,
    refuse_csr,
    refuse_diagnostics,
    refuse_location,
    refuse_update,
)
from gateway.session.security import KIND_MAX, Kind
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.schemas import operation
from gateway.wire.versions import Version


class Backend:
    """A backend, and what is to be done after its answer."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.heard: list[tuple[str, Json]] = []
        self.events: list[tuple[str, str]] = []
        self.follow_ups: list[FollowUp] = []

    async def call(self, action: str, payload: Json) -> Json:
        self.heard.append((action, payload))
        if self.error is not None:
            raise self.error
        return {}

    def report(self, kind: str, detail: str) -> None:
        self.events.append((kind, detail))

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.events]


def test_the_kinds_are_those_of_the_security_log() -> None:
    assert (UNVERIFIED_FIRMWARE, UNSAFE_LOCATION) == (Kind.UNVERIFIED_FIRMWARE, Kind.UNSAFE_LOCATION)
    assert max(map(len, (UNVERIFIED_FIRMWARE, UNSAFE_LOCATION))) <= KIND_MAX


@pytest.mark.parametrize(
    ("action", "status", "kind"),
    [
        ("CertificateSigned", "Rejected", RECONFIGURATION),
        ("DeleteCertificate", "Failed", RECONFIGURATION),
        ("InstallCertificate", "Rejected", RECONFIGURATION),
        ("SignedUpdateFirmware", "Rejected", UNVERIFIED_FIRMWARE),
    ],
)
def test_a_refused_message_has_its_answer_and_its_event(action: str, status: str, kind: str) -> None:
    backend = Backend()

    answer = refuse(backend.report, action)

    operation(Version.V16, action).response.check(answer)
    assert answer == {"status": status}
    ((reported, detail),) = backend.events
    assert reported == kind
    assert action in detail


def test_all_that_is_refused_is_in_the_table_above() -> None:
    assert len(REFUSED) == 4


def test_who_does_not_know_the_white_paper_is_told_the_key() -> None:
    backend = Backend()
    check_known(backend.report, "GetLog", {}, security_extension=True)
    with pytest.raises(CallError, match=r"GetLog.*security_extension") as refused:
        check_known(backend.report, "GetLog", {}, security_extension=False)
    assert refused.value.code is ErrorCode.NOT_SUPPORTED
    assert backend.events == []


@pytest.mark.parametrize(
    ("action", "payload", "kinds"),
    [
        *((action, {}, [kind]) for action, (_, kind, _) in REFUSED.items()),
        ("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}, [RECONFIGURATION]),
        ("ExtendedTriggerMessage", {"requestedMessage": "Heartbeat"}, []),
        ("GetInstalledCertificateIds", {"certificateType": "ManufacturerRootCertificate"}, []),
    ],
)
def test_what_it_reaches_for_is_an_event_all_the_same(action: str, payload: Json, kinds: list[str]) -> None:
    backend = Backend()
    check_known(backend.report, action, payload, security_extension=True)
    assert backend.events == [], "its handler says it"
    with pytest.raises(CallError):
        check_known(backend.report, action, payload, security_extension=False)
    assert backend.kinds == kinds
    assert all(action in detail for _, detail in backend.events)


def test_a_trigger_of_a_csr_is_not_implemented() -> None:
    backend = Backend()
    answer = refuse_csr(backend.report, "ExtendedTriggerMessage")
    operation(Version.V16, "ExtendedTriggerMessage").response.check(answer)
    assert (answer, backend.kinds) == ({"status": "NotImplemented"}, [RECONFIGURATION])


@pytest.mark.parametrize("error", [None, PeerUnavailable("gone"), CallError(ErrorCode.INTERNAL_ERROR, "no")])
async def test_a_download_has_failed_after_the_answer(error: Exception | None) -> None:
    backend = Backend(error)

    answer = refuse_update(backend.report, backend.follow_ups.append, backend.call, security_extension=False)
    assert (answer, backend.heard, backend.kinds) == ({}, [], [UNVERIFIED_FIRMWARE])

    (follow_up,) = backend.follow_ups
    await follow_up()
    assert backend.heard == [("FirmwareStatusNotification", {"status": "DownloadFailed"})]


def test_who_knows_the_white_paper_hears_not_supported() -> None:
    backend = Backend()

    with pytest.raises(CallError) as refused:
        refuse_update(backend.report, backend.follow_ups.append, backend.call, security_extension=True)

    assert refused.value.code is ErrorCode.NOT_SUPPORTED
    assert (backend.follow_ups, backend.kinds) == ([], [UNVERIFIED_FIRMWARE])


async def test_an_upload_has_failed_after_the_answer() -> None:
    backend = Backend()

    assert refuse_diagnostics(backend.report, backend.follow_ups.append, backend.call) == {}
    (follow_up,) = backend.follow_ups
    await follow_up()

    assert backend.heard == [("DiagnosticsStatusNotification", {"status": "UploadFailed"})]
    assert backend.kinds == [UNSAFE_LOCATION]


def test_a_log_for_an_unfit_place_is_rejected() -> None:
    backend = Backend()

    assert refuse_location(backend.report, "GetLog") == {"status": "Rejected"}
    assert backend.kinds == [UNSAFE_LOCATION]
