"""A contract that holds, and every way in which one doesn't: by its chain, and by hashes alone."""

import asyncio
import base64
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki.certificate_hash import HashAlgorithm, certificate_hash, read_certificate_hash
from pki.crl import parse_crls
from pki.destinations import DestinationRefused
from pki.fetching import FetchFailed
from pki.iso15118.contract_authorities import ContractAuthorities
from pki.iso15118.contract_status import (
    REFRESH,
    ContractRefused,
    ContractStatus,
    Fault,
    NamedCertificate,
    VerifiedContract,
)
from pki.issuing import Issuer
from pki.ocsp.client import OcspClient
from pki.revocation import CrlStore
from tests.contracts import CA_USAGES, EMAID, LEAF_USAGES, SHOWN_EMAID, Contract, MobilityOperator
from tests.pki.conftest import NOW

URL = "http://ocsp.example.com/mo"


class World:
    """Our roots, a mobility operator, the responder that speaks for it, and CRLs."""

    def __init__(self, *, is_strict: bool = True, enforce: bool = True, names_responder: bool = True) -> None:
        self.now = NOW
        self.mo = MobilityOperator(lambda: self.now, URL if names_responder else "")
        self.authorities = ContractAuthorities([self.mo.root.certificate], self.mo.sub_cas)
        self.crls = CrlStore(clock=lambda: self.now)
        self.fetched: list[str] = []
        self.gate: asyncio.Event | None = None
        self.is_away = False
        self.is_refused = False
        self.seconds = 0.0
        self.client = OcspClient(self, clock=lambda: self.now, monotonic=lambda: self.seconds)
        self.status = ContractStatus(
            self.client, self.crls, is_strict=is_strict, enforce_profiles=enforce, clock=lambda: self.now, wait=0.05
        )

    async def fetch(self, url: str, *, expect: str, size_max: int, body: bytes | None = None, sends: str = "") -> bytes:
        assert (expect, size_max, sends) == ("application/ocsp-response", 16_384, "application/ocsp-request")
        assert body is not None
        self.fetched.append(url)
        if self.gate is not None:
            await self.gate.wait()
        if self.is_refused:
            raise DestinationRefused("it isn't on the list")
        if self.is_away:
            raise FetchFailed("nobody there")
        return self.mo.answer(body)

    async def chain(self, contract: Contract, emaid: str = EMAID, pem: str | None = None) -> VerifiedContract:
        return await self.status.of_chain(contract.pem if pem is None else pem, emaid, self.authorities)

    async def hashes(self, named: Sequence[Any]) -> VerifiedContract:
        read = [NamedCertificate(read_certificate_hash(each), each["responderURL"]) for each in named]
        return await self.status.of_hashes(read, self.authorities)

    def passes_by(self, time: timedelta) -> None:
        self.now += time
        self.seconds += time.total_seconds()

    def lists(self, issuer: Issuer, *serials: int, next_update: timedelta = timedelta(days=1)) -> None:
        """Have a CA publish a CRL."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.certificate.subject)
            .last_update(self.now)
            .next_update(self.now + next_update)
            .add_extension(x509.CRLNumber(1), critical=False)
        )
        for serial in serials:
            revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(self.now).build()
            builder = builder.add_revoked_certificate(revoked)
        crl = builder.sign(issuer.key, SHA256())
        self.crls.replace(parse_crls(crl.public_bytes(Encoding.DER)))


@pytest.fixture
async def world() -> World:
    return World()


def fault_of(caught: Any) -> Fault:
    return caught.value.fault  # type: ignore[no-any-return]  # pytest's own generic


# --- a chain


@pytest.mark.parametrize("emaid", [EMAID, SHOWN_EMAID, EMAID.lower(), "DE8EXC12345678"])
async def test_a_chain_that_holds(world: World, emaid: str) -> None:
    """TC_C_52: the leaf and each sub-CA is asked about, by names that are made here."""
    contract = world.mo.contract()
    verified = await world.chain(contract, emaid)
    assert (verified.serial, verified.issuer, verified.warnings) == (
        contract.leaf.serial_number, world.mo.sub_2.certificate, (),
    )  # fmt: skip
    assert verified.emaid is not None
    assert verified.emaid.wire == EMAID
    assert sorted(world.mo.asked) == sorted(each.serial_number for each in contract.path[:-1])


async def test_a_name_with_hyphens(world: World) -> None:
    lenient = World(enforce=False)
    verified = await lenient.chain(lenient.mo.contract(SHOWN_EMAID))
    assert "isn't an eMAID of 14 or 15 characters" in verified.warnings[0]
    assert "CN=DE8EX..." in verified.warnings[0]
    assert SHOWN_EMAID not in verified.warnings[0]
    with pytest.raises(ContractRefused) as caught:
        await world.chain(world.mo.contract(SHOWN_EMAID))
    assert fault_of(caught) is Fault.PROFILE


async def test_sub_cas_that_we_know_need_not_be_sent(world: World) -> None:
    contract = world.mo.contract()
    short = await world.chain(contract, pem=Contract((contract.leaf, world.mo.root.certificate)).pem)
    whole = await world.chain(contract, pem=Contract((*contract.path, world.mo.root.certificate)).pem)
    assert short == whole
    assert short.serial == contract.leaf.serial_number


async def test_what_was_said_a_while_ago_is_asked_about_again(world: World) -> None:
    contract = world.mo.contract()
    await world.chain(contract)
    await world.chain(contract)
    assert len(world.fetched) == 3
    world.passes_by(REFRESH + timedelta(seconds=1))
    await world.chain(contract)
    assert len(world.fetched) == 6


@pytest.mark.parametrize(
    ("made", "emaid", "fault"),
    [
        ({}, "DE8EXC12345679", Fault.OTHER_EMAID),
        ({}, "TAG1", Fault.OTHER_EMAID),
        ({"ends": timedelta(seconds=-1)}, EMAID, Fault.EXPIRED),
        ({"begins": timedelta(seconds=1)}, EMAID, Fault.PROFILE),
        ({"emaid": "Somebody"}, EMAID, Fault.PROFILE),
        ({"component": "CPO"}, EMAID, Fault.PROFILE),
        ({"usages": CA_USAGES}, EMAID, Fault.PROFILE),
        ({"usages": ()}, EMAID, Fault.PROFILE),
        ({"usages": LEAF_USAGES[:1]}, EMAID, Fault.PROFILE),
        ({"further": [x509.NameAttribute(NameOID.COMMON_NAME, "another")]}, EMAID, Fault.PROFILE),
    ],
)
async def test_certificates_that_are_none_of_this_contract(
    world: World, made: dict[str, Any], emaid: str, fault: Fault
) -> None:
    with pytest.raises(ContractRefused) as caught:
        await world.chain(world.mo.contract(**made), emaid)
    assert fault_of(caught) is fault
    assert EMAID not in str(caught.value), "it goes to the log and to whoever hears of security events"
    assert world.fetched == []


@pytest.mark.parametrize(("pem", "fault"), [("", Fault.MALFORMED), ("{0}x", Fault.MALFORMED), ("{1}", Fault.MALFORMED)])
async def test_chains_that_are_none(world: World, pem: str, fault: Fault) -> None:
    contract = world.mo.contract()
    rubbish = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
    with pytest.raises(ContractRefused) as caught:
        await world.chain(contract, pem=pem.format(contract.pem, rubbish))
    assert fault_of(caught) is fault


async def test_a_foreign_root_and_a_forged_issuer(world: World) -> None:
    for name in ("Elsewhere", world.mo.label):  # another CA, and one that bears our CA's name with another key
        stranger = MobilityOperator(lambda: world.now, URL, label=name)
        with pytest.raises(ContractRefused) as caught:
            await world.chain(stranger.contract())
        assert fault_of(caught) is Fault.UNTRUSTED
    assert world.fetched == []


async def test_whatever_is_sent_as_a_certificate_is_refused_in_one_way(world: World) -> None:
    contract = world.mo.contract()
    dice = random.Random(15118)  # noqa: S311 - the same mutants each time
    for _ in range(400):
        path = [bytearray(each.public_bytes(Encoding.DER)) for each in contract.path[:-1]]
        der = dice.choice(path)
        for _ in range(dice.randint(1, 3)):
            der[dice.randrange(len(der))] = dice.randrange(256)
        blocks = (
            f"-----BEGIN CERTIFICATE-----{base64.b64encode(each).decode()}-----END CERTIFICATE-----" for each in path
        )
        try:
            verified = await world.chain(contract, pem="".join(blocks))
        except ContractRefused as refused:
            assert len(str(refused)) < 2000  # noqa: PT017 - that it may be raised is the point
        else:
            assert verified.serial == contract.leaf.serial_number, "a mutant of a sub-CA that we know ourselves"


# --- hashes


@pytest.mark.parametrize("algorithm", HashAlgorithm)
async def test_hashes_of_what_is_good(world: World, algorithm: HashAlgorithm) -> None:
    contract = world.mo.contract()
    verified = await world.hashes(contract.hash_data(URL, algorithm))
    assert (verified.serial, verified.issuer, verified.emaid) == (
        contract.leaf.serial_number, world.mo.sub_2.certificate, None,
    )  # fmt: skip
    assert len(world.fetched) == 3
    await world.chain(contract)
    assert len(world.fetched) == 3, "what a responder said is remembered for both forms"


async def test_the_leaf_alone_and_in_any_place(world: World) -> None:
    contract = world.mo.contract()
    leaf, *others = contract.hash_data(URL)
    for named in ([leaf], [*others, leaf], [leaf, leaf, *others]):
        assert (await world.hashes(named)).serial == contract.leaf.serial_number


async def test_whose_contracts_are_on_record(world: World) -> None:
    contract = world.mo.contract()
    assert not (await world.hashes(contract.hash_data(URL))).is_issued_here
    root, subs = world.mo.root.certificate, world.mo.sub_cas
    world.authorities = ContractAuthorities([root], subs, own=[*subs, root])
    assert (await world.hashes(contract.hash_data(URL))).is_issued_here
    assert not (await world.chain(contract)).is_issued_here, "a chain is proof enough"


async def test_hashes_without_a_responder(world: World) -> None:
    """has·to·be's extension of 1.6 can leave it out: that is no attempt to send the gateway anywhere."""
    contract = world.mo.contract()
    with pytest.raises(ContractRefused, match="no OCSP responder is named for it, and of hashes") as caught:
        await world.hashes(contract.hash_data(""))
    assert (fault_of(caught), world.fetched) == (Fault.REVOCATION_UNKNOWN, [])
    await world.hashes(contract.hash_data(URL))
    assert (await world.hashes(contract.hash_data(""))).warnings == (), "what was said of it holds still"


