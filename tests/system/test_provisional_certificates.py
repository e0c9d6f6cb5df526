"""Certificates that let a station in only to get a new one, and certificates that don't let it in at all."""

import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.system.certificates import (
    LONG_AGO,
    OPERATOR,
    TLS_VERSIONS,
    Authority,
    Files,
    asked_to_renew,
    boot_of,
    client,
    knock,
    new_certificate,
)

NOT_ADMITTED = 1008
BOOT_16 = {"chargePointVendor": "V", "chargePointModel": "M", "chargePointSerialNumber": "SN-OLD"}


@pytest.fixture
def maker(deployment: Any, tmp_path: Path) -> Authority:
    """A manufacturer's CA, which the deployment trusts for factory certificates."""
    made = Authority(tmp_path, "maker")
    (deployment.folder / "maker.pem").write_text(made.root)
    deployment.configure(lambda tree: tree["listeners"][0]["tls"].update(factory_roots="maker.pem"))
    return made


async def _status(gateway: Any, identity: str, files: Files) -> int:
    return (await knock(gateway.port("wss"), identity, client(gateway, files, TLS_VERSIONS[1]))).status


async def test_a_factory_certificate_is_replaced_before_the_backend_hears_anything(
    deployment: Any, backend: Any, maker: Authority, tmp_path: Path
) -> None:
    gateway = deployment
    await gateway.start()
    await gateway.add("CS1", 3, "SN-1")
    await gateway.add("OLD", 3, "SN-OLD")
    factory = maker.leaf("SN-1", organization="Example Maker")
    # One of the same manufacturer, but of another station.
    assert await _status(gateway, "OLD", factory) == 401

    async with gateway.station("CS1", certificate=factory) as station:
        boot = await station.boot(**boot_of("SN-1"))
        assert boot["status"] == "Pending"
        await asked_to_renew(station, "TriggerMessage", "SignChargingStationCertificate")
        assert (await station.call("Heartbeat", {}))[2] == "SecurityError"
        renewed = await new_certificate(station, "SN-1", tmp_path)
        assert (await station.boot(**boot_of("SN-1")))["status"] == "Pending"

    # OCPP 1.6 with the security extension: the same by its own messages.
    factory = maker.leaf("SN-OLD", organization="Example Maker")
    async with gateway.station("OLD", certificate=factory, subprotocols=["ocpp1.6"]) as station:
        assert (await station.call("BootNotification", BOOT_16))[2]["status"] == "Pending"
        await asked_to_renew(station, "ExtendedTriggerMessage", "SignChargePointCertificate")
        renewed_16 = await new_certificate(station, "SN-OLD", tmp_path)
    assert backend.log == []

    async with gateway.station("CS1", certificate=renewed) as station:
        assert (await station.boot(**boot_of("SN-1")))["status"] == "Accepted"
    async with gateway.station("OLD", certificate=renewed_16, subprotocols=["ocpp1.6"]) as station:
        assert (await station.call("BootNotification", BOOT_16))[2]["status"] == "Accepted"
    heard = [payload["chargePointSerialNumber"] for action, payload in backend.log if action == "BootNotification"]
    assert heard == ["SN-1", "SN-OLD"]
    # Reset to what the factory gave it, it begins again.
    async with gateway.station("OLD", certificate=factory, subprotocols=["ocpp1.6"]) as station:
        await asked_to_renew(station, "ExtendedTriggerMessage", "SignChargePointCertificate")
        assert (await station.call("BootNotification", BOOT_16))[2]["status"] == "Pending"


async def test_an_expired_certificate_is_for_one_station_and_one_renewal(
    deployment: Any, backend: Any, tmp_path: Path
) -> None:
    gateway = deployment
    await gateway.start()
    await gateway.add("CS1", 3, "SN-1")
    await gateway.add("CS2", 3, "SN-2")
    own = Authority.of_stations(gateway, tmp_path)
    expired, others = own.leaf("SN-1", issued=LONG_AGO), own.leaf("SN-2", issued=LONG_AGO)

    async def alert(files: Files) -> None:
        """Both versions of TLS say what is wrong."""
        for version in TLS_VERSIONS:
            with pytest.raises(ssl.SSLError, match=r"(?i)certificate.expired"):
                await knock(gateway.port("wss"), "CS1", client(gateway, files, version))

    await alert(expired)
    command = "station", "allow", "CS1", "--config", str(gateway.config)
    assert (await gateway.run(*command, "--expired"))[0] == 0
    await gateway.logged("expired_certificates_reach_the_door")
    assert await _status(gateway, "CS2", others) == 401
    assert await _status(gateway, "CS2", expired) == 401

    async with gateway.station("CS1", certificate=expired) as station:
        assert (await station.boot(**boot_of("SN-1")))["status"] == "Pending"
        await asked_to_renew(station, "TriggerMessage", "SignChargingStationCertificate")
        renewed = await new_certificate(station, "SN-1", tmp_path)
        assert backend.log == []
        # Taken back while it is connected: the session ends, and the handshake is as strict as before.
        assert (await gateway.run(*command, "--no-expired"))[0] == 0
        assert await station.closed() == NOT_ADMITTED
    await alert(expired)
    await alert(others)
    async with gateway.station("CS1", certificate=renewed) as station:
        assert (await station.boot(**boot_of("SN-1")))["status"] == "Accepted"


async def test_whose_certificate_it_must_be(deployment: Any, backend: Any, tmp_path: Path) -> None:
    gateway = deployment
    gateway.configure(lambda tree: tree.update(allowed_organizations=["Example Partner"]))
    await gateway.start()
    await gateway.add("CS1", 3, "SN-1")
    own = Authority.of_stations(gateway, tmp_path)
    for organization, status in ((OPERATOR, 101), ("Example Partner", 101), ("Example Rival", 401)):
        assert await _status(gateway, "CS1", own.leaf("SN-1", organization=organization)) == status
    await gateway.logged("certificate", name="reason")
    assert "A00.FR.404" in gateway.log
    assert await _status(gateway, "CS1", own.leaf("SN-2")) == 401

    # A right certificate, and a BootNotification that tells of another station (B01.FR.12).
    async with gateway.station("CS1", certificate=own.leaf("SN-1")) as station:
        told = {"reason": "PowerUp", **boot_of("SN-2")}
        await station.send(json.dumps([2, "1", "BootNotification", told]))
        assert await station.closed() == NOT_ADMITTED
    assert backend.log == []
