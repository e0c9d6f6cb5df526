"""Stations that live: they answer what they are asked, keep credentials and network profiles, and restart.

Each acts as its standard says (2.0.1 A02, A05, B09, B10, M05; 1.6 security white paper A02, A05, M05), and connects
with what it was given over OCPP and nothing else: the roots, the certificate, the address and the order that it took.
"""

import asyncio
import base64
import contextlib
import json
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Response

from gateway.wire.frames import UNREADABLE_ID

REPLY: Final = 15.0
"""Seconds for any one answer."""
INVENTORY: Final = "GetBaseReport"
"""What Voltgate asks a 2.0.1 station that has been quiet for a while: no test's business, on whatever slow machine."""
PUBLIC_URL: Final = "wss://gateway.example.com/ocpp"
"""What stations are told; their DNS says that it is here."""
ACCEPTED: Final = {"status": "Accepted"}


def public_url(tree: dict[str, Any]) -> None:
    """Configure the address that stations are told."""
    tree["listeners"][0]["public_url"] = PUBLIC_URL


async def until(ask: Callable[[], Awaitable[Any]], is_so: Callable[[Any], bool]) -> Any:
    """Ask again until it is so, as an operator does of whom nobody takes notice, and return the answer."""
    async with asyncio.timeout(REPLY):
        while not is_so(answer := await ask()):  # noqa: ASYNC110 - another process: there is no event to wait for
            await asyncio.sleep(0.05)
        return answer


class Silent(Exception):
    """The station gives no answer to this CALL."""


