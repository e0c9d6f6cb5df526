"""What CRLs say about a path: a table of findings, and replays that don't bring a revoked certificate back."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pki import profiles
from pki.crl import parse_crls
from pki.issuing import Hierarchy, Issuer, issue, revocation_list
from pki.revocation import CLOCK_SKEW_MAX, ISSUERS_MAX, Crl, CrlStore, Finding, RevocationSource, Status

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


class Case:
    """A station's path, and a store of CRLs at a time that can be changed."""

    def __init__(self, hierarchy: Hierarchy, now: datetime, key: ec.EllipticCurvePublicKey) -> None:
        self.hierarchy = hierarchy
        self.now = now
        self.issuing = hierarchy.issuing
        self.leaf = issue(
            self.issuing, profiles.charging_station(), key, common_name="SN-1", organization="Example CPO", now=now
        )
        self.path = (self.leaf, self.issuing.certificate, hierarchy.root.certificate)
        self.store = CrlStore(clock=lambda: self.now)

    def crl(
        self, *revoked: x509.Certificate, number: int = 7, by: Issuer | None = None, at: datetime | None = None
    ) -> Crl:
        when = at or self.now
        entries = [
            x509.RevokedCertificateBuilder().serial_number(each.serial_number).revocation_date(when).build()
            for each in revoked
        ]
        signed = revocation_list(by or self.issuing, entries, number=number, now=when, lifetime=7 * DAY)
        return parse_crls(signed.public_bytes(Encoding.DER))[0]

    def other(self, *extensions: Any, until: datetime | None, revoked: x509.Certificate | None = None) -> Crl:
        """A CRL of any shape. pyca makes none without nextUpdate, so that one is changed after reading."""
        builder = x509.CertificateRevocationListBuilder(
            self.issuing.certificate.subject, self.now, until or self.now + DAY
        )
        if revoked is not None:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(revoked.serial_number).revocation_date(self.now).build()
            )
        for value in extensions:
            builder = builder.add_extension(value, critical=True)
        (read,) = parse_crls(builder.sign(self.issuing.key, hashes.SHA256()).public_bytes(Encoding.PEM))
        return read if until else replace(read, next_update=None)

    async def finding(self, *crls: Crl) -> Finding:
        self.store.replace(crls)
        return await self.store.status(self.path)

    async def status(self, *crls: Crl) -> Status:
        return (await self.finding(*crls)).status


@pytest.fixture
def case(hierarchy: Hierarchy, now: datetime, ec_key: ec.EllipticCurvePrivateKey) -> Case:
    return Case(hierarchy, now, ec_key.public_key())


async def test_good_revoked_and_unknown(case: Case) -> None:
    source: RevocationSource = case.store
    assert source.known(case.path) == await source.status(case.path)
    assert (await source.status(case.path)).reason.startswith("there is no CRL of CN=Test station issuing CA")

    assert await case.finding(case.crl()) == Finding(Status.GOOD)
    revoked = await case.finding(case.crl(case.leaf, number=8))
    assert revoked.status is Status.REVOKED
    assert revoked.reason.startswith(
        f"{case.leaf.serial_number:x} is revoked (unspecified) by CRL 8 of CN=Test station"
    )
    assert await case.status() is Status.UNKNOWN


async def test_the_ca_of_a_station_is_revoked(case: Case) -> None:
    by_root = case.crl(case.issuing.certificate, by=case.hierarchy.root)

    for crls in ([by_root], [by_root, case.crl()]):
        assert await case.status(*crls) is Status.REVOKED


async def test_one_of_which_only_the_serial_number_is_known(case: Case, foreign: Hierarchy) -> None:
    case.store.replace([case.crl(case.leaf)])
    issuer = case.issuing.certificate
    assert case.store.why_revoked(case.leaf.serial_number, issuer) == (await case.store.status(case.path)).reason
    assert case.store.why_revoked(case.leaf.serial_number + 1, issuer) == ""
    assert case.store.why_revoked(case.leaf.serial_number, foreign.issuing.certificate) == ""


async def test_an_intermediate_about_which_nothing_is_known(case: Case) -> None:
    assert await case.status(case.crl()) is Status.GOOD
    assert await case.status(case.crl(by=case.hierarchy.root)) is Status.UNKNOWN, "the root's says nothing of the leaf"


