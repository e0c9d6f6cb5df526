"""Who may have what: names, keys, and what smells of an attack."""

import asyncio
import base64
from contextlib import nullcontext
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from gateway.bridge.ports import PeerUnavailable
from gateway.services.certificate_review import REVIEWS_AT_ONCE, CsrReview
from gateway.services.certificate_words import CertificateKind
from pki import profiles
from pki.csr import CsrRejected
from tests.services.certificate_desk import OPERATOR, Authority, Book, Inventory, make_csr, new_key, station_of
from tests.services.conftest import KeptEvents, get_variables

STATION = CertificateKind("station", profiles.charging_station(), Authority())  # type: ignore[arg-type]  # nobody signs here
V2G = CertificateKind("v2g", profiles.secc(), Authority())  # type: ignore[arg-type]  # as above


class Office:
    def __init__(self, events: KeptEvents) -> None:
        self.inventory, self.book, self.events = Inventory(), Book(), events
        self.review = CsrReview(self.inventory, self.book, events, operator=OPERATOR)

    async def refusal(self, station: Any, csr: str, kind: CertificateKind) -> str:
        with pytest.raises(CsrRejected) as refused:
            await self.review.review(station, csr, kind)
        return refused.value.check


@pytest.fixture
def office(events: KeptEvents) -> Office:
    return Office(events)


async def test_a_station_gets_its_own_name(office: Office) -> None:
    csr = await office.review.review(station_of(), make_csr(), STATION)
    assert (csr.common_name, list(office.inventory.owners.values())) == ("SN1", ["CS1"])
    assert office.events.noted == []


def ca_csr() -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "SN1")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(new_key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def without_the_key() -> str:
    """A CSR whose signature isn't by its key."""
    der = bytearray(x509.load_pem_x509_csr(make_csr().encode()).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n"


@pytest.mark.parametrize(
    ("csr", "check"),
    [(make_csr("SN2"), "common_name"), (ca_csr(), "authority"), (without_the_key(), "proof_of_possession")],
)
async def test_what_smells_of_an_attack_is_a_security_event(office: Office, csr: str, check: str) -> None:
    assert await office.refusal(station_of(), csr, STATION) == check
    (event,) = office.events.noted
    assert (event.kind, event.identity) == ("SuspiciousCertificateRequest", "CS1")
    assert event.presented == {"check": check, "usage": "station"}
    assert "CERTIFICATE REQUEST" not in event.detail


@pytest.mark.parametrize("csr", ["garbage", make_csr(organization="Another CPO")])
async def test_what_is_merely_wrong_is_none(office: Office, csr: str) -> None:
    await office.refusal(station_of(), csr, STATION)
    assert office.events.noted == []


async def test_another_stations_key(office: Office) -> None:
    csr = make_csr()
    office.book.names["CS2"] = "SN1"
    await office.review.review(station_of("CS1"), csr, STATION)
    assert await office.refusal(station_of("CS2"), csr, STATION) == "key_reused"
    assert [event.identity for event in office.events.noted] == ["CS2"]
    await office.review.review(station_of("CS1"), csr, STATION)


async def test_the_name_is_what_the_registry_says_now(office: Office) -> None:
    """The session, and what it knows of the station, may be older."""
    station = station_of("CS1", "SN1")
    office.book.names["CS1"] = "SN9"
    assert await office.refusal(station, make_csr("SN1"), STATION) == "common_name"
    assert (await office.review.review(station, make_csr("SN9"), STATION)).common_name == "SN9"
    office.book.names["CS1"] = None
    assert await office.refusal(station, make_csr("SN9"), STATION) == "certificate_name"


@pytest.mark.parametrize(
    ("name", "usage", "own", "others", "allowed"),
    [
        ("SN1", "station", "SN1", (True, []), True),
        ("SN1", "station", "SN9", (False, []), False),
        ("SN1", "v2g", "SN1", (True, []), True),
        ("DEABC1", "v2g", "SN1", (False, []), True),
        ("DEABC1", "v2g", "SN1", (True, []), False),
        ("DEABC1", "v2g", "SN1", (False, ["CN=DEABC1"]), False),
        ("DEABC1", "v2g", None, (False, []), False),
    ],
)
async def test_a_name_that_was_allowed_before(
    office: Office, name: str, usage: str, own: str | None, others: Any, allowed: bool
) -> None:
    office.book.names["CS1"], office.book.others = own, others
    with nullcontext() if allowed else pytest.raises(CsrRejected):
        await office.review.check_name("CS1", name, usage)


# --- names towards vehicles


async def test_a_v2g_certificate_may_carry_the_registered_name_without_a_question(office: Office) -> None:
    station = station_of()
    assert (await office.review.review(station, make_csr(), V2G)).common_name == "SN1"
    assert station.calls == []


async def test_or_an_id_that_the_station_reports(office: Office) -> None:
    station = station_of()
    station.says("GetVariables", get_variables("DEABC1"), get_variables("DEABC2"))
    assert (await office.review.review(station, make_csr("DEABC2"), V2G)).common_name == "DEABC2"


async def test_a_station_certificate_may_not(office: Office) -> None:
    station = station_of()
    station.says("GetVariables", get_variables("DEABC1"))
    assert await office.refusal(station, make_csr("DEABC1"), STATION) == "common_name"
    assert station.calls == []


@pytest.mark.parametrize(
    "answer",
    [get_variables(None, "UnknownVariable"), PeerUnavailable("gone"), get_variables("X")],
    ids=["none", "no answer", "another"],
)
async def test_an_id_that_nobody_reported(office: Office, answer: Any) -> None:
    station = station_of()
    station.says("GetVariables", answer)
    assert await office.refusal(station, make_csr("DEABC1"), V2G) == "common_name"


@pytest.mark.parametrize(
    "others",
    [(True, []), (False, ["CN=SN7,O=Example CPO", "DC=CPO,O=Example CPO,CN=DEABC1"])],
)
async def test_what_a_station_says_of_itself_gives_it_no_others_name(office: Office, others: Any) -> None:
    station = station_of()
    station.says("GetVariables", get_variables("DEABC1"))
    office.book.others = others
    assert await office.refusal(station, make_csr("DEABC1"), V2G) == "common_name"
    assert office.events.kinds == ["SuspiciousCertificateRequest"]


async def test_a_name_is_not_taken_for_its_neighbours(office: Office) -> None:
    station = station_of()
    station.says("GetVariables", get_variables("DEABC1"))
    office.book.others = (False, ["O=x\\,CN\\=DEABC1,CN=SN7", "CN=DEABC12"])
    assert (await office.review.review(station, make_csr("DEABC1"), V2G)).common_name == "DEABC1"


async def test_a_storm_is_taken_a_few_at_a_time(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    running: list[int] = [0, 0]
    to_thread = asyncio.to_thread

    async def counted(*arguments: Any, **named: Any) -> Any:
        running[0] += 1
        running[1] = max(running)
        try:
            return await to_thread(*arguments, **named)
        finally:
            running[0] -= 1

    monkeypatch.setattr(asyncio, "to_thread", counted)
    csrs = [make_csr(f"SN{number}") for number in range(12)]
    stations = [station_of(f"CS{number}", f"SN{number}") for number in range(12)]
    await asyncio.gather(
        *(office.review.review(station, csr, STATION) for station, csr in zip(stations, csrs, strict=True))
    )
    assert running[1] == REVIEWS_AT_ONCE
