"""A contract certificate pool, from a vehicle's request to what it gets."""

import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pki.client_tls import TlsTrust
from pki.iso15118.exi import Schema
from pki.iso15118.identifiers import Emaid
from pki.iso15118.messages import CertificateInstallationReq20, CertificateInstallationRes, CertificateInstallationRes20
from pki.iso15118.opcp.client import OpcpClient
from pki.iso15118.opcp.loops import LOOP_TIME
from pki.iso15118.opcp.provider import Fit, OpcpProvider, fit
from pki.iso15118.opcp.token import OAuthClient
from pki.iso15118.provisioning import Contract, Provision, ProvisioningRefused, Refusal, VerifiedRequest
from pki.iso15118.reading import read_message
from pki.iso15118.writing import write_message
from tests.opcp_server import OpcpServer, answering, offer, offered
from tests.pki.iso15118.opcp.conftest import SignatureCheck, common_name, vector

RES_2 = vector("iso2_cert_install_res.exi")
RES_20 = vector("iso20_cert_install_res.exi")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def providing(server: OpcpServer, answers: SignatureCheck, **named: Any) -> AsyncIterator[OpcpProvider]:
    oauth = named.pop("oauth", None)
    provider = OpcpProvider(OpcpClient(server.url, TlsTrust(), oauth=oauth), answers, **named)
    try:
        yield provider
    finally:
        await provider.close()


def emaid_of(exi: bytes, schema: Schema) -> str:
    message = read_message(exi, schema)
    if isinstance(message, CertificateInstallationRes20):
        return common_name(message.installation_data.contract_chain.certificate)
    assert isinstance(message, CertificateInstallationRes)
    return common_name(message.contract.chain.certificate)


def session_of(exi: bytes, schema: Schema) -> bytes:
    return read_message(exi, schema).header.session_id


def respelt(exi: bytes, schema: Schema, **changes: Any) -> bytes:
    return write_message(dataclasses.replace(read_message(exi, schema), **changes))


async def refused(
    provider: OpcpProvider, request: VerifiedRequest, contract: Contract | None = None
) -> ProvisioningRefused:
    with pytest.raises(ProvisioningRefused) as caught:
        await provider.provide(request, contract, remaining=0)
    return caught.value


async def test_the_default_contract_of_a_vehicle(
    server: OpcpServer, oauth: OAuthClient, answers: SignatureCheck, install_2: VerifiedRequest
) -> None:
    message = read_message(RES_2, Schema.ISO_2)
    kept = write_message(dataclasses.replace(message, header=dataclasses.replace(message.header, session_id=b"\0")))
    server.offers = [offer(kept, emaid_of(RES_2, Schema.ISO_2)), offer(b"\x80\x01")]
    async with providing(server, answers, oauth=oauth) as provider:
        provision = await provider.provide(install_2, None, remaining=0)
        assert repr(provider) == f"OpcpProvider({server.url})"
    assert provision.emaid == emaid_of(RES_2, Schema.ISO_2)
    assert session_of(provision.exi, Schema.ISO_2) == install_2.message.header.session_id
    assert provision.remaining is None
    assert answers.seen == [kept]
    (body,) = server.bodies
    assert body["xsdMsgDefNamespace"] == "urn:iso:15118:2:2013:MsgDef"
    assert server.headers[-1]["alwaysReturnEXI"] == "false"


async def test_the_contract_that_is_asked_for(
    server: OpcpServer, answers: SignatureCheck, install_2: VerifiedRequest
) -> None:
    emaid = emaid_of(RES_2, Schema.ISO_2)
    contract = Contract(emaid, install_2.pcid)
    server.offers = [offer(b"\x80\x01", "DE8EXC99999999"), offer(RES_2, emaid.lower())]
    async with providing(server, answers, always_return_exi=True) as provider:
        assert (await provider.provide(install_2, contract, remaining=0)).emaid == emaid
        assert server.headers[-1]["alwaysReturnEXI"] == "true"
        server.offers = [offer(b"\x80\x01", "DE8EXC99999999"), offer(RES_2)]
        assert (await provider.provide(install_2, contract, remaining=0)).emaid == emaid
        server.offers = [offer(RES_2, "DE8EXC99999999")]
        error = await refused(provider, install_2, contract)
        assert error.refusal is Refusal.NO_CONTRACT
        assert str(error) == f"the provider has 1 contracts for this vehicle, and {emaid} isn't one of them"


async def test_another_contract_than_was_asked_for_is_not_given(
    server: OpcpServer, answers: SignatureCheck, install_2: VerifiedRequest
) -> None:
    """The provider's word about what is in the message isn't taken for it."""
    server.offers = [offer(RES_2, "DE8EXC99999999")]
    async with providing(server, answers) as provider:
        contract = Contract("DE8EXC99999999", install_2.pcid)
        assert (await refused(provider, install_2, contract)).refusal is Refusal.PROVIDER_ANSWER
        server.offers = [offer(RES_2)]
        assert (await refused(provider, install_2, contract)).refusal is Refusal.PROVIDER_ANSWER


