"""The whole life of a station's certificate on a real OpenBao, with the rights that `voltgate pki bootstrap` gives."""

import asyncio
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from cryptography import x509
from websockets.exceptions import InvalidStatus

from tests.bao import Bao
from tests.system.certificates import Files, asked_to_renew, boot_of, enrolled, new_certificate, serial_of
from tests.system.scripted_station import until

TOKEN_TTL: Final = "3s"
TOKEN_MAX_TTL: Final = "6s"
"""Then a token is over for good, and the gateway must log in anew: in the middle of each of these tests."""
NOT_ADMITTED: Final = 1008
MOUNT: Final = "voltgate-stations"


pytestmark = pytest.mark.timeout(180)  # commands are processes, and Vault is asked again after seconds


@pytest.fixture
async def on_openbao(deployment: Any, bao: Bao, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A running deployment whose stations' CA is the OpenBao, set up by the command and by nothing else."""
    for name, value in bao.environ.items():
        monkeypatch.setenv(name, value)
    status, out, err = await deployment.run(
        "pki", "bootstrap", "--operator", "Example CPO", "--token-ttl", TOKEN_TTL, "--token-max-ttl", TOKEN_MAX_TTL,
        "--secret-id-file", str(tmp_path / "secret-id"), "--out", str(tmp_path / "out"),
    )  # fmt: skip
    assert status == 0, err
    for name in bao.environ:
        monkeypatch.delenv(name)

    def change(tree: dict[str, Any]) -> None:
        tree.update(yaml.safe_load(out.partition("# voltgate.yaml\n")[2]))
        tree["listeners"][0]["tls"]["station_roots"] = str(tmp_path / "out" / "station-root.pem")
        tree["revocation"] = {"superseded_after": 0, "refresh": 1}

    deployment.configure(change)
    await deployment.start()
    return deployment


def named_by_vault(files: Files) -> str:
    """Return the serial number as Vault writes it."""
    return serial_of(files).to_bytes(20, "big").lstrip(b"\0").hex(":")


def revoked_at_the_ca(bao: Bao, files: Files) -> bool:
    return bool(bao.ask("GET", f"{MOUNT}/cert/{named_by_vault(files)}")["data"]["revocation_time"])


async def state_of(gateway: Any, files: Files) -> str:
    listed = (await gateway.api("GET", "certificates"))[1]["certificates"]
    return str(next(each["state"] for each in listed if int(each["serial"], 16) == serial_of(files)))


async def refused(gateway: Any, identity: str, certificate: Files) -> None:
    """A revocation in the store reaches the doors within a second or so."""

    async def status() -> int:
        try:
            async with gateway.station(identity, certificate=certificate):
                return 101
        except InvalidStatus as caught:
            return int(caught.response.status_code)

    await until(status, lambda found: found == 401)


async def command(gateway: Any, *words: str) -> str:
    status, out, err = await gateway.run(*words, "--config", str(gateway.config))
    assert status == 0, err
    return str(out)


async def renewed(gateway: Any, station: Any, serial: str, folder: Path) -> Files:
    """Renew by the command, as a station that was triggered."""
    asking = asyncio.create_task(command(gateway, "cert", "renew", "CS1"))
    await asked_to_renew(station, "TriggerMessage", "SignChargingStationCertificate")
    await asking
    folder = folder / "renewed"
    folder.mkdir()
    return await new_certificate(station, serial, folder)


async def test_issued_used_renewed_superseded_revoked_refused(on_openbao: Any, bao: Bao, tmp_path: Path) -> None:
    gateway = on_openbao
    assert "station (vault): ok" in await command(gateway, "pki", "check")

    first = await enrolled(gateway, "CS1", "SN-CS1", tmp_path)
    leaf, issuing = x509.load_pem_x509_certificates(first[0].read_bytes())
    assert leaf.subject.rfc4514_string() == "CN=SN-CS1,O=Example CPO"
    ca = bao.ask("GET", f"{MOUNT}/issuer/default/json")["data"]["certificate"]
    assert issuing == x509.load_pem_x509_certificate(ca.encode())

    async with gateway.station("CS1", certificate=first) as station:
        assert (await station.boot(**boot_of("SN-CS1")))["status"] == "Accepted"
        await until(lambda: state_of(gateway, first), lambda state: state == "in_use")
        # Every token that it has is over, and none can be renewed any longer.
        bao.ask("PUT", "sys/leases/revoke-prefix/auth/approle/login")
        second = await renewed(gateway, station, "SN-CS1", tmp_path)
    assert serial_of(second) != serial_of(first)

    async with gateway.station("CS1", certificate=second) as station:
        await station.call("Heartbeat", {})
        await until(lambda: state_of(gateway, second), lambda state: state == "in_use")

        await until(lambda: state_of(gateway, first), lambda state: state == "superseded")

    # What was superseded is looked for every five minutes, and at the start.
    await gateway.stop()
    await gateway.start()
    async with gateway.station("CS1", certificate=second) as station:
        await station.call("Heartbeat", {})
        await until(lambda: state_of(gateway, first), lambda state: state == "revoked")
        await until(lambda: asyncio.to_thread(revoked_at_the_ca, bao, first), bool)
        await refused(gateway, "CS1", first)
        await station.call("Heartbeat", {})

        assert "is revoked" in await command(gateway, "cert", "revoke", f"{serial_of(second):x}")
        assert await station.closed() == NOT_ADMITTED
    await refused(gateway, "CS1", second)
    assert revoked_at_the_ca(bao, second)
    assert (tmp_path / "secret-id").read_text() not in gateway.log


async def test_sealed_while_the_gateway_starts(on_openbao: Any, bao: Bao, tmp_path: Path) -> None:
    """What lets stations in doesn't lie in Vault; and a revocation by hand, there, is heard of by the CRL."""
    gateway = on_openbao
    papers = await enrolled(gateway, "CS1", "SN-CS1", tmp_path)
    bao.seal()
    try:
        await gateway.stop()
        await gateway.start()
        async with gateway.station("CS1", certificate=papers) as station:
            await station.call("Heartbeat", {})
            bao.unseal()
            await gateway.logged("crl_available_again")
            await asyncio.to_thread(bao.ask, "POST", f"{MOUNT}/revoke", {"serial_number": named_by_vault(papers)})
            await asyncio.to_thread(bao.ask, "GET", f"{MOUNT}/crl/rotate")
            assert await station.closed() == NOT_ADMITTED
    finally:
        bao.unseal()
    await refused(gateway, "CS1", papers)


async def test_sealed_in_the_middle(on_openbao: Any, bao: Bao, tmp_path: Path) -> None:
    gateway = on_openbao
    first = await enrolled(gateway, "CS1", "SN-CS1", tmp_path)
    async with gateway.station("CS1", certificate=first) as station:
        assert (await station.boot(**boot_of("SN-CS1")))["status"] == "Accepted"
        bao.seal()
        try:
            # What runs goes on, and who has a certificate comes in.
            await station.call("Heartbeat", {})
            assert (await gateway.run("pki", "check", "--config", str(gateway.config)))[0] == 1
            waiting = asyncio.create_task(renewed(gateway, station, "SN-CS1", tmp_path))
            await gateway.logged("certificate_delayed")
            assert not waiting.done()
        finally:
            bao.unseal()
        # The request was kept: nobody asks again.
        second = await waiting
    async with gateway.station("CS1", certificate=second) as station:
        await station.call("Heartbeat", {})
        await until(lambda: state_of(gateway, second), lambda state: state == "in_use")
