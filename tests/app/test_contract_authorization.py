"""Authorize with a contract, put together: out of files, our own authorities, and a real store."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs

from gateway.app import contract_authorization
from gateway.app import responders as responders_module
from gateway.app.authorities import Authorities, open_authorities
from gateway.app.contract_authorization import ContractsOnRecord, MobilityOperators
from gateway.app.problems import StartFailed
from gateway.app.responders import Responders
from gateway.bridge.books import Books, Json
from gateway.config import Config
from gateway.session.provisionings import ContractStatus, ProvidedCertificate
from gateway.wire.versions import Version
from pki.certificate_hash import certificate_hash
from pki.issuing import Issuer, issue
from pki.pem_files import certificates_pem, read_key
from pki.profiles import load_profile
from tests.app.house import House, open_house
from tests.contracts import EMAID, MobilityOperator, mobility_operator

if TYPE_CHECKING:
    from gateway.session.station import Station

EMAID_TOKEN = {"idToken": EMAID, "type": "eMAID"}


@pytest.fixture
async def operator() -> AsyncIterator[MobilityOperator]:
    async with mobility_operator() as made:
        yield made


@dataclass
class Bridged:
    """A station with a plain backend that accepts whatever it is asked."""

    identity: str = "CS1"
    version: Version = Version.V201
    knows_contracts: bool = False
    books: Books = field(default_factory=Books)
    asked: list[tuple[str, Json]] = field(default_factory=list)

    @property
    def bridge(self) -> "Bridged":
        return self

    async def begun(self) -> None:
        """Its leg is up."""

    async def from_station(self, action: str, payload: Json) -> Json:
        self.asked.append((action, payload))
        return {"idTokenInfo": {"status": "Accepted"}}


@pytest.fixture
def plug_and_charge(
    configured: Callable[..., Config], tmp_path: Path, operator: MobilityOperator
) -> Callable[..., Config]:
    """``plug_and_charge(key=value)`` loads a configuration that trusts the operator, its sub-CAs among the issuers."""

    def make(section: dict[str, Any] | None = None, **keys: Any) -> Config:
        (tmp_path / "mo-root.pem").write_text(certificates_pem([operator.root.certificate]))
        (tmp_path / "mo-sub-cas.pem").write_text(certificates_pem(operator.sub_cas))
        tree: dict[str, Any] = {
            "backends": {"legacy": {"url": "wss://csms.example.com/{identity}", "plug_and_charge": True}},
            "plug_and_charge": {
                "providers": {"csms": {"backend": {}}}, "oem_roots": "mo-root.pem", "mo_roots": "mo-root.pem",
                **(section or {}),
            },
            "ocsp": {"networks": ["127.0.0.0/8"], "issuers": ["mo-sub-cas.pem"]},
        }  # fmt: skip
        return configured(**(tree | keys))

    return make


@asynccontextmanager
async def operators(config: Config) -> AsyncIterator[MobilityOperators]:
    async with AsyncExitStack() as stack:
        assert config.plug_and_charge is not None
        authorities = await open_authorities(config, stack)
        responders = Responders(config, authorities.known_issuers)
        stack.push_async_callback(responders.close)
        yield MobilityOperators(config.plug_and_charge, authorities, responders)


async def test_a_contract_on_the_whole_road(
    plug_and_charge: Callable[..., Config], operator: MobilityOperator, tmp_path: Path
) -> None:
    async with open_house(plug_and_charge(), tmp_path) as house:
        station = Bridged()
        chain = {"idToken": EMAID_TOKEN, "certificate": operator.contract().pem}
        assert await ask(house, station, chain) == ("Accepted", "Accepted")
        assert station.asked == [("Authorize", {"idToken": EMAID_TOKEN})]
        revoked = operator.contract()
        operator.revoked.add(revoked.leaf.serial_number)
        hashes = {"idToken": EMAID_TOKEN, "iso15118CertificateHashData": revoked.hash_data(operator.responder)}
        assert await ask(house, station, hashes) == ("CertificateRevoked", "Invalid")
        await house.services.close()


async def ask(house: House, station: Bridged, payload: Json) -> tuple[str, str]:
    service = house.services.by_action[Version.V201, "Authorize"]
    answer = await service(cast("Station", station), payload)
    return answer["certificateStatus"], answer["idTokenInfo"]["status"]


async def test_without_the_section_nobody_stands_in_the_way(configured: Callable[..., Config], tmp_path: Path) -> None:
    async with open_house(configured(), tmp_path) as house:
        assert (Version.V201, "Authorize") not in house.services.by_action
        assert house.services.pki.revocations.sources == ("authority.station",)


async def test_our_own_contracts_are_taken_and_their_crl_is_read(
    plug_and_charge: Callable[..., Config], tmp_path: Path
) -> None:
    authority = {"contract": {"local": {"dir": str(tmp_path / "mo-ca")}}}
    config = plug_and_charge({"mo_roots": None}, authority=authority)
    async with operators(config) as found, open_house(config, tmp_path) as house:
        known = await found.current()
        assert known is not None
        issuing, root = await house.services.pki.authorities.by_use["contract"].chain()
        assert known.issuer(certificate_hash(issuing, root)) == root
        assert known.is_own(issuing)
        assert set(house.services.pki.revocations.sources) == {"authority.station", "authority.contract"}


async def test_a_contract_of_our_own_stands_by_our_crl(plug_and_charge: Callable[..., Config], tmp_path: Path) -> None:
    """The embedded CA has no responder: its CRL says who is good."""
    folder = tmp_path / "mo-ca"
    config = plug_and_charge({"mo_roots": None}, authority={"contract": {"local": {"dir": str(folder)}}})
    async with open_house(config, tmp_path) as house:
        pki = house.services.pki
        ca = Issuer(
            x509.load_pem_x509_certificate((folder / "issuing.pem").read_bytes()), read_key(folder / "issuing.key")
        )
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        leaf = issue(ca, load_profile("contract"), key, common_name=EMAID, organization="MO", now=datetime.now(UTC))
        chain = {"idToken": EMAID_TOKEN, "certificate": certificates_pem([leaf, ca.certificate])}
        assert await ask(house, Bridged(), chain) == ("CertChainError", "Invalid"), "nobody has said anything yet"
        await pki.revocations.refresh_all()
        assert await ask(house, Bridged(), chain) == ("Accepted", "Accepted")
        await pki.authorities.by_use["contract"].revoke(f"{leaf.serial_number:x}")
        await pki.revocations.refresh_all()
        assert await ask(house, Bridged(), chain) == ("CertificateRevoked", "Invalid")
        await house.services.close()


async def test_nobody_is_named_or_nobody_can_be_read(plug_and_charge: Callable[..., Config], tmp_path: Path) -> None:
    async with operators(plug_and_charge({"mo_roots": None})) as found:
        assert await found.current() is None
    config = plug_and_charge()
    (tmp_path / "mo-root.pem").write_text("nothing")
    with pytest.raises(StartFailed, match=r"plug_and_charge\.mo_roots: .*mo-root\.pem: holds no certificates"):
        async with operators(config):
            pass


async def test_files_that_are_replaced(
    plug_and_charge: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responders_module, "ISSUERS_AGAIN_AFTER", 0.0)
    other = MobilityOperator(label="Other MO")
    leaf = certificate_hash(other.contract().leaf, other.sub_2.certificate)
    async with operators(plug_and_charge()) as found:
        first = await found.current()
        assert first is not None
        assert first.issuer(leaf) is None
        assert not any(map(first.is_own, other.sub_cas)), "others' aren't on record here"
        (tmp_path / "mo-root.pem").write_text(certificates_pem([other.root.certificate]))
        (tmp_path / "mo-sub-cas.pem").write_text(certificates_pem(other.sub_cas))
        await found.look()
        second = await found.current()
        assert second is not None
        assert second.issuer(leaf) == other.sub_2.certificate
        (tmp_path / "mo-root.pem").write_text("nothing")
        (tmp_path / "mo-sub-cas.pem").unlink()
        with capture_logs() as lines:
            await found.look()
        assert [line["event"] for line in lines] == ["mo_roots_unreadable", *["ocsp_issuers_unreadable"] * 2]
        third = await found.current()
        assert third is not None
        assert third.issuer(leaf) is None, "its sub-CAs are gone"
        assert third.issuer(certificate_hash(other.sub_1.certificate, other.root.certificate)) is not None


async def test_they_are_looked_at_again_and_again(
    plug_and_charge: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    twice = asyncio.Event()

    async def look(_: MobilityOperators) -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            twice.set()

    monkeypatch.setattr(MobilityOperators, "look", look)
    monkeypatch.setattr(contract_authorization, "LOOKED_AT_EVERY", 0.0)
    async with operators(plug_and_charge()) as found:
        running = asyncio.create_task(found.run())
        await twice.wait()
        running.cancel()
        await asyncio.wait([running])


async def test_an_authority_that_does_not_say_its_root(plug_and_charge: Callable[..., Config]) -> None:
    operator = MobilityOperator(label="Vault")

    class Engine:
        async def chain(self) -> list[x509.Certificate]:
            return [operator.sub_2.certificate, operator.sub_1.certificate]

    config = plug_and_charge({"mo_roots": None})
    assert config.plug_and_charge is not None
    authorities = Authorities({"contract": cast("Any", Engine())})
    responders = Responders(config, authorities.known_issuers)
    known = await MobilityOperators(config.plug_and_charge, authorities, responders).current()
    await responders.close()
    assert known is not None
    assert known.issuer(certificate_hash(operator.contract().leaf, operator.sub_2.certificate)) is not None


# --- what is on record


@dataclass
class Stored:
    """The store, as far as it is asked."""

    found: ProvidedCertificate | None = None
    ended: list[int] = field(default_factory=list)

    async def named(self, serial: int, issuer: x509.Name) -> ProvidedCertificate | None:
        assert serial == 0xF1
        return self.found

    async def end_superseded(self, number: int) -> bool:
        self.ended.append(number)
        return len(self.ended) == 1


async def test_the_one_before_ends_when_the_next_one_is_used(operator: MobilityOperator) -> None:
    stored = Stored(ProvidedCertificate(ContractStatus.ISSUED, EMAID, "PCID", predecessor=7))
    told: list[None] = []
    records = ContractsOnRecord(stored, lambda: told.append(None))
    record = await records.find(0xF1, operator.sub_2.certificate)
    assert record is not None
    await records.taken(record)
    await records.taken(record)  # it was over already: nobody is to be told
    assert (stored.ended, told) == ([7, 7], [None])


async def test_a_first_certificate_ends_none(operator: MobilityOperator) -> None:
    stored = Stored()
    await ContractsOnRecord(stored, lambda: None).taken(ProvidedCertificate(ContractStatus.ISSUED, EMAID, "PCID"))
    assert stored.ended == []