class ScriptedStation:
    """What both versions have in common. :meth:`online` is one connection."""

    subprotocol: str
    boot: dict[str, Any]

    def __init__(
        self, gateway: Any, folder: Path, *, identity: str, serial: str, password: str | bytes | None, profile: int
    ) -> None:
        self.gateway = gateway
        self.identity = identity
        self.serial = serial
        self.password = password
        self.profile = profile
        """The security profile of its next connection."""
        self.organization = "Factory"
        self.roots = [(gateway.folder / "certs/dev/csms-root.pem").read_text()] if profile > 1 else []
        self.answers: dict[str, Any] = {}
        """Action -> the payload that it answers, where its own wits are not asked."""
        self.asked: list[tuple[str, Any]] = []
        self.silent_at: str | None = None
        """The action that it doesn't answer."""
        self.before_answer: Callable[[str], Awaitable[None]] | None = None
        self.dialling: dict[str, Any] = {}
        """Further options of its connections."""
        self._folder = folder
        self._key: Path | None = None
        self._certificate: Path | None = None
        self._news = asyncio.Event()
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._connection: ClientConnection

    def come_with(self, certificate: tuple[Path, Path]) -> None:
        """Come under profile 3, with a certificate (chain, key) that it was given otherwise."""
        self.profile = 3
        self._certificate, self._key = certificate

    # --- connections

    @contextlib.asynccontextmanager
    async def online(self, *, boots: bool = True, subprotocols: list[str] | None = None) -> AsyncIterator[Any]:
        """Connect as it would by itself, and boot; yields the answer to its BootNotification, or None."""
        async with self._dial(subprotocols or [self.subprotocol]) as self._connection:
            self.protocol = self._connection.subprotocol
            reader = asyncio.create_task(self._read(self._connection), name=f"station {self.identity}")
            try:
                yield (await self.call("BootNotification", self.boot))[2] if boots else None
            finally:
                if not reader.done():
                    reader.cancel()
                    await asyncio.wait([reader])
                if not reader.cancelled():
                    reader.result()

    def _dial(self, subprotocols: list[str]) -> connect:
        plain = self.profile == 1
        scheme = "ws" if plain else "wss"
        headers = {}
        if self.profile < 3 and self.password is not None:
            secret = self.password.encode() if isinstance(self.password, str) else self.password
            headers["Authorization"] = f"Basic {base64.b64encode(f'{self.identity}:'.encode() + secret).decode()}"
        return connect(
            f"{scheme}://localhost:{self.gateway.port(scheme)}/ocpp/{self.identity}",
            ssl=None if plain else self._tls(),
            additional_headers=headers,
            subprotocols=subprotocols,  # type: ignore[arg-type]  # names
            proxy=None,
            **self.dialling,
        )

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata="\n".join(self.roots))
        if self.profile == 3:
            assert self._certificate is not None, "it was never given a certificate"
            context.load_cert_chain(self._certificate, self._key)
        return context

    async def refused(self) -> Response:
        """Connect in vain, and return the answer."""
        with pytest.raises(InvalidStatus) as caught:
            async with self.online():
                pass
        return caught.value.response

    async def left(self) -> int:
        """Wait until the connection is gone, whoever ended it, and return the close code."""
        async with asyncio.timeout(REPLY):
            await self._connection.wait_closed()
        return self._connection.close_code or 0

    async def send(self, text: str) -> None:
        """Send any text."""
        await self._connection.send(text)

    async def call(self, action: str, payload: Any) -> Any:
        """Send a CALL and return the whole answer frame."""
        message_id = os.urandom(8).hex()
        answer = self._answers[message_id] = asyncio.get_running_loop().create_future()
        await self.send(json.dumps([2, message_id, action, payload]))
        return await asyncio.wait_for(answer, REPLY)

    async def unanswered(self, action: str, payload: Any) -> int:
        """Send a CALL that the gateway doesn't answer, and return the code with which it closes instead."""
        await self.send(json.dumps([2, "unanswered", action, payload]))
        return await self.left()

    async def expect(self, action: str) -> Any:
        """Wait until it was asked ``action`` and return the last such payload."""
        async with asyncio.timeout(REPLY):
            while not (found := [payload for asked, payload in self.asked if asked == action]):
                self._news.clear()
                await self._news.wait()
        return found[-1]

    async def _read(self, connection: ClientConnection) -> None:
        # The connection ends with the reader, so that what went wrong in it is not waited for.
        async with connection, self._hopes(), asyncio.TaskGroup() as afterwards:
            while (text := await self._next(connection)) is not None:
                frame = json.loads(text)
                if frame[0] != 2:
                    # An answer to what could not be read has no number of ours.
                    if frame[1] != UNREADABLE_ID:
                        self._answers.pop(frame[1]).set_result(frame)
                    continue
                _, message_id, action, payload = frame
                if action == INVENTORY:
                    await connection.send(json.dumps([3, message_id, self._answer(action, payload)]))
                    continue
                if self.before_answer is not None:
                    await self.before_answer(action)
                self.asked.append((action, payload))
                self._news.set()
                with contextlib.suppress(Silent):
                    answer = self._answer(action, payload)
                    await connection.send(json.dumps([3, message_id, answer]))
                    if answer.get("status") in {"Accepted", "RebootRequired"}:
                        afterwards.create_task(self._afterwards(action, payload))

    @contextlib.asynccontextmanager
    async def _hopes(self) -> AsyncIterator[None]:
        """Nothing that was asked is answered after the end of the connection."""
        try:
            yield
        finally:
            for answer in self._answers.values():
                answer.cancel("the connection has ended")
            self._answers.clear()

    async def _next(self, connection: ClientConnection) -> str | bytes | None:
        try:
            return await connection.recv()
        except ConnectionClosed:
            return None

    def _answer(self, action: str, payload: Any) -> Any:
        if action == self.silent_at:
            raise Silent
        if action in self.answers:
            return self.answers[action]
        return getattr(self, f"_on_{action}")(payload)

    async def _afterwards(self, action: str, payload: Any) -> None:
        if action in {"TriggerMessage", "ExtendedTriggerMessage"} and payload["requestedMessage"].startswith("Sign"):
            await self.call("SignCertificate", {"csr": self._new_csr()})

    # --- credentials

    def _new_csr(self) -> str:
        key = ec.generate_private_key(ec.SECP256R1())
        self._key = self._folder / f"{self.identity}-{os.urandom(4).hex()}.key"
        self._key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        subject = [
            x509.NameAttribute(NameOID.COMMON_NAME, self.serial),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.organization),
        ]
        csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject)).sign(key, hashes.SHA256())
        return csr.public_bytes(serialization.Encoding.PEM).decode()

    def _on_CertificateSigned(self, payload: Any) -> Any:  # noqa: N802 - the action's name
        assert self._key is not None, "no CSR was sent"
        pem = payload["certificateChain"].encode()
        key = serialization.load_pem_private_key(self._key.read_bytes(), None)
        assert x509.load_pem_x509_certificate(pem).public_key() == key.public_key()
        self._certificate = self._key.with_suffix(".pem")
        self._certificate.write_bytes(pem)
        return ACCEPTED

    def _on_InstallCertificate(self, payload: Any) -> Any:  # noqa: N802 - the action's name
        assert payload["certificateType"] in {"CSMSRootCertificate", "CentralSystemRootCertificate"}
        self.roots.append(payload["certificate"])
        return ACCEPTED


