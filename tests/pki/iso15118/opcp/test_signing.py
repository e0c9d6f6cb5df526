"""Our contract under a provider's signature: what is sent, what must come back, and what becomes of a certificate."""

import asyncio
import base64
import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from pki.client_tls import TlsTrust
from pki.iso15118.contract_issuing import IssuedContract
from pki.iso15118.envelope import seal_2
from pki.iso15118.exi import Schema
from pki.iso15118.messages import CertificateChain, CertificateInstallationRes, CertificateUpdateRes
from pki.iso15118.opcp.circuit import FAILURES_MAX
from pki.iso15118.opcp.client import OpcpClient
from pki.iso15118.opcp.signing import NativeWithOpcpCps
from pki.iso15118.opcp.token import OAuthClient
from pki.iso15118.provisioning import Contract, ProvisioningRefused, Refusal, VerifiedRequest
from pki.iso15118.reading import read_message
from pki.issuing import Hierarchy, issue, new_hierarchy
from pki.profiles import load_profile
from tests.opcp_server import Cps, OpcpServer, answering, hanging_up
from tests.pki.iso15118.opcp.conftest import SignatureCheck, vector

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
CONTRACT = Contract("DE8EXC12345678X", None)
ROOT = "896b6655-180e-4304-b642-606bb00df8f0"
V2G = new_hierarchy("V2G", "Example CPS", NOW, domain_components=("V2G", "CPS"))
MO = new_hierarchy("MO", "Example MO", NOW, domain_components=("MO", "MO"))

