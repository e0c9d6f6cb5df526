"""npm's ocpp-rpc in strict mode: the backend and the stations of a third party, each in a node process (pipe.mjs)."""

import itertools
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.interop.child import Child, Json
from tests.interop.gateway_process import Gateway

HERE: Final = Path(__file__).parent
OPERATOR: Final = "Example CPO"
COMPLAINTS: Final = frozenset({"strict_validation_failure", "bad_message", "socket_error"})
"""Events by which ocpp-rpc finds fault, whichever side did it."""


@dataclass(frozen=True)
class Refusal:
    """Why a command failed, as ocpp-rpc saw it: for a CALLERROR its errorCode, for an HTTP answer its status."""

    name: str
    code: str | int | None
    message: str
    details: Json | None = None


class Peer(Child):
    """ocpp-rpc in a node process, doing what it is told."""

    def __init__(self, name: str, script: str, *arguments: str) -> None:
        super().__init__(name, ["node", HERE / script, *arguments], json.loads)
        self._ids = itertools.count(1)

    def begin(self, command: str, **arguments: Any) -> int:
        """Give a command; return its number for :meth:`end`."""
        number = next(self._ids)
        self.write(json.dumps({"id": number, "do": command, **arguments}))
        return number

    def end(self, number: int) -> Any:
        """Return the result of a command, or the :class:`Refusal` that it met."""
        said = self.take(f"how command {number} ended", lambda said: said.get("id") == number)
        return Refusal(**said["error"]) if said["event"] == "failed" else said["result"]

    def do(self, command: str, **arguments: Any) -> Any:
        """Give a command, wait for its end and return the result; a :class:`Refusal` fails the test."""
        result = self.end(self.begin(command, **arguments))
        assert not isinstance(result, Refusal), f"{self.name}: {command} {arguments} met {result}"
        return result

    def event(self, name: str, **fields: Any) -> Json:
        """Wait for an event with these fields and return it."""
        wanted = {"event": name, **fields}
        return self.take(str(wanted), lambda said: wanted.items() <= said.items())

    def calls(self, identity: str, *actions: str) -> list[tuple[str, Json]]:
        """Return all CALLs of these actions that came in for a station, as (action, payload), oldest first."""
        came = self._came(identity)
        return [(said["action"], said["payload"]) for said in came if said["action"] in actions]

    def everything(self, identity: str) -> list[str]:
        """Return the actions of all CALLs that came in for a station, oldest first."""
        return [said["action"] for said in self._came(identity)]

    def _came(self, identity: str) -> list[Json]:
        # The command's end is a line behind everything that was said before it.
        self.do("nothing")
        return [said for said in self.said if said["event"] == "call" and said["identity"] == identity]

    def heard(self, identity: str) -> list[tuple[str, Json]]:
        """Return all CALLs that came in for a station, as (action, payload), oldest first."""
        return [(said["action"], said["payload"]) for said in self._came(identity)]

    def complaints(self) -> list[Json]:
        """Return what ocpp-rpc found fault with since the last time, and no test expected."""
        self.do("nothing")
        return self.take_all(lambda said: said["event"] in COMPLAINTS)


class Backend(Peer):
    """The operator's central system."""

    LEDGER: Final = ("StartTransaction", "MeterValues", "StopTransaction")

    def __init__(self, protocol: str = "ocpp1.6") -> None:
        super().__init__("backend", "backend.mjs", protocol)
        self._raw_ids = itertools.count(1)
        self.port: int = self.event("listening")["port"]

    def call(self, identity: str, action: str, payload: Json) -> Json:
        """Call a charge point; a :class:`Refusal` fails the test."""
        answer: Json = self.do("call", identity=identity, action=action, payload=payload)
        return answer

    def refused(self, identity: str, action: str, payload: Json) -> Refusal:
        """Call a charge point with what it must refuse."""
        answer = self.end(self.begin("call", identity=identity, action=action, payload=payload))
        assert isinstance(answer, Refusal), f"{action} was answered: {answer}"
        return answer

    def tell(self, identity: str, action: str, payload: Json) -> str:
        """Call a charge point with what ocpp-rpc itself would refuse to send; return the answer as it came."""
        number = next(self._raw_ids)
        self.do("raw", identity=identity, text=json.dumps([2, f"raw-{number}", action, payload]))
        # ocpp-rpc calls the answer bad, for it knows of no CALL with that messageId.
        answer: str = self.take(
            f"the answer to raw-{number}",
            lambda said: said["event"] == "bad_message" and f'"raw-{number}"' in said["text"],
        )["text"]
        return answer

    def ledger(self, identity: str) -> list[tuple[str, Json]]:
        """Return what moved money, in the order in which it came."""
        return self.calls(identity, *self.LEDGER)

    def answer(self, action: str, payload: Json) -> None:
        """Answer CALLs of ``action`` so for the rest of the test."""
        self.do("answer", action=action, payload=payload)


