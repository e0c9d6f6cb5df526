"""An OPCP provider for the tests, written from the published contract: no registry has one.

hubject/opcp, OPCP 1.0.0: the references accessToken, ccp and cps, version 1. Token endpoint, contract certificate pool,
certificate provisioning service; over TLS if it is given a CA. What it is asked is held against the contract's schemas,
and refused with their errorMessages. It can be slow (``gate``), down, forgetful of its tokens, or answer anything at
all (``answer``).
"""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import trustme
from aiohttp import web
from cryptography import x509

from pki.iso15118.exi import Element, Schema
from pki.iso15118.exi.codec import decode_document
from pki.iso15118.messages import CertificateChain, CertificateInstallationRes, ContractData, Header
from pki.iso15118.signature import Signer, sign
from pki.iso15118.writing import write_message

CLIENT_ID: Final = "voltgate"
CLIENT_SECRET: Final = "s3cret+&="
AUDIENCE: Final = "https://opcp.example"
ISO_2: Final = Schema.ISO_2.value
NAMESPACES: Final = frozenset({ISO_2, Schema.ISO_20.value})

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Cps:
    """The service's signing leaf, and what it signs with."""

    chain: CertificateChain
    signer: Signer


@dataclass
class OpcpServer:
    """One provider."""

    offers: list[dict[str, str]] = field(default_factory=list)
    """The messageDef of each contract."""
    cps: Cps | None = None
    token_lifetime: float | None = 86_400
    tokens: list[str] = field(default_factory=list)
    """All that were given, the newest last: it alone is good."""
    answer: Answer | None = None
    """What answers in place of the provider, but not of the token endpoint."""
    token_answer: Answer | None = None
    gate: asyncio.Event | None = None
    """Until it is set nothing but tokens is answered."""
    token_gate: asyncio.Event | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of each request that came."""
    headers: list[Mapping[str, str]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    signed: Callable[[CertificateInstallationRes], CertificateInstallationRes] = lambda message: message
    """What becomes of a message that was signed."""
    came: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with each request."""
    url: str = ""

    def count(self, path: str) -> int:
        """Return how often ``path`` was asked."""
        return sum(each == path for _, each in self.asked)

    def expire(self) -> None:
        """Forget the tokens that were given: only one that is fetched from now on is good."""
        self.tokens.append("")

    async def token(self, request: web.Request) -> web.StreamResponse:
        """POST /oauth/token, as RFC 6749 4.4 sends it."""
        self._note(request)
        self.forms.append({name: str(value) for name, value in (await request.post()).items()})
        if self.token_gate is not None:
            await self.token_gate.wait()
        if self.token_answer is not None:
            return await self.token_answer(request)
        wanted = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        if not wanted.items() <= self.forms[-1].items() or self.forms[-1].get("audience") != AUDIENCE:
            return web.json_response({"error": "invalid_client", "error_description": CLIENT_SECRET}, status=401)
        self.tokens.append(f"token.{len(self.tokens)}-_~+/==")
        body: dict[str, Any] = {"access_token": self.tokens[-1], "token_type": "Bearer", "scope": "ccpservice"}
        if self.token_lifetime is not None:
            body["expires_in"] = self.token_lifetime
        return web.json_response(body)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Everything else."""
        self._note(request)
        if self.gate is not None:
            await self.gate.wait()
        if self.answer is not None:
            return await self.answer(request)
        if self.tokens and request.headers.get("Authorization") != f"Bearer {self.tokens[-1]}":
            return web.Response(status=401)
        body = None
        if request.method != "GET":
            if request.content_type != "application/json":
                return web.Response(status=415)
            body = await request.json()
        self.bodies.append(body)
        return await self._answered(request.method, request.path, body)

    async def _answered(self, method: str, path: str, body: Any) -> web.Response:
        if (method, path) == ("POST", "/v1/ccp/signedContractData"):
            return self._contracts(body)
        if (method, path) == ("PUT", "/v1/cps/contractData/signed"):
            return await self._sign(body)
        return web.Response(status=404, text="<html>", content_type="text/html")

    def _contracts(self, body: dict[str, Any]) -> web.Response:
        if set(body) != {"certificateInstallationReq", "xsdMsgDefNamespace"}:
            return failed(400, "minProperties")
        if body["xsdMsgDefNamespace"] not in NAMESPACES:
            return failed(400, "xsdMsgDefNamespace")
        if base64.b64decode(body["certificateInstallationReq"], validate=True)[:1] != b"\x80":
            return failed(400, "EXI format is invalid!")
        if not self.offers:
            return failed(404, "Contract or Vehicle not found.")
        return offered(*self.offers)

    async def _sign(self, body: dict[str, Any]) -> web.Response:
        data = body["contractData"]
        wanted = {"contractCertificate", "contractSubCa1Certificate"}
        wanted |= {"contractSignatureEncryptedPrivateKey", "dHpublickey"}
        if not wanted <= set(data) <= wanted | {"contractSubCa2Certificate"} or body["xsdMsgDefNamespace"] != ISO_2:
            return failed(400, "contractData")
        assert self.cps is not None
        names = ("contractCertificate", "contractSubCa2Certificate", "contractSubCa1Certificate")
        leaf, *above = (base64.b64decode(data[name], validate=True) for name in names if name in data)
        emaid = _common_name(leaf)
        message = await sign(
            CertificateInstallationRes(
                Header(session_id=bytes(1)),
                "OK",
                self.cps.chain,
                ContractData(
                    chain=CertificateChain(leaf, tuple(above), "ID1"),
                    encrypted_private_key=base64.b64decode(data["contractSignatureEncryptedPrivateKey"]),
                    encrypted_private_key_id="ID2",
                    dh_public_key=base64.b64decode(data["dHpublickey"]),
                    dh_public_key_id="ID3",
                    emaid=emaid,
                    emaid_id="ID4",
                ),
            ),
            self.cps.signer,
        )
        assert isinstance(message, CertificateInstallationRes)
        answer = {
            "pcid": None,
            "emaid": emaid,
            "xsdMsgDefNamespace": ISO_2,
            "signedData": base64.b64encode(as_xml(self.signed(message))).decode(),
            "cpsV2GRootCertificateFingerprint": "896b6655-180e-4304-b642-606bb00df8f0",
            "cpsRootDistinguishedName": "CN=V2G Root CA, DC=V2G",
        }
        return web.json_response(answer, status=201)

    def _note(self, request: web.Request) -> None:
        self.asked.append((request.method, request.path))
        self.headers.append(dict(request.headers))
        self.came.set()


def offer(exi: bytes, emaid: str | None = None) -> dict[str, str]:
    """Return a messageDef."""
    message = {"certificateInstallationRes": base64.b64encode(exi).decode()}
    return message if emaid is None else message | {"emaid": emaid}


def offered(*messages: Mapping[str, Any]) -> web.Response:
    """Answer as a contract certificate pool does."""
    return web.json_response({"CCPResponse": {"emaidContent": [{"messageDef": dict(each)} for each in messages]}})


def failed(status: int, *words: str) -> web.Response:
    """Answer with OPCP's error."""
    return web.json_response({"errorMessages": list(words), "traceId": "f61bc043"}, status=status)