Change = Callable[[CertificateInstallationRes], CertificateInstallationRes]


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def leaf_of(ca: Hierarchy, profile: str, name: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    organization = "Example"
    leaf = issue(
        ca.issuing, load_profile(profile), key.public_key(), common_name=name, organization=organization, now=NOW
    )
    return key, leaf


class StandInIssuer:
    """Issues as ContractIssuer does, from a CA in memory."""

    def __init__(self) -> None:
        self.issued: list[IssuedContract] = []
        self.unwound: list[x509.Certificate] = []

    async def issue(self, request: VerifiedRequest, contract: Contract) -> IssuedContract:
        key, leaf = leaf_of(MO, "contract", contract.emaid)
        chain = CertificateChain(der(leaf), (der(MO.issuing.certificate),))
        issued = IssuedContract(contract.emaid, leaf, chain, seal_2(key, request.key))
        self.issued.append(issued)
        return issued

    def unwind(self, certificate: x509.Certificate) -> None:
        self.unwound.append(certificate)


@pytest.fixture
def issuer() -> StandInIssuer:
    return StandInIssuer()


@pytest.fixture
def signs(server: OpcpServer) -> OpcpServer:
    key, leaf = leaf_of(V2G, "cps", "Example CPS")

    async def signer(octets: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(octets, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    server.cps = Cps(CertificateChain(der(leaf), (der(V2G.issuing.certificate),)), signer)
    return server


@asynccontextmanager
async def providing(
    server: OpcpServer, issuer: StandInIssuer, answers: SignatureCheck, **named: Any
) -> AsyncIterator[NativeWithOpcpCps]:
    client = OpcpClient(server.url, TlsTrust(), oauth=named.pop("oauth", None))
    provider = NativeWithOpcpCps(issuer, client, answers, **named)
    try:
        yield provider
    finally:
        await provider.close()


async def refused(
    provider: NativeWithOpcpCps, request: VerifiedRequest, contract: Contract | None = CONTRACT
) -> ProvisioningRefused:
    with pytest.raises(ProvisioningRefused) as caught:
        await provider.provide(request, contract, remaining=0)
    return caught.value


async def test_we_issue_and_the_service_signs(
    signs: OpcpServer,
    oauth: OAuthClient,
    issuer: StandInIssuer,
    answers: SignatureCheck,
    install_2: VerifiedRequest,
) -> None:
    async with providing(signs, issuer, answers, oauth=oauth, v2g_root=ROOT) as provider:
        provision = await provider.provide(install_2, CONTRACT, remaining=0)
        assert repr(provider) == f"NativeWithOpcpCps({signs.url})"
    (issued,) = issuer.issued
    assert (provision.emaid, provision.certificate) == (CONTRACT.emaid, issued.certificate)
    message = read_message(provision.exi, Schema.ISO_2)
    assert isinstance(message, CertificateInstallationRes)
    assert message.header.session_id == install_2.message.header.session_id
    assert message.contract.encrypted_private_key == issued.sealed.encrypted_private_key
    assert signs.asked[-1] == ("PUT", "/v1/cps/contractData/signed")
    (body,) = signs.bodies
    assert body["cpsV2GRootCertificateFingerprint"] == ROOT
    assert "pcid" not in body
    assert not issuer.unwound


async def test_an_update_is_answered_as_one(
    signs: OpcpServer, issuer: StandInIssuer, answers: SignatureCheck, update_2: VerifiedRequest
) -> None:
    """The service knows installations alone; what it signs is the same."""
    async with providing(signs, issuer, answers) as provider:
        provision = await provider.provide(update_2, CONTRACT, remaining=0)
    message = read_message(provision.exi, Schema.ISO_2)
    assert isinstance(message, CertificateUpdateRes)
    assert message.retry_counter is None
    assert message.header.session_id == update_2.message.header.session_id


async def test_what_is_not_for_it_costs_no_certificate(
    signs: OpcpServer,
    issuer: StandInIssuer,
    answers: SignatureCheck,
    install_2: VerifiedRequest,
    install_20: VerifiedRequest,
) -> None:
    async with providing(signs, issuer, answers) as provider:
        error = await refused(provider, install_20)
        assert (error.refusal, str(error)) == (Refusal.NOT_CONFIGURED, "OPCP 1.0.0 signs nothing of ISO 15118-20")
        assert (await refused(provider, install_2, None)).refusal is Refusal.NO_CONTRACT
    assert not issuer.issued
    assert not signs.asked


def swapped(**parts: Any) -> Change:
    return lambda message: dataclasses.replace(message, contract=dataclasses.replace(message.contract, **parts))


OTHERS = read_message(vector("iso2_cert_install_res.exi"), Schema.ISO_2)
assert isinstance(OTHERS, CertificateInstallationRes)


@pytest.mark.parametrize(
    ("change", "refusal", "words"),
    [
        (
            swapped(encrypted_private_key=bytes(48)),
            Refusal.PROVIDER_ANSWER,
            "something else than what was to be signed",
        ),
        (swapped(dh_public_key=OTHERS.contract.dh_public_key), Refusal.PROVIDER_ANSWER, "something else than"),
        (swapped(chain=OTHERS.contract.chain), Refusal.PROVIDER_ANSWER, "something else than what was to be signed"),
        (lambda _: OTHERS, Refusal.PROVIDER_ANSWER, "something else than what was to be signed"),
        (swapped(emaid="DE8EXC99999999"), Refusal.DIGEST_MISMATCH, "eMAID|ID4|digest"),
        (
            lambda message: dataclasses.replace(message, cps_chain=OTHERS.cps_chain),
            Refusal.SIGNATURE_INVALID,
            "signature",
        ),
        (
            lambda message: dataclasses.replace(message, response_code="FAILED_SignatureError"),
            Refusal.PROVIDER_REFUSED,
            "answers the vehicle with FAILED_SignatureError",
        ),
    ],
    ids=["key", "dh", "chain", "another's", "emaid", "cps", "failed"],
)
async def test_what_it_may_not_change(
    signs: OpcpServer,
    issuer: StandInIssuer,
    answers: SignatureCheck,
    install_2: VerifiedRequest,
    change: Change,
    refusal: Refusal,
    words: str,
) -> None:
    signs.signed = change
    async with providing(signs, issuer, answers) as provider:
        with pytest.raises(ProvisioningRefused, match=words) as caught:
            await provider.provide(install_2, CONTRACT, remaining=0)
    assert caught.value.refusal is refusal
    assert issuer.unwound == [issuer.issued[0].certificate]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "the answer isn't valid JSON"),
        ({"emaid": "x"}, "the answer signedData is missing"),
        ({"signedData": "gA=="}, "signedData isn't a CertificateInstallationRes: it isn't XML"),
        ({"signedData": "PGEvPg=="}, "signedData isn't a CertificateInstallationRes: "),
    ],
    ids=["broken", "empty", "EXI", "XML"],
)
async def test_nonsense(
    signs: OpcpServer,
    issuer: StandInIssuer,
    answers: SignatureCheck,
    install_2: VerifiedRequest,
    body: Any,
    words: str,
) -> None:
    signs.answer = answering(201, body)
    async with providing(signs, issuer, answers) as provider:
        error = await refused(provider, install_2)
    assert error.refusal is Refusal.PROVIDER_ANSWER
    assert str(error).startswith(f"{signs.url}/v1/cps/contractData/signed: {words}")
    assert len(issuer.unwound) == 1
    assert not answers.seen