class Station16(ScriptedStation):
    """A 1.6 charge point with the security white paper's extension."""

    subprotocol = "ocpp1.6"

    @property
    def boot(self) -> dict[str, Any]:  # type: ignore[override]  # it depends on the serial number
        """Its BootNotification."""
        return {"chargePointVendor": "V", "chargePointModel": "M", "chargePointSerialNumber": self.serial}

    def _on_ExtendedTriggerMessage(self, payload: Any) -> Any:  # noqa: N802 - the action's name
        return ACCEPTED if payload["requestedMessage"] == "SignChargePointCertificate" else {"status": "NotImplemented"}

    def _on_ChangeConfiguration(self, payload: Any) -> Any:  # noqa: N802 - the action's name
        key, value = payload["key"], payload["value"]
        if key == "CpoName":
            self.organization = value
        elif key == "SecurityProfile":
            # White paper A05.FR.02: what the new profile needs must be there.
            if not self.roots or (value == "3" and self._certificate is None):
                return {"status": "Rejected"}
            self.profile = int(value)
        return ACCEPTED

    async def _afterwards(self, action: str, payload: Any) -> None:
        await super()._afterwards(action, payload)
        if action == "ChangeConfiguration" and payload["key"] == "SecurityProfile":
            await self._connection.close()


class Station201(ScriptedStation):
    """A 2.0.1 station with network configuration slots; the first of the order holds after a restart."""

    subprotocol = "ocpp2.0.1"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.slots: dict[int, int] = {1: self.profile}
        """configurationSlot -> security profile."""
        self.order = [1]
        self.missing_slots: set[int] = set()
        self.reason = "PowerUp"

    @property
    def boot(self) -> dict[str, Any]:  # type: ignore[override]  # it depends on the serial number
        """Its BootNotification."""
        station = {"model": "M", "vendorName": "V", "serialNumber": self.serial}
        return {"reason": self.reason, "chargingStation": station}

    def fall_back(self) -> None:
        """It doesn't get through under the first profile of its order, and takes the next."""
        self.profile = self.slots[self.order[1]]

    def restart(self) -> None:
        """Begin again with the first profile of its order."""
        self.profile, self.reason = self.slots[self.order[0]], "RemoteReset"

    def _on_TriggerMessage(self, payload: Any) -> Any:  # noqa: N802 - the action's name
        wanted = payload["requestedMessage"]
        return ACCEPTED if wanted == "SignChargingStationCertificate" else {"status": "NotImplemented"}

    def _on_GetBaseReport(self, payload: Any) -> Any:  # noqa: N802 - the action's name
        assert payload["reportBase"] == "FullInventory"
        return {"status": "NotSupported"}

    def _on_GetVariables(self, payload: Any) -> Any:  # noqa: N802 - the action's name
        (wanted,) = payload["getVariableData"]
        assert wanted["variable"]["name"] == "NetworkConfigurationPriority"
        order = ",".join(str(slot) for slot in self.order)
        return {"getVariableResult": [{**wanted, "attributeStatus": "Accepted", "attributeValue": order}]}

    def _on_SetVariables(self, payload: Any) -> Any:  # noqa: N802 - the action's name
        (wanted,) = payload["setVariableData"]
        value, status = wanted.pop("attributeValue"), "Accepted"
        if wanted["variable"]["name"] == "OrganizationName":
            self.organization = value
        elif wanted["variable"]["name"] == "NetworkConfigurationPriority":
            order = [int(slot) for slot in value.split(",")]
            known = set(order) <= self.slots.keys()
            status = "RebootRequired" if known else "Rejected"
            self.order = order if known else self.order
        else:
            status = "UnknownVariable"
        return {"setVariableResult": [{**wanted, "attributeStatus": status}]}

    def _on_SetNetworkProfile(self, payload: Any) -> Any:  # noqa: N802 - the action's name
        slot, profile = payload["configurationSlot"], payload["connectionData"]
        if slot in self.missing_slots:
            return {"status": "Rejected", "statusInfo": {"reasonCode": "InvalidConfSlot"}}
        assert profile["ocppCsmsUrl"] == PUBLIC_URL
        self.slots[slot] = profile["securityProfile"]
        return ACCEPTED

    def _on_Reset(self, payload: Any) -> Any:  # noqa: N802 - the action's name
        return ACCEPTED

    async def _afterwards(self, action: str, payload: Any) -> None:
        await super()._afterwards(action, payload)
        if action == "Reset":
            self.restart()
            await self._connection.close()
