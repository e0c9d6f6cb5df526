"""A provider that runs, a vehicle's requests, and who checks answers in place of the real check."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from pki.client_tls import TlsTrust
from pki.iso15118.exi import Schema
from pki.iso15118.messages import (
    Action,
    CertificateInstallationReq,
    CertificateInstallationReq20,
    CertificateInstallationRes,
    CertificateInstallationRes20,
    CertificateUpdateReq,
    CertificateUpdateRes,
)
from pki.iso15118.opcp.token import OAuthClient
from pki.iso15118.provisioning import Provision, ProvisioningRefused, Refusal, VerifiedRequest
from pki.iso15118.reading import read_message
from pki.iso15118.signature import check_signature
from pki.iso15118.writing import write_message
from tests.opcp_server import AUDIENCE, CLIENT_ID, CLIENT_SECRET, OpcpServer, running_opcp

VECTORS = Path(__file__).parents[1] / "vectors"


@pytest.fixture
async def server() -> AsyncIterator[OpcpServer]:
    async with running_opcp(OpcpServer()) as running:
        yield running


@pytest.fixture
def trust() -> TlsTrust:
    return TlsTrust()


@pytest.fixture
def oauth(server: OpcpServer) -> OAuthClient:
    return OAuthClient(f"{server.url}/oauth/token", CLIENT_ID, lambda: CLIENT_SECRET, audience=AUDIENCE)


def vector(name: str) -> bytes:
    """Return one of the byte vectors."""
    return (VECTORS / name).read_bytes()


def common_name(der: bytes) -> str:
    (name,) = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    assert isinstance(name.value, str)
    return name.value


def request_of(exi: bytes, schema: Schema) -> VerifiedRequest:
    """Return a request as the verification leaves it."""
    message = read_message(exi, schema)
    match message:
        case CertificateUpdateReq():
            der, action = message.contract_chain.certificate, Action.UPDATE
        case CertificateInstallationReq():
            der, action = message.oem_provisioning_certificate, Action.INSTALL
        case CertificateInstallationReq20():
            der, action = message.oem_chain.certificate, Action.INSTALL
        case _:
            raise AssertionError
    leaf = x509.load_der_x509_certificate(der)
    key, name = leaf.public_key(), common_name(der)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    is_update = action is Action.UPDATE
    return VerifiedRequest(
        message, schema, action, exi, (leaf,), key, None if is_update else name.upper(), name if is_update else None
    )


@pytest.fixture(scope="session")
def install_2() -> VerifiedRequest:
    return request_of(vector("iso2_cert_install_req.exi"), Schema.ISO_2)


@pytest.fixture(scope="session")
def update_2() -> VerifiedRequest:
    return request_of(vector("iso2_cert_update_req.exi"), Schema.ISO_2)


@pytest.fixture(scope="session")
def install_20() -> VerifiedRequest:
    return request_of(vector("iso20_cert_install_req.exi"), Schema.ISO_20)


class SignatureCheck:
    """Checks the signature by the answer's own leaf, and puts the SessionID in."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def check(self, exi: bytes, request: VerifiedRequest, *, emaid: str | None = None) -> Provision:
        self.seen.append(exi)
        message, remaining = read_message(exi, request.schema), None
        if isinstance(message, CertificateInstallationRes20):
            chain, remaining = message.installation_data.contract_chain, message.remaining_contract_certificate_chains
        else:
            wanted = CertificateUpdateRes if request.action is Action.UPDATE else CertificateInstallationRes
            assert isinstance(message, wanted)
            chain = message.contract.chain
        signer = x509.load_der_x509_certificate(message.cps_chain.certificate)
        check_signature(message, signer.public_key())
        if emaid not in {None, common_name(chain.certificate)}:
            raise ProvisioningRefused(Refusal.PROVIDER_ANSWER, "another contract's")
        header = dataclasses.replace(message.header, session_id=request.message.header.session_id)
        return Provision(
            write_message(dataclasses.replace(message, header=header)),
            common_name(chain.certificate),
            x509.load_der_x509_certificate(chain.certificate),
            signer,
            remaining,
        )


@pytest.fixture
def answers() -> SignatureCheck:
    return SignatureCheck()
