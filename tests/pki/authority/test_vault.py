"""The authority on a real OpenBao: sign, revoke, CRL, chain, health; and certificates that nobody asked for."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from structlog.testing import capture_logs

from pki import profiles
from pki.authority import (
    AuthorityUnavailable,
    CertificateAuthority,
    IssuedMismatch,
    RevocationUnsupported,
    SigningRefused,
    SigningRequest,
)
from pki.authority import vault as vault_module
from pki.authority.vault import VaultAuthority
from pki.client_tls import TlsTrust
from pki.csr import review
from pki.revocation import parse_crls
from pki.vault.connection import VaultConnection
from pki.vault.logins import AppRoleLogin, TokenLogin
from pki.vault_roles import role_settings
from tests import lint
from tests.bao import ROOT_TOKEN, Bao
from tests.bao_pki import ROLE, make_pki, new_token


@pytest.fixture(scope="module")
def bao(bao: Bao) -> Bao:
    make_pki(bao)
    return bao


Connect = Callable[..., VaultConnection]


@pytest.fixture
async def connect(bao: Bao) -> AsyncIterator[Connect]:
    async with AsyncExitStack() as stack:

        def make(token: str | None = None, namespace: str | None = None) -> VaultConnection:
            held = token or new_token(bao)
            login = TokenLogin(lambda: held)
            connection = VaultConnection([bao.address], login, trust=TlsTrust(bao.cacert), namespace=namespace)
            stack.push_async_callback(connection.close)
            return connection

        yield make


@pytest.fixture
def authority(connect: Connect) -> VaultAuthority:
    return VaultAuthority(connect(), mount="pki", role="station")


@pytest.fixture
def request_(make_csr: Any) -> SigningRequest:
    return review(make_csr(), common_name="SN-1", organization="Example CPO").request_for("Example CPO")


async def test_a_certificate_as_it_was_asked_for(
    authority: VaultAuthority, request_: SigningRequest, ec_key: ec.EllipticCurvePrivateKey
) -> None:
    issued = await authority.sign(request_)

    leaf, issuing = x509.load_pem_x509_certificates(issued.chain_pem.encode())
    assert leaf.public_key() == ec_key.public_key()
    assert sorted(leaf.subject.rfc4514_string().split(",")) == ["CN=SN-1", "O=Example CPO"]
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(days=365, hours=1)
    chain = await authority.chain()
    assert [ca.subject.rfc4514_string() for ca in chain] == ["CN=Test issuing CA", "CN=Test root"]
    assert chain[0] == issuing


async def test_the_subject_comes_from_the_request_not_from_the_csr(
    authority: VaultAuthority, request_: SigningRequest
) -> None:
    issued = await authority.sign(replace(request_, common_name="SN-9"))

    assert "CN=SN-9" in issued.certificate.subject.rfc4514_string()


async def test_a_shorter_life_and_the_names_of_a_server(
    bao: Bao, authority: VaultAuthority, request_: SigningRequest
) -> None:
    server = profiles.csms_server()
    day = profiles.with_lifetime(server, timedelta(hours=6))
    names = ("csms.example.com", "192.0.2.7", "2001:db8::7")
    issued = await authority.sign(replace(request_, profile=day, common_name=names[0], names=names))

    alternative = issued.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert sorted(str(name.value) for name in alternative) == sorted(names)
    assert issued.not_after <= datetime.now(UTC) + timedelta(hours=6)


VERBATIM = """
path "pki/sign-verbatim/secc" { capabilities = ["update"] }
path "pki/revoke" { capabilities = ["update"] }
path "pki/roles/secc" { capabilities = ["read"] }
"""
SECC_NAMES = (
    (NameOID.DOMAIN_COMPONENT, "CPO"),
    (NameOID.ORGANIZATION_NAME, "Example CPO"),
    (NameOID.COMMON_NAME, "SECC-1"),
)


@pytest.fixture
def secc_authority(bao: Bao, connect: Connect) -> VaultAuthority:
    bao.ask("POST", "pki/roles/secc", role_settings(profiles.secc(), "Example CPO"))
    bao.ask("PUT", "sys/policies/acl/v2g", {"policy": VERBATIM})
    connection = connect(new_token(bao, policies=["v2g"]))
    return VaultAuthority(connection, mount="pki", role="secc")


def asked_of_secc(pem: str) -> SigningRequest:
    reviewed = review(pem, common_name="SECC-1", organization="Example CPO", profile=profiles.secc())
    return reviewed.request_for("Example CPO")


async def test_a_secc_certificate_keeps_its_dc(secc_authority: VaultAuthority, make_csr: Any) -> None:
    """[V2G2-925]: by sign-verbatim, since sign drops it."""
    await secc_authority.health()
    issued = await secc_authority.sign(asked_of_secc(make_csr(names=[*SECC_NAMES, (NameOID.COUNTRY_NAME, "NL")])))

    assert issued.certificate.subject.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)[0].value == "CPO"
    assert issued.certificate.not_valid_after_utc - issued.certificate.not_valid_before_utc == timedelta(
        days=90, hours=1
    )
    assert lint.errors(lint.of_certificate(issued.certificate)) == []


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (SECC_NAMES[1:], "needs DC=CPO, since this CA copies it"),
        ((SECC_NAMES[0], SECC_NAMES[2]), r"needs O=Example CPO, .*SecurityCtrlr\.OrganizationName"),
        ((*SECC_NAMES, (NameOID.ORGANIZATIONAL_UNIT_NAME, "admins")), "holds OU, and this CA copies it"),
    ],
)
async def test_what_would_be_copied_is_refused_before(
    secc_authority: VaultAuthority, make_csr: Any, names: Any, words: str
) -> None:
    with pytest.raises(SigningRefused, match=words):
        await secc_authority.sign(asked_of_secc(make_csr(names=names)))


async def test_extensions_that_would_be_copied_are_refused(secc_authority: VaultAuthority, make_csr: Any) -> None:
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    with pytest.raises(SigningRefused, match="asks for an extended key usage"):
        await secc_authority.sign(asked_of_secc(make_csr(names=SECC_NAMES, extensions=[usage])))

    names = x509.SubjectAlternativeName([x509.DNSName("csms.example.com")])
    hostile = x509.load_pem_x509_csr(make_csr(names=SECC_NAMES, extensions=[names]).encode())
    with pytest.raises(IssuedMismatch, match="alternative names"):  # the review refuses it; so does the last check
        await secc_authority.sign(replace(asked_of_secc(make_csr(names=SECC_NAMES)), csr=hostile))


async def test_a_narrower_key_usage_would_be_copied(secc_authority: VaultAuthority, make_csr: Any) -> None:
    names = ("content_commitment", "key_encipherment", "data_encipherment", "key_cert_sign", "crl_sign")
    others = dict.fromkeys((*names, "encipher_only", "decipher_only"), False)
    for is_whole in (False, True):
        usage = x509.KeyUsage(digital_signature=True, key_agreement=is_whole, **others)
        request = asked_of_secc(make_csr(names=SECC_NAMES, extensions=[usage]))
        if is_whole:
            await secc_authority.sign(request)
            continue
        with pytest.raises(SigningRefused, match="a key usage without key_agreement, and this CA copies it"):
            await secc_authority.sign(request)


async def test_a_dc_comes_from_the_csr_that_was_reviewed(bao: Bao, connect: Connect, make_csr: Any) -> None:
    """A role can't give one: ISO 15118's certificates are signed with the CSR's own subject."""
    profile = profiles.secc()
    names = ((NameOID.DOMAIN_COMPONENT, "CPO"), (NameOID.ORGANIZATION_NAME, "Example CPO"), (NameOID.COMMON_NAME, "S1"))
    reviewed = review(make_csr(names=names), common_name="S1", organization="Example CPO", profile=profile)
    bao.ask("POST", "pki/roles/secc", role_settings(profile, "Example CPO"))
    authority = VaultAuthority(connect(ROOT_TOKEN), mount="pki", role="secc")

    issued = await authority.sign(reviewed.request_for("Example CPO"))
    assert issued.certificate.subject == reviewed.csr.subject
    assert issued.not_after - issued.not_before == profile.validity.lifetime + profile.validity.backdate
    await authority.health()


