"""What a station sees of the running listener's TLS: which certificate, also after it was replaced, and which alert."""

import asyncio
import shutil
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from pki.pem_files import certificates_pem, key_pem
from tests.system.certificates import (
    LONG_AGO,
    NOW,
    OPERATOR,
    TLS_VERSIONS,
    Authority,
    Files,
    boot_of,
    client,
    knock,
    serial_of,
)
from tests.system.scripted_station import until

RELOADED: Final = "certificates_reloaded"
NOT_RELOADED: Final = "certificates_not_reloaded"


def _install(files: Files, place: Files) -> None:
    """Put a chain and its key where others are."""
    for new, old in zip(files, place, strict=True):
        shutil.copyfile(new, old)


async def test_certificates_and_roots_are_replaced_while_a_session_lives(deployment: Any, tmp_path: Path) -> None:
    gateway, dev = deployment, deployment.folder / "certs/dev"
    csms, own, maker = (
        Authority.of_csms(gateway, tmp_path),
        Authority.of_stations(gateway, tmp_path),
        Authority(tmp_path, "maker"),
    )
    other = csms.leaf("other.example.com", names=["other.example.com"])
    tls = {"chain": str(other[0]), "key": f"file:{other[1]}"}
    gateway.configure(lambda tree: tree["listeners"][0]["tls"]["certificates"].append(tls))
    await gateway.start()
    await gateway.add("CS1", 3, "SN-1")
    papers, others = own.leaf("SN-1"), maker.leaf("SN-1")
    port, station_tls = gateway.port("wss"), client(gateway, None, TLS_VERSIONS[1])

    async def shown(server_name: str) -> int:
        return (await knock(port, "CS9", station_tls, server_name=server_name)).shown

    async def alert(files: Files) -> str:
        try:
            await knock(port, "CS1", client(gateway, files, TLS_VERSIONS[0]))
        except ssl.SSLError as exc:
            return str(exc).lower().replace("_", " ")
        return ""

    # Each name its own certificate.
    first = await shown("localhost")
    assert await shown("other.example.com") == serial_of(other)
    assert first == serial_of((dev / "gateway-ecdsa.pem", dev / "gateway-ecdsa.key"))

    async with gateway.station("CS1", certificate=papers) as station:
        assert (await station.boot(**boot_of("SN-1")))["status"] == "Accepted"
        assert "unknown ca" in await alert(others)
        # New certificates for both names, and other roots for stations.
        renewed, other_renewed = (csms.leaf(name, names=[name]) for name in ("localhost", "other.example.com"))
        _install(renewed, (dev / "gateway-ecdsa.pem", dev / "gateway-ecdsa.key"))
        _install(other_renewed, other)
        (dev / "station-roots.pem").write_text(maker.root)
        await gateway.logged(RELOADED)
        # A look in the middle of that has taken what was there by then; the next one takes the rest.
        await until(lambda: shown("localhost"), lambda serial: serial == serial_of(renewed))
        await until(lambda: shown("other.example.com"), lambda serial: serial == serial_of(other_renewed))
        await until(lambda: alert(papers), lambda said: "unknown ca" in said)
        # The session that is open goes on; its identity is held, so that the newcomer hears of that and nothing worse.
        assert (await station.call("Heartbeat", {}))[0] == 3
        assert (await knock(port, "CS1", client(gateway, others, TLS_VERSIONS[1]))).status == 409

        # Half a file, and a key of another certificate: what was good stays.
        gateway.log = ""
        (dev / "station-roots.pem").write_text(maker.root[:200])
        shutil.copyfile(renewed[1], other[1])
        await gateway.logged(NOT_RELOADED)
        gateway.log = ""
        assert await shown("other.example.com") == serial_of(other_renewed)
        assert (await knock(port, "CS1", client(gateway, others, TLS_VERSIONS[1]))).status == 409
        assert (await station.call("Heartbeat", {}))[0] == 3

        # Mended, it is taken.
        (dev / "station-roots.pem").write_text(maker.root + own.root)
        shutil.copyfile(other_renewed[1], other[1])
        await gateway.logged(RELOADED)
        assert (await knock(port, "CS1", client(gateway, papers, TLS_VERSIONS[0]))).status == 409
    async with gateway.station("CS1", certificate=others) as station:
        assert (await station.call("Heartbeat", {}))[0] == 3


async def _s_client(port: int, *options: str) -> str:
    """Run `openssl s_client` until the gateway ends the connection; return all that it says."""
    process = await asyncio.create_subprocess_exec(
        "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-ign_eof", *options,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 15)
    return out.decode()


def _short_rsa(own: Authority) -> Files:
    """A station's certificate with an RSA key of 1024 bits, under a root that is trusted."""
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is what is to be refused
    issuing = own.hierarchy.issuing
    name = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, OPERATOR), x509.NameAttribute(NameOID.COMMON_NAME, "SN-1")]
    )
    leaf = x509.CertificateBuilder(
        issuing.certificate.subject,
        name,
        key.public_key(),
        x509.random_serial_number(),
        NOW - timedelta(hours=1),
        NOW + timedelta(days=1),
    ).sign(issuing.key, hashes.SHA256())
    chain, key_file = own.folder / "short.pem", own.folder / "short.key"
    chain.write_text(certificates_pem([leaf, issuing.certificate]))
    key_file.write_bytes(key_pem(key))
    return chain, key_file


async def test_the_alerts_that_openssl_shows(gateway: Any, tmp_path: Path) -> None:
    own, foreign = Authority.of_stations(gateway, tmp_path), Authority(tmp_path, "foreign")

    def station(files: Files, *more: str) -> tuple[str, ...]:
        return "-cert", str(files[0]), "-cert_chain", str(files[0]), "-key", str(files[1]), *more

    presented = {
        "unknown ca": station(foreign.leaf("SN-1")),
        "certificate expired": station(own.leaf("SN-1", issued=LONG_AGO)),
        "bad certificate": station(own.leaf("SN-1", issued=NOW + timedelta(days=2))),
    }
    table = [(f"-tls1_{minor}", *options, alert) for alert, options in presented.items() for minor in (2, 3)]
    table += [
        # A key that is too short, signed with at OpenSSL's lowest security level.
        ("-tls1_2", *station(_short_rsa(own), "-cipher", "DEFAULT:@SECLEVEL=0"), "bad certificate"),
        ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "protocol version"),
        ("-tls1", "-cipher", "ALL:@SECLEVEL=0", "protocol version"),
        ("-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384", "handshake failure"),
        ("-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305", "handshake failure"),
        ("-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256", "handshake failure"),
    ]
    said = await asyncio.gather(*(_s_client(gateway.port("wss"), *options) for *options, _ in table))
    for (*options, alert), text in zip(table, said, strict=True):
        assert f"alert {alert}" in text, (options, text)
    # Each left its line and its event, with the reason in OpenSSL's words.
    for kind in ("InvalidChargingStationCertificate", "InvalidTLSVersion", "InvalidTLSCipherSuite"):
        await gateway.logged(kind, name="kind")