def answering(status: int, body: bytes | Any = b"", **headers: str) -> Answer:
    """Return an answer to everything; what isn't bytes goes as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in ({"Content_Type": "application/json"} | headers).items()}

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=content, headers=named)

    return answer


async def hanging_up(request: web.Request) -> web.StreamResponse:
    """Break the connection off."""
    assert request.transport is not None
    request.transport.close()
    return web.Response()


def as_xml(message: CertificateInstallationRes) -> bytes:
    """Write a message as the service does: in XML, without a SessionID."""
    text = _xml(decode_document(write_message(message), Schema.ISO_2))
    return ('<?xml version="1.0" encoding="UTF-8" standalone="yes"?>' + text).encode()


def _xml(element: Element) -> str:
    if element.name.local == "SessionID":
        return ""
    attributes = "".join(
        f' a:{name.local}="{value}" xmlns:a="{name.namespace}"' if name.namespace else f' {name.local}="{value}"'
        for name, value in element.attributes
    )
    value = element.value
    text = base64.b64encode(value).decode() if isinstance(value, bytes) else "" if value is None else str(value)
    inner = text + "".join(_xml(child) for child in element.children)
    return f'<n:{element.name.local} xmlns:n="{element.name.namespace}"{attributes}>{inner}</n:{element.name.local}>'


def _common_name(der: bytes) -> str:
    name = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
    assert isinstance(name, str)
    return name


@asynccontextmanager
async def running_opcp(server: OpcpServer, ca: trustme.CA | None = None) -> AsyncIterator[OpcpServer]:
    """Serve it on a port of the kernel's choice."""
    tls = None
    if ca is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ca.issue_cert("127.0.0.1").configure_cert(tls)
    app = web.Application()
    app.router.add_post("/oauth/token", server.token)
    app.router.add_route("*", "/{path:.*}", server.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        server.url = f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()