async def test_revoked_is_on_the_crl_at_once_and_stays_there(
    authority: VaultAuthority, request_: SigningRequest
) -> None:
    issued = await authority.sign(request_)

    for _ in range(2):
        await authority.revoke(issued.serial, x509.ReasonFlags.superseded)
    (crl,) = parse_crls(await authority.crl())
    crl.check_issuer((await authority.chain())[0])
    assert crl.revoked[issued.certificate.serial_number] == "unspecified"


async def test_what_it_did_not_issue_it_does_not_revoke(authority: VaultAuthority) -> None:
    with pytest.raises(RevocationUnsupported, match="pki has no certificate abc: another engine issued it"):
        await authority.revoke("abc")
    with pytest.raises(SigningRefused, match="1 to 40 hex digits"):
        await authority.revoke("../../sys/seal")


async def test_an_engine_that_has_no_crl_yet_makes_one(bao: Bao, connect: Connect) -> None:
    bao.ask("POST", "sys/mounts/fresh", {"type": "pki"})
    bao.ask("POST", "fresh/config/crl", {"disable": True})
    bao.ask("POST", "fresh/root/generate/internal", {"common_name": "Fresh", "key_type": "ec"})
    bao.ask("POST", "fresh/config/crl", {"disable": False})
    authority = VaultAuthority(connect(ROOT_TOKEN), mount="fresh", role="none")

    (crl,) = parse_crls(await authority.crl())
    assert crl.issuer.rfc4514_string() == "CN=Fresh"


