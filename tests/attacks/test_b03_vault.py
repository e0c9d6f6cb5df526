"""Attack B3: Vault sealed, standby, slow, limited, broken, its token over; or it answers something else than was asked.

The stand-in plays a Vault that holds a CA and does to one request what a healthy one never does. Whatever that is: no
failure passes for a certificate, what may have been signed isn't asked for again, and the next station gets its own.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from pki import profiles
from pki.authority import AuthorityError, AuthorityUnavailable, IssuedMismatch, OutcomeUnknown, SigningRequest
from pki.authority.vault import VaultAuthority
from pki.client_tls import TlsTrust
from pki.csr import review
from pki.issuing import issue, new_hierarchy
from pki.keys import check_key
from pki.pem_files import certificates_pem
from pki.vault import connection as connection_module
from pki.vault.connection import VaultConnection
from pki.vault.logins import AppRoleLogin
from tests.vault_standin import LOOKUP, Asked, Reply, StandIn, failed, standing_in

SIGN, REVOKE, LOGIN = (("POST", f"/v1/{path}") for path in ("pki/sign/station", "pki/revoke", "auth/approle/login"))
TIMEOUT = 5.0
"""Seconds for each question: a machine under load answers within them."""
SHORT = 1.0
"""Seconds, where the answer never comes."""
CA, OTHER_CA = (new_hierarchy("Test station", "Example CPO", datetime.now(UTC)) for _ in range(2))


def csr_of(serial: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, serial)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return csr.public_bytes(Encoding.PEM).decode()


def request_of(serial: str) -> SigningRequest:
    return review(csr_of(serial), common_name=serial, organization="Example CPO").request_for("Example CPO")


def signed(asked: Asked, *, csr: str = "", name: str = "", issuer: Any = CA, operator: str = "Example CPO") -> Any:
    """Do as Vault does; the keywords are what it does wrong."""
    profile = profiles.charging_station()
    key = check_key(x509.load_pem_x509_csr((csr or asked.body["csr"]).encode()).public_key(), profile.keys)
    now = datetime.now(UTC)
    name = name or asked.body["common_name"]
    leaf = issue(CA.issuing, profile, key, common_name=name, organization=operator, now=now)
    above = [issuer.issuing.certificate, issuer.root.certificate]
    return {"data": {"certificate": certificates_pem([leaf]), "ca_chain": [certificates_pem([ca]) for ca in above]}}


SIGNED = Reply(200, signed)
GRANTED = Reply(200, {"auth": {"client_token": "t", "lease_duration": 3600, "renewable": True}})
DENIED = failed(403, "permission denied")


def changed(**how: Any) -> Reply:
    return Reply(200, lambda asked: signed(asked, **how))


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[StandIn]:
    with standing_in(tmp_path, trustme.CA()) as server:
        server.say(*LOGIN, GRANTED)
        server.say(*SIGN, SIGNED)
        server.say(*REVOKE, Reply(200, {"data": {"revocation_time": 1}}))
        yield server


@pytest.fixture
async def authority(
    vault: StandIn, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[VaultAuthority]:
    """By default each question has TIMEOUT seconds, the one for a node's health, too."""
    monkeypatch.setattr("pki.vault.connection.PROBE_TIMEOUT", TIMEOUT)
    login = AppRoleLogin("gateway", lambda: "hunter2")
    timeout = getattr(request, "param", TIMEOUT)
    connection = VaultConnection([vault.address], login, trust=TlsTrust(vault.roots), timeout=timeout)
    yield VaultAuthority(connection, mount="pki", role="station")
    await connection.close()


async def its_own(authority: VaultAuthority, serial: str) -> None:
    issued = await authority.sign(request_of(serial))
    (name,) = issued.certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    assert name.value == serial


@pytest.mark.parametrize(
    "trouble",
    [
        failed(503, "Vault is sealed"),
        failed(473),
        failed(500, "local node not active but active cluster node not found"),
        failed(429, "request rate limit exceeded", Retry_After="0"),
    ],
    ids=lambda reply: str(reply.status),
)
async def test_trouble_that_passes_is_not_noticed(vault: StandIn, authority: VaultAuthority, trouble: Reply) -> None:
    vault.say(*SIGN, trouble, SIGNED)

    await its_own(authority, "SN-1")


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (failed(500, "internal error"), "Vault failed at pki/sign/station"),
        (failed(503, "no healthy upstream"), "Vault failed at pki/sign/station"),
        (Reply(502, b"<html>Bad Gateway</html>"), "Vault failed at pki/sign/station"),
        (Reply(0), "broke off"),
        (Reply(200, b"{", {"Content-Type": "application/json"}), "isn't JSON"),
        (Reply(200, []), "has no data"),
        (Reply(200, {"data": {"certificate": "no", "ca_chain": ["no"]}}), "can't be decoded"),
        (Reply(200, {"data": {"certificate": 7, "ca_chain": [7]}}), "can't be decoded"),
        (Reply(200, {"data": {"certificate": "x", "ca_chain": ["x"] * 11}}), "no chain of 1 to 10|can't be decoded"),
        (Reply(200, b"x" * (1024 * 1024 + 1)), "more than 1048576 bytes"),
        (Reply(204, b""), "has no data"),
    ],
    ids=lambda case: repr(case)[:60],
)
async def test_what_may_have_been_signed_is_not_signed_twice(
    vault: StandIn, authority: VaultAuthority, trouble: Reply, words: str
) -> None:
    vault.say(*SIGN, trouble, SIGNED)

    with pytest.raises(OutcomeUnknown, match=words):
        await authority.sign(request_of("SN-1"))
    assert vault.count(*SIGN) == 1
    await its_own(authority, "SN-2")


