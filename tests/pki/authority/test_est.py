"""The authority behind EST, against a server over real TLS."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pki.authority import (
    AuthorityUnavailable,
    CertificateAuthority,
    IssuedMismatch,
    RevocationUnsupported,
    SigningPending,
    SigningRefused,
    SigningRequest,
)
from pki.authority.est import EstAuthority
from pki.csr import review
from pki.est.client import EstClient
from pki.est.own_certificate import OwnCertificate
from tests.est_server import EstServer, given, running_est

CN, O = NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME  # noqa: E741  # what it is called


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EstServer]:
    async with running_est(EstServer(tmp_path)) as running:
        yield running


class Waits:
    """A clock's other half: what was waited for, without waiting."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
async def authority(server: EstServer, waits: Waits) -> AsyncIterator[EstAuthority]:
    client = EstClient(server.url, server.trust())
    own = OwnCertificate(client, server.certificate)
    yield EstAuthority(client, own=own, pending_max=10, sleep=waits.sleep)
    await client.close()


def wanted(pem: str) -> SigningRequest:
    return review(pem, common_name="SN-1", organization="Example CPO").request_for("Example CPO")


async def test_a_certificate_and_its_way_up(authority: EstAuthority, server: EstServer, make_csr: Any) -> None:
    protocol: CertificateAuthority = authority
    request = wanted(make_csr())
    issued = await protocol.sign(request)

    assert issued.certificate.public_key() == request.csr.public_key()
    assert x509.load_pem_x509_certificates(issued.chain_pem.encode()) == [
        issued.certificate,
        server.cas.issuing.certificate,
    ]
    assert await authority.chain() == [server.cas.issuing.certificate, server.cas.root.certificate]
    await authority.health()


async def test_a_chain_that_comes_along_in_any_order(authority: EstAuthority, server: EstServer, make_csr: Any) -> None:
    request = wanted(make_csr())
    leaf = server.sign(request.csr, server.cas)

    async def answer(asked: web.Request) -> web.Response:
        if asked.path.endswith("cacerts"):
            return given([server.cas.root.certificate])
        return given([server.cas.root.certificate, server.cas.issuing.certificate, leaf])

    server.answer = answer
    issued = await authority.sign(request)

    assert x509.load_pem_x509_certificates(issued.chain_pem.encode()) == [leaf, server.cas.issuing.certificate]


async def test_a_country_that_the_csr_brings(authority: EstAuthority, make_csr: Any) -> None:
    issued = await authority.sign(
        wanted(make_csr(names=[(NameOID.COUNTRY_NAME, "NL"), (O, "Example CPO"), (CN, "SN-1")]))
    )

    assert "C=NL" in issued.certificate.subject.rfc4514_string()


async def test_what_the_ca_would_copy_is_refused_before(
    authority: EstAuthority, server: EstServer, make_csr: Any
) -> None:
    pem = make_csr(names=[(CN, "SN-1"), (O, "Example CPO"), (NameOID.ORGANIZATIONAL_UNIT_NAME, "admins")])
    with pytest.raises(SigningRefused, match="subject holds OU, and this CA copies it"):
        await authority.sign(wanted(pem))
    assert server.asked == []


async def test_an_o_that_the_csr_lacks(authority: EstAuthority, make_csr: Any) -> None:
    with pytest.raises(
        IssuedMismatch, match=r"has no O, .*SecurityCtrlr\.OrganizationName.*revoke [0-9a-f]+ at the CA"
    ):
        await authority.sign(wanted(make_csr(names=[(CN, "SN-1")])))


async def test_a_decision_that_comes_soon(
    authority: EstAuthority, server: EstServer, make_csr: Any, waits: Waits
) -> None:
    server.pending, server.retry_after = 3, "3"
    issued = await authority.sign(wanted(make_csr()))

    assert issued.certificate.subject
    assert waits.seconds == [3, 3, 3]
    assert len({body for _, body in server.asked}) == 1