async def test_hashes_of_cas_alone_name_no_contract(world: World) -> None:
    root = world.mo.root.certificate
    named = certificate_hash(root, root).payload | {"responderURL": URL}
    for cas in (world.mo.contract().hash_data(URL)[1:], [named]):
        with pytest.raises(ContractRefused) as caught:
            await world.hashes(cas)
        assert fault_of(caught) is Fault.MALFORMED


@pytest.mark.parametrize("is_strict", [True, False])
@pytest.mark.parametrize("who_says_it", ["a CRL", "its responder, a while ago"])
async def test_the_leaf_alone_under_a_ca_that_is_known_as_revoked(who_says_it: str, is_strict: bool) -> None:
    world = World(is_strict=is_strict)
    contract, ca = world.mo.contract(), world.mo.sub_2.certificate
    if who_says_it == "a CRL":
        world.lists(world.mo.sub_1, ca.serial_number)
    else:
        world.mo.revoked.add(ca.serial_number)
        with pytest.raises(ContractRefused):
            await world.chain(world.mo.contract())
    with pytest.raises(ContractRefused, match=f"(?i){ca.serial_number:x} is revoked") as caught:
        await world.hashes(contract.hash_data(URL)[:1])
    assert fault_of(caught) is Fault.REVOKED


async def test_hashes_whose_issuer_is_not_under_our_roots(world: World) -> None:
    stranger = MobilityOperator(lambda: world.now, URL, label="Elsewhere")
    good = world.mo.contract().hash_data(URL)
    for named in (stranger.contract().hash_data(URL), [good[0], stranger.contract().hash_data(URL)[0]]):
        with pytest.raises(ContractRefused, match=r"ocsp\.issuers") as caught:
            await world.hashes(named)
        assert fault_of(caught) is Fault.UNTRUSTED
    assert world.fetched == []