@pytest.mark.parametrize("authority", [SHORT], indirect=True)
async def test_a_vault_that_never_answers(vault: StandIn, authority: VaultAuthority) -> None:
    """A hundred stations wait for it; the event loop doesn't, and no thread is lost."""
    gate = threading.Event()
    vault.say(*SIGN, Reply(200, signed, gate=gate))
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.005)
            turns += 1

    requests = [request_of(f"SN-{n}") for n in range(100)]
    watching = asyncio.create_task(turn())
    await asyncio.sleep(0)
    heard = await asyncio.gather(*map(authority.sign, requests), return_exceptions=True)
    assert all(isinstance(each, AuthorityUnavailable) for each in heard)
    watching.cancel()
    assert turns > len(requests) // 10, "the loop had its turns meanwhile"
    gate.set()
    vault.say(*SIGN, SIGNED)
    await its_own(authority, "SN-1")


async def test_a_token_that_is_over_in_the_middle(vault: StandIn, authority: VaultAuthority) -> None:
    await its_own(authority, "SN-1")
    vault.say(*LOOKUP, DENIED)
    vault.say(*SIGN, DENIED, SIGNED)

    await its_own(authority, "SN-2")
    assert vault.count(*LOGIN) == 2


async def test_credentials_that_are_taken_away(vault: StandIn, authority: VaultAuthority) -> None:
    """A hundred stations at once make no hundred logins; nor does any of them hear the secret."""
    vault.say(*LOGIN, failed(400, "invalid role or secret ID"))
    requests = [request_of(f"SN-{n}") for n in range(100)]

    heard = await asyncio.gather(*map(authority.sign, requests), return_exceptions=True)
    assert {type(each) for each in heard} == {AuthorityUnavailable}
    assert "hunter2" not in str(heard)
    assert vault.count(*LOGIN) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (changed(name="SN-2"), "CN isn't 'SN-1'; set the role's use_csr_common_name to false"),
        (changed(operator="Somebody"), "O isn't 'Example CPO'; set the role's organization"),
        (changed(csr=csr_of("SN-1")), "is for another key"),
        (changed(issuer=OTHER_CA), "don't follow from each other"),
    ],
    ids=["another station's name", "another operator's", "another key", "another CA"],
)
async def test_another_certificate_than_was_asked_for_is_revoked(
    vault: StandIn, authority: VaultAuthority, answer: Reply, words: str
) -> None:
    vault.say(*SIGN, answer, SIGNED)

    with pytest.raises(IssuedMismatch, match=words) as caught:
        await authority.sign(request_of("SN-1"))
    (revoked,) = [asked.body["serial_number"] for asked in vault.asked if asked.path == REVOKE[1]]
    assert f"{int(revoked.replace(':', ''), 16):x} was revoked" in str(caught.value)
    await its_own(authority, "SN-2")


async def test_the_certificate_of_a_moment_ago_again(vault: StandIn, authority: VaultAuthority) -> None:
    """A cache in between, or a replay: it is another station's, and stays good."""
    said: list[Any] = []

    def keep(asked: Asked) -> Any:
        said.append(signed(asked))
        return said[0]

    vault.say(*SIGN, Reply(200, keep))
    await its_own(authority, "SN-1")
    with pytest.raises(IssuedMismatch, match=r"the answer is the certificate \w+, given before"):
        await authority.sign(request_of("SN-2"))
    assert not vault.count(*REVOKE)


@pytest.mark.parametrize(
    "hostile",
    [
        failed(400, "\x1b[2J\r\nINFO certificate_signed identity=SN-1", "x" * 100_000),
        failed(403, "\u202e" * 1000),
        Reply(404, b"\xff\xfe" * 50_000),
        Reply(405, {"errors": {"a": "b"}}),
    ],
    ids=lambda reply: str(reply.status),
)
async def test_what_it_says_is_printable_and_short(vault: StandIn, authority: VaultAuthority, hostile: Reply) -> None:
    vault.say(*SIGN, hostile)

    with pytest.raises(AuthorityError) as caught:
        await authority.sign(request_of("SN-1"))
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


async def test_reads_are_not_repeated_without_end(
    vault: StandIn, authority: VaultAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "PAUSE", 0.0)
    vault.say(*REVOKE, failed(500, "disk on fire"))

    with pytest.raises(AuthorityUnavailable, match="disk on fire"):
        await authority.revoke("abc")
    assert vault.count(*REVOKE) == connection_module.TRIES
