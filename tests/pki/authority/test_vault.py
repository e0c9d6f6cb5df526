"""The authority on a real OpenBao: sign, revoke, CRL, chain, health; and certificates that nobody asked for."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs

from pki import profiles
from pki.authority import AuthorityUnavailable, CertificateAuthority, IssuedMismatch, SigningRefused, SigningRequest
from pki.authority.vault import VaultAuthority
from pki.csr import review
from pki.revocation import parse_crls
from pki.vault.connection import VaultConnection
from pki.vault.logins import TokenLogin
from pki.vault.tls import TlsTrust
from tests.bao import Bao, running_bao
from tests.bao_pki import ROLE, make_pki, new_token


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    with running_bao(tmp_path_factory.mktemp("bao")) as server:
        make_pki(server)
        yield server


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
