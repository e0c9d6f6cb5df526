"""What the tests of certificates need beside the drivers: CAs of their own, CRLs, and stations that renew or resume."""

import asyncio
import json
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki import profiles
from pki.authority.ca_folder import open_hierarchy
from pki.issuing import Hierarchy, issue, new_hierarchy, new_key, revocation_list
from pki.pem_files import certificates_pem, key_pem

OPERATOR: Final = "Example CPO"
NOW: Final = datetime.now(UTC)
LIFETIME: Final = profiles.charging_station().validity.lifetime
LONG_AGO: Final = NOW - LIFETIME - timedelta(hours=1)
"""What was issued then has expired an hour ago."""
TLS_VERSIONS: Final = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
REPLY: Final = 15.0
"""Seconds for any one answer."""

Files = tuple[Path, Path]
"""Where a chain and its key lie, in PEM."""


class Authority:
    """A CA that issues what a test asks for into ``folder``."""

    def __init__(self, folder: Path, label: str, hierarchy: Hierarchy | None = None) -> None:
        self.folder = folder
        self.label = label
        self.hierarchy = hierarchy or new_hierarchy(label, "Example Maker", NOW)
        self._crls = 0

    @classmethod
    def of_stations(cls, gateway: Any, folder: Path) -> "Authority":
        """The one that the gateway itself signs with."""
        return cls(folder, "own", _opened(gateway, "ca"))

    @classmethod
    def of_csms(cls, gateway: Any, folder: Path) -> "Authority":
        """The one behind the gateway's ECDSA certificate, which stations trust."""
        return cls(folder, "csms", _opened(gateway, "csms-ca"))

    @property
    def root(self) -> str:
        """The root in PEM."""
        return certificates_pem([self.hierarchy.root.certificate])

    def leaf(
        self, name: str, *, organization: str = OPERATOR, issued: datetime = NOW, names: Iterable[str] = ()
    ) -> Files:
        """Issue a certificate: a station's, or with ``names`` a server's."""
        key = new_key()
        profile = profiles.csms_server() if names else profiles.charging_station()
        leaf = issue(
            self.hierarchy.issuing,
            profile,
            key.public_key(),
            common_name=name,
            organization=organization,
            now=issued,
            names=tuple(names),
        )
        place = f"{self.label}-{name}-{leaf.serial_number:x}"
        chain, key_file = self.folder / f"{place}.pem", self.folder / f"{place}.key"
        chain.write_text(certificates_pem([leaf, self.hierarchy.issuing.certificate]))
        key_file.write_bytes(key_pem(key))
        key_file.chmod(0o600)
        return chain, key_file

    def crl(self, *revoked: Files, stale: bool = False) -> bytes:
        """The next CRL, in DER; a stale one ended an hour ago."""
        self._crls += 1
        entries = [
            x509.RevokedCertificateBuilder().serial_number(serial_of(each)).revocation_date(NOW).build()
            for each in revoked
        ]
        begins = NOW - timedelta(hours=2 if stale else 0)
        crl = revocation_list(
            self.hierarchy.issuing, entries, number=self._crls, now=begins, lifetime=timedelta(hours=1)
        )
        return crl.public_bytes(Encoding.DER)


def _opened(gateway: Any, name: str) -> Hierarchy:
    def never() -> Hierarchy:
        raise AssertionError("voltgate init has made it")

    return open_hierarchy(gateway.folder / "certs/dev" / name, never, NOW)


def chain_of(files: Files) -> list[bytes]:
    """Return a chain as it is presented: the leaf and its issuer, in DER."""
    return [each.public_bytes(Encoding.DER) for each in x509.load_pem_x509_certificates(files[0].read_bytes())]


def serial_of(files: Files) -> int:
    return x509.load_pem_x509_certificate(files[0].read_bytes()).serial_number


def boot_of(serial: str) -> dict[str, Any]:
    """The part of BootNotification.req that names the station."""
    return {"chargingStation": {"model": "M", "vendorName": "V", "serialNumber": serial}}


async def new_certificate(station: Any, name: str, folder: Path) -> Files:
    """Play the station that renews: SignCertificate, CertificateSigned, and where chain and key lie after it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    answer = await station.call("SignCertificate", {"csr": csr.public_bytes(Encoding.PEM).decode()})
    assert answer[2] == {"status": "Accepted"}
    signed = await station.receive()
    assert signed[2] == "CertificateSigned"
    await station.send(json.dumps([3, signed[1], {"status": "Accepted"}]))
    chain, key_file = folder / f"{name}-renewed.pem", folder / f"{name}-renewed.key"
    chain.write_text(signed[3]["certificateChain"])
    key_file.write_bytes(key_pem(key))
    return chain, key_file


async def asked_to_renew(station: Any, action: str, message: str) -> None:
    """Wait for the trigger and agree."""
    asked = await station.receive()
    assert asked[2:] == [action, {"requestedMessage": message}]
    await station.send(json.dumps([3, asked[1], {"status": "Accepted"}]))


async def enrolled(gateway: Any, identity: str, serial: str, folder: Path) -> Files:
    """Register a station and let it come to a certificate of Voltgate's own, on its password."""
    password = await gateway.add(identity, 2, serial)
    async with gateway.station(identity, password) as station:
        assert (await station.boot(**boot_of(serial)))["status"] == "Accepted"
        asking = asyncio.create_task(gateway.api("POST", f"stations/{identity}/certificate"))
        await asked_to_renew(station, "TriggerMessage", "SignChargingStationCertificate")
        assert (await asking)[0] == 202
        return await new_certificate(station, serial, folder)


def client(gateway: Any, certificate: Files | None, version: ssl.TLSVersion) -> ssl.SSLContext:
    """A station's own context: to resume a session it must be the same one."""
    tls = ssl.create_default_context(cafile=gateway.folder / "certs/dev/csms-root.pem")
    tls.minimum_version = tls.maximum_version = version
    if certificate is not None:
        tls.load_cert_chain(*certificate)
    return tls


@dataclass(frozen=True, slots=True)
class Knock:
    """What came of one upgrade request."""

    status: int
    session: ssl.SSLSession | None
    resumed: bool
    shown: int
    """The serial number of the gateway's certificate."""


async def knock(
    port: int,
    identity: str,
    tls: ssl.SSLContext,
    session: ssl.SSLSession | None = None,
    *,
    server_name: str = "localhost",
) -> Knock:
    """Connect, resuming ``session`` where the gateway lets, ask for a WebSocket, and hang up. Raises ssl.SSLError."""
    return await asyncio.to_thread(_knock, port, identity, tls, session, server_name)


def _knock(port: int, identity: str, tls: ssl.SSLContext, session: ssl.SSLSession | None, server_name: str) -> Knock:
    fields = (
        f"GET /ocpp/{identity} HTTP/1.1",
        f"Host: {server_name}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: ocpp2.0.1",
    )
    with (
        socket.create_connection(("127.0.0.1", port), REPLY) as plain,
        tls.wrap_socket(plain, server_hostname=server_name, session=session) as secured,
    ):
        secured.sendall("\r\n".join((*fields, "", "")).encode())
        head = secured.recv(4_096)
        shown = secured.getpeercert(binary_form=True)
        assert shown is not None
        return Knock(
            int(head.split()[1]),
            secured.session,
            bool(secured.session_reused),
            x509.load_der_x509_certificate(shown).serial_number,
        )