# --- revocation, in both forms


FORMS = pytest.mark.parametrize("form", ["chain", "hashes"])


async def check(world: World, contract: Contract, form: str) -> VerifiedContract:
    if form == "chain":
        return await world.chain(contract)
    return await world.hashes(contract.hash_data(URL))


@FORMS
@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("is_strict", [True, False])
async def test_one_that_is_revoked(form: str, which: int, is_strict: bool) -> None:
    world = World(is_strict=is_strict)
    contract = world.mo.contract()
    world.mo.revoked.add(contract.path[which].serial_number)
    with pytest.raises(ContractRefused, match="is revoked by OCSP") as caught:
        await check(world, contract, form)
    assert fault_of(caught) is Fault.REVOKED


@FORMS
async def test_whom_nobody_can_win_back_by_keeping_the_responder_away(form: str, world: World) -> None:
    contract = world.mo.contract()
    world.mo.revoked.add(contract.leaf.serial_number)
    with pytest.raises(ContractRefused):
        await check(world, contract, form)
    world.passes_by(timedelta(days=30))
    world.is_away = True
    with pytest.raises(ContractRefused) as caught:
        await check(world, contract, form)
    assert fault_of(caught) is Fault.REVOKED


@FORMS
@pytest.mark.parametrize("which", [0, 1, 2])
async def test_one_that_its_responder_does_not_know(form: str, which: int) -> None:
    for is_strict in (True, False):
        world = World(is_strict=is_strict)
        contract = world.mo.contract()
        world.mo.unknown.add(contract.path[which].serial_number)
        with pytest.raises(ContractRefused, match="isn't known to its OCSP responder") as caught:
            await check(world, contract, form)
        assert fault_of(caught) is Fault.REVOCATION_UNKNOWN