async def test_a_path_without_issuer(case: Case) -> None:
    for path in ((), (case.hierarchy.root.certificate,)):
        assert (await case.store.status(path)).status is Status.UNKNOWN


async def test_the_same_serial_number_of_another_ca(case: Case, foreign: Hierarchy) -> None:
    assert await case.status(case.crl(case.leaf, by=foreign.issuing)) is Status.UNKNOWN
    assert await case.status(case.crl(case.leaf, by=foreign.issuing), case.crl()) is Status.GOOD


async def test_a_forged_crl(case: Case, foreign: Hierarchy) -> None:
    """Of the right name and a great number, but another's key: it neither revokes, nor clears, nor hides."""
    forged = Issuer(case.issuing.certificate, foreign.issuing.key)

    assert await case.status(case.crl(case.leaf, number=99, by=forged)) is Status.UNKNOWN
    assert await case.status(case.crl(case.leaf, number=99, by=forged), case.crl()) is Status.GOOD
    assert await case.status(case.crl(number=99, by=forged), case.crl(case.leaf, number=8)) is Status.REVOKED


@pytest.mark.parametrize(
    ("later", "status", "words"),
    [
        (-CLOCK_SKEW_MAX - SECOND, Status.UNKNOWN, "compare its CA's clock"),
        (-CLOCK_SKEW_MAX, Status.GOOD, ""),
        (7 * DAY, Status.GOOD, ""),
        (7 * DAY + SECOND, Status.UNKNOWN, "is stale since"),
    ],
)
async def test_dates(case: Case, later: timedelta, status: Status, words: str) -> None:
    plain, listed = case.crl(), case.crl(case.leaf, number=8)
    case.now += later

    finding = await case.finding(plain)
    assert finding.status is status
    assert words in finding.reason
    assert await case.status(listed) is Status.REVOKED, "revocation doesn't grow stale"


async def test_a_crl_that_never_ends(case: Case) -> None:
    finding = await case.finding(case.other(until=None))
    assert finding.status is Status.UNKNOWN
    assert "doesn't say until when" in finding.reason
    assert await case.status(case.other(until=None, revoked=case.leaf)) is Status.REVOKED


@pytest.mark.parametrize(
    ("only", "status"),
    [("user", Status.GOOD), ("ca", Status.UNKNOWN), ("attribute", Status.UNKNOWN), ("indirect", Status.UNKNOWN)],
)
async def test_crls_about_some_certificates(case: Case, only: str, status: Status) -> None:
    point = x509.IssuingDistributionPoint(
        full_name=None,
        relative_name=None,
        only_contains_user_certs=only == "user",
        only_contains_ca_certs=only == "ca",
        only_some_reasons=None,
        indirect_crl=only == "indirect",
        only_contains_attribute_certs=only == "attribute",
    )

    assert await case.status(case.other(point, until=case.now + DAY)) is status


async def test_a_delta(case: Case) -> None:
    delta = case.other(x509.DeltaCRLIndicator(3), until=case.now + DAY, revoked=case.leaf)

    assert await case.status(delta) is Status.UNKNOWN
    assert await case.status(delta, case.crl()) is Status.GOOD
    assert {held.fault is None: held.in_use for held in case.store.summary()} == {True: True, False: False}


async def test_crls_for_parts_stand_side_by_side(case: Case) -> None:
    """One for CAs is newer than the one for stations; both count."""
    point = x509.IssuingDistributionPoint(
        None, None, False, True, None, False, False  # onlyContainsCACerts
    )  # fmt: skip
    for_cas = case.other(x509.CRLNumber(99), point, until=case.now + DAY)

    assert await case.status(for_cas, case.crl(case.leaf)) is Status.REVOKED
    assert await case.status(for_cas, case.crl(number=8)) is Status.GOOD


async def test_the_newest_of_several(case: Case) -> None:
    old, new = case.crl(number=7), case.crl(case.leaf, number=8)

    for crls in ([old, new], [new, old]):
        assert await case.status(*crls) is Status.REVOKED
    lifted = case.crl(number=8, at=case.now + SECOND)
    assert await case.status(new, lifted) is Status.GOOD, "of the same number the later one"