async def test_a_decision_that_takes_its_time_is_picked_up_later(
    authority: EstAuthority, server: EstServer, make_csr: Any, waits: Waits
) -> None:
    server.pending, server.retry_after = 1, "31"
    request = wanted(make_csr())
    with pytest.raises(SigningPending, match=r"\(202\); ask again in 31 s") as caught:
        await authority.sign(request)
    assert (waits.seconds, caught.value.retry_after) == ([], 31)
    assert isinstance(caught.value, AuthorityUnavailable)

    issued = await authority.sign(request)
    assert issued.certificate.public_key() == request.csr.public_key()


async def test_other_certificates_than_ours(authority: EstAuthority, server: EstServer, make_csr: Any) -> None:
    request = wanted(make_csr())
    other = wanted(make_csr(key=ec.generate_private_key(ec.SECP256R1())))
    strange = server.sign(request.csr, server.ras)

    async def answer(asked: web.Request) -> web.Response:
        if asked.path.endswith("cacerts"):
            return given([server.cas.root.certificate, server.cas.issuing.certificate])
        return given(certificates)

    server.answer = answer
    certificates = [server.sign(other.csr, server.cas)]
    with pytest.raises(IssuedMismatch, match="none of the certificates that came is for the key"):
        await authority.sign(request)
    # A root that comes along with a certificate is nobody's trust anchor.
    certificates = [strange, server.ras.issuing.certificate, server.ras.root.certificate]
    with pytest.raises(IssuedMismatch, match="lead from the certificate to no root"):
        await authority.sign(request)


async def test_what_a_ca_adds_and_what_it_must_not(authority: EstAuthority, server: EstServer, make_csr: Any) -> None:
    place = x509.DistributionPoint([x509.UniformResourceIdentifier("http://ca.example/crl")], None, None, None)
    server.further = lambda builder: builder.add_extension(x509.CRLDistributionPoints([place]), critical=False)
    await authority.sign(wanted(make_csr()))

    names = x509.SubjectAlternativeName([x509.DNSName("sn-1.example.com")])
    server.further = lambda builder: builder.add_extension(names, critical=False)
    with pytest.raises(IssuedMismatch, match=r"alternative names \(A00\.FR\.511\)"):
        await authority.sign(wanted(make_csr()))
    server.further, server.lifetime = (lambda builder: builder), timedelta(days=800)
    with pytest.raises(IssuedMismatch, match="its profile doesn't allow"):
        await authority.sign(wanted(make_csr()))


async def test_a_station_that_takes_less(authority: EstAuthority, make_csr: Any) -> None:
    with pytest.raises(IssuedMismatch, match="this station takes 500"):
        await authority.sign(replace(wanted(make_csr()), chain_size_max=500))


async def test_what_est_can_not_do(authority: EstAuthority, server: EstServer) -> None:
    with pytest.raises(RevocationUnsupported, match=f"revoke abc at the CA behind {server.url}"):
        await authority.revoke("abc")
    with pytest.raises(AuthorityUnavailable, match=r"under revocation\.crls"):
        await authority.crl()


async def test_health_is_the_servers_and_our_own(server: EstServer, authority: EstAuthority) -> None:
    ours = server.chain.read_bytes()
    server.new_ra(datetime.now(UTC) - timedelta(days=400))
    with pytest.raises(AuthorityUnavailable, match=r"ra\.pem: our certificate is valid from .* enrol it anew"):
        await authority.health()
    server.chain.write_bytes(b"nothing")
    with pytest.raises(AuthorityUnavailable, match=r"ra\.pem"):
        await authority.health()
    server.chain.write_bytes(ours)
    later = EstClient(server.url, server.trust(shows_certificate=False))
    far = EstAuthority(later, clock=lambda: datetime.now(UTC) + timedelta(days=365 * 30))
    with pytest.raises(AuthorityUnavailable, match=r"issuing CA .* isn't valid now"):
        await far.health()
    await later.close()
    assert repr(far) == f"EstAuthority({server.url}/.well-known/est)"