async def test_another_message(
    signs: OpcpServer, issuer: StandInIssuer, answers: SignatureCheck, install_2: VerifiedRequest
) -> None:
    xml = vector("iso2_cert_install_res.xml").replace(b"CertificateInstallationRes", b"CertificateUpdateRes")
    signs.answer = answering(201, {"signedData": base64.b64encode(xml).decode()})
    async with providing(signs, issuer, answers) as provider:
        error = await refused(provider, install_2)
    assert error.refusal is Refusal.PROVIDER_ANSWER
    assert str(error).endswith("signedData is a CertificateUpdateRes")


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (400, Refusal.PROVIDER_REFUSED),
        (401, Refusal.PROVIDER_REFUSED),
        (503, Refusal.PROVIDER_UNAVAILABLE),
    ],
)
async def test_a_service_that_does_not_sign(
    signs: OpcpServer,
    issuer: StandInIssuer,
    answers: SignatureCheck,
    install_2: VerifiedRequest,
    status: int,
    refusal: Refusal,
) -> None:
    signs.answer = answering(status)
    async with providing(signs, issuer, answers) as provider:
        assert (await refused(provider, install_2)).refusal is refusal
    assert len(issuer.unwound) == 1


async def test_a_service_that_is_left_alone_costs_no_certificate(
    server: OpcpServer, issuer: StandInIssuer, answers: SignatureCheck, install_2: VerifiedRequest
) -> None:
    server.answer = hanging_up
    async with providing(server, issuer, answers) as provider:
        for _ in range(FAILURES_MAX + 2):
            error = await refused(provider, install_2)
    assert f"hasn't answered {FAILURES_MAX} times in a row" in str(error)
    assert len(issuer.issued) == len(issuer.unwound) == FAILURES_MAX


async def test_a_vehicle_that_gives_up_leaves_no_certificate(
    signs: OpcpServer, issuer: StandInIssuer, answers: SignatureCheck, install_2: VerifiedRequest
) -> None:
    signs.gate = asyncio.Event()
    async with providing(signs, issuer, answers) as provider:
        waiting = asyncio.create_task(provider.provide(install_2, CONTRACT, remaining=0))
        await signs.came.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        signs.gate.set()
    assert len(issuer.unwound) == 1


async def test_an_issuer_that_makes_another_contract(
    signs: OpcpServer, answers: SignatureCheck, install_2: VerifiedRequest
) -> None:
    class Confused(StandInIssuer):
        async def issue(self, request: VerifiedRequest, contract: Contract) -> IssuedContract:
            return await super().issue(request, dataclasses.replace(contract, emaid="DE8EXC99999999"))

    issuer = Confused()
    async with providing(signs, issuer, answers) as provider:
        assert (await refused(provider, install_2)).refusal is Refusal.PROVIDER_ANSWER
    assert len(issuer.unwound) == 1


async def test_a_chain_that_has_no_place_in_the_request(
    signs: OpcpServer, answers: SignatureCheck, install_2: VerifiedRequest
) -> None:
    class RootAlone(StandInIssuer):
        async def issue(self, request: VerifiedRequest, contract: Contract) -> IssuedContract:
            issued = await super().issue(request, contract)
            return dataclasses.replace(issued, chain=CertificateChain(issued.chain.certificate))

    issuer = RootAlone()
    async with providing(signs, issuer, answers) as provider:
        error = await refused(provider, install_2)
    assert error.refusal is Refusal.NOT_CONFIGURED
    assert str(error).endswith("and not 0 (OPCP cps.v1); see authority.contract")
    assert (len(issuer.unwound), signs.asked) == (1, [])
