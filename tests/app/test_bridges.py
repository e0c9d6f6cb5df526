"""Each pair of dialects has its bridge, and the bridge what it needs."""

import dataclasses
from typing import Any

import pytest

from gateway.app.foundation import Foundation
from gateway.app.stations import StationFactory
from gateway.bridge.v16_v16 import V16ToV16
from gateway.bridge.v201_v16 import V201ToV16
from gateway.session.ports import Proof, StationRecord
from gateway.wire.versions import Version


async def registered(foundation: Foundation) -> StationRecord:
    return await foundation.stations.add("CS1", profile=2, serial=None, backend=None, password_hash=None)


@pytest.mark.parametrize("version", Version)
async def test_each_version_has_its_bridge_and_its_services(foundation: Foundation, version: Version) -> None:
    async def serve(_: Any, __: Any) -> dict[str, Any]:
        return {"status": version.value}

    services = {(version, "SignCertificate"): serve}
    factory = StationFactory(dataclasses.replace(foundation, services=services))
    station = await factory.build(await registered(foundation), version)
    assert station.version is version
    assert type(station.bridge) is {Version.V16: V16ToV16, Version.V201: V201ToV16}[version]
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