async def test_well(authority: VaultAuthority) -> None:
    await authority.health()


@pytest.mark.parametrize(
    ("mount", "role", "words"),
    [
        ("pki", "nobody", "there is no role pki/roles/nobody; make it"),
        ("nowhere", "station", "there is no nowhere/sign/station .*; check the mount and the namespace"),
    ],
)
async def test_a_role_or_a_mount_that_is_not_there(
    connect: Connect, request_: SigningRequest, mount: str, role: str, words: str
) -> None:
    authority = VaultAuthority(connect(ROOT_TOKEN), mount=mount, role=role)

    with pytest.raises(AuthorityUnavailable, match=words):
        await authority.sign(request_)
    with pytest.raises(AuthorityUnavailable, match="there is no role"):
        await authority.health()


async def test_a_token_whose_policy_forbids(bao: Bao, connect: Connect, request_: SigningRequest) -> None:
    authority = VaultAuthority(connect(new_token(bao, policies=["default"])), mount="pki", role="station")

    with pytest.raises(AuthorityUnavailable, match=r'add path "pki/sign/station" \{ capabilities = \["update"\] \}'):
        await authority.sign(request_)
    with pytest.raises(AuthorityUnavailable, match=r'may not sign: add path "pki/sign/station"'):
        await authority.health()
    chain = await authority.chain()
    assert [ca.subject.rfc4514_string() for ca in chain] == ["CN=Test issuing CA", "CN=Test root"]


async def test_in_a_namespace(bao: Bao, connect: Connect, request_: SigningRequest) -> None:
    bao.ask("POST", "sys/namespaces/team")
    make_pki(bao, "team")
    authority = VaultAuthority(connect(new_token(bao, "team"), "team"), mount="pki", role="station")

    issued = await authority.sign(request_)
    issued.certificate.verify_directly_issued_by((await authority.chain())[0])
    await authority.health()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"organization": ["Somebody"]}, "O isn't 'Example CPO'; set the role's organization to 'Example CPO'"),
        ({"organization": []}, "set the role's organization to 'Example CPO'"),
        ({"server_flag": True, "client_flag": True}, "extended key usage .*; set the role's server_flag, client_flag"),
        ({"ext_key_usage": ["TimeStamping"]}, "ext_key_usage and ext_key_usage_oids to nothing"),
        ({"not_before_duration": "48h"}, "shorten the role's not_before_duration"),
        ({"key_usage": ["CertSign"]}, "set the role's key_usage to DigitalSignature"),
    ],
)
async def test_a_role_that_gives_something_else(
    bao: Bao, connect: Connect, request_: SigningRequest, change: dict[str, Any], words: str
) -> None:
    bao.ask("POST", "pki/roles/odd", ROLE | change)
    authority = VaultAuthority(connect(ROOT_TOKEN), mount="pki", role="odd")

    with pytest.raises(IssuedMismatch, match=words) as caught:
        await authority.sign(request_)
    serial = re.search(r"\((\w+) was revoked\)", str(caught.value))
    (crl,) = parse_crls(await authority.crl())
    assert serial is not None
    assert int(serial[1], 16) in crl.revoked


