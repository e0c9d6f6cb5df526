"""Contract certificates in the inventory: whose they are, what succeeds them, how one is found and revoked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.session.provisionings import ContractStatus, ProvidedCertificate, ProvisioningEntry
from gateway.store.certificate_outbox import RevocationOutbox
from gateway.store.certificate_records import CertificateAmbiguous, CertificateState
from gateway.store.certificates import Certificates
from gateway.store.contract_certificates import ContractCertificates, fingerprint_of
from gateway.store.contract_provisionings import ContractProvisionings
from gateway.store.database import Database

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
KEY = ec.generate_private_key(ec.SECP256R1())
EMAID, OTHER = "DE8EXC12345678", "DE8EXC99999999"
PCID = "WVWZZZ1KZAW000123"


def certificate(
    serial: int, emaid: str = EMAID, *, issuer: str = "MO", key: ec.EllipticCurvePrivateKey = KEY
) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, emaid)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + 30 * DAY)
        .sign(KEY, SHA256())
    )


def entry(**more: Any) -> ProvisioningEntry:
    said = {"at": NOW, "station": "CS1", "action": "Install", "schema": "urn:iso:15118:2:2013:MsgDef"}
    return ProvisioningEntry(**{**said, "digest": "ab" * 32, "provider": "ours", "emaid": EMAID, "pcid": PCID, **more})


@pytest.fixture
def audit(database: Database) -> ContractProvisionings:
    return ContractProvisionings(database, lambda: NOW)


@pytest.fixture
def issued(database: Database) -> ContractCertificates:
    return ContractCertificates(database, lambda: NOW)


async def test_one_that_was_issued_is_in_the_inventory(
    audit: ContractProvisionings, issued: ContractCertificates, certificates: Certificates
) -> None:
    await audit.issued(entry(), certificate(0xAFFE), usage="contract")

    (found,) = await issued.list()
    assert (found.emaid, found.pcid, found.station, found.provider) == (EMAID, PCID, "CS1", "ours")
    assert (found.schema, found.issuer, found.predecessor_id) == ("urn:iso:15118:2:2013:MsgDef", "CN=MO", None)
    record = found.certificate
    assert (record.serial, record.subject, record.identity) == ("affe", f"CN={EMAID}", "")
    assert (record.usage, record.profile, record.state) == ("contract", "contract", CertificateState.ISSUED)
    assert record.not_after == NOW + 30 * DAY
    assert "PRIVATE" not in record.chain
    assert await certificates.find("af:fe") == record
    assert await issued.find(record.fingerprint) == found
    assert await issued.provided(certificate(0xAFFE, issuer="another")) is None
    (step,) = await certificates.history(record.fingerprint)
    assert step.detail == "given to a vehicle at station CS1"


async def test_an_update_supersedes_what_the_vehicle_had_and_that_is_revoked(
    audit: ContractProvisionings, issued: ContractCertificates, certificates: Certificates, database: Database
) -> None:
    old, new = certificate(1), certificate(2)
    await audit.issued(entry(), old, usage="contract")
    await audit.issued(entry(action="Update", pcid=None), new, usage="contract", predecessor=old)

    assert await issued.provided(old) == ProvidedCertificate(ContractStatus.SUPERSEDED, EMAID, PCID)
    former, present = await issued.list()
    assert former.certificate.state is CertificateState.SUPERSEDED
    assert (present.predecessor_id, present.pcid) == (former.certificate.id, PCID)
    assert (await certificates.history(former.certificate.fingerprint))[-1].detail == "the vehicle was given 2"

    outbox = RevocationOutbox(database, lambda: NOW + DAY)
    assert await outbox.revoke_superseded(NOW, 10) == 1
    (untold,) = await outbox.untold(10)
    assert (untold.serial, untold.usage, untold.reason) == ("1", "contract", "superseded")
    assert await issued.provided(old) == ProvidedCertificate(ContractStatus.REVOKED, EMAID, PCID)
    # Whether its time is over is what its dates say, not how it stands.
    later = ContractCertificates(database, lambda: NOW + 60 * DAY)
    number = former.certificate.id
    assert await later.provided(new) == ProvidedCertificate(ContractStatus.ISSUED, EMAID, PCID, number)
    assert [each.certificate.state.value for each in await later.list()] == ["revoked", "expired"]


async def test_what_is_superseded_ends_at_once_when_the_next_one_is_used(
    audit: ContractProvisionings, issued: ContractCertificates, database: Database
) -> None:
    old, new = certificate(1), certificate(2)
    await audit.issued(entry(), old, usage="contract")
    (first,) = await issued.list()
    assert first.certificate.id is not None
    assert not await issued.end_superseded(first.certificate.id)  # it is in use

    await audit.issued(entry(action="Update"), new, usage="contract", predecessor=old)
    assert await issued.end_superseded(first.certificate.id)
    assert not await issued.end_superseded(first.certificate.id)
    assert await issued.provided(old) == ProvidedCertificate(ContractStatus.REVOKED, EMAID, PCID)
    number = first.certificate.id
    assert await issued.provided(new) == ProvidedCertificate(ContractStatus.ISSUED, EMAID, PCID, number)
    (untold,) = await RevocationOutbox(database, lambda: NOW).untold(10)
    assert (untold.serial, untold.reason) == ("1", "superseded")


async def test_a_revoked_one_is_known_whatever_became_of_its_signature(
    audit: ContractProvisionings, issued: ContractCertificates, certificates: Certificates
) -> None:
    await audit.issued(entry(), certificate(1), usage="contract")
    await certificates.revoke("1")
    # ECDSA signs anew each time: the same certificate with another fingerprint, as (r, -s) makes one.
    again = certificate(1)
    assert again.tbs_certificate_bytes == certificate(1).tbs_certificate_bytes
    assert await issued.provided(again) == ProvidedCertificate(ContractStatus.REVOKED, EMAID, PCID)

    await audit.issued(entry(), again, usage="seen")
    assert await issued.provided(again) == ProvidedCertificate(ContractStatus.REVOKED, EMAID, PCID)
    assert await issued.provided(certificate(1, issuer="another")) is None


async def test_anothers_is_seen_and_never_revoked_by_itself(
    audit: ContractProvisionings, issued: ContractCertificates, database: Database
) -> None:
    old, new = certificate(1), certificate(2)
    await audit.issued(entry(), old, usage="seen")
    await audit.issued(entry(), new, usage="seen", predecessor=old)

    assert [each.certificate.usage for each in await issued.list()] == ["seen", "seen"]
    assert await RevocationOutbox(database, lambda: NOW + DAY).revoke_superseded(NOW, 10) == 0


async def test_a_predecessor_that_is_not_on_record_stands_in_nobodys_way(
    audit: ContractProvisionings, issued: ContractCertificates
) -> None:
    await audit.issued(entry(pcid=None), certificate(2), usage="contract", predecessor=certificate(1))
    (found,) = await issued.list()
    assert (found.pcid, found.predecessor_id) == (None, None)


async def test_another_cas_certificate_of_the_same_names_and_number_is_another_one(
    audit: ContractProvisionings, issued: ContractCertificates
) -> None:
    ours, forged = certificate(1), certificate(1, key=ec.generate_private_key(ec.SECP256R1()))
    await audit.issued(entry(), ours, usage="contract")
    assert await issued.provided(forged) is None
    await audit.issued(entry(action="Update"), certificate(2), usage="contract", predecessor=forged)
    assert await issued.provided(ours) == ProvidedCertificate(ContractStatus.ISSUED, EMAID, PCID)


async def test_a_stations_certificate_is_no_predecessor(
    audit: ContractProvisionings, issued: ContractCertificates, certificates: Certificates
) -> None:
    old = certificate(1)
    await certificates.add(
        "CS1",
        serial="1",
        fingerprint=old.fingerprint(SHA256()).hex(),
        subject="CN=CS1",
        not_before=NOW,
        not_after=NOW + DAY,
        chain="",
    )
    await audit.issued(entry(), certificate(2), usage="contract", predecessor=old)
    found = await certificates.find("1")
    assert found is not None
    assert found.state is CertificateState.ISSUED
    assert await issued.provided(old) is None


async def test_a_provider_may_give_the_same_again(
    audit: ContractProvisionings, issued: ContractCertificates, certificates: Certificates
) -> None:
    same = certificate(1)
    await audit.issued(entry(), same, usage="seen")
    await audit.issued(entry(station="CS2"), same, usage="seen", predecessor=same)

    (found,) = await issued.list()
    assert (found.station, found.certificate.state) == ("CS1", CertificateState.ISSUED)
    steps = await certificates.history(found.certificate.fingerprint)
    assert [step.detail[-3:] for step in steps] == ["CS1", "CS2"]
    assert len(await audit.list()) == 2


async def test_lists_have_filters_and_pages(audit: ContractProvisionings, issued: ContractCertificates) -> None:
    await audit.issued(entry(), certificate(1), usage="contract")
    await audit.issued(
        entry(emaid="DE8EXC99999999", pcid="P" * 17, station="CS2", provider="theirs"),
        certificate(2, OTHER),
        usage="seen",
    )
    one, two = await issued.list()
    table: list[tuple[dict[str, Any], Any]] = [
        ({"emaid": "de-8ex-c12345678-o"}, [one]),
        ({"pcid": "p" * 17}, [two]),
        ({"station": "CS2"}, [two]),
        ({"provider": "ours"}, [one]),
        ({"states": ["issued"], "limit": 1}, [one]),
        ({"states": ["revoked", "expired"]}, []),
        ({"after_id": one.certificate.id}, [two]),
    ]
    for wanted, found in table:
        assert await issued.list(**wanted) == found
    with pytest.raises(ValueError, match="isn't an eMAID"):
        await issued.list(emaid="x")


async def test_two_issuers_may_give_the_same_number(audit: ContractProvisionings, issued: ContractCertificates) -> None:
    for issuer in ("A", "B"):
        await audit.issued(entry(), certificate(1, issuer=issuer), usage="seen")
    with pytest.raises(CertificateAmbiguous, match="name it by its SHA-256 fingerprint"):
        await issued.find("01")
    with pytest.raises(ValueError, match="invalid literal"):
        await issued.find("not hex")
    assert await issued.find("02") is None


async def test_whose_issuer_and_number_are_known_is_known(
    audit: ContractProvisionings, issued: ContractCertificates, certificates: Certificates
) -> None:
    of_a, of_b = certificate(1, issuer="A"), certificate(1, issuer="B")
    for each, usage in ((of_a, "contract"), (of_b, "seen")):
        await audit.issued(entry(), each, usage=usage)
    await certificates.revoke(fingerprint_of(of_a))
    assert await issued.named(1, of_a.issuer) == ProvidedCertificate(ContractStatus.REVOKED, EMAID, PCID)
    assert await issued.named(1, of_b.issuer) == ProvidedCertificate(ContractStatus.ISSUED, EMAID, PCID)
    assert await issued.named(2, of_b.issuer) is None


async def test_whose_time_is_over_is_said_to_who_knows_no_dates(
    audit: ContractProvisionings, certificates: Certificates, database: Database
) -> None:
    of_a, of_b = certificate(1, issuer="A"), certificate(2, issuer="A")
    for each in (of_a, of_b):
        await audit.issued(entry(), each, usage="contract")
    await certificates.revoke("2")
    later = ContractCertificates(database, lambda: NOW + 60 * DAY)
    assert await later.named(1, of_a.issuer) == ProvidedCertificate(ContractStatus.EXPIRED, EMAID, PCID)
    assert await later.named(2, of_b.issuer) == ProvidedCertificate(ContractStatus.REVOKED, EMAID, PCID)
