"""What stations of either version are asked about their roots, and what becomes of their answers."""

from typing import Any

import pytest

from gateway.bridge.ports import PeerUnavailable
from gateway.services.station_commands import Outcome
from gateway.services.trust_commands import (
    INSTALLED_MAX,
    Listing,
    checks_roots,
    delete,
    install,
    installed_roots,
    store_size,
)
from gateway.session.stages import InvalidAnswer
from gateway.session.trust import SPOKEN_TYPES, AnchorType, Installed
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.versions import Version
from tests.roots import Authority, RootStation, not_supported

ROOT, SECOND = Authority("root"), Authority("second")
CSMS, V2G, MO, MANUFACTURER = AnchorType.CSMS, AnchorType.V2G, AnchorType.MO, AnchorType.MANUFACTURER
NAMED = {"hashAlgorithm": "SHA256", "issuerNameHash": "ab", "issuerKeyHash": "cd", "serialNumber": "1"}


def full(version: Version) -> RootStation:
    station = RootStation(version=version)
    for type_ in SPOKEN_TYPES:
        station.has(ROOT.certificate, of=type_.value)
    return station


async def test_a_station_of_2_0_1_is_asked_for_all_types_at_once() -> None:
    station = full(Version.V201)
    listing = await installed_roots(station, [*SPOKEN_TYPES, AnchorType.OEM])
    assert station.calls == [
        ("GetInstalledCertificateIds", {"certificateType": sorted(each.value for each in SPOKEN_TYPES)})
    ]
    assert (listing.answered, listing.problem) == (SPOKEN_TYPES, "")
    assert {each.type for each in listing.installed} == SPOKEN_TYPES
    assert {each.name for each in listing.installed} <= ROOT.anchor.names


async def test_one_of_1_6_in_the_words_of_the_white_paper_and_of_the_note() -> None:
    station = full(Version.V16)
    listing = await installed_roots(station, SPOKEN_TYPES)
    assert station.calls == [
        ("GetInstalledCertificateIds", {"certificateType": "CentralSystemRootCertificate"}),
        ("GetInstalledCertificateIds", {"certificateType": "ManufacturerRootCertificate"}),
        ("GetInstalledCertificateIds", {"certificateType": ["MORootCertificate", "V2GRootCertificate"]}),
    ]
    assert {each.type for each in listing.installed} == SPOKEN_TYPES


async def test_none_is_an_answer() -> None:
    for version in Version:
        listing = await installed_roots(RootStation(version=version), SPOKEN_TYPES)
        assert listing == Listing(SPOKEN_TYPES)
    assert await installed_roots(RootStation(), [AnchorType.OEM]) == Listing()


async def test_a_station_that_cannot_answer_for_several_types_is_asked_for_each() -> None:
    station = full(Version.V201)

    def picky(payload: Any) -> Any:
        if "MORootCertificate" in payload["certificateType"]:
            raise CallError(ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, "what is MO?")
        return station._list(payload)

    station.says["GetInstalledCertificateIds"] = picky
    listing = await installed_roots(station, [CSMS, V2G, MO])
    assert listing.answered == {CSMS, V2G}
    assert {each.type for each in listing.installed} == {CSMS, V2G}
    assert listing.problem == (
        "GetInstalledCertificateIds of MORootCertificate: CALLERROR PropertyConstraintViolation: what is MO?"
    )


async def test_what_was_not_asked_for_is_left_out_and_a_flood_is_cut() -> None:
    station = RootStation()
    entry = {"certificateType": "CSMSRootCertificate", "certificateHashData": NAMED}
    other = {**entry, "certificateType": "MORootCertificate"}
    station.says["GetInstalledCertificateIds"] = {
        "status": "Accepted",
        "certificateHashDataChain": [other, *[entry] * (INSTALLED_MAX + 5)],
    }
    listing = await installed_roots(station, [CSMS])
    assert {each.type for each in listing.installed} == {CSMS}
    assert len(listing.installed) == INSTALLED_MAX
    assert listing.installed[0].name is None, "no SHA-256 has two digits"
    assert len((listing + listing).installed) == INSTALLED_MAX


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("type_", [CSMS, V2G, MO, MANUFACTURER])
async def test_installed_listed_and_deleted(version: Version, type_: AnchorType) -> None:
    station = RootStation(version=version, writes="odd").has(SECOND.certificate, of=type_.value)
    assert (await install(station, type_, ROOT.pem)).is_accepted
    assert station.held(type_.value) == [SECOND.certificate, ROOT.certificate]
    (root,) = [each for each in (await installed_roots(station, [type_])).installed if each.name in ROOT.anchor.names]
    assert (await delete(station, root)).is_accepted
    assert station.calls[-1] == ("DeleteCertificate", {"certificateHashData": root.reported})
    assert root.reported["serialNumber"].startswith("0"), "it is named as it named itself"
    assert station.held(type_.value) == [SECOND.certificate]
    again = await delete(station, root)
    assert (again.is_accepted, again.words) == (True, "DeleteCertificate: NotFound")


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("type_", [CSMS, V2G])
async def test_a_refusal_in_the_stations_words(version: Version, type_: AnchorType) -> None:
    station = RootStation(version=version)
    station.says |= {"InstallCertificate": {"status": "Failed"}, "DeleteCertificate": not_supported()}
    installed = await install(station, type_, ROOT.pem)
    assert (installed.outcome, installed.words) == (Outcome.REJECTED, "InstallCertificate: Failed")
    deleted = await delete(station, Installed(type_, NAMED))
    assert deleted.outcome is Outcome.NOT_SUPPORTED
    assert "NotSupported" in deleted.words


async def test_a_1_6_station_that_does_not_know_the_note() -> None:
    class Plain(RootStation):
        async def call_station(self, action: str, payload: Any) -> Any:
            return {"status": "UnknownVendorId"} if action == "DataTransfer" else {"status": "NotFound"}

    station = Plain(version=Version.V16)
    listing = await installed_roots(station, [CSMS, V2G, MO])
    assert listing.answered == {CSMS}
    assert "DataTransfer: UnknownVendorId" in listing.problem
    assert (await install(station, V2G, ROOT.pem)).outcome is Outcome.NOT_SUPPORTED


@pytest.mark.parametrize("type_", [CSMS, V2G])
async def test_an_answer_that_cannot_be_read_says_nothing(type_: AnchorType) -> None:
    station = RootStation(version=Version.V16)
    station.says["GetInstalledCertificateIds"] = InvalidAnswer(ErrorCode.FORMAT_VIOLATION, "no object")
    with pytest.raises(PeerUnavailable):
        await installed_roots(station, [type_])


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize(("value", "checks"), [(True, True), (False, False), (None, False)])
async def test_whether_it_checks_new_roots(version: Version, value: bool | None, checks: bool) -> None:
    assert await checks_roots(RootStation(version=version, checks=value)) is checks


@pytest.mark.parametrize(
    ("version", "action", "words"),
    [
        (Version.V201, "GetVariables", "its CertificateEntries is 1"),
        (Version.V16, "GetConfiguration", "its CertificateStoreMaxLength is 20"),
    ],
)
async def test_how_full_its_store_is(version: Version, action: str, words: str) -> None:
    station = full(version)
    station.roots = station.roots[:1]
    assert await store_size(station) == words
    station.says[action] = not_supported()
    assert await store_size(station) == ""
    assert not await checks_roots(station)