async def test_no_contract(server: OpcpServer, answers: SignatureCheck, install_2: VerifiedRequest) -> None:
    async with providing(server, answers) as provider:
        error = await refused(provider, install_2)
    assert error.refusal is Refusal.NO_CONTRACT
    assert str(error).endswith("knows no such contract or vehicle (404): Contract or Vehicle not found.")


async def test_a_refusal_in_exi(server: OpcpServer, answers: SignatureCheck, install_2: VerifiedRequest) -> None:
    server.offers = [offer(respelt(RES_2, Schema.ISO_2, response_code="FAILED_NoCertificateAvailable"))]
    async with providing(server, answers) as provider:
        error = await refused(provider, install_2)
        assert error.refusal is Refusal.NO_CONTRACT
        assert str(error) == "the provider answers the vehicle with FAILED_NoCertificateAvailable"
        server.offers = [offer(respelt(RES_2, Schema.ISO_2, response_code="FAILED_CertChainError"))]
        assert (await refused(provider, install_2)).refusal is Refusal.PROVIDER_REFUSED
    assert not answers.seen


async def test_an_update_is_not_sent(server: OpcpServer, answers: SignatureCheck, update_2: VerifiedRequest) -> None:
    async with providing(server, answers) as provider:
        error = await refused(provider, update_2, Contract(update_2.emaid or "", None))
    assert error.refusal is Refusal.NOT_CONFIGURED
    assert "OPCP knows no CertificateUpdateReq" in str(error)
    assert not server.asked


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "the answer isn't valid JSON"),
        (b'{"CCPResponse": 1, "CCPResponse": 2}', "the answer isn't valid JSON"),
        ({"CCPResponse": {}}, "the answer emaidContent is missing"),
        (offered(offer(b"\x80\x01")).body, "the message isn't one of urn:iso:15118:2:2013:MsgDef: "),
        (offered(offer(RES_20)).body, "the message isn't one of urn:iso:15118:2:2013:MsgDef: "),
        (offered(offer(RES_2 + b"\0")).body, "the message isn't one of urn:iso:15118:2:2013:MsgDef: "),
        (offered(offer(vector("iso2_cert_install_req.exi"))).body, "the message is a CertificateInstallationReq$"),
        (offered(offer(vector("iso2_cert_update_res.exi"))).body, "the message is a CertificateUpdateRes$"),
    ],
    ids=["broken", "doubled", "empty", "no EXI", "-20", "trailing", "a request", "an update"],
)
async def test_nonsense(
    server: OpcpServer, answers: SignatureCheck, install_2: VerifiedRequest, body: Any, words: str
) -> None:
    server.answer = answering(200, body)
    async with providing(server, answers) as provider:
        with pytest.raises(ProvisioningRefused, match=words) as caught:
            await provider.provide(install_2, None, remaining=0)
    assert caught.value.refusal is Refusal.PROVIDER_ANSWER
    assert str(caught.value).startswith(f"{server.url}/v1/ccp/signedContractData: ")
    assert not answers.seen


async def test_a_message_that_may_be_a_refusal(
    server: OpcpServer, answers: SignatureCheck, install_2: VerifiedRequest
) -> None:
    """The refusals that OPCP shows in EXI name no contract, and aren't valid: their eMAID has one character."""
    hint = "(it may be a refusal: with opcp.always_return_exi: false it comes in words)"
    async with providing(server, answers) as provider:
        server.offers = [offer(b"\x80\x01")]
        assert str(await refused(provider, install_2)).endswith(hint)
        server.offers = [offer(b"\x80\x01", "DE8EXC12345678")]
        assert hint not in str(await refused(provider, install_2))


async def test_a_forged_answer_falls_at_its_check(
    server: OpcpServer, answers: SignatureCheck, install_2: VerifiedRequest
) -> None:
    message = read_message(RES_2, Schema.ISO_2)
    assert isinstance(message, CertificateInstallationRes)
    stolen = dataclasses.replace(message.contract, dh_public_key=b"\x04" + bytes(64))
    server.offers = [offer(respelt(RES_2, Schema.ISO_2, contract=stolen))]
    async with providing(server, answers) as provider:
        assert (await refused(provider, install_2)).refusal is Refusal.DIGEST_MISMATCH


Asked = Callable[..., VerifiedRequest]


@pytest.fixture
def asked(install_20: VerifiedRequest) -> Asked:
    def ask(session: bytes = b"sessions", maximum: int = 8, *emaids: str) -> VerifiedRequest:
        message = install_20.message
        assert isinstance(message, CertificateInstallationReq20)
        message = dataclasses.replace(
            message,
            header=dataclasses.replace(message.header, session_id=session.ljust(8, b"-")),
            maximum_contract_certificate_chains=maximum,
            prioritized_emaids=emaids,
        )
        return dataclasses.replace(install_20, message=message, exi=write_message(message))

    return ask


def marked(number: int, remaining: int = 200) -> bytes:
    """One of several messages: told apart by the session under which the provider keeps it."""
    message = read_message(RES_20, Schema.ISO_20)
    header = dataclasses.replace(message.header, session_id=bytes([number] * 8))
    return respelt(RES_20, Schema.ISO_20, header=header, remaining_contract_certificate_chains=remaining)


