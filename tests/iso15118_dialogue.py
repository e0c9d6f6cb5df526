"""Vehicles that ask for contract certificates and providers that answer, with keys of the test's own."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from pki.iso15118.envelope import Sealed, seal_2, seal_20
from pki.iso15118.exi import Schema
from pki.iso15118.messages import (
    CertificateChain,
    CertificateInstallationReq,
    CertificateInstallationReq20,
    CertificateInstallationRes,
    CertificateInstallationRes20,
    CertificateUpdateReq,
    CertificateUpdateRes,
    ContractData,
    Header,
    KeyWrapping,
    Message,
    Request,
    Response,
    RootCertificateId,
    Signature,
    SignedInfo,
    SignedInstallationData,
)
from pki.iso15118.signature import make_signed_info, signed_info_octets, suite_of
from pki.iso15118.trust import TrustedPaths
from pki.iso15118.writing import signed_parts
from tests.iso15118_pki import EMAID, PCID, Branch, Issued, PrivateKey, branch, leaf

SESSION: Final = bytes.fromhex("0102030405060708")
TIME: Final = 1_769_947_200
AnyMessage = TypeVar("AnyMessage", bound=Message)


def sign(
    message: AnyMessage, key: PrivateKey, change: Callable[[SignedInfo], SignedInfo] = lambda info: info
) -> AnyMessage:
    """Sign ``message``; ``change`` is what a forger does to the SignedInfo before it is signed."""
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    suite = suite_of(message)
    info = change(make_signed_info(signed_parts(message), suite))
    r, s = decode_dss_signature(key.sign(signed_info_octets(info), ec.ECDSA(suite.hash_algorithm)))
    size = suite.value_size // 2
    return replace(
        message, header=replace(message.header, signature=Signature(info, r.to_bytes(size) + s.to_bytes(size)))
    )


@dataclass(frozen=True)
class World:
    """The three hierarchies of a generation."""

    schema: Schema
    oem: Branch
    mo: Branch
    v2g: Branch
    old: Issued
    """The vehicle's contract certificate of before."""
    roots: tuple[RootCertificateId, ...] = field(default=())
    """Those that the vehicle trusts."""

    @classmethod
    def made(cls, schema: Schema) -> "World":
        oem, mo, v2g = (
            branch(role, name, schema=schema) for role, name in (("OEM", PCID), ("MO", EMAID), ("CPS", "Example CPS"))
        )
        root = v2g.root.certificate
        known = RootCertificateId(root.subject.rfc4514_string(), root.serial_number)
        old = leaf(EMAID, mo.sub2, component="MO", schema=schema)
        return cls(schema, oem, mo, v2g, old, (known,))

    @property
    def header(self) -> Header:
        return Header(SESSION, timestamp=TIME if self.schema is Schema.ISO_20 else None)

    # --- the vehicle -------------------------------------------------------------------------------------------------

    def asks(self, end: Issued | None = None) -> CertificateInstallationReq | CertificateInstallationReq20:
        """Return a request of the vehicle, not signed."""
        return self.installation_20(end) if self.schema is Schema.ISO_20 else self.installation(end)

    def installation(self, end: Issued | None = None) -> CertificateInstallationReq:
        return CertificateInstallationReq(self.header, "id1", (end or self.oem.leaf).der, self.roots)

    def installation_20(self, end: Issued | None = None) -> CertificateInstallationReq20:
        chain = CertificateChain((end or self.oem.leaf).der, self.oem.subs, "id1")
        return CertificateInstallationReq20(self.header, chain, self.roots, 1, (EMAID,))

    def update(self, end: Issued | None = None, emaid: str = EMAID) -> CertificateUpdateReq:
        """Return a request of -2 for the next certificate, not signed."""
        chain = CertificateChain((end or self.mo.leaf).der, self.mo.subs)
        return CertificateUpdateReq(self.header, "id1", chain, emaid, self.roots)

    # --- the provider ------------------------------------------------------------------------------------------------

    def answer(
        self,
        request: Request,
        *,
        contract: Issued | None = None,
        emaid: str = EMAID,
        cps: CertificateChain | None = None,
    ) -> Response:
        """Return the answer, not signed."""
        contract = contract or self.mo.leaf
        contract_chain = CertificateChain(contract.der, self.mo.subs, "id1")
        cps = cps or CertificateChain(self.v2g.leaf.der, self.v2g.subs)
        sealed = self._sealed(request, contract)
        if isinstance(request, CertificateInstallationReq20):
            data = SignedInstallationData(
                "id1",
                replace(contract_chain, id=None),
                "SECP521",
                sealed.dh_public_key,
                KeyWrapping.SECP521,
                sealed.encrypted_private_key,
            )
            return CertificateInstallationRes20(self.header, "OK", "Finished", cps, data, 0)
        parts = ContractData(
            contract_chain, sealed.encrypted_private_key, "id2", sealed.dh_public_key, "id3", emaid, "id4"
        )
        if isinstance(request, CertificateUpdateReq):
            return CertificateUpdateRes(self.header, "OK", cps, parts)
        return CertificateInstallationRes(self.header, "OK", cps, parts)

    def _sealed(self, request: Request, contract: Issued) -> Sealed:
        assert isinstance(contract.key, ec.EllipticCurvePrivateKey)
        match request:
            case CertificateInstallationReq20():
                vehicle, ski = request.oem_chain.certificate, os.urandom(8)
                return seal_20(contract.key, _key_of(vehicle), PCID, ski)
            case CertificateUpdateReq():
                return seal_2(contract.key, _key_of(request.contract_chain.certificate))
            case CertificateInstallationReq():
                return seal_2(contract.key, _key_of(request.oem_provisioning_certificate))

    # --- who looks at it ---------------------------------------------------------------------------------------------

    def trusting_oem(self) -> TrustedPaths:
        return _trusting(self.oem, with_subs=self.schema is Schema.ISO_2)

    def trusting_mo(self) -> TrustedPaths:
        return _trusting(self.mo)

    def trusting_v2g(self) -> TrustedPaths:
        return _trusting(self.v2g)


def _trusting(side: Branch, *, with_subs: bool = False) -> TrustedPaths:
    subs = [side.sub1.certificate, side.sub2.certificate] if with_subs else []
    return TrustedPaths([side.root.certificate], subs)


def _key_of(der: bytes) -> ec.EllipticCurvePublicKey:
    key = x509.load_der_x509_certificate(der).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key
