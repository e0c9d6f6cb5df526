"""Attack A8: a certificate and the registry disagree. A serial number goes to another station, the certificate stays.

AAA keeps key and certificate when its serial number is corrected; BBB is registered with the old one. By its name the
certificate of AAA would be BBB's now. The real process, its own authority, real TLS.
"""

from pathlib import Path
from typing import Any

from tests.system.certificates import TLS_VERSIONS, boot_of, client, enrolled, knock, serial_of

NOT_ADMITTED = 1008


async def test_an_old_certificate_opens_no_other_stations_door(new_deployment: Any, tmp_path: Path) -> None:
    async with new_deployment() as gateway:
        await gateway.start()
        papers = await enrolled(gateway, "AAA", "SN-AAA", tmp_path)

        async def station(command: str, *arguments: str) -> None:
            status, _, error = await gateway.run("station", command, *arguments, "--config", str(gateway.config))
            assert status == 0, error

        async def statuses() -> list[int]:
            contexts = [client(gateway, papers, version) for version in TLS_VERSIONS]
            return [(await knock(gateway.port("wss"), "BBB", tls)).status for tls in contexts]

        await station("set-serial", "AAA", "SN-REAL")
        await station("add", "BBB", "--profile", "3", "--serial", "SN-AAA")
        assert await statuses() == [401, 401]
        await gateway.logged("certificate_of_another", times=2, name="reason")
        assert 'voltgate_entries_refused_total{reason="certificate_of_another"} 2' in await gateway.metrics()
        event = await gateway.told(event="security_event", identity="BBB")
        assert event["kind"] == "InvalidChargingStationCertificate"
        assert "certificate_of_another" in event["detail"]
        assert "issued to AAA" in event["detail"]

        # The hardware has got a new identity: its old one is removed.
        await station("remove", "AAA")
        async with gateway.station("BBB", certificate=papers) as moved:
            assert (await moved.boot(**boot_of("SN-AAA")))["status"] == "Accepted"
            # The old identity is there again, and with it its certificates: who came by one of them is out.
            await station("add", "AAA", "--profile", "3", "--serial", "SN-REAL")
            assert await moved.closed() == NOT_ADMITTED
        assert await statuses() == [401, 401]

        # Neither does a restart make it BBB's; nor was it ever noted as that.
        await gateway.stop()
        await gateway.start()
        assert await statuses() == [401, 401]
        _, kept = await gateway.api("GET", f"certificates/{serial_of(papers):x}")
        assert kept["identity"] == "AAA"
