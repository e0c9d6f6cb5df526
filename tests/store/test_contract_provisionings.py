"""The audit of contract certificates: what is said of a request, what is found again, and what never goes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from sqlalchemy import insert

from gateway.session.contracts import Outcome, Provisioning
from gateway.store.certificate_records import CertificateKnown
from gateway.store.contract_certificates import ContractCertificates
from gateway.store.contract_models import ContractProvisioningRow
from gateway.store.contract_provisionings import REFUSALS_KEPT, TEXT_MAX, WORD_MAX, ContractProvisionings
from gateway.store.database import Database

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
KEY = ec.generate_private_key(ec.SECP256R1())
EMAID, PCID = "DE8EXC12345678", "WVWZZZ1KZAW000123"
DIGEST = "ab" * 32
ROW = {
    **dict.fromkeys(("action", "schema", "provider"), ""),
    "at": NOW,
    "station": "CS1",
    "outcome": "refused",
    "request_digest": DIGEST,
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


def refused(station: str = "CS1", **more: Any) -> Provisioning:
    said = {"action": "Install", "schema": "urn:iso:15118:2:2013:MsgDef", "outcome": Outcome.REFUSED}
    told = {"request_digest": DIGEST.upper(), "refusal": "NoContract", "text": "no contract for it"}
    return Provisioning(**{"station": station, **said, **told, **more})


@pytest.fixture
def audit(database: Database) -> ContractProvisionings:
    return ContractProvisionings(database, lambda: NOW)


async def test_a_refusal_is_kept_as_it_was_said(audit: ContractProvisionings) -> None:
    await audit.note(refused(pcid=PCID.lower(), vehicle_serial="1f"))

    (found,) = await audit.list()
    assert found.at == NOW
    assert found.provisioning == refused(pcid=PCID, vehicle_serial="1f", request_digest=DIGEST)


async def test_what_was_issued_tells_of_its_certificate(audit: ContractProvisionings) -> None:
    entry = refused(refusal=None, text="", emaid=EMAID, pcid=PCID, cps_serial="c0")
    await audit.issued(entry, certificate(0xAFFE), authority="contract")

    (found,) = await audit.list()
    said = found.provisioning
    assert (said.outcome, said.contract_serial, said.issuer) == (Outcome.ISSUED, "affe", f"CN={EMAID}")
    assert (said.not_after, said.cps_serial) == (NOW + DAY, "c0")
    assert await audit.was_issued(DIGEST.upper())
    assert not await audit.was_issued("00")


async def test_a_refused_request_was_not_issued(audit: ContractProvisionings) -> None:
    await audit.note(refused())
    assert not await audit.was_issued(DIGEST)


async def test_nothing_is_kept_of_what_could_not_be_recorded_whole(
    audit: ContractProvisionings, database: Database
) -> None:
    entry = refused(emaid=EMAID)
    await audit.issued(entry, certificate(1), authority="contract")
    with pytest.raises(CertificateKnown, match="the certificate 1 is recorded already"):
        # Another certificate of the same number: ECDSA signs anew.
        await audit.issued(entry, certificate(1), authority="contract")
    with pytest.raises(ValueError, match="isn't an eMAID"):
        await audit.issued(refused(emaid=None), certificate(2), authority="contract")
    with pytest.raises(ValueError, match="recorded with its certificate"):
        await audit.note(refused(outcome=Outcome.ISSUED))
    assert len(await audit.list()) == 1
    assert len(await ContractCertificates(database).list()) == 1


async def test_what_a_peer_says_is_cut(audit: ContractProvisionings) -> None:
    await audit.note(refused("S" * 100, schema="x" * 600, text="t" * 2000, pcid="p\0" * 600, emaid="no eMAID"))

    (found,) = await audit.list()
    said = found.provisioning
    assert (len(said.station), len(said.schema), len(said.text)) == (48, WORD_MAX, TEXT_MAX)
    assert said.pcid is not None
    assert len(said.pcid) == WORD_MAX
    assert "\0" not in said.pcid
    assert said.emaid == "no eMAID"


async def test_a_station_pushes_out_its_own_refusals_and_nothing_that_was_issued(
    audit: ContractProvisionings, database: Database
) -> None:
    for number in range(3):
        await audit.issued(refused(emaid=EMAID), certificate(number + 1), authority=None)
    await audit.note(refused("CS2"))
    await database.write(lambda connection: connection.execute(insert(ContractProvisioningRow), [ROW] * REFUSALS_KEPT))
    for _ in range(2):
        await audit.note(refused())

    found = await audit.list(station="CS1", outcome="refused", limit=2 * REFUSALS_KEPT)
    assert len(found) == REFUSALS_KEPT
    assert [each.provisioning.text for each in found[:3]] == ["no contract for it", "no contract for it", "older"]
    assert len(await audit.list(outcome=Outcome.ISSUED)) == 3
    assert len(await audit.list(station="CS2")) == 1


async def test_lists_have_filters_and_pages(database: Database) -> None:
    moment = NOW
    audit = ContractProvisionings(database, lambda: moment)
    await audit.note(refused("CS1", pcid=PCID))
    moment = NOW + DAY
    await audit.note(refused("CS2", refusal="Replayed", emaid=EMAID))
    await audit.issued(refused("CS1", emaid="DE8EXC00000000"), certificate(7), authority="contract")

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
