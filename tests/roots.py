"""Roots made for tests, what they have signed, and a station that keeps roots as OCPP says (M03 to M05)."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable
from gateway.session.boot import BootGate
from gateway.session.ports import BootStatus, Proof, StationRecord
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.schemas import operation
from gateway.wire.versions import Version
from pki.anchors import Anchor
from pki.certificate_hash import HashAlgorithm, certificate_hash, read_certificate_hash

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PNC = "org.openchargealliance.iso15118pnc"
Chain = tuple[x509.Certificate, ...]


class Authority:
    """A root with its key."""

    def __init__(self, name: str, *, days: int = 3650, since: datetime = NOON - DAY) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.since, self.until = since, since + timedelta(days=days)
        self.certificate = self.signs(self)

    def signs(self, other: "Authority", *, is_ca: bool = True) -> x509.Certificate:
        """Sign another one's name and key: its own for a root, another root's for a cross-signed one."""
        return (
            x509.CertificateBuilder()
            .subject_name(other.name)
            .issuer_name(self.name)
            .public_key(other.key.public_key())
            .serial_number(x509.random_serial_number() >> 32)  # room for leading zeros
            .not_valid_before(other.since)
            .not_valid_after(other.until)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    def chain(self) -> Chain:
        """Return a server's certificate with the CA between it and this root."""
        between, server = Authority(f"below {self.name.rfc4514_string()}"), Authority("csms.example.com")
        return between.signs(server, is_ca=False), self.signs(between)

    @property
    def anchor(self) -> Anchor:
        return Anchor.of(self.certificate)

    @property
    def pem(self) -> str:
        return pem(self.certificate)


def pem(*certificates: x509.Certificate) -> str:
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in certificates)