class Station:
    """One of the third party's stations, registered at the gateway."""

    def __init__(
        self, peer: Peer, gateway: Gateway, number: int, profile: int, protocol: str, *, by_command: bool
    ) -> None:
        self._peer = peer
        self.protocol = protocol
        self.gateway = gateway
        self.identity = f"CS-{number:04}"
        self.serial = f"SN.{number:06}"
        self.profile = profile
        self.password = gateway.register(self.identity, profile, self.serial, protocol, by_command=by_command)
        self.certificate: Json = {}
        """{cert, key} as PEM, once it has one."""

    def event(self, name: str, **fields: Any) -> Json:
        """Wait for an event of this station with these fields and return it."""
        return self._peer.event(name, identity=self.identity, **fields)

    def calls(self, *actions: str) -> list[tuple[str, Json]]:
        """Return all CALLs of the CSMS of these actions, as (action, payload)."""
        return self._peer.calls(self.identity, *actions)

    def everything(self) -> list[str]:
        """Return the actions of all CALLs of the CSMS, oldest first."""
        return self._peer.everything(self.identity)

    def heard(self) -> list[tuple[str, Json]]:
        """Return all CALLs of the CSMS, as (action, payload), oldest first."""
        return self._peer.heard(self.identity)

    def answer(self, action: str, payload: Json | None = None, *, error: Json | None = None) -> None:
        """Answer CALLs of ``action`` so from now on: by a payload, or by an error {code, message}."""
        answer = {"error": error} if error else {"payload": payload}
        self._peer.do("answer", identity=self.identity, action=action, **answer)

    def try_to_connect(self, **changes: Any) -> Any:
        """Connect, with some arguments changed; return {protocol, cipher}, or the :class:`Refusal` that it met."""
        arguments: Json = {"endpoint": self.gateway.endpoints[self.profile], "identity": self.identity}
        arguments["protocols"] = [self.protocol]
        if self.profile >= 2:
            arguments["tls"] = {"ca": self.gateway.ca, **self.certificate}
        if self.profile <= 2:
            arguments["password"] = self.password
        return self._peer.end(self._peer.begin("connect", **{**arguments, **changes}))

    def connect(self, **changes: Any) -> Json:
        """Connect; a :class:`Refusal` fails the test."""
        result = self.try_to_connect(**changes)
        assert isinstance(result, dict), f"{self.identity} can't connect: {result}"
        return result

    def call(self, action: str, payload: Json) -> Json:
        """Call the CSMS; a :class:`Refusal` fails the test."""
        answer: Json = self._peer.do("call", identity=self.identity, action=action, payload=payload)
        return answer

    def refused(self, action: str, payload: Json) -> Refusal:
        """Call the CSMS with what it must refuse."""
        number = self._peer.begin("call", identity=self.identity, action=action, payload=payload)
        answer = self._peer.end(number)
        assert isinstance(answer, Refusal), f"{action} was answered: {answer}"
        return answer

    def tell(self, action: str, payload: Json) -> Json | Refusal:
        """Call the CSMS with what it may refuse."""
        number = self._peer.begin("call", identity=self.identity, action=action, payload=payload)
        answer: Json | Refusal = self._peer.end(number)
        return answer

    def send(self, text: str) -> None:
        """Send a text as it stands."""
        self._peer.do("raw", identity=self.identity, text=text)

    def leave(self) -> None:
        """Close the connection, if there is one."""
        self._peer.do("close", identity=self.identity)

    def asked(self, action: str) -> Json:
        """Wait for a CALL of the CSMS and return its payload."""
        payload: Json = self.event("call", action=action)["payload"]
        return payload

    def boot(self) -> Json:
        """Send BootNotification."""
        if self.protocol == "ocpp1.6":
            made = {"chargePointVendor": "Party & Sons", "chargePointModel": "Third"}
            return self.call("BootNotification", {**made, "chargePointSerialNumber": self.serial})
        names = {"model": "Third", "vendorName": "Party & Sons", "firmwareVersion": "1.0", "serialNumber": self.serial}
        return self.call("BootNotification", {"reason": "PowerUp", "chargingStation": names})

    def come_up(self) -> None:
        """Connect, boot, and say that the connector of the first EVSE is free."""
        self.connect()
        assert self.boot()["status"] == "Accepted"
        status = {"timestamp": "2026-01-01T08:00:00Z", "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
        if self.protocol == "ocpp1.6":
            status = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
        assert self.call("StatusNotification", status) == {}

    def enrol(self) -> None:
        """Get a certificate (OCPP 2.0.1 A02, A03) and leave; from then on, the station uses profile 3."""
        key, csr = make_csr(self.serial)
        self.answer("CertificateSigned", {"status": "Accepted"})
        asked = {"csr": csr, "certificateType": "ChargingStationCertificate"}
        assert self.call("SignCertificate", asked) == {"status": "Accepted"}
        signed = self.asked("CertificateSigned")
        assert signed["certificateType"] == "ChargingStationCertificate"
        self.certificate = {"cert": signed["certificateChain"], "key": key}
        self.leave()
        self.profile = 3


class Stations(Peer):
    """The process of all stations; no identity is used twice."""

    def __init__(self) -> None:
        super().__init__("stations", "station.mjs")
        self._numbers = itertools.count(1)

    def new(self, gateway: Gateway, profile: int, protocol: str, *, by_command: bool) -> Station:
        """Register one more."""
        return Station(self, gateway, next(self._numbers), profile, protocol, by_command=by_command)


def make_csr(common_name: str, organization: str = OPERATOR) -> tuple[str, str]:
    """Make a P-256 key and a CSR for it, both as PEM (OCPP 2.0.1 A02.FR.02, FR.03)."""
    key = ec.generate_private_key(ec.SECP256R1())
    csr = x509.CertificateSigningRequestBuilder().subject_name(_name(organization, common_name))
    return _pem(key), csr.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def make_self_signed(common_name: str) -> Json:
    """Make a certificate like a station's own, by nobody's authority: {cert, key} as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(OPERATOR, common_name)
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    return {"cert": certificate.public_bytes(serialization.Encoding.PEM).decode(), "key": _pem(key)}


def _name(organization: str, common_name: str) -> x509.Name:
    parts = [(NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, common_name)]
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts])


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
