"""A mobility operator for the tests: its CAs, contract certificates, and what its OCSP responder says of them."""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from pki.certificate_hash import CertificateHash, HashAlgorithm, certificate_hash
from pki.issuing import Issuer
from pki.pem_files import certificates_pem
from tests.responders import GOOD, REVOKED, UNKNOWN, response

EMAID: Final = "DE8EXC12345678O"
SHOWN_EMAID: Final = "DE-8EX-C12345678-O"
DAY: Final = timedelta(days=1)
LEAF_USAGES: Final = ("digital_signature", "content_commitment", "key_agreement")
CA_USAGES: Final = ("key_cert_sign", "crl_sign")
_USAGES: Final = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


@dataclass(frozen=True)
class Contract:
    """A contract certificate, and the CAs above it."""

    path: tuple[x509.Certificate, ...]
    """Itself first, the root last."""

    @property
    def leaf(self) -> x509.Certificate:
        return self.path[0]

    @property
    def pem(self) -> str:
        """As a station sends it: without the root."""
        return certificates_pem(self.path[:-1])

    def hash_data(self, responder: str, algorithm: HashAlgorithm = HashAlgorithm.SHA256) -> list[dict[str, str]]:
        """Return iso15118CertificateHashData: the leaf, then its sub-CAs."""
        named = (certificate_hash(*pair, algorithm).payload for pair in pairwise(self.path))
        return [{**each, "responderURL": responder} for each in named]


@dataclass
class MobilityOperator:
    """A root, two sub-CAs under it, and the responder that speaks for all three."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC).replace(microsecond=0)
    responder: str = ""
    """The URL that its certificates name; empty: they name none."""
    label: str = "MO"
    root: Issuer = field(init=False)
    sub_1: Issuer = field(init=False)
    sub_2: Issuer = field(init=False)
    revoked: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)
    asked: list[int] = field(default_factory=list)
    """Serial numbers that its responder was asked about."""

    def __post_init__(self) -> None:
        self.root = self._ca(f"{self.label} root", None)
        self.sub_1 = self._ca(f"{self.label} sub 1", self.root)
        self.sub_2 = self._ca(f"{self.label} sub 2", self.sub_1)

    @property
    def sub_cas(self) -> list[x509.Certificate]:
        return [self.sub_2.certificate, self.sub_1.certificate]

    def contract(
        self,
        emaid: str = EMAID,
        *,
        begins: timedelta = -DAY,
        ends: timedelta = 300 * DAY,
        usages: Sequence[str] = LEAF_USAGES,
        component: str = "MO",
        responder: str | None = None,
        ca: Issuer | None = None,
        further: Sequence[x509.NameAttribute[str]] = (),
    ) -> Contract:
        """Issue a contract certificate."""
        names = [x509.NameAttribute(NameOID.COMMON_NAME, emaid), *further]
        names.append(x509.NameAttribute(NameOID.DOMAIN_COMPONENT, component))
        issuer = ca or self.sub_2
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(names, issuer.certificate.subject, key, begins, ends, usages)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = self._naming_responder(builder, self.responder if responder is None else responder)
        leaf = builder.sign(issuer.key, hashes.SHA256())
        return Contract((leaf, *self.sub_cas, self.root.certificate))

    def answer(self, request: bytes, **says: Any) -> bytes:
        """Return what the responder says to one OCSP request; ``says`` is for :func:`tests.responders.response`."""
        asked = ocsp.load_der_ocsp_request(request)
        self.asked.append(asked.serial_number)
        named = CertificateHash(
            HashAlgorithm(asked.hash_algorithm.name.upper()),
            asked.issuer_name_hash.hex(),
            asked.issuer_key_hash.hex(),
            f"{asked.serial_number:x}",
        )
        signer = next(ca for ca in (self.sub_2, self.sub_1, self.root) if _has_key_hash(ca, asked))
        status = REVOKED if asked.serial_number in self.revoked else GOOD
        status = UNKNOWN if asked.serial_number in self.unknown else status
        return response(named, **{"signer": signer, "now": self.now(), "status": status, **says})

    def sub_ca(self, name: str, component: str) -> Issuer:
        """Return a further CA under the root, perhaps one of another role."""
        return self._ca(name, self.root, component)

    def _ca(self, name: str, issuer: Issuer | None, component: str = "MO") -> Issuer:
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.NameAttribute(NameOID.COMMON_NAME, name), x509.NameAttribute(NameOID.DOMAIN_COMPONENT, component)]
        above = x509.Name(names) if issuer is None else issuer.certificate.subject
        builder = self._builder(names, above, key, -10 * DAY, 3000 * DAY, CA_USAGES)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        if issuer is not None:
            builder = self._naming_responder(builder, self.responder)
        return Issuer(builder.sign(key if issuer is None else issuer.key, hashes.SHA256()), key)

    def _builder(
        self,
        names: Sequence[x509.NameAttribute[str]],
        issuer: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        begins: timedelta,
        ends: timedelta,
        usages: Sequence[str],
    ) -> x509.CertificateBuilder:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(names))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now() + begins)
            .not_valid_after(self.now() + ends)
        )
        if usages:
            builder = builder.add_extension(
                x509.KeyUsage(**{usage: usage in usages for usage in _USAGES}), critical=True
            )
        return builder

    @staticmethod
    def _naming_responder(builder: x509.CertificateBuilder, url: str) -> x509.CertificateBuilder:
        if not url:
            return builder
        place = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url))
        return builder.add_extension(x509.AuthorityInformationAccess([place]), critical=False)


def _has_key_hash(ca: Issuer, asked: ocsp.OCSPRequest) -> bool:
    point = ca.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return hashlib.new(asked.hash_algorithm.name, point).digest() == asked.issuer_key_hash


@asynccontextmanager
async def mobility_operator() -> AsyncIterator[MobilityOperator]:
    """Run a mobility operator whose responder is a web server on a port of the kernel's choice."""
    made: list[MobilityOperator] = []

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=made[0].answer(await request.read()), content_type="application/ocsp-response")

    app = web.Application()
    app.router.add_post("/mo", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.append(MobilityOperator(responder=f"http://127.0.0.1:{runner.addresses[0][1]}/mo"))
    try:
        yield made[0]
    finally:
        await runner.cleanup()