async def test_a_replay_changes_nothing(case: Case) -> None:
    old, new = case.crl(number=7), case.crl(case.leaf, number=8)
    assert await case.status(new) is Status.REVOKED

    assert await case.status(old) is Status.REVOKED, "the newer one stays"
    assert await case.status() is Status.UNKNOWN, "taken away by the operator"
    assert await case.status(old) is Status.UNKNOWN, "its number is remembered"
    assert [held.in_use for held in case.store.summary()] == [False]
    assert await case.status(case.crl(number=9)) is Status.GOOD


async def test_a_replay_before_anybody_came(case: Case) -> None:
    old, new = case.crl(number=7), case.crl(case.leaf, number=8)
    store = CrlStore([new], issuers=[case.issuing.certificate], clock=lambda: case.now)

    store.replace([old])

    assert (await store.status(case.path)).status is Status.REVOKED


async def test_a_stale_newest_one_is_not_stood_in_for(case: Case) -> None:
    newest = case.crl(number=8, at=case.now - 8 * DAY)

    assert await case.status(newest, case.crl(number=7)) is Status.UNKNOWN


async def test_two_certificates_of_one_ca(case: Case) -> None:
    """The CA under a second root: whichever stands in the path, what the CA says is the same."""
    subject, key = case.issuing.certificate.subject, case.issuing.key
    again = x509.CertificateBuilder(subject, subject, key.public_key(), 77, case.now, case.now + DAY)
    usage = x509.KeyUsage(False, False, False, False, False, True, False, False, False)  # certSign alone
    mute = again.add_extension(usage, critical=True).sign(key, hashes.SHA256())
    case.store.replace([case.crl(case.leaf)])

    for ca, status in [(mute, Status.UNKNOWN), (case.issuing.certificate, Status.REVOKED), (mute, Status.REVOKED)]:
        assert (await case.store.status((case.leaf, ca))).status is status
    case.store.replace([case.crl(case.leaf, number=8)])
    assert (await case.store.status((case.leaf, again.sign(key, hashes.SHA256())))).status is Status.REVOKED


async def test_what_is_remembered_is_bounded(case: Case, foreign: Hierarchy) -> None:
    case.store.replace([case.crl(number=8)])
    await case.store.status(case.path)
    authorities = case.store._authorities
    authority = authorities[case.issuing.certificate]
    authorities.update({f"CA {n}": authority for n in range(ISSUERS_MAX)})  # type: ignore[misc]  # stand-ins

    await case.store.status((case.leaf, foreign.issuing.certificate))

    assert len(case.store._authorities) == 1
    assert await case.status(case.crl(number=7)) is Status.UNKNOWN, "the numbers stay"


async def test_the_summary(case: Case) -> None:
    case.store.replace([case.crl(case.leaf)])
    assert [held.in_use for held in case.store.summary()] == [False], "nobody of that CA has come yet"

    await case.store.status(case.path)

    (held,) = case.store.summary()
    assert held.label.startswith("CRL 7 of CN=Test station issuing CA")
    assert (held.this_update, held.next_update) == (case.now, case.now + 7 * DAY)
    assert (held.revoked, held.in_use, held.fault) == (1, True, None)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_once_revoked_never_back(numbered: tuple[Case, list[Crl]], data: st.DataObject) -> None:
    """CRL 1 and 2 clear the leaf, 3 and 4 revoke it: in whatever order they come, none clears it after a later one."""
    case, crls = numbered
    case.store = CrlStore(issuers=[case.issuing.certificate], clock=lambda: case.now)
    newest = 0
    for batch in data.draw(st.lists(st.lists(st.integers(1, 4), max_size=3), max_size=6)):
        newest = max([newest, *batch])
        status = await case.status(*(crls[number - 1] for number in batch))
        assert status is not Status.GOOD or newest <= 2
        assert status is Status.REVOKED or newest not in batch or newest <= 2


@pytest.fixture
def numbered(case: Case) -> tuple[Case, list[Crl]]:
    return case, [case.crl(*([case.leaf] if number > 2 else []), number=number) for number in (1, 2, 3, 4)]
