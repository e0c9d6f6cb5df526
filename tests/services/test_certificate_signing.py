"""The authority is asked a few at a time, and never for a chain that can't fit (A02.FR.16)."""

import pytest
from cryptography import x509

from gateway.services.certificate_signing import ASKED_ABOVE, SIGNING_AT_ONCE, least_size
from gateway.wire.versions import Version
from pki.authority.local import LocalAuthority
from pki.csr import review
from tests.services.certificate_desk import OPERATOR, Desk, make_csr, station_of
from tests.services.conftest import KeptEvents, get_variables


@pytest.fixture
def desk(events: KeptEvents) -> Desk:
    return Desk(events)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> LocalAuthority:
    return LocalAuthority.open(tmp_path_factory.mktemp("ca"), organization=OPERATOR)


async def test_a_storm_reaches_the_authority_in_turns(desk: Desk) -> None:
    desk.authority.gate.clear()
    for number in range(SIGNING_AT_ONCE + 8):
        await desk.sign(station_of(f"CS{number}", f"SN{number}"), make_csr(f"SN{number}"))
    await desk.until(lambda: desk.authority.at_once == SIGNING_AT_ONCE)
    desk.authority.gate.set()
    await desk.settled()
    assert desk.authority.most_at_once == SIGNING_AT_ONCE
    assert set(desk.book.states()) == {"delivered"}


async def test_the_least_size_is_never_more_than_the_chain_has(local: LocalAuthority) -> None:
    csr = review(make_csr(), common_name="SN1", organization=OPERATOR)
    issued = await local.sign(csr.request_for(OPERATOR))
    least = least_size(csr.request_for(OPERATOR), await local.chain())
    assert 0.8 * len(issued.chain_pem) < least <= len(issued.chain_pem)
    assert least_size(csr.request_for(OPERATOR), []) == 0


async def test_a_short_chain_costs_no_question(desk: Desk, local: LocalAuthority) -> None:
    desk.authority.issuers, station = await local.chain(), station_of()
    await desk.sign(station)
    await desk.settled()
    assert station.actions == ["CertificateSigned"]
    assert desk.authority.asked[0].chain_size_max is None


def long_chain(chain: list[x509.Certificate]) -> list[x509.Certificate]:
    return [*[chain[0]] * (ASKED_ABOVE // 600), chain[-1]]


@pytest.mark.parametrize(("said", "fits"), [("10000", True), ("5000", False)])
async def test_before_a_long_one_the_station_is_asked_once(
    desk: Desk, local: LocalAuthority, events: KeptEvents, said: str, fits: bool
) -> None:
    desk.authority.issuers, station = long_chain(await local.chain()), station_of()
    station.says("GetVariables", get_variables(said))
    for _ in range(2):
        await desk.sign(station)
        await desk.settled()
    assert station.actions.count("GetVariables") == 1
    if fits:
        assert desk.authority.asked[0].chain_size_max == 10000
        return
    assert desk.authority.asked == []
    assert desk.book.states() == ["failed", "failed"]
    assert "takes chains of 5000 characters" in desk.book.kept[1].detail
    assert events.kinds == ["CertificateNotIssued"] * 2


async def test_one_that_refused_a_chain_is_asked_before_the_next(desk: Desk, local: LocalAuthority) -> None:
    desk.authority.issuers, station = await local.chain(), station_of(version=Version.V16)
    station.says("CertificateSigned", {"status": "Rejected"})
    key = {"key": "CertificateSignedMaxChainSize", "readonly": True, "value": "800"}
    station.says("GetConfiguration", {"configurationKey": [key]})
    for _ in range(2):
        await desk.sign(station)
        await desk.settled()
    assert station.actions == ["CertificateSigned", "GetConfiguration"]
    assert (len(desk.authority.asked), desk.book.states()) == (1, ["rejected", "failed"])
