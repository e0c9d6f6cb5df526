"""Authorize with a contract as dialogues: who is asked, what is answered, and who hears of it."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.bridge.books import Books, Json, Page
from gateway.bridge.plug_and_charge_16 import VENDOR_ID
from gateway.bridge.ports import NotSent, PeerUnavailable
from gateway.services.contract_authorization import CHECKS_MAX, CHECKS_WINDOW, ContractAuthorization
from gateway.services.pnc_16 import PlugAndChargeTransfers
from gateway.session.ports import StoreAway
from gateway.session.provisionings import ContractStatus, ProvidedCertificate
from gateway.session.security import Kind
from gateway.session.tally import Tally
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.schemas import operation
from gateway.wire.versions import Version
from pki.iso15118.contract_status import ContractRefused, Fault, NamedCertificate, VerifiedContract
from tests.contracts import EMAID, SHOWN_EMAID
from tests.services.conftest import KeptEvents, ScriptedStation

TOKEN = {"idToken": EMAID, "type": "eMAID"}
CARD = {"idToken": "04A2B3C4", "type": "ISO14443"}
HASHES = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": "aa" * 32,
    "issuerKeyHash": "bb" * 32,
    "serialNumber": "0F1",
    "responderURL": "http://ocsp.example",
}
CHAIN: Json = {"idToken": TOKEN, "certificate": "PEM"}
HASHED: Json = {"idToken": TOKEN, "iso15118CertificateHashData": [HASHES]}
ACCEPTED = {"idTokenInfo": {"status": "Accepted"}}


class Bridged(ScriptedStation):
    """A station with the road to its backend, which answers as it is told."""

    def __init__(self, *, version: Version = Version.V201, knows_contracts: bool = False) -> None:
        super().__init__(version=version)
        self.knows_contracts = knows_contracts
        self.books = Books()
        self.bridge = self
        self.asked: list[tuple[str, Json]] = []
        self.backend: dict[str, Any] = {"Authorize": ACCEPTED}

    async def begun(self) -> None:
        """The leg is up."""

    async def from_station(self, action: str, payload: Json) -> Json:
        operation(self.version, action).request.check(payload)
        self.asked.append((action, payload))
        answer = self.backend[action]
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, dict)
        return answer


class World:
    """The service, with a verifier that finds what it is told."""

    def __init__(self) -> None:
        self.fault: Fault | None = None
        self.warnings: tuple[str, ...] = ()
        self.is_issued_here = False
        self.looked_at: list[Any] = []
        self.authorities: Any = object()
        self.record: ProvidedCertificate | Exception | None = None
        self.taken_ones: list[ProvidedCertificate] = []
        self.is_read_only = False
        self.events = KeptEvents()
        self.tally = Tally()
        self.now = 0.0
        self.service = ContractAuthorization(self, self.whom, self, self.events, self.tally, clock=lambda: self.now)

    async def whom(self) -> Any:
        return self.authorities

    async def of_chain(self, pem: str, emaid: str, authorities: Any) -> VerifiedContract:
        return self._verified((pem, emaid), authorities)

    async def of_hashes(self, named: Sequence[NamedCertificate], authorities: Any) -> VerifiedContract:
        return self._verified(tuple(each.responder for each in named), authorities)

    def _verified(self, seen: Any, authorities: Any) -> VerifiedContract:
        assert authorities is self.authorities
        self.looked_at.append(seen)
        if self.fault is not None:
            raise ContractRefused(self.fault, "why")
        return VerifiedContract(0xF1, object(), None, self.is_issued_here, self.warnings)  # type: ignore[arg-type]  # nobody looks at it

    async def find(self, serial: int, issuer: Any) -> ProvidedCertificate | None:
        assert (serial, issuer is not None) == (0xF1, True)
        if isinstance(self.record, Exception):
            raise self.record
        return self.record

    async def taken(self, record: ProvidedCertificate) -> None:
        if self.is_read_only:
            raise StoreAway("no disk")
        self.taken_ones.append(record)

    async def authorize(self, station: Bridged, payload: Json) -> tuple[str | None, str]:
        schemas = operation(Version.V201, "Authorize")
        schemas.request.check(payload)
        answer = await self.service.authorize(station, payload)
        schemas.response.check(answer)
        return answer.get("certificateStatus"), answer["idTokenInfo"]["status"]

    async def transfer(self, station: Bridged, data: Json, vendor_id: str = VENDOR_ID) -> Json:
        """Send Authorize in DataTransfer; return what is in the answer."""
        transfers = PlugAndChargeTransfers({"Authorize": self.service.wrapped})
        request = {"vendorId": vendor_id, "messageId": "Authorize", "data": json.dumps(data)}
        answer = await transfers.data_transfer(station, request)
        operation(Version.V16, "DataTransfer").response.check(answer)
        assert answer["status"] == "Accepted"
        unwrapped: Json = json.loads(answer["data"])
        return unwrapped


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def station() -> Bridged:
    return Bridged()


# --- 2.0.1


async def test_what_is_no_contract_goes_straight_on(world: World, station: Bridged) -> None:
    for payload in ({"idToken": CARD}, {"idToken": {"idToken": EMAID, "type": "KeyCode"}}):
        assert await world.authorize(station, payload) == (None, "Accepted")
        assert station.asked[-1] == ("Authorize", payload)
    assert (world.looked_at, world.tally.contracts) == ([], {})


@pytest.mark.parametrize("payload", [CHAIN, HASHED])
async def test_a_plain_backend_hears_of_the_token_alone(world: World, station: Bridged, payload: Json) -> None:
    assert await world.authorize(station, payload) == ("Accepted", "Accepted")
    assert station.asked == [("Authorize", {"idToken": TOKEN})]
    assert world.looked_at == [("PEM", EMAID) if payload is CHAIN else ("http://ocsp.example",)]
    assert world.tally.contracts == {("Accepted", "chain" if payload is CHAIN else "hashes"): 1}
    assert world.events.noted == []


@pytest.mark.parametrize("payload", [CHAIN, HASHED])
async def test_a_backend_that_knows_contracts_hears_all_of_it(world: World, payload: Json) -> None:
    station = Bridged(knows_contracts=True)
    station.backend["Authorize"] = {**ACCEPTED, "certificateStatus": "CertificateRevoked"}
    assert await world.authorize(station, payload) == ("CertificateRevoked", "Invalid")
    assert station.asked == [("Authorize", payload)]


@pytest.mark.parametrize("status", ["Blocked", "Unknown"])
async def test_a_contract_that_the_backend_has_ended(world: World, station: Bridged, status: str) -> None:
    station.backend["Authorize"] = {"idTokenInfo": {"status": status}}
    assert await world.authorize(station, CHAIN) == ("ContractCancelled", status)


@pytest.mark.parametrize("payload", [CHAIN, HASHED])
@pytest.mark.parametrize("knows", [True, False])
@pytest.mark.parametrize("fault", Fault)
async def test_no_backend_is_asked_about_a_certificate_that_is_not_good(
    world: World, payload: Json, *, knows: bool, fault: Fault
) -> None:
    world.fault = fault
    station = Bridged(knows_contracts=knows)
    certificate, _ = await world.authorize(station, payload)
    assert certificate in {"CertificateExpired", "CertificateRevoked", "CertChainError"}
    assert station.asked == []
    kinds = {
        Fault.REVOKED: [Kind.CERTIFICATE_REVOKED],
        Fault.MALFORMED: [Kind.INVALID_CONTRACT],
        Fault.OTHER_EMAID: [Kind.INVALID_CONTRACT],
        Fault.PROFILE: [Kind.INVALID_CONTRACT],
        Fault.RESPONDER_REFUSED: [Kind.UNSAFE_LOCATION] if payload is HASHED else [],
    }
    assert world.events.kinds == kinds.get(fault, [])


async def test_the_log_says_what_came_of_it_by_operator_and_not_by_contract(world: World, station: Bridged) -> None:
    with capture_logs() as lines:
        await world.authorize(station, CHAIN)
        station.backend["Authorize"] = {"idTokenInfo": {"status": "Blocked"}}
        await world.authorize(station, CHAIN)
        world.fault = Fault.UNTRUSTED
        await world.authorize(station, HASHED)
    good, denied, bad = lines
    assert (denied["event"], denied["certificate_status"]) == ("contract_denied_by_backend", "ContractCancelled")
    assert (good["event"], good["emsp"], good["certificate_status"], good["proof"]) == (
        "contract_authorized", "DE8EX", "Accepted", "chain",
    )  # fmt: skip
    assert (bad["event"], bad["certificate_status"], bad["fault"], bad["reason"]) == (
        "contract_refused", "CertChainError", "untrusted", "why",
    )  # fmt: skip
    assert EMAID not in repr(lines)


async def test_an_emaid_without_proof_is_refused(world: World) -> None:
    for knows in (True, False):
        station = Bridged(knows_contracts=knows)
        assert await world.authorize(station, {"idToken": TOKEN}) == ("NoCertificateAvailable", "Invalid")
        assert station.asked == []
    assert world.events.noted == []


async def test_one_that_the_backend_itself_has_named_needs_none(world: World, station: Bridged) -> None:
    station.books.page(Page.REMOTE_STARTS)["7"] = EMAID.lower()
    assert await world.authorize(station, {"idToken": TOKEN}) == (None, "Accepted")
    assert await world.authorize(station, {"idToken": {**TOKEN, "idToken": "DE8EXC00000001"}}) == (
        "NoCertificateAvailable",
        "Invalid",
    )


async def test_a_token_of_another_type_with_a_certificate_is_looked_at(world: World, station: Bridged) -> None:
    """TC_C_51 sends one."""
    world.fault = Fault.REVOKED
    assert await world.authorize(station, {**HASHED, "idToken": CARD}) == ("CertificateRevoked", "Invalid")


async def test_where_nobody_is_named_the_backend_says_or_nobody_does(world: World, station: Bridged) -> None:
    world.authorities = None
    assert await world.authorize(station, CHAIN) == ("CertChainError", "Invalid")
    knowing = Bridged(knows_contracts=True)
    knowing.backend["Authorize"] = {**ACCEPTED, "certificateStatus": "Accepted"}
    assert await world.authorize(knowing, CHAIN) == ("Accepted", "Accepted")
    knowing.backend["Authorize"] = {**ACCEPTED, "certificateStatus": "CertificateRevoked"}
    assert await world.authorize(knowing, HASHED) == ("CertificateRevoked", "Invalid")
    knowing.backend["Authorize"] = ACCEPTED
    assert await world.authorize(knowing, CHAIN) == (None, "Accepted")
    assert knowing.asked == [("Authorize", CHAIN), ("Authorize", HASHED), ("Authorize", CHAIN)]
    assert await world.authorize(knowing, {"idToken": TOKEN}) == ("NoCertificateAvailable", "Invalid")
    assert world.looked_at == []


async def test_hash_data_that_is_none(world: World, station: Bridged) -> None:
    broken = {**HASHED, "iso15118CertificateHashData": [{**HASHES, "serialNumber": "x"}]}
    assert await world.authorize(station, broken) == ("CertChainError", "Invalid")
    assert (world.looked_at, world.events.kinds) == ([], [Kind.INVALID_CONTRACT])


async def test_what_was_let_pass_is_logged(world: World, station: Bridged) -> None:
    world.warnings = ("nobody says",)
    with capture_logs() as lines:
        assert await world.authorize(station, CHAIN) == ("Accepted", "Accepted")
    assert [(each["serial"], each["reason"]) for each in lines if each["event"] == "contract_let_pass"] == [
        ("f1", "nobody says")
    ]


# --- what is on record here


@pytest.mark.parametrize(
    ("status", "emaid", "pair"),
    [
        (ContractStatus.ISSUED, EMAID, ("Accepted", "Accepted")),
        (ContractStatus.ISSUED, SHOWN_EMAID, ("Accepted", "Accepted")),
        (ContractStatus.SUPERSEDED, EMAID, ("Accepted", "Accepted")),
        (ContractStatus.REVOKED, EMAID, ("CertificateRevoked", "Invalid")),
        (ContractStatus.EXPIRED, EMAID, ("CertificateExpired", "Expired")),
        (ContractStatus.ISSUED, "DE8EXC00000001", ("CertChainError", "Invalid")),
    ],
)
async def test_a_certificate_that_was_issued_here(
    world: World, station: Bridged, status: ContractStatus, emaid: str, pair: tuple[str, str]
) -> None:
    world.record = ProvidedCertificate(status, emaid, None)
    assert await world.authorize(station, HASHED) == pair
    assert len(station.asked) == (1 if pair[0] == "Accepted" else 0)


async def test_a_number_under_which_nothing_was_issued_here(world: World, station: Bridged) -> None:
    """Vault's responder calls every number good that isn't revoked."""
    world.is_issued_here = True
    assert await world.authorize(station, HASHED) == ("CertChainError", "Invalid")
    assert (station.asked, world.events.kinds) == ([], [Kind.INVALID_CONTRACT])
    world.record = ProvidedCertificate(ContractStatus.ISSUED, EMAID, None)
    assert await world.authorize(station, HASHED) == ("Accepted", "Accepted")


async def test_a_vehicle_that_is_seen_with_its_certificate_has_it(world: World, station: Bridged) -> None:
    world.record = record = ProvidedCertificate(ContractStatus.ISSUED, EMAID, None, predecessor=7)
    assert await world.authorize(station, HASHED) == ("Accepted", "Accepted")
    assert world.taken_ones == [record]

    world.record = ProvidedCertificate(ContractStatus.ISSUED, "DE8EXC00000001", None, predecessor=8)
    assert await world.authorize(station, HASHED) == ("CertChainError", "Invalid")
    assert world.taken_ones == [record]


async def test_a_store_that_can_not_note_it_keeps_nobody_from_charging(world: World, station: Bridged) -> None:
    world.record, world.is_read_only = ProvidedCertificate(ContractStatus.ISSUED, EMAID, None, predecessor=7), True
    assert await world.authorize(station, HASHED) == ("Accepted", "Accepted")


async def test_a_store_that_is_away(world: World, station: Bridged) -> None:
    world.record = StoreAway("gone")
    assert await world.authorize(station, HASHED) == ("CertChainError", "Invalid")
    assert station.asked == []


async def test_a_station_that_asks_without_end(world: World, station: Bridged) -> None:
    for _ in range(CHECKS_MAX):
        assert await world.authorize(station, HASHED) == ("Accepted", "Accepted")
    assert await world.authorize(station, HASHED) == ("CertChainError", "Invalid")
    assert world.events.kinds == [Kind.RATE_LIMITED]
    assert await world.authorize(station, {"idToken": CARD}) == (None, "Accepted")
    world.now = CHECKS_WINDOW + 1
    assert await world.authorize(station, HASHED) == ("Accepted", "Accepted")


# --- 1.6


VENDORS = pytest.mark.parametrize("vendor", [VENDOR_ID, "iso15118"])
GOOD = {"idTagInfo": {"status": "Accepted", "expiryDate": "2026-06-01T00:00:00Z"}}


def station_16(*, knows_contracts: bool = False) -> Bridged:
    made = Bridged(version=Version.V16, knows_contracts=knows_contracts)
    made.backend = {"Authorize": GOOD}
    return made


@VENDORS
async def test_a_plain_1_6_backend_is_asked_about_the_id_tag(world: World, vendor: str) -> None:
    station = station_16()
    answer = await world.transfer(station, {"idToken": EMAID, "certificate": "PEM"}, vendor)
    assert answer == {
        "idTokenInfo": {"status": "Accepted", "cacheExpiryDateTime": "2026-06-01T00:00:00Z"},
        "certificateStatus": "Accepted",
    }
    assert station.asked == [("Authorize", {"idTag": EMAID})]
    assert station.note_vendor == vendor


@VENDORS
async def test_a_1_6_backend_that_knows_the_note_hears_it(world: World, vendor: str) -> None:
    station = station_16(knows_contracts=True)
    said = {"idTokenInfo": {"status": "Blocked"}, "certificateStatus": "Accepted"}
    station.backend = {"DataTransfer": {"status": "Accepted", "data": json.dumps(said)}}
    answer = await world.transfer(station, {"idToken": EMAID, "iso15118CertificateHashData": [HASHES]}, vendor)
    assert answer == {"idTokenInfo": {"status": "Blocked"}, "certificateStatus": "ContractCancelled"}
    ((action, sent),) = station.asked
    assert (action, sent["vendorId"], sent["messageId"]) == ("DataTransfer", vendor, "Authorize")
    assert json.loads(sent["data"]) == {"idToken": EMAID, "iso15118CertificateHashData": [HASHES]}


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "UnknownVendorId"},
        {"status": "Accepted"},
        {"status": "Accepted", "data": "no json"},
        {"status": "Accepted", "data": "{}"},
        CallError(ErrorCode.INTERNAL_ERROR),
        PeerUnavailable("it has heard it, and says nothing"),
    ],
)
async def test_a_1_6_backend_without_a_verdict(world: World, answer: Any) -> None:
    station = station_16(knows_contracts=True)
    station.backend["DataTransfer"] = answer
    assert await world.transfer(station, {"idToken": EMAID, "certificate": "PEM"}) == {
        "idTokenInfo": {"status": "Invalid"}, "certificateStatus": "ContractCancelled",
    }  # fmt: skip
    assert [action for action, _ in station.asked] == ["DataTransfer"], "the eMAID alone isn't asked about"


async def test_a_plain_1_6_backend_without_a_verdict(world: World) -> None:
    station = station_16()
    station.backend = {"Authorize": CallError(ErrorCode.INTERNAL_ERROR)}
    answer = await world.transfer(station, {"idToken": EMAID, "certificate": "PEM"})
    assert answer == {"idTokenInfo": {"status": "Invalid"}, "certificateStatus": "ContractCancelled"}


async def test_a_backend_that_is_away_is_stood_in_for_as_for_any_id_tag(world: World) -> None:
    station = station_16(knows_contracts=True)
    station.backend["DataTransfer"] = NotSent("gone")
    answer = await world.transfer(station, {"idToken": EMAID, "certificate": "PEM"})
    assert (answer["certificateStatus"], answer["idTokenInfo"]["status"]) == ("Accepted", "Accepted")
    assert [action for action, _ in station.asked] == ["DataTransfer", "Authorize"]


@VENDORS
async def test_a_1_6_station_hears_why_not(world: World, vendor: str) -> None:
    world.fault = Fault.EXPIRED
    station = station_16()
    answer = await world.transfer(station, {"idToken": EMAID, "certificate": "PEM"}, vendor)
    assert answer == {"idTokenInfo": {"status": "Expired"}, "certificateStatus": "CertificateExpired"}
    assert await world.transfer(station, {"idToken": EMAID}, vendor) == {
        "idTokenInfo": {"status": "Invalid"}, "certificateStatus": "NoCertificateAvailable",
    }  # fmt: skip
    assert station.asked == []


async def test_a_1_6_station_that_speaks_the_extension(world: World) -> None:
    hashes = {name: value for name, value in HASHES.items() if name != "responderURL"}
    data = {"idToken": TOKEN, "15118CertificateHashData": [HASHES, hashes]}
    assert (await world.transfer(station_16(), data, "iso15118"))["certificateStatus"] == "Accepted"
    assert world.looked_at == [("http://ocsp.example", "")]
    world.fault = Fault.UNTRUSTED
    assert await world.transfer(station_16(), data, "iso15118") == {
        "idTokenInfo": {"status": "Invalid"}, "certificateStatus": "CertificateRevoked",
    }  # fmt: skip
