"""The audit of contract certificates: what is said of a request, what is found again, and what never goes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from sqlalchemy import insert

from gateway.session.contracts import Outcome
from gateway.session.provisionings import ProvisioningEntry
from gateway.store.certificate_records import CertificateKnown
from gateway.store.contract_certificates import ContractCertificates
from gateway.store.contract_models import ContractProvisioningRow
from gateway.store.contract_provisionings import REFUSALS_KEPT, TEXT_MAX, WORD_MAX, ContractProvisionings
from gateway.store.database import Database
from pki.iso15118.provisioning import Refusal

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
KEY = ec.generate_private_key(ec.SECP256R1())
EMAID, PCID = "DE8EXC12345678", "WVWZZZ1KZAW000123"
DIGEST = "ab" * 32
ROW = {
    **dict.fromkeys(("action", "schema"), ""),
    "at": NOW,
    "station": "CS1",
    "outcome": "refused",
    "digest": DIGEST,
    "refusal": "NoContract",
    "text": "older",
}


def certificate(serial: int) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, EMAID)])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(serial)
        .not_valid_before(NOW)
        .not_valid_after(NOW + DAY)
        .sign(KEY, SHA256())
    )


def entry(station: str = "CS1", **more: Any) -> ProvisioningEntry:
    said = {"at": NOW, "station": station, "action": "Install", "schema": "urn:iso:15118:2:2013:MsgDef"}
    return ProvisioningEntry(**{**said, "digest": DIGEST, **more})


def refused(station: str = "CS1", **more: Any) -> ProvisioningEntry:
    return entry(station, **{"refusal": Refusal.NO_CONTRACT, "text": "no contract for it", **more})


@pytest.fixture
def audit(database: Database) -> ContractProvisionings:
    return ContractProvisionings(database, lambda: NOW)


async def test_a_refusal_is_kept_as_it_was_said(audit: ContractProvisionings) -> None:
    said = refused(pcid=PCID, vehicle_serial="1f", provider="native")
    await audit.note(said)

    (found,) = await audit.list()
    assert (found.entry, found.outcome) == (said, Outcome.REFUSED)


async def test_what_was_issued_is_kept_with_its_certificate(audit: ContractProvisionings, database: Database) -> None:
    said = entry(emaid=EMAID, pcid=PCID, contract_serial="affe", issuer="CN=MO", cps_serial="c0", not_after=NOW + DAY)
    await audit.issued(said, certificate(0xAFFE), usage="contract")

    (found,) = await audit.list()
    assert (found.entry, found.outcome) == (said, Outcome.ISSUED)
    (kept,) = await ContractCertificates(database).list()
    assert kept.certificate.serial == "affe"


async def test_a_request_that_has_brought_a_certificate_is_known(audit: ContractProvisionings) -> None:
    await audit.note(refused())
    assert not await audit.was_issued(DIGEST)

    await audit.issued(entry(emaid=EMAID, provider="native"), certificate(7), usage="contract")
    assert await audit.was_issued(DIGEST)
    assert not await audit.was_issued("cd" * 32)


async def test_nothing_is_kept_of_what_could_not_be_recorded_whole(
    audit: ContractProvisionings, database: Database
) -> None:
    await audit.issued(entry(emaid=EMAID), certificate(1), usage="contract")
    with pytest.raises(CertificateKnown, match="the certificate 1 is recorded already"):
        # Another certificate of the same number: ECDSA signs anew.
        await audit.issued(entry(emaid=EMAID), certificate(1), usage="contract")
    with pytest.raises(ValueError, match="isn't an eMAID"):
        await audit.issued(entry(), certificate(2), usage="contract")
    with pytest.raises(ValueError, match="what was refused has no certificate"):
        await audit.issued(refused(emaid=EMAID), certificate(2), usage="contract")
    with pytest.raises(ValueError, match="recorded with its certificate"):
        await audit.note(entry())
    assert len(await audit.list()) == 1
    assert len(await ContractCertificates(database).list()) == 1


async def test_what_a_peer_says_is_cut(audit: ContractProvisionings) -> None:
    await audit.note(refused("S" * 100, schema="x" * 600, text="t" * 2000, pcid="p\0" * 600, emaid="no eMAID"))

    (found,) = await audit.list()
    said = found.entry
    assert (len(said.station), len(said.schema), len(said.text)) == (48, WORD_MAX, TEXT_MAX)
    assert said.pcid is not None
    assert len(said.pcid) == WORD_MAX
    assert "\0" not in said.pcid
    assert said.emaid == "no eMAID"


async def test_a_station_pushes_out_its_own_refusals_and_nothing_that_was_issued(
    audit: ContractProvisionings, database: Database
) -> None:
    for number in range(3):
        await audit.issued(entry(emaid=EMAID), certificate(number + 1), usage="seen")
    await audit.note(refused("CS2"))
    await database.write(lambda connection: connection.execute(insert(ContractProvisioningRow), [ROW] * REFUSALS_KEPT))
    for _ in range(2):
        await audit.note(refused())

    found = await audit.list(station="CS1", outcome="refused", limit=2 * REFUSALS_KEPT)
    assert len(found) == REFUSALS_KEPT
    assert [each.entry.text for each in found[:3]] == ["no contract for it", "no contract for it", "older"]
    assert len(await audit.list(outcome=Outcome.ISSUED)) == 3
    assert len(await audit.list(station="CS2")) == 1


async def test_lists_have_filters_and_pages(audit: ContractProvisionings) -> None:
    await audit.note(refused("CS1", pcid=PCID))
    await audit.note(refused("CS2", refusal=Refusal.REPLAYED, emaid=EMAID, at=NOW + DAY))
    await audit.issued(entry("CS1", emaid="DE8EXC00000000", at=NOW + DAY), certificate(7), usage="contract")

    three, two, one = await audit.list()
    table: list[tuple[dict[str, Any], Any]] = [
        ({"station": "CS1"}, [three, one]),
        ({"pcid": PCID.lower()}, [one]),
        ({"emaid": "de-8ex-c12345678-o"}, [two]),
        ({"outcome": "issued"}, [three]),
        ({"refusal": "Replayed"}, [two]),
        ({"since": NOW + DAY}, [three, two]),
        ({"before_id": three.id, "limit": 1}, [two]),
    ]
    for wanted, found in table:
        assert await audit.list(**wanted) == found
    with pytest.raises(ValueError, match="isn't an eMAID"):
        await audit.list(emaid="x")
    with pytest.raises(ValueError, match="not a valid Outcome"):
        await audit.list(outcome="lost")
    with pytest.raises(ValueError, match="not a valid Refusal"):
        await audit.list(refusal="lost")
