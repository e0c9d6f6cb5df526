"""Stations of both OCPP versions at the door of a running gateway: their passwords, certificates and words."""

import datetime as dt
import json
import ssl
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from websockets.exceptions import InvalidStatus

from pki.issuing import Issuer, new_hierarchy, new_key
from pki.pem_files import key_pem, read_key

OPERATOR = "Example CPO"
"""Of the scaffold."""
VERSIONS = ["ocpp2.0.1", "ocpp1.6"]
Files = tuple[Path, Path]
"""A certificate chain and its key, in PEM."""


@dataclass(frozen=True)
class Registered:
    """A station that a running gateway knows."""

    gateway: Any
    identity: str
    version: str
    password: str
    """The first one: text, or a 1.6 station's AuthorizationKey in hex."""

    @property
    def serial(self) -> str:
        return f"SN-{self.identity}"

    @property
    def is_16(self) -> bool:
        return self.version == "ocpp1.6"

    def comes(self, password: str | bytes | None = None, **options: Any) -> AbstractAsyncContextManager[Any]:
        """Connect it, with its own password unless another or a certificate is given."""
        if password is None and "certificate" not in options:
            password = self.password
        options.setdefault("subprotocols", [self.version])
        station: AbstractAsyncContextManager[Any] = self.gateway.station(self.identity, password, **options)
        return station

    async def refused(self, password: str | bytes | None = None, **options: Any) -> int:
        """Connect in vain, and return the HTTP status."""
        with pytest.raises(InvalidStatus) as caught:
            async with self.comes(password, **options):
                pass
        return caught.value.response.status_code

    async def boots(self, station: Any) -> str:
        """Send BootNotification and return the status of the answer."""
        boot: dict[str, Any]
        if self.is_16:
            boot = {"chargePointVendor": "V", "chargePointModel": "M", "chargePointSerialNumber": self.serial}
        else:
            names = {"model": "M", "vendorName": "V", "serialNumber": self.serial}
            boot = {"reason": "PowerUp", "chargingStation": names}
        return str((await station.call("BootNotification", boot))[2]["status"])

    async def is_served(self, station: Any) -> bool:
        """Return whether the connection is good for more than being open."""
        return bool((await station.call("Heartbeat", {}))[0] == 3)

    async def shown(self) -> Any:
        """Return what the API tells of it."""
        return (await self.gateway.api("GET", f"stations/{self.identity}"))[1]


async def register(gateway: Any, identity: str, version: str = "ocpp2.0.1", profile: int = 2) -> Registered:
    """Register a station with a running gateway, pinned to its version: one of 1.6 gets an AuthorizationKey."""
    wanted = {"identity": identity, "profile": profile, "serial": f"SN-{identity}", "pinned_version": version}
    status, made = await gateway.api("POST", "stations", wanted)
    assert status == 201, made
    return Registered(gateway, identity, version, made["password"] or "")


async def asked(station: Any, action: str) -> Any:
    """Return the gateway's next CALL, which is this one."""
    frame = await station.receive()
    assert frame[0] == 2, frame
    assert frame[2] == action, frame
    return frame


async def reply(station: Any, frame: Any, answer: Any) -> None:
    """Answer a CALL of the gateway."""
    await station.send(json.dumps([3, frame[1], answer]))


async def asked_for_a_password(station: Any) -> tuple[Any, str]:
    """Return the gateway's next CALL, which gives a new password, and that password (A01)."""
    frame = await station.receive()
    if frame[2] == "ChangeConfiguration":
        assert frame[3]["key"] == "AuthorizationKey"
        return frame, frame[3]["value"]
    assert frame[2] == "SetVariables", frame
    (data,) = frame[3]["setVariableData"]
    assert (data["component"], data["variable"]) == ({"name": "SecurityCtrlr"}, {"name": "BasicAuthPassword"})
    return frame, data["attributeValue"]


async def answers_a_setting(station: Any, frame: Any, status: str) -> None:
    """Answer ChangeConfiguration, or a SetVariables of one variable."""
    if frame[2] == "ChangeConfiguration":
        await reply(station, frame, {"status": status})
        return
    (data,) = frame[3]["setVariableData"]
    result = {"component": data["component"], "variable": data["variable"], "attributeStatus": status}
    await reply(station, frame, {"setVariableResult": [result]})


# --- certificates


def station_ca(gateway: Any) -> Issuer:
    """Return the gateway's own issuing CA for stations."""
    folder = gateway.folder / "certs/dev/ca"
    certificate = x509.load_pem_x509_certificate((folder / "issuing.pem").read_bytes())
    return Issuer(certificate, read_key(folder / "issuing.key"))


def foreign_ca() -> Issuer:
    """Make a CA that nobody trusts."""
    return new_hierarchy("Elsewhere", OPERATOR, dt.datetime.now(dt.UTC)).issuing


def certify(
    folder: Path, issuer: Issuer, name: str, *, ends_in: dt.timedelta = dt.timedelta(days=30), use_rsa: bool = False
) -> Files:
    """Write a station's certificate with its chain, and its key."""
    key = new_key(use_rsa=use_rsa, rsa_bits=2048)
    now = dt.datetime.now(dt.UTC)
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    ca = issuer.certificate
    leaf = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=20))
        .not_valid_after(now + ends_in)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
        .sign(issuer.key, hashes.SHA256())
    )
    chain = leaf.public_bytes(Encoding.PEM) + ca.public_bytes(Encoding.PEM)
    return _written(folder, name, chain, key_pem(key))


def signing_request(folder: Path, name: str) -> tuple[str, Path]:
    """Make a key and return a CSR for it, and where the key lies."""
    key = ec.generate_private_key(ec.SECP256R1())
    csr = x509.CertificateSigningRequestBuilder().subject_name(_named(name)).sign(key, hashes.SHA256())
    _, key_file = _written(folder, name, b"", key_pem(key))
    return csr.public_bytes(Encoding.PEM).decode(), key_file


def client_tls(gateway: Any, *, certificate: Files | None = None, ciphers: str = "") -> ssl.SSLContext:
    """Make a station's TLS: it trusts the gateway's roots and no others."""
    tls = ssl.create_default_context(cafile=gateway.folder / "certs/dev/csms-root.pem")
    if certificate is not None:
        tls.load_cert_chain(*certificate)
    if ciphers:
        tls.set_ciphers(ciphers)
    return tls


def _named(name: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, OPERATOR), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )


def _written(folder: Path, name: str, chain: bytes, key: bytes) -> Files:
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(chain)
    files[1].write_bytes(key)
    return files
