"""Vehicles, the gateway's own checks and a provider: the whole way, nothing stood in for but the provider itself."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from pki.authority.local import LocalAuthority
from pki.client_tls import TlsTrust
from pki.iso15118.answers import AnswerVerifier
from pki.iso15118.envelope import Sealed, open_2
from pki.iso15118.exi import Schema
from pki.iso15118.failures import failed_response
from pki.iso15118.messages import (
    Action,
    CertificateChain,
    CertificateInstallationRes,
    CertificateUpdateReq,
    CertificateUpdateRes,
    Request,
)
from pki.iso15118.opcp.client import OpcpClient
from pki.iso15118.opcp.provider import OpcpProvider
from pki.iso15118.opcp.signing import NativeWithOpcpCps
from pki.iso15118.opcp.token import OAuthClient
from pki.iso15118.provisioning import Contract, ProvisioningRefused, Refusal, VerifiedRequest
from pki.iso15118.reading import read_message
from pki.iso15118.trust import TrustedPaths
from pki.iso15118.verification import RequestVerifier
from pki.iso15118.writing import write_message
from tests.iso15118_dialogue import SESSION, World, sign
from tests.iso15118_pki import EMAID, NOW, Branch, branch
from tests.opcp_server import Cps, OpcpServer, offer
from tests.pki.iso15118.provisioning_parts import Kept, issuer_of, mo_hierarchy

TWO, TWENTY = World.made(Schema.ISO_2), World.made(Schema.ISO_20)
WORLDS = {"-2": TWO, "-20": TWENTY}
FOREIGN = {schema: branch("CPS", "Another CPS", schema=schema) for schema in (Schema.ISO_2, Schema.ISO_20)}
CONTRACT = Contract(EMAID, None)
OURS = mo_hierarchy(Schema.ISO_2, NOW)


def verified(world: World, message: Request) -> VerifiedRequest:
    action = Action.UPDATE if isinstance(message, CertificateUpdateReq) else Action.INSTALL
    check = RequestVerifier(world.trusting_oem(), world.trusting_mo(), profiles="enforce", clock=lambda: NOW)
    return check.verify(write_message(message), world.schema, action)


def chain_of(side: Branch) -> CertificateChain:
    return CertificateChain(side.leaf.der, side.subs)


def kept(world: World, request: VerifiedRequest, **how: str) -> bytes:
    """Return an answer as a pool keeps it: signed before there was a session."""
    answer = world.answer(request.message, **how)  # type: ignore[arg-type]  # as told
    header = dataclasses.replace(answer.header, session_id=bytes(8 if world.schema is Schema.ISO_20 else 1))
    return write_message(sign(dataclasses.replace(answer, header=header), world.v2g.leaf.key))


@asynccontextmanager
async def pool(server: OpcpServer, world: World, oauth: OAuthClient | None = None) -> AsyncIterator[OpcpProvider]:
    answers = AnswerVerifier(world.trusting_v2g(), world.trusting_mo(), profiles="enforce", clock=lambda: NOW)
    provider = OpcpProvider(OpcpClient(server.url, TlsTrust(), oauth=oauth), answers)
    try:
        yield provider
    finally:
        await provider.close()


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
async def test_a_contract_out_of_a_pool(server: OpcpServer, oauth: OAuthClient, world: World) -> None:
    request = verified(world, sign(world.asks(), world.oem.leaf.key))
    server.offers = [offer(kept(world, request), EMAID[:14])]
    async with pool(server, world, oauth) as provider:
        for contract in (None, CONTRACT):
            provision = await provider.provide(request, contract, remaining=0)
            assert provision.emaid == EMAID
            assert provision.certificate == world.mo.leaf.certificate
            assert provision.cps_certificate == world.v2g.leaf.certificate
            assert read_message(provision.exi, world.schema).header.session_id == SESSION


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
async def test_a_pool_that_lies(server: OpcpServer, world: World) -> None:
    request = verified(world, sign(world.asks(), world.oem.leaf.key))
    answer, other = world.answer(request.message), FOREIGN[world.schema]
    messages = {
        "not signed": (answer, EMAID),
        "signed by another": (sign(answer, world.mo.leaf.key), EMAID),
        "another service": (sign(dataclasses.replace(answer, cps_chain=chain_of(other)), other.leaf.key), EMAID),
        "another contract": (sign(answer, world.v2g.leaf.key), "DE8EXC99999999"),
    }
    async with pool(server, world) as provider:
        for what, (message, emaid) in messages.items():
            server.offers = [offer(write_message(message), emaid)]
            with pytest.raises(ProvisioningRefused) as caught:
                await provider.provide(request, Contract(emaid, None), remaining=0)
            assert caught.value.refusal is Refusal.PROVIDER_ANSWER, what


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
async def test_a_pool_that_says_no_in_the_vehicles_words(server: OpcpServer, world: World) -> None:
    request = verified(world, sign(world.asks(), world.oem.leaf.key))
    code = "WARNING_NoContractMatchingPCIDFound" if world.schema is Schema.ISO_20 else "FAILED_NoCertificateAvailable"
    server.offers = [offer(failed_response(request.message, code))]
    async with pool(server, world) as provider:
        with pytest.raises(ProvisioningRefused, match=code) as caught:
            await provider.provide(request, None, remaining=0)
    assert caught.value.refusal is Refusal.NO_CONTRACT


@pytest.fixture
def authority(tmp_path: Path) -> Kept:
    return Kept(LocalAuthority(tmp_path, OURS, lambda: NOW))


@pytest.fixture
async def signing(server: OpcpServer, authority: Kept) -> AsyncIterator[NativeWithOpcpCps]:
    answers = AnswerVerifier(
        TWO.trusting_v2g(), TrustedPaths([OURS.root.certificate]), profiles="enforce", clock=lambda: NOW
    )
    issuer = issuer_of(Schema.ISO_2, authority, NOW)
    provider = NativeWithOpcpCps(issuer, OpcpClient(server.url, TlsTrust()), answers)
    server.cps = service(TWO.v2g)
    yield provider
    await provider.close()
    await issuer.close()


def service(side: Branch) -> Cps:
    key = side.leaf.key
    assert isinstance(key, ec.EllipticCurvePrivateKey)

    async def signer(octets: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(octets, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    return Cps(chain_of(side), signer)


@pytest.mark.parametrize("is_update", [False, True], ids=["installation", "update"])
async def test_a_contract_of_ours_that_a_provider_signs(
    signing: NativeWithOpcpCps, authority: Kept, *, is_update: bool
) -> None:
    """The vehicle opens its key, and it is the certificate's."""
    asked = sign(TWO.update(TWO.old), TWO.old.key) if is_update else sign(TWO.installation(), TWO.oem.leaf.key)
    provision = await signing.provide(verified(TWO, asked), CONTRACT, remaining=0)
    message = read_message(provision.exi, Schema.ISO_2)
    assert isinstance(message, CertificateUpdateRes if is_update else CertificateInstallationRes)
    vehicle = TWO.old.key if is_update else TWO.oem.leaf.key
    assert isinstance(vehicle, ec.EllipticCurvePrivateKey)
    parts = message.contract
    opened = open_2(Sealed(parts.encrypted_private_key, parts.dh_public_key), vehicle)
    assert opened.public_key() == provision.certificate.public_key()
    assert (provision.emaid, provision.cps_certificate) == (EMAID, TWO.v2g.leaf.certificate)
    assert (len(authority.issued), authority.revoked) == (1, [])


async def test_a_service_under_another_root_vouches_for_nothing(
    server: OpcpServer, signing: NativeWithOpcpCps, authority: Kept
) -> None:
    server.cps = service(FOREIGN[Schema.ISO_2])
    with pytest.raises(ProvisioningRefused) as caught:
        await signing.provide(verified(TWO, sign(TWO.installation(), TWO.oem.leaf.key)), CONTRACT, remaining=0)
    assert caught.value.refusal is Refusal.PROVIDER_ANSWER
    await signing._issuer.close()  # type: ignore[attr-defined]  # the issuer itself, which ends what it revokes
    assert authority.revoked == authority.issued