@FORMS
async def test_a_responder_that_is_away(form: str, world: World) -> None:
    world.is_away = True
    with pytest.raises(ContractRefused, match="nobody there") as caught:
        await check(world, world.mo.contract(), form)
    assert fault_of(caught) is Fault.REVOCATION_UNKNOWN
    lenient = World(is_strict=False)
    lenient.is_away = True
    verified = await check(lenient, lenient.mo.contract(), form)
    assert len(verified.warnings) == 3


@FORMS
async def test_a_responder_that_nobody_is_sent_to(form: str, world: World) -> None:
    """Attack B2: a certificate, or a station, that names a place which isn't on the operator's list."""
    world.is_refused = True
    with pytest.raises(ContractRefused, match="isn't on the list") as caught:
        await check(world, world.mo.contract(), form)
    assert fault_of(caught) is Fault.RESPONDER_REFUSED


@FORMS
async def test_a_responder_that_is_slow_has_answered_the_next_time(form: str, world: World) -> None:
    world.gate = asyncio.Event()
    contract = world.mo.contract()
    with pytest.raises(ContractRefused, match=r"no answer within 0\.05 s"):
        await check(world, contract, form)
    assert len(world.fetched) == 3, "they were asked side by side"
    world.gate.set()
    await check(world, contract, form)
    assert len(world.fetched) == 3
    await world.client.close()


@FORMS
async def test_an_answer_that_still_holds_is_enough_while_the_responder_is_slow(form: str, world: World) -> None:
    contract = world.mo.contract()
    await check(world, contract, form)
    world.now += timedelta(minutes=59)  # what was said holds for an hour
    world.seconds += (2 * REFRESH).total_seconds()
    world.gate = asyncio.Event()
    await check(world, contract, form)
    assert len(world.fetched) == 6
    world.gate.set()
    await world.client.close()


@FORMS
async def test_one_that_a_crl_lists(form: str, world: World) -> None:
    contract = world.mo.contract()
    world.lists(world.mo.sub_2, contract.leaf.serial_number)
    with pytest.raises(ContractRefused, match="is revoked") as caught:
        await check(world, contract, form)
    assert fault_of(caught) is Fault.REVOKED
    assert world.fetched == [], "who is known as revoked is asked about no more"


async def test_certificates_that_name_no_responder() -> None:
    world = World(names_responder=False)
    contract = world.mo.contract()
    with pytest.raises(ContractRefused, match="no OCSP responder is named for it, and there is no CRL") as caught:
        await world.chain(contract)
    assert fault_of(caught) is Fault.REVOCATION_UNKNOWN
    world.lists(world.mo.sub_2)
    assert (await world.chain(contract)).warnings == ()
    world.passes_by(timedelta(days=2))
    with pytest.raises(ContractRefused, match="stale"):
        await world.chain(contract)
    lenient = World(is_strict=False, names_responder=False)
    assert len((await lenient.chain(lenient.mo.contract())).warnings) == 1


async def test_what_is_known_of_a_path_without_asking(world: World) -> None:
    contract, other = world.mo.contract(), world.mo.contract()
    assert world.status.why_revoked(contract.path) == ""
    world.mo.revoked.add(other.leaf.serial_number)
    with pytest.raises(ContractRefused):
        await world.chain(other)
    assert "by OCSP" in world.status.why_revoked(other.path)
    asked = len(world.fetched)
    world.lists(world.mo.sub_1, world.mo.sub_2.certificate.serial_number)
    assert world.status.why_revoked(contract.path)
    assert len(world.fetched) == asked


async def test_a_crl_stands_in_for_the_responder_of_its_own_ca_alone(world: World) -> None:
    world.is_away = True
    contract = world.mo.contract()
    world.lists(world.mo.sub_2)
    with pytest.raises(ContractRefused, match=f"{world.mo.sub_2.certificate.serial_number:x} is revoked isn't known"):
        await world.chain(contract)


async def test_profiles_that_break_in_the_field_are_a_warning_where_so_configured() -> None:
    world = World(enforce=False)
    verified = await world.chain(world.mo.contract(usages=()))
    assert ["no key usage" in each for each in verified.warnings] == [True]
