"""OCSP responders for the tests: honest ones, and those that attack B2 thinks of."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from pki.certificate_hash import CertificateHash, HashAlgorithm
from pki.issuing import Hierarchy, Issuer, PrivateKey

GOOD: Final = ocsp.OCSPCertStatus.GOOD
REVOKED: Final = ocsp.OCSPCertStatus.REVOKED
UNKNOWN: Final = ocsp.OCSPCertStatus.UNKNOWN
HOUR: Final = timedelta(hours=1)


def leaf_of(ca: Issuer, now: datetime, *, responder: str = "", name: str = "SN1") -> x509.Certificate:
    """Issue a station's certificate that names its responder."""
    builder = _builder(ca, now, name, ec.generate_private_key(ec.SECP256R1()))
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    if responder:
        uri = x509.UniformResourceIdentifier(responder)
        access = [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, uri)]
        builder = builder.add_extension(x509.AuthorityInformationAccess(access), critical=False)
    return builder.sign(ca.key, hashes.SHA256())


def delegate_of(
    ca: Issuer,
    now: datetime,
    *,
    usages: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.OCSP_SIGNING,),
    no_check: bool = True,
    lifetime: timedelta = timedelta(days=1),
    further: tuple[tuple[x509.ExtensionType, bool], ...] = (),
) -> Issuer:
    """Issue a responder's certificate: whom the CA has sign in its place."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(ca, now, "Responder", key, lifetime)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if no_check:
        builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
    for value, critical in further:
        builder = builder.add_extension(value, critical=critical)
    return Issuer(builder.sign(ca.key, hashes.SHA256()), key)


def impostor_of(victim: x509.Certificate, now: datetime, key: PrivateKey | None = None) -> Issuer:
    """Return whoever bears the name of ``victim``, and has another key."""
    own = key or ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(victim.subject)
        .issuer_name(victim.subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - HOUR)
        .not_valid_after(now + HOUR)
    )
    return Issuer(builder.sign(own, hashes.SHA256()), own)


def _builder(
    ca: Issuer, now: datetime, name: str, key: ec.EllipticCurvePrivateKey, lifetime: timedelta = timedelta(days=1)
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(ca.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * HOUR)
        .not_valid_after(now + lifetime)
    )


def response(
    certificate: CertificateHash,
    signer: Issuer,
    now: datetime,
    *,
    status: ocsp.OCSPCertStatus = GOOD,
    reason: x509.ReasonFlags | None = None,
    this_update: timedelta = timedelta(),
    next_update: timedelta | None = HOUR,
    brings: tuple[x509.Certificate, ...] = (),
    names_by: ocsp.OCSPResponderEncoding = ocsp.OCSPResponderEncoding.NAME,
    nonce: bytes | None = None,
    further: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    algorithm: hashes.SHA1 | hashes.SHA256 | hashes.SHA384 | None = None,
) -> bytes:
    """Sign a response about ``certificate``; the times are relative to ``now``."""
    revoked = status is REVOKED
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response_by_hash(
            bytes.fromhex(certificate.issuer_name),
            bytes.fromhex(certificate.issuer_key),
            certificate.serial_number,
            certificate.algorithm.hash,
            status,
            now + this_update,
            None if next_update is None else now + next_update,
            now if revoked else None,
            reason,
        )
        .responder_id(names_by, signer.certificate)
    )
    if brings:
        builder = builder.certificates(brings)
    echoed = () if nonce is None else ((x509.OCSPNonce(nonce), False),)
    for value, critical in (*echoed, *further):
        builder = builder.add_extension(value, critical=critical)
    return builder.sign(signer.key, algorithm or hashes.SHA256()).public_bytes(Encoding.DER)


def unsuccessful(status: ocsp.OCSPResponseStatus = ocsp.OCSPResponseStatus.TRY_LATER) -> bytes:
    """Return a response that says nothing."""
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


@dataclass
class Responder:
    """A web server that answers OCSP requests, honestly unless told otherwise."""

    hierarchy: Hierarchy
    now: Callable[[], datetime] = lambda: datetime.now(UTC).replace(microsecond=0)
    url: str = ""
    asked: list[ocsp.OCSPRequest] = field(default_factory=list)
    says: dict[str, Any] = field(default_factory=dict)
    """What :func:`response` is told."""
    body: bytes | None = None
    """Given in place of a response."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/ocsp-response"})
    gate: asyncio.Event | None = None
    """Answers nobody before this is set."""

    async def answer(self, request: web.Request) -> web.Response:
        asked = ocsp.load_der_ocsp_request(await request.read())
        self.asked.append(asked)
        if self.gate is not None:
            await self.gate.wait()
        body = self.body
        if body is None:
            certificate = CertificateHash(
                HashAlgorithm(asked.hash_algorithm.name.upper()),
                asked.issuer_name_hash.hex(),
                asked.issuer_key_hash.hex(),
                f"{asked.serial_number:x}",
            )
            body = response(certificate, **{"signer": self.hierarchy.issuing, "now": self.now(), **self.says})
        return web.Response(status=self.status, body=body, headers=self.headers)


@asynccontextmanager
async def responding(hierarchy: Hierarchy) -> AsyncIterator[Responder]:
    """Run a responder of the hierarchy's issuing CA on a port of the kernel's choice."""
    responder = Responder(hierarchy)
    app = web.Application()
    app.router.add_post("/ocsp", responder.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    responder.url = f"http://127.0.0.1:{runner.addresses[0][1]}/ocsp"
    try:
        yield responder
    finally:
        if responder.gate is not None:
            responder.gate.set()
        await runner.cleanup()
