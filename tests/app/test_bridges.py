"""Each pair of dialects has its bridge, and the bridge what it needs."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from gateway.app.foundation import Foundation
from gateway.app.stations import StationFactory
from gateway.bridge.pairs import SERVED_BY
from gateway.bridge.v16_v16 import V16ToV16
from gateway.bridge.v201_v16 import V201ToV16
from gateway.bridge.v201_v201 import V201ToV201
from gateway.session.ports import Proof, StationRecord
from gateway.wire.versions import Version


async def registered(foundation: Foundation) -> StationRecord:
    return await foundation.stations.add("CS1", profile=2, serial=None, backend=None, password_hash=None)


PAIRS = {
    (Version.V16, Version.V16): V16ToV16,
    (Version.V201, Version.V16): V201ToV16,
    (Version.V201, Version.V201): V201ToV201,
}


def to_backend_of(foundation: Foundation, version: Version) -> Foundation:
    """Return the same with a backend that speaks ``version``."""
    legacy = foundation.config.backends["legacy"].model_copy(update={"protocol": version.value})
    return dataclasses.replace(foundation, config=foundation.config.model_copy(update={"backends": {"legacy": legacy}}))


def test_no_pair_is_forgotten() -> None:
    assert set(PAIRS) == {(station, backend) for backend, served in SERVED_BY.items() for station in served}


@pytest.mark.parametrize(("station_speaks", "backend_speaks"), PAIRS)
async def test_each_pair_has_its_bridge(
    foundation: Foundation, station_speaks: Version, backend_speaks: Version
) -> None:
    factory = StationFactory(to_backend_of(foundation, backend_speaks))
    station = await factory.build(await registered(foundation), station_speaks)
    assert type(station.bridge) is PAIRS[station_speaks, backend_speaks]
    assert station_speaks in await factory.may_speak(station.record)
    await factory.close()


@pytest.mark.parametrize(("station_speaks", "backend_speaks"), PAIRS)
async def test_each_bridge_takes_the_security_event_that_is_kept_already(
    foundation: Foundation, station_speaks: Version, backend_speaks: Version
) -> None:
    """The gateway's own service hands it on after it has kept it: a refusal would have the station repeat it."""
    factory = StationFactory(to_backend_of(foundation, backend_speaks))
    station = await factory.build(await registered(foundation), station_speaks)
    event = {"type": "SettingSystemTime", "timestamp": "2026-05-01T09:00:00Z"}
    assert await station.bridge.from_station("SecurityEventNotification", event) == {}
    await factory.close()


async def test_what_a_station_left_that_its_backend_can_not_serve_any_more_is_offered_all_the_same(
    foundation: Foundation,
) -> None:
    factory = StationFactory(to_backend_of(foundation, Version.V201))
    record = await registered(foundation)
    assert await factory.may_speak(record) == {Version.V201}
    station = await factory.build(record, Version.V16)
    assert type(station.bridge) is V201ToV201
    await factory.close()


@pytest.mark.parametrize("version", Version)
async def test_each_version_has_its_services(foundation: Foundation, version: Version) -> None:
    async def serve(_: Any, __: Any) -> dict[str, Any]:
        return {"status": version.value}

    services = {(version, "SignCertificate"): serve}
    factory = StationFactory(dataclasses.replace(foundation, services=services))
    station = await factory.build(await registered(foundation), version)
    assert station.version is version
    assert list(station._services) == ["SignCertificate"]
    await factory.close()


async def test_an_event_bears_the_address_of_the_station_that_caused_it(foundation: Foundation) -> None:
    """Alike events of one address are kept once, so that a station can't fill the log with what it makes up."""
    factory = StationFactory(foundation)
    entry = await factory.directory.enter(await registered(foundation), Proof(2), Version.V16, "10.0.0.9")
    station = entry.station
    station.joined(factory.sink(entry), entry.proof, entry.remote)

    for number in (7, 8):
        await station.bridge.from_station("MeterValues", {"connectorId": 1, "transactionId": number, "meterValue": []})
    await station.bridge.from_backend("ChangeConfiguration", {"key": "SecurityProfile", "value": "1"})

    noted = foundation.security.noted  # type: ignore[attr-defined]  # the fixture's Events
    assert [(event.kind, event.identity, event.remote) for event in noted] == [
        ("ForeignTransaction", "CS1", "10.0.0.9"),
        ("ForeignTransaction", "CS1", "10.0.0.9"),
        ("DowngradeAttempted", "CS1", None),
    ]
    await factory.close()


@pytest.mark.parametrize(
    ("version", "asked", "answer"),
    [
        (Version.V16, {"idTag": "Tag"}, {"idTagInfo": {"status": "Blocked"}}),
        (Version.V201, {"idToken": {"idToken": "Tag", "type": "Central"}}, {"idTokenInfo": {"status": "Blocked"}}),
    ],
)
async def test_what_the_backend_said_to_one_station_holds_for_another_while_it_is_away(
    foundation: Foundation,
    configured: Callable[..., Any],
    version: Version,
    asked: dict[str, Any],
    answer: dict[str, Any],
) -> None:
    legacy = {"url": "wss://csms.example.com/{identity}", "authorize_offline": "cache"}
    factory = StationFactory(dataclasses.replace(foundation, config=configured(backends={"legacy": legacy})))

    async def says_blocked(_: str, __: dict[str, Any]) -> dict[str, Any]:
        return {"idTagInfo": {"status": "Blocked"}}

    await foundation.authorizations.listening("legacy", says_blocked)("Authorize", {"idTag": "TAG"})
    await foundation.authorizations.flush()

    station = await factory.build(await registered(foundation), version)

    assert await station.bridge.from_station("Authorize", asked) == answer
    await factory.close()
