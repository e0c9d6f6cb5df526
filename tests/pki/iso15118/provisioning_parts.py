"""What a provisioning needs: V2G roots with a CPS under each, an embedded CA for contracts, vehicles that ask."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from pki.authority import IssuedCertificate, SigningRequest
from pki.authority.local import LocalAuthority
from pki.iso15118.contract_issuing import ContractIssuer
from pki.iso15118.cps import CpsChain, FileCps
from pki.iso15118.envelope import Sealed, open_2, open_20
from pki.iso15118.exi import Schema
from pki.iso15118.messages import (
    Action,
    CertificateChain,
    CertificateInstallationReq,
    CertificateInstallationReq20,
    CertificateInstallationRes20,
    CertificateUpdateReq,
    Header,
    Request,
    Response,
    RootCertificateId,
)
from pki.iso15118.provisioning import Contract, VerifiedRequest
from pki.iso15118.reading import read_message
from pki.iso15118.signature import Suite, check_signature
from pki.issuing import Hierarchy, PrivateKey, issue, new_ec_key, new_hierarchy
from pki.pem_files import certificates_pem, key_pem
from pki.profiles import CertificateProfile, Curve, KeyPolicy, load_profile

MO: Final = "Example MO"
EMAID: Final = "DE8EXC12345678A"
PCID: Final = "WEXEXAMPLE00000012"
SESSION: Final = bytes.fromhex("3031323334353637")
CURVES: Final[dict[Schema, Curve]] = {Schema.ISO_2: "P-256", Schema.ISO_20: "P-521"}
SUITES: Final = {Schema.ISO_2: Suite.ISO_2, Schema.ISO_20: Suite.ISO_20}
PROFILES: Final = {Schema.ISO_2: "contract", Schema.ISO_20: "contract_20"}


def contract(emaid: str = EMAID, valid_until: datetime | None = None) -> Contract:
    return Contract(emaid, PCID, valid_until)


def profile_of(schema: Schema) -> CertificateProfile:
    return load_profile(PROFILES[schema])


def mo_hierarchy(schema: Schema, now: datetime) -> Hierarchy:
    return new_hierarchy("Test MO", MO, now, curve=CURVES[schema], domain_components=("MO", "MO"))


@dataclass
class V2gPki:
    """A V2G root with a CPS under it."""

    root: x509.Certificate
    leaf: x509.Certificate
    key: PrivateKey
    chain_pem: str

    @property
    def key_pem(self) -> bytes:
        return key_pem(self.key)


def v2g_pki(
    schema: Schema,
    now: datetime,
    *,
    key: PrivateKey | ec.EllipticCurvePublicKey | None = None,
    lifetime: timedelta = timedelta(days=90),
) -> V2gPki:
    """Return one whose leaf has ``key``, a new one without it."""
    hierarchy = new_hierarchy("Test V2G", "V2G", now, curve=CURVES[schema], domain_components=("V2G", "CPS"))
    own = new_ec_key(CURVES[schema])
    public = key if isinstance(key, ec.EllipticCurvePublicKey) else (key or own).public_key()
    profile = load_profile("cps")
    profile = profile.model_copy(
        update={
            "keys": KeyPolicy(curves=(CURVES[schema],)),
            "validity": profile.validity.model_copy(update={"lifetime": lifetime}),
        }
    )
    leaf = issue(hierarchy.issuing, profile, public, common_name="Test CPS", organization="V2G", now=now)
    chain = certificates_pem([leaf, hierarchy.issuing.certificate])
    private = key if isinstance(key, ec.EllipticCurvePrivateKey) else own
    return V2gPki(hierarchy.root.certificate, leaf, private, chain)


def file_cps(schema: Schema, v2g: V2gPki, now: datetime) -> FileCps:
    return FileCps(CpsChain(v2g.chain_pem, SUITES[schema]), v2g.key_pem, clock=lambda: now)


def issuer_of(schema: Schema, authority: object, now: datetime) -> ContractIssuer:
    """Return what issues with ``authority``, which may be anything that signs."""
    return ContractIssuer(authority, profile_of(schema), MO, clock=lambda: now)  # type: ignore[arg-type]  # as said


class Vehicle:
    """A vehicle of one generation, with its key from the factory."""

    def __init__(self, schema: Schema, v2g_root: x509.Certificate, *, pcid: str = PCID) -> None:
        self.schema = schema
        self.pcid = pcid
        self.v2g_root = v2g_root
        self.key = new_ec_key(CURVES[schema])
        named = RootCertificateId(v2g_root.subject.rfc4514_string(), v2g_root.serial_number)
        self.roots: tuple[RootCertificateId, ...] = (named,)

    def _message(self, action: Action) -> Request:
        if self.schema is Schema.ISO_20:
            return CertificateInstallationReq20(
                Header(SESSION, timestamp=1), CertificateChain(b"leaf", (), "id1"), self.roots, 1
            )
        if action is Action.UPDATE:
            return CertificateUpdateReq(Header(SESSION), "id1", CertificateChain(b"old"), EMAID, self.roots)
        return CertificateInstallationReq(Header(SESSION), "id1", b"leaf", self.roots)

    def asks(self, action: Action = Action.INSTALL) -> VerifiedRequest:
        """Return its request as the verification gives it on."""
        is_update = action is Action.UPDATE
        return VerifiedRequest(
            self._message(action),
            self.schema,
            action,
            b"",
            (),
            self.key.public_key(),
            None if is_update else self.pcid,
            EMAID if is_update else None,
        )

    def opens(self, exi: bytes) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey, Response]:
        """Check an answer as a vehicle does, and return its contract with the key."""
        answer = read_message(exi, self.schema)
        assert not isinstance(answer, Request)
        assert answer.header.session_id == SESSION
        assert answer.response_code == "OK"
        way = [x509.load_der_x509_certificate(each) for each in _ders(answer.cps_chain)]
        for certificate, issuer in pairwise([*way, self.v2g_root]):
            certificate.verify_directly_issued_by(issuer)
        check_signature(answer, way[0].public_key())
        if isinstance(answer, CertificateInstallationRes20):
            data = answer.installation_data
            contract = x509.load_der_x509_certificate(data.contract_chain.certificate)
            identifier = contract.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
            key = open_20(Sealed(data.encrypted_private_key, data.dh_public_key), self.key, self.pcid, identifier)
        else:
            contract = x509.load_der_x509_certificate(answer.contract.chain.certificate)
            key = open_2(Sealed(answer.contract.encrypted_private_key, answer.contract.dh_public_key), self.key)
        assert key.public_key() == contract.public_key()
        return contract, key, answer


def _ders(chain: CertificateChain) -> list[bytes]:
    return [chain.certificate, *chain.sub_certificates]


class Kept:
    """An authority that notes what it issues and revokes."""

    def __init__(self, authority: LocalAuthority) -> None:
        self.inner = authority
        self.issued: list[str] = []
        self.revoked: list[str] = []

    async def sign(self, request: SigningRequest) -> IssuedCertificate:
        issued = await self.inner.sign(request)
        self.issued.append(issued.serial)
        return issued

    async def chain(self) -> list[x509.Certificate]:
        return await self.inner.chain()

    async def revoke(self, serial: str, reason: x509.ReasonFlags = x509.ReasonFlags.unspecified) -> None:
        await self.inner.revoke(serial, reason)
        self.revoked.append(serial)

    async def health(self) -> None:
        await self.inner.health()
