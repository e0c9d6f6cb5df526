"""An EST server for the tests, written from RFC 7030 and RFC 8951: PyPI and Debian have none.

Real TLS with client certificates, HTTP Basic, cacerts, simpleenroll, simplereenroll, 202 with Retry-After; it copies
the CSR's subject, as EST servers do. What it answers can be replaced, for what a server may get wrong.
"""

import base64
import contextlib
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from pki.client_tls import ClientCertificate, TlsTrust
from pki.issuing import Hierarchy, issue, new_hierarchy, new_key
from pki.pem_files import certificates_pem, key_pem
from pki.profiles import charging_station, csms_server

USER: Final = "gateway"
PASSWORD: Final = "pässword"
RA_NAME: Final = "Voltgate RA"
YEARS: Final = timedelta(days=800)
ENCODED: Final = {"Content-Type": "application/pkcs7-mime; smime-type=certs-only"}
USAGE: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=True,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class EstServer:
    """One CA behind EST, and whom it lets enrol."""

    folder: Path
    label: str = ""
    cas: Hierarchy = field(default_factory=lambda: new_hierarchy("EST", "Example CPO", datetime.now(UTC)))
    ras: Hierarchy = field(default_factory=lambda: new_hierarchy("RA", "Example CPO", datetime.now(UTC) - YEARS))
    """Who signs the clients' certificates, and the server's own."""
    pending: int = 0
    """How often a CSR is answered with 202, before it is signed."""
    retry_after: str = "5"
    answer: Answer | None = None
    """What answers in place of the server."""
    lifetime: timedelta = timedelta(days=365)
    further: Callable[[x509.CertificateBuilder], x509.CertificateBuilder] = lambda builder: builder
    """What is put into each certificate besides."""
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    """Operation and body of each request that was let in."""
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self.roots = self.folder / "est-roots.pem"
        self.roots.write_text(certificates_pem([self.ras.root.certificate]))
        self.chain, self.key = self.folder / "ra.pem", self.folder / "ra.key"
        self.new_ra()

    def new_ra(self, issued: datetime | None = None) -> None:
        """Give the gateway a client certificate: of one year, from ``issued`` on."""
        key = new_key()
        leaf = issue(
            self.ras.issuing,
            charging_station(),
            key.public_key(),
            common_name=RA_NAME,
            organization="Example CPO",
            now=issued or datetime.now(UTC),
        )
        self.chain.write_text(certificates_pem([leaf, self.ras.issuing.certificate]))
        self.key.write_bytes(key_pem(key))
        self.key.chmod(0o600)

    @property
    def certificate(self) -> ClientCertificate:
        """The gateway's client certificate."""
        return ClientCertificate(self.chain, lambda: contextlib.nullcontext(self.key))

    def trust(self, *, shows_certificate: bool = True) -> TlsTrust:
        """Whom the gateway trusts, and what it shows."""
        return TlsTrust(self.roots, self.certificate if shows_certificate else None)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        if self.answer is not None:
            return await self.answer(request)
        operation = request.match_info["operation"]
        if request.match_info["label"].strip("/") != self.label:
            return web.Response(status=404)
        if operation == "cacerts":
            return given([self.cas.root.certificate, self.cas.issuing.certificate])
        if not self._is_let_in(request):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="est"'})
        self.headers.append(dict(request.headers))
        return self._enroll(operation, await request.read())

    def _enroll(self, operation: str, body: bytes) -> web.StreamResponse:
        self.asked.append((operation, body))
        csr = x509.load_der_x509_csr(base64.b64decode(body))
        if operation == "simplereenroll":
            return given([self.sign(csr, self.ras)])
        digest = hashlib.sha256(body).digest()
        if sum(hashlib.sha256(each).digest() == digest for _, each in self.asked) <= self.pending:
            return web.Response(status=202, headers={"Retry-After": self.retry_after})
        return given([self.sign(csr, self.cas)])

    def sign(self, csr: x509.CertificateSigningRequest, by: Hierarchy) -> x509.Certificate:
        """Certify the subject and names of the CSR as they are."""
        now, key, ca = datetime.now(UTC), csr.public_key(), by.issuing
        assert isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
        builder = (
            x509.CertificateBuilder(ca.certificate.subject, csr.subject, key, x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + self.lifetime)
            .add_extension(USAGE, critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False)
        )
        for extension in csr.extensions:
            builder = builder.add_extension(extension.value, extension.critical)
        return self.further(builder).sign(ca.key, hashes.SHA256())

    def _is_let_in(self, request: web.Request) -> bool:
        assert request.transport is not None
        if request.transport.get_extra_info("peercert"):
            return True
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return request.headers.get("Authorization") == f"Basic {basic}"


def given(certificates: Sequence[x509.Certificate]) -> web.Response:
    """Answer with a certs-only PKCS#7, in lines of base64."""
    der = pkcs7.serialize_certificates(list(certificates), Encoding.DER)
    headers = {**ENCODED, "Content-Transfer-Encoding": "base64"}
    return web.Response(body=base64.encodebytes(der), headers=headers)


@asynccontextmanager
async def running_est(server: EstServer) -> AsyncIterator[EstServer]:
    """Serve it over TLS on a port of the kernel's choice."""
    key = new_key()
    leaf = issue(
        server.ras.issuing,
        csms_server(),
        key.public_key(),
        common_name="localhost",
        organization="Example CPO",
        now=datetime.now(UTC),
        names=["localhost", "127.0.0.1"],
    )
    chain, key_file = server.folder / "est.pem", server.folder / "est.key"
    chain.write_text(certificates_pem([leaf, server.ras.issuing.certificate]))
    key_file.write_bytes(key_pem(key))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=server.roots)
    tls.verify_mode = ssl.CERT_OPTIONAL
    tls.load_cert_chain(chain, key_file)
    app = web.Application()
    app.router.add_route("*", "/.well-known/est{label:(?:/[^/]+)?}/{operation}", server.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        server.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()
