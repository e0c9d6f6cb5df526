"""The application's own check of a certificate: whose it is, how old, and whether it is revoked."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.edge.refusals import CertificateRejected, Reason
from gateway.edge.station_certificates import StationCertificateCheck
from gateway.session.ports import Provisional, StationRecord, StoreAway
from pki import profiles
from pki.issuing import Hierarchy, issue, new_hierarchy
from pki.paths import StationChainVerifier
from pki.pem_files import certificates_pem
from pki.revocation import Finding, Status

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
OPERATOR = new_hierarchy("Test station", "Example CPO", NOW)
MAKER = new_hierarchy("Test maker", "Example Maker", NOW)
FOREIGN = new_hierarchy("Foreign", "Example CPO", NOW)
KEY = ec.generate_private_key(ec.SECP256R1())
RECORD = StationRecord("CS1", minimum_profile=3, serial="SN1")
GRACED = replace(RECORD, allow_expired=True)


class Lists:
    """A source of revocation that says what it is told to."""

    def __init__(self, status: Status = Status.GOOD) -> None:
        self.status_of_all = status
        self.asked: list[Sequence[x509.Certificate]] = []

    async def status(self, path: Sequence[x509.Certificate]) -> Finding:
        self.asked.append(path)
        return self.known(path)

    def known(self, path: Sequence[x509.Certificate]) -> Finding:
        return Finding(self.status_of_all, "says the list")


class Desk:
    """The check, at a time that can be changed."""

    def __init__(
        self, *sources: Lists, when_unknown: Literal["refuse", "accept"] = "refuse", with_factory: bool = True
    ) -> None:
        self.now = NOW
        self.revoked: set[str] = set()
        self.issued_to: dict[tuple[str, str], str] = {}
        """The other station, by identity and fingerprint."""
        self.is_away = False
        self.check = StationCertificateCheck(
            operator=self.verifier(OPERATOR),
            organizations=frozenset({"Example CPO", "Example Partner"}),
            factory=self.verifier(MAKER) if with_factory else None,
            revocation=sources,
            when_unknown=when_unknown,
            revoked_here=self.revoked.__contains__,
            other_owner=self.other_owner,
            clock=lambda: self.now,
        )

    async def other_owner(self, identity: str, fingerprint: str) -> str | None:
        if self.is_away:
            raise StoreAway("locked")
        return self.issued_to.get((identity, fingerprint))

    def verifier(self, hierarchy: Hierarchy) -> StationChainVerifier:
        return StationChainVerifier(certificates_pem([hierarchy.root.certificate]).encode(), clock=lambda: self.now)

    async def ask(
        self, leaf: x509.Certificate, hierarchy: Hierarchy = OPERATOR, record: StationRecord = RECORD
    ) -> tuple[tuple[x509.Certificate, ...], Provisional | None]:
        issuing = hierarchy.issuing.certificate.public_bytes(Encoding.DER)
        return await self.check(leaf.public_bytes(Encoding.DER), [issuing], record)

    async def refusal(self, *args: Any, **kwargs: Any) -> CertificateRejected:
        with pytest.raises(CertificateRejected) as caught:
            await self.ask(*args, **kwargs)
        return caught.value


def leaf_of(hierarchy: Hierarchy = OPERATOR, name: str = "SN1", owner: str = "Example CPO") -> x509.Certificate:
    return issue(
        hierarchy.issuing, profiles.charging_station(), KEY.public_key(), common_name=name, organization=owner, now=NOW
    )


LEAF = leaf_of()
FACTORY = leaf_of(MAKER, owner="Example Maker")
LONG_AFTER = LEAF.not_valid_after_utc + timedelta(days=1)


@pytest.mark.parametrize("owner", ["Example CPO", "Example Partner"])
async def test_the_operators_certificate_with_the_registered_name(owner: str) -> None:
    leaf = leaf_of(owner=owner)
    assert await Desk().ask(leaf) == (
        (leaf, OPERATOR.issuing.certificate, OPERATOR.root.certificate),
        None,
    )


@pytest.mark.parametrize(
    ("leaf", "hierarchy", "complaint"),
    [
        (leaf_of(name="SN2"), OPERATOR, "A00.FR.405"),
        (leaf_of(owner="Example Rival"), OPERATOR, "A00.FR.404"),
        (leaf_of(FOREIGN), FOREIGN, "no path to a trusted root"),
        (leaf_of(MAKER, name="SN2", owner="Example Maker"), MAKER, "as a factory certificate: .*A00.FR.405"),
    ],
)
async def test_refused(leaf: x509.Certificate, hierarchy: Hierarchy, complaint: str) -> None:
    for with_factory in (True, False):
        refusal = await Desk(with_factory=with_factory).refusal(leaf, hierarchy)
        assert refusal.reason is Reason.CERTIFICATE
        if with_factory:
            assert re.search(complaint, str(refusal))


async def test_a_factory_certificate_is_provisional_whoever_its_organization() -> None:
    path, provisional = await Desk().ask(FACTORY, MAKER)
    assert path[0] == FACTORY
    assert provisional is Provisional.FACTORY
    await Desk(with_factory=False).refusal(FACTORY, MAKER)


@pytest.mark.parametrize(
    ("leaf", "hierarchy", "provisional"),
    [(LEAF, OPERATOR, Provisional.EXPIRED), (FACTORY, MAKER, Provisional.FACTORY)],
)
async def test_expired_only_where_that_is_allowed_for_the_station(
    leaf: x509.Certificate, hierarchy: Hierarchy, provisional: Provisional
) -> None:
    desk = Desk()
    desk.now = leaf.not_valid_after_utc
    await desk.ask(leaf, hierarchy)
    desk.now += timedelta(seconds=1)
    assert "expired" in str(await desk.refusal(leaf, hierarchy))
    assert (await desk.ask(leaf, hierarchy, GRACED))[1] is provisional
    assert "expired" in str(await desk.refusal(leaf, hierarchy))


async def test_the_exception_says_nothing_of_a_certificate_that_is_in_order_or_not_yet_valid() -> None:
    desk = Desk()
    assert (await desk.ask(LEAF, record=GRACED))[1] is None
    desk.now = LEAF.not_valid_before_utc - timedelta(hours=1)
    await desk.refusal(LEAF, record=GRACED)


@pytest.mark.parametrize("revoked", [LEAF, OPERATOR.issuing.certificate])
async def test_what_was_revoked_here_is_out_before_anybody_is_asked(revoked: x509.Certificate) -> None:
    lists = Lists()
    desk = Desk(lists)
    path, _ = await desk.ask(LEAF)
    assert await desk.check.still_good(path) is None
    lists.asked.clear()
    desk.revoked.add(revoked.fingerprint(SHA256()).hex())
    refusal = await desk.refusal(LEAF)
    assert refusal.reason is Reason.REVOKED
    assert f"{revoked.serial_number:x}" in str(refusal)
    assert f"{revoked.serial_number:x}" in (await desk.check.still_good(path) or "")
    assert lists.asked == []


@pytest.mark.parametrize(("leaf", "hierarchy"), [(LEAF, OPERATOR), (FACTORY, MAKER)])
async def test_what_was_issued_to_another_is_not_its_own_whatever_its_name(
    leaf: x509.Certificate, hierarchy: Hierarchy
) -> None:
    lists = Lists()
    desk = Desk(lists)
    path, _ = await desk.ask(leaf, hierarchy)
    assert await desk.check.why_of_another("CS1", path) is None
    lists.asked.clear()
    desk.issued_to["CS1", leaf.fingerprint(SHA256()).hex()] = "CS0"
    refusal = await desk.refusal(leaf, hierarchy)
    assert refusal.reason is Reason.CERTIFICATE_OF_ANOTHER
    assert str(refusal) == await desk.check.why_of_another("CS1", path)
    assert "issued to CS0" in str(refusal)
    assert lists.asked == []


async def test_while_it_cannot_be_said_whose_it_is_nobody_comes_in() -> None:
    desk = Desk()
    desk.is_away = True
    with pytest.raises(StoreAway):
        await desk.ask(LEAF)


GOOD, REVOKED, UNKNOWN = Status.GOOD, Status.REVOKED, Status.UNKNOWN


@pytest.mark.parametrize(
    ("said", "when_unknown", "reason"),
    [
        ((), "refuse", None),
        ((GOOD,), "refuse", None),
        ((REVOKED,), "accept", Reason.REVOKED),
        ((UNKNOWN,), "refuse", Reason.REVOCATION_UNKNOWN),
        ((UNKNOWN,), "accept", None),
        ((UNKNOWN, GOOD), "refuse", None),
        ((GOOD, UNKNOWN), "refuse", None),
        ((UNKNOWN, UNKNOWN), "refuse", Reason.REVOCATION_UNKNOWN),
        ((GOOD, REVOKED), "accept", Reason.REVOKED),
        ((UNKNOWN, REVOKED), "refuse", Reason.REVOKED),
    ],
)
async def test_what_the_sources_say(
    said: tuple[Status, ...], when_unknown: Literal["refuse", "accept"], reason: Reason | None
) -> None:
    desk = Desk(*map(Lists, said), when_unknown=when_unknown)
    if reason is None:
        path, _ = await desk.ask(LEAF)
        assert len(path) == 3
        return
    refusal = await desk.refusal(LEAF)
    assert refusal.reason is reason
    assert "says the list" in str(refusal)


async def test_a_live_session_ends_by_revocation_and_by_nothing_less() -> None:
    lists = Lists()
    desk = Desk(lists)
    path, _ = await desk.ask(LEAF)
    desk.now = LONG_AFTER
    assert await desk.check.still_good(path) is None
    lists.status_of_all = UNKNOWN
    assert await desk.check.still_good(path) is None
    lists.status_of_all = REVOKED
    assert await desk.check.still_good(path) == "revoked: says the list"
    assert len(lists.asked) == 1, "about a session that runs nobody is asked"


async def test_the_whole_path_is_asked_about_at_every_accept() -> None:
    lists = Lists()
    desk = Desk(lists)
    for _ in range(2):
        path, _ = await desk.ask(LEAF)
    assert lists.asked == [path, path]


async def test_trust_can_be_replaced() -> None:
    desk = Desk()
    desk.check.trust(desk.verifier(FOREIGN), None)
    assert (await desk.ask(leaf_of(FOREIGN), FOREIGN))[1] is None
    await desk.refusal(LEAF)
    await desk.refusal(FACTORY, MAKER)
