"""The embedded authority: a request in, a certificate out."""

import asyncio
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from pki.authority import AuthorityUnavailable, CertificateAuthority, IssuedCertificate, SigningRefused, SigningRequest
from pki.authority.crl_file import CrlFile
from pki.authority.local import LocalAuthority
from pki.csr import review
from pki.issuing import Hierarchy
from pki.keys import curve_name
from pki.paths import StationChainVerifier
from pki.pem_files import certificates_pem
from pki.profiles import load_profile
from pki.revocation import CrlStore, Finding, Status, parse_crls


class Clock:
    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(now: datetime) -> Clock:
    return Clock(now)


@pytest.fixture
def authority(tmp_path: Path, hierarchy: Hierarchy, clock: Clock) -> LocalAuthority:
    return LocalAuthority(tmp_path, hierarchy, clock)


@pytest.fixture
def request_(make_csr: Any) -> SigningRequest:
    return review(make_csr(), common_name="SN-1", organization="Example CPO").request_for("Example CPO")


async def test_a_certificate_that_lets_its_station_in(
    authority: LocalAuthority, request_: SigningRequest, clock: Clock, ec_key: ec.EllipticCurvePrivateKey
) -> None:
    issued = await authority.sign(request_)

    leaf, issuing = x509.load_pem_x509_certificates(issued.chain_pem.encode())
    assert leaf == issued.certificate
    assert leaf.public_key() == ec_key.public_key()
    assert leaf.subject.rfc4514_string() == "CN=SN-1,O=Example CPO"
    assert int(issued.serial, 16) == leaf.serial_number
    assert (issued.not_before, issued.not_after) == (clock.now - timedelta(hours=1), clock.now + timedelta(days=365))
    assert await authority.chain() == [issuing, authority.root]
    verifier = StationChainVerifier(
        certificates_pem([authority.root]).encode(), organization="Example CPO", clock=clock
    )
    verifier(leaf.public_bytes(Encoding.DER), [issuing.public_bytes(Encoding.DER)], "SN-1")


async def test_the_subject_comes_from_the_request_not_from_the_csr(
    authority: LocalAuthority, request_: SigningRequest
) -> None:
    issued = await authority.sign(replace(request_, common_name="SN-9", organization="Other"))

    assert issued.certificate.subject.rfc4514_string() == "CN=SN-9,O=Other"


async def test_signing_leaves_the_event_loop_alone(
    authority: LocalAuthority, request_: SigningRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []
    sign = authority._sign

    def noted(request: SigningRequest) -> IssuedCertificate:
        threads.append(threading.current_thread().name)
        return sign(request)

    monkeypatch.setattr(authority, "_sign", noted)

    await asyncio.gather(*(authority.sign(request_) for _ in range(3)))

    assert len(threads) == 3
    assert threading.main_thread().name not in threads


@pytest.mark.parametrize(
    ("change", "words"),
    [({"common_name": "10.0.0.1"}, "must not be shaped like a URL"), ({"common_name": "x" * 65}, "1 to 64")],
)
async def test_what_it_will_not_sign(
    authority: LocalAuthority, request_: SigningRequest, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(SigningRefused, match=words):
        await authority.sign(replace(request_, **change))


async def test_a_key_outside_the_profile(authority: LocalAuthority, make_csr: Any, request_: SigningRequest) -> None:
    weak = x509.load_pem_x509_csr(make_csr(key=ec.generate_private_key(ec.SECP256K1())).encode())

    with pytest.raises(SigningRefused, match="isn't one of P-256"):
        await authority.sign(replace(request_, csr=weak))


async def test_health_and_expiry(authority: LocalAuthority, request_: SigningRequest, clock: Clock) -> None:
    await authority.health()
    clock.now = authority._hierarchy.issuing.certificate.not_valid_after_utc + timedelta(seconds=1)

    with pytest.raises(AuthorityUnavailable, match=r"CN=Test station issuing CA .* expired on"):
        await authority.health()
    with pytest.raises(AuthorityUnavailable, match="the issuing CA expired on"):
        await authority.sign(request_)


async def test_what_it_revokes_stays_out(authority: LocalAuthority, request_: SigningRequest, clock: Clock) -> None:
    issued = await authority.sign(request_)
    path = (issued.certificate, *await authority.chain())
    store = CrlStore(clock=clock)

    store.replace(parse_crls(await authority.crl()))
    assert await store.status(path) == Finding(Status.GOOD)

    for _ in range(2):
        await authority.revoke(issued.serial, x509.ReasonFlags.key_compromise)
    store.replace(parse_crls(await authority.crl()))
    finding = await store.status(path)
    assert finding.status is Status.REVOKED
    assert "(keyCompromise)" in finding.reason


async def test_revoking_leaves_the_event_loop_alone(authority: LocalAuthority, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    monkeypatch.setattr(CrlFile, "revoke", lambda *_: threads.append(threading.current_thread().name))
    monkeypatch.setattr(CrlFile, "current", lambda *_: threads.append(threading.current_thread().name))

    await authority.revoke("1")
    await authority.crl()

    assert len(threads) == 2
    assert threading.main_thread().name not in threads


async def test_opening_makes_it_once(tmp_path: Path, clock: Clock, request_: SigningRequest) -> None:
    first = LocalAuthority.open(tmp_path / "ca", organization="Example CPO", clock=clock)
    second: CertificateAuthority = LocalAuthority.open(tmp_path / "ca", clock=clock)

    assert (await second.chain()) == (await first.chain())
    assert "O=Example CPO" in repr(second)
    assert (await second.sign(request_)).certificate.issuer == (await first.chain())[0].subject


def test_opening_what_is_damaged(tmp_path: Path, clock: Clock) -> None:
    LocalAuthority.open(tmp_path / "ca", clock=clock)
    (tmp_path / "ca" / "root.key").unlink()

    with pytest.raises(AuthorityUnavailable, match="half a CA"):
        LocalAuthority.open(tmp_path / "ca", clock=clock)


def test_a_ca_whose_certificates_need_a_curve(tmp_path: Path) -> None:
    authority = LocalAuthority.open(tmp_path / "ca", profile=load_profile("contract_20"))

    assert curve_name(authority.root.public_key()) == "P-521"
    assert "DC=MO" in authority.root.subject.rfc4514_string()
    assert curve_name(LocalAuthority.open(tmp_path / "other").root.public_key()) == "P-256"