async def test_what_can_not_be_revoked_is_said(bao: Bao, connect: Connect, request_: SigningRequest) -> None:
    bao.ask("POST", "pki/roles/odd", ROLE | {"organization": []})
    bao.ask("PUT", "sys/policies/acl/odd", {"policy": 'path "pki/sign/odd" { capabilities = ["update"] }'})
    authority = VaultAuthority(connect(new_token(bao, policies=["odd"])), mount="pki", role="odd")

    with (
        capture_logs() as lines,
        pytest.raises(IssuedMismatch, match=r'could not be revoked: .* add path "pki/revoke"'),
    ):
        await authority.sign(request_)
    assert "mismatch_not_revoked" in [line["event"] for line in lines]


async def test_a_life_that_the_role_cuts_short_is_told(bao: Bao, connect: Connect, request_: SigningRequest) -> None:
    bao.ask("POST", "pki/roles/short", ROLE | {"max_ttl": "720h"})
    authority = VaultAuthority(connect(ROOT_TOKEN), mount="pki", role="short")

    with capture_logs() as lines:
        issued = await authority.sign(request_)
    assert issued.not_after < datetime.now(UTC) + timedelta(days=31)
    (line,) = [line for line in lines if line["event"] == "lifetime_cut_short"]
    assert "raise the max_ttl of the role and of the mount" in line["reason"]


async def test_the_serial_numbers_that_are_kept_are_bounded(
    authority: VaultAuthority, request_: SigningRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault_module, "SERIALS_KEPT", 2)

    serials = [(await authority.sign(request_)).serial for _ in range(3)]
    assert list(authority._given) == serials[1:]


async def test_sealed_and_unsealed(bao: Bao, authority: VaultAuthority, request_: SigningRequest) -> None:
    await authority.sign(request_)
    bao.seal()
    try:
        for ask in (authority.health, authority.chain, authority.crl):
            with pytest.raises(AuthorityUnavailable, match="is sealed; unseal it"):
                await ask()
        with pytest.raises(AuthorityUnavailable, match="is sealed; unseal it"):
            await authority.sign(request_)
    finally:
        bao.unseal()
    await authority.sign(request_)
    await authority.health()


async def test_a_token_that_is_revoked_in_the_middle(bao: Bao, request_: SigningRequest) -> None:
    bao.ask("POST", "sys/auth/approle", {"type": "approle"})
    bao.ask("POST", "auth/approle/role/gateway", {"token_policies": ["gateway"]})
    role_id = bao.ask("GET", "auth/approle/role/gateway/role-id")["data"]["role_id"]
    secret = bao.ask("POST", "auth/approle/role/gateway/secret-id")["data"]["secret_id"]
    nodes = ["https://127.0.0.1:1", bao.address]
    connection = VaultConnection(nodes, AppRoleLogin(role_id, lambda: secret), trust=TlsTrust(bao.cacert))
    authority = VaultAuthority(connection, mount="pki", role="station")

    await authority.sign(request_)
    bao.ask("POST", "auth/token/revoke", {"token": (await connection._tokens.current()).value})
    signed = await asyncio.gather(*(authority.sign(request_) for _ in range(20)))
    assert len({issued.serial for issued in signed}) == 20
    await connection.close()


def test_it_is_one(authority: VaultAuthority) -> None:
    fulfilled: CertificateAuthority = authority
    assert re.fullmatch(
        r"VaultAuthority\(VaultConnection\(https://127.0.0.1:\d+, token\), pki/station\)", repr(fulfilled)
    )
