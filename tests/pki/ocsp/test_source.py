"""OCSP at the edge: which certificates are asked about, where, for how long, and what stays known."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from cryptography import x509

from pki.certificate_hash import CertificateHash, certificate_hash
from pki.issuing import Hierarchy
from pki.ocsp.client import Cause, OcspUnavailable
from pki.ocsp.response import Answer
from pki.ocsp.source import OcspSource
from pki.revocation import Finding, RevocationSource, Status
from tests.pki.conftest import NOW
from tests.responders import HOUR, leaf_of

URL = "http://ocsp.example.com/"
Path = tuple[x509.Certificate, ...]


@dataclass
class Client:
    """What responders say, by certificate; nothing for those that aren't named."""

    says: dict[CertificateHash, Status] = field(default_factory=dict)
    holds: timedelta = HOUR
    asked: list[tuple[str, CertificateHash, timedelta]] = field(default_factory=list)
    answers: dict[CertificateHash, Answer] = field(default_factory=dict)
    gate: asyncio.Event | None = None
    recent: set[CertificateHash] = field(default_factory=set)

    async def ask(self, url: str, cert_id: CertificateHash, issuer: x509.Certificate, *, age_max: timedelta) -> Answer:
        self.asked.append((url, cert_id, age_max))
        if self.gate is not None:
            await self.gate.wait()
        if cert_id not in self.says:
            raise OcspUnavailable(Cause.AWAY, "nobody is there")
        self.answers[cert_id] = Answer(self.says[cert_id], "", NOW, NOW + self.holds, None, b"")
        return self.answers[cert_id]

    def has_recent(self, cert_id: CertificateHash, age_max: timedelta) -> bool:
        assert age_max == HOUR
        return cert_id in self.recent

    def last(self, cert_id: CertificateHash) -> Answer | None:
        return self.answers.get(cert_id)


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture(scope="module")
def path(hierarchy: Hierarchy) -> Path:
    leaf = leaf_of(hierarchy.issuing, NOW, responder=URL)
    return leaf, hierarchy.issuing.certificate, hierarchy.root.certificate


@pytest.fixture(scope="module")
def leaf(path: Path) -> CertificateHash:
    return certificate_hash(path[0], path[1])


def source(client: Client, at: timedelta = timedelta(), responder: str | None = None, wait: float = 5) -> OcspSource:
    made = OcspSource(
        client,  # type: ignore[arg-type]  # only what is here is asked
        responder=responder,
        refresh=HOUR,
        wait=wait,
        clock=lambda: NOW + at,
    )
    _: RevocationSource = made
    return made


@pytest.mark.parametrize("says", list(Status))
async def test_what_the_leafs_own_responder_says(
    client: Client, path: Path, leaf: CertificateHash, says: Status
) -> None:
    client.says = {leaf: says}
    assert (await source(client).status(path)).status is says
    assert client.asked == [(URL, leaf, HOUR)]
    assert source(client).known(path).status is says


async def test_a_responder_of_the_operators_choice(client: Client, path: Path, leaf: CertificateHash) -> None:
    client.says = {leaf: Status.GOOD}
    assert (await source(client, responder="http://mine/").status(path)).status is Status.GOOD
    assert client.asked == [("http://mine/", leaf, HOUR)]


@pytest.mark.parametrize("responder", [None, "http://mine/"])
async def test_what_is_known_already_is_not_asked_again(
    client: Client, path: Path, leaf: CertificateHash, responder: str | None
) -> None:
    client.says = {leaf: Status.GOOD}
    for _ in range(2):
        assert (await source(client, responder=responder).status(path)).status is Status.GOOD
        client.recent = {leaf}
    assert len(client.asked) == 1


async def test_nothing_is_known_before_anybody_was_asked(client: Client, path: Path) -> None:
    assert source(client).known(path).status is Status.UNKNOWN
    assert client.asked == []


async def test_a_certificate_that_names_nobody(client: Client, hierarchy: Hierarchy) -> None:
    path = leaf_of(hierarchy.issuing, NOW), hierarchy.issuing.certificate, hierarchy.root.certificate
    assert (await source(client).status(path)).status is Status.UNKNOWN
    assert client.asked == []


@pytest.mark.parametrize("length", [0, 1])
async def test_a_path_without_an_issuer(client: Client, path: Path, length: int) -> None:
    expected = Finding(Status.UNKNOWN, "its path holds no issuer")
    assert await source(client, responder=URL).status(path[:length]) == expected


async def test_an_intermediate_that_is_revoked(client: Client, path: Path, leaf: CertificateHash) -> None:
    issuing = certificate_hash(path[1], path[2])
    client.says = {leaf: Status.GOOD}
    client.answers[issuing] = Answer(Status.REVOKED, "cACompromise", NOW, NOW + HOUR, None, b"")
    finding = await source(client).status(path)
    assert finding.status is Status.REVOKED
    assert f"{path[1].serial_number:x} is revoked (cACompromise)" in finding.reason


async def test_the_reason_when_nobody_answers(client: Client, path: Path) -> None:
    assert await source(client).status(path) == Finding(Status.UNKNOWN, "nobody is there")


async def test_a_newcomer_is_not_held_for_longer_than_that(client: Client, path: Path) -> None:
    client.gate = asyncio.Event()
    finding = await source(client, wait=0.05).status(path)
    assert finding == Finding(Status.UNKNOWN, "no responder answered within 0.05 s")


async def test_what_is_good_is_so_until_its_end_and_what_is_revoked_for_ever(
    client: Client, path: Path, leaf: CertificateHash
) -> None:
    for says, after in ((Status.GOOD, Status.UNKNOWN), (Status.REVOKED, Status.REVOKED)):
        client.says = {leaf: says}
        await source(client).status(path)
        client.says = {}
        assert (await source(client, HOUR).status(path)).status is says
        late = HOUR + timedelta(seconds=1)
        assert source(client, late).known(path).status is after
        assert (await source(client, late).status(path)).status is after