@dataclass
class RootStation:
    """Fulfils ``ConnectedStation``: a station that keeps roots; what it hears and says is held against the schemas."""

    identity: str = "CS1"
    version: Version = Version.V201
    proof: Proof = field(default_factory=lambda: Proof(2))
    algorithm: HashAlgorithm = HashAlgorithm.SHA256
    capacity: int = 20
    checks: bool | None = None
    """AdditionalRootCertificateCheck; None: it doesn't know the variable."""
    writes: str = "plain"
    """How it writes hex: plain, or "odd": upper case, with leading zeros."""
    roots: list[tuple[str, x509.Certificate]] = field(default_factory=list)
    says: dict[str, Any] = field(default_factory=dict)
    """By action: an answer, or an exception, instead of what it would do."""
    calls: list[tuple[str, Json]] = field(default_factory=list)
    note_vendor: str | None = None
    is_connected: bool = True
    gate: BootGate = field(default_factory=lambda: BootGate(BootStatus.ACCEPTED))
    record: StationRecord = field(init=False)

    def __post_init__(self) -> None:
        self.record = StationRecord(self.identity, self.proof.profile, serial="SN1")

    @property
    def actions(self) -> list[str]:
        return [action for action, _ in self.calls]

    def has(self, *certificates: x509.Certificate, of: str = "CSMSRootCertificate") -> "RootStation":
        self.roots += [(of, each) for each in certificates]
        return self

    def held(self, of: str = "CSMSRootCertificate") -> list[x509.Certificate]:
        return [each for kind, each in self.roots if kind == of]

    def disconnect(self, code: int, reason: str) -> None:
        self.is_connected = False

    async def call_station(self, action: str, payload: Json) -> Json:
        if not self.is_connected:
            raise PeerUnavailable("the station is not connected")
        schemas = operation(self.version, action)
        schemas.request.check(payload)
        if action == "DataTransfer":
            assert payload["vendorId"] == PNC
            wrapped = self._answer(payload["messageId"], json.loads(payload["data"]))
            return {"status": "Accepted", "data": json.dumps(wrapped)}
        answer = self._answer(action, payload)
        schemas.response.check(answer)
        return answer

    def _answer(self, action: str, payload: Json) -> Json:
        self.calls.append((action, payload))
        said = self.says.get(action)
        if isinstance(said, Exception):
            raise said
        if callable(said):
            said = said(payload)
        if said is not None:
            return dict(said)
        answers = {
            "GetInstalledCertificateIds": self._list,
            "InstallCertificate": self._install,
            "DeleteCertificate": self._delete,
            "GetVariables": self._variables,
            "GetConfiguration": self._configuration,
        }
        return answers[action](payload)

    def _list(self, payload: Json) -> Json:
        wanted = payload["certificateType"]
        if isinstance(wanted, str):
            named = [self._named(each) for each in self.held(_kind(wanted))]
            return {"status": "Accepted", "certificateHashData": named} if named else {"status": "NotFound"}
        chains = [
            {"certificateType": kind, "certificateHashData": self._named(each)}
            for kind, each in self.roots
            if kind in wanted
        ]
        return {"status": "Accepted", "certificateHashDataChain": chains} if chains else {"status": "NotFound"}

    def _install(self, payload: Json) -> Json:
        kind = _kind(payload["certificateType"])
        certificate = x509.load_pem_x509_certificate(payload["certificate"].encode())
        if len(self.roots) >= self.capacity:
            return {"status": "Rejected"}
        if kind == "CSMSRootCertificate" and self.checks and (held := self.held()):
            if not any(_signed(certificate, each) for each in held):
                return {"status": "Rejected"}
            self.roots = [each for each in self.roots if each[0] != kind or each[1] == held[-1]]
        self.roots.append((kind, certificate))
        return {"status": "Accepted"}

    def _delete(self, payload: Json) -> Json:
        named = payload["certificateHashData"]
        found = next((each for each in self.roots if self._named(each[1]) == named), None)
        if found is None:
            return {"status": "NotFound"}
        self.roots.remove(found)
        return {"status": "Accepted"}

    def _variables(self, payload: Json) -> Json:
        (asked,) = payload["getVariableData"]
        value = self._values()[asked["variable"]["name"]]
        status = {"attributeStatus": "UnknownVariable"} if value is None else {"attributeStatus": "Accepted"}
        told = {} if value is None else {"attributeValue": value}
        return {"getVariableResult": [{**asked, **status, **told}]}

    def _configuration(self, payload: Json) -> Json:
        (key,) = payload["key"]
        value = self._values()[key]
        if value is None:
            return {"unknownKey": [key]}
        return {"configurationKey": [{"key": key, "readonly": True, "value": value}]}

    def _values(self) -> dict[str, str | None]:
        return {
            "AdditionalRootCertificateCheck": None if self.checks is None else str(self.checks).lower(),
            "CertificateEntries": str(len(self.roots)),
            "CertificateStoreMaxLength": str(self.capacity),
        }

    def _named(self, certificate: x509.Certificate) -> dict[str, str]:
        issuers = [each for _, each in self.roots if _signed(certificate, each)]
        issuer = certificate if _signed(certificate, certificate) else (issuers or [_ISSUERS[certificate]])[0]
        _ISSUERS[certificate] = issuer
        plain = certificate_hash(certificate, issuer, self.algorithm).payload
        if self.writes == "plain":
            return plain
        algorithm = plain.pop("hashAlgorithm")
        odd = {name: value.upper() for name, value in plain.items()}
        return {"hashAlgorithm": algorithm, **odd, "serialNumber": odd["serialNumber"].rjust(40, "0")}


_ISSUERS: dict[x509.Certificate, x509.Certificate] = {}
"""Who has signed what a station has: it names it so when that one is gone, too."""


def _signed(certificate: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
    except Exception:  # noqa: BLE001 - each means no
        return False
    return True


def _kind(word: str) -> str:
    return "CSMSRootCertificate" if word == "CentralSystemRootCertificate" else word


def not_supported() -> CallError:
    return CallError(ErrorCode.NOT_SUPPORTED, "no such message")


def names_of(payload: Json) -> Any:
    return read_certificate_hash(payload["certificateHashData"])