def numbers(answers: SignatureCheck) -> list[int]:
    return [session_of(each, Schema.ISO_20)[0] for each in answers.seen]


async def loop(provider: OpcpProvider, request: VerifiedRequest) -> list[Provision]:
    """Ask as a vehicle does, until nothing remains."""
    given = [await provider.provide(request, None, remaining=0)]
    while given[-1].remaining:
        given.append(await provider.provide(request, None, remaining=0))
    return given


async def test_several_contracts_one_by_one(server: OpcpServer, answers: SignatureCheck, asked: Asked) -> None:
    server.offers = [offer(marked(number), f"DE8EXC0000000{number}") for number in range(3)]
    async with providing(server, answers) as provider:
        given = await loop(provider, asked())
        assert [each.remaining for each in given] == [2, 1, 0]
        assert numbers(answers) == [0, 1, 2]
        assert len(server.asked) == 1
        assert {session_of(each.exi, Schema.ISO_20) for each in given} == {b"sessions"}
        await loop(provider, asked())
        assert len(server.asked) == 2


async def test_what_the_vehicle_prefers_and_has_room_for(
    server: OpcpServer, answers: SignatureCheck, asked: Asked
) -> None:
    server.offers = [offer(marked(number), f"DE8EXC0000000{number}") for number in range(4)]
    async with providing(server, answers) as provider:
        wanted = ("XXNONE123456789", "DE-8EX-C00000003", "not one", "DE8EXC00000001")
        given = await loop(provider, asked(b"one", 3, *wanted))
        assert [each.remaining for each in given] == [2, 1, 0]
        assert numbers(answers) == [3, 1, 0]
        assert len(await loop(provider, asked(b"two", 0))) == 1


async def test_a_session_that_is_new_begins_anew(server: OpcpServer, answers: SignatureCheck, asked: Asked) -> None:
    clock = Clock()
    server.offers = [offer(marked(number)) for number in range(2)]
    async with providing(server, answers, clock=clock) as provider:
        await provider.provide(asked(b"one"), None, remaining=0)
        await provider.provide(asked(b"two"), None, remaining=0)
        clock.now += LOOP_TIME
        await provider.provide(asked(b"one"), None, remaining=0)
    assert numbers(answers) == [0, 0, 0]


async def test_a_provider_that_leads_the_loop_itself(server: OpcpServer, answers: SignatureCheck, asked: Asked) -> None:
    server.offers = [offer(marked(7, remaining=5))]
    async with providing(server, answers) as provider:
        assert (await provider.provide(asked(), None, remaining=0)).remaining == 5


async def test_a_contract_of_ours_in_a_loop_of_ours(server: OpcpServer, answers: SignatureCheck, asked: Asked) -> None:
    emaid = emaid_of(RES_20, Schema.ISO_20)
    server.offers = [offer(marked(1), "DE8EXC99999999"), offer(marked(2), emaid)]
    async with providing(server, answers) as provider:
        provision = await provider.provide(asked(), Contract(emaid, None), remaining=4)
    assert (provision.remaining, numbers(answers)) == (4, [2])


async def test_a_loop_whose_first_message_is_bad_is_not_gone_on_with(
    server: OpcpServer, answers: SignatureCheck, asked: Asked
) -> None:
    server.offers = [offer(b"\x80\x01"), offer(marked(1))]
    async with providing(server, answers) as provider:
        for _ in range(2):
            assert (await refused(provider, asked())).refusal is Refusal.PROVIDER_ANSWER
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("offered", "wanted", "how"),
    [
        ("DE8EXC12345678", "de-8ex-c12345678", Fit.SAME),
        ("DE8EXC12345678A", "DE8EXC12345678A", Fit.SAME),
        ("DE8EXC12345678", "DE8EXC12345678A", Fit.SAME_BUT_CHECK_DIGIT),
        ("DE8EXC12345678A", "DE8EXC12345678", Fit.SAME_BUT_CHECK_DIGIT),
        (None, "DE8EXC12345678", Fit.NOT_SAID),
        ("DE8EXC12345678A", "DE8EXC12345678B", Fit.ANOTHER),
        ("DE8EXC12345678", "DE8EXC12345679", Fit.ANOTHER),
        ("DE8EXC12345678", "nonsense", Fit.ANOTHER),
    ],
)
def test_how_an_offer_fits(offered: str | None, wanted: str, how: Fit) -> None:
    assert fit(None if offered is None else Emaid.of_peer(offered), wanted) is how


async def test_the_best_of_several_is_taken(
    server: OpcpServer, answers: SignatureCheck, install_2: VerifiedRequest
) -> None:
    emaid = emaid_of(RES_2, Schema.ISO_2)
    assert len(emaid) == 15
    bad = offer(b"\x80\x01")
    async with providing(server, answers) as provider:
        for offers in (
            [bad, offer(RES_2, emaid[:14])],
            [bad, bad | {"emaid": emaid[:14]}, offer(RES_2, emaid)],
        ):
            server.offers = offers
            assert (await provider.provide(install_2, Contract(emaid, None), remaining=0)).emaid == emaid
