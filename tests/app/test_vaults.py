"""Vault out of the configuration: what is shared, what ends the start, and what doesn't."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from structlog.testing import capture_logs

from gateway.app.authorities import open_authorities
from gateway.app.problems import StartFailed
from gateway.app.revocations import Revocations
from gateway.app.vaults import VaultConnections, login_of
from gateway.config import Config
from gateway.config.authorities import VaultAuth, VaultAuthority
from pki.authority import AuthorityUnavailable
from pki.authority.vault import VaultAuthority as VaultRole
from pki.revocation import CrlStore, Status
from tests.bao import Bao
from tests.bao_pki import make_pki, new_token


@pytest.fixture(scope="module")
def bao(bao: Bao) -> Bao:
    make_pki(bao)
    return bao


Vault = Callable[..., dict[str, Any]]


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """``vault(server, key=value)``: a section that logs in with a token in a file."""
    token = tmp_path / "token"
    token.write_text("wrong\n")
    token.chmod(0o600)
    roots = tmp_path / "roots.pem"
    trustme.CA().cert_pem.write_to_path(str(roots))

    def make(server: Bao | None = None, **keys: Any) -> dict[str, Any]:
        address, trusted = (server.address, server.cacert) if server else ("https://127.0.0.1:1", roots)
        if server is not None:
            token.write_text(new_token(server) + "\n")
        auth = {"token": f"file:{token}"}
        return {"address": address, "roots": str(trusted), "role": "station", "auth": auth, **keys}

    return make


async def test_a_gateway_whose_stations_certificates_vault_signs(
    configured: Callable[..., Config], vault: Vault, bao: Bao
) -> None:
    config = configured(authority={"station": {"vault": vault(bao)}})
    async with AsyncExitStack() as stack:
        opened = await open_authorities(config, stack)
        await opened.by_use["station"].health()
        issuers = await opened.known_issuers()
    assert [ca.subject.rfc4514_string() for ca in issuers] == ["CN=Test issuing CA", "CN=Test root"]


@pytest.mark.parametrize("is_there", [True, False])
async def test_no_trouble_with_vault_ends_the_start(
    configured: Callable[..., Config], vault: Vault, bao: Bao, tmp_path: Path, is_there: bool
) -> None:
    """Away, or a token that it doesn't know: logged, and mended later without a new start."""
    config = configured(authority={"station": {"vault": vault(bao if is_there else None)}})
    (tmp_path / "token").write_text("wrong")
    async with AsyncExitStack() as stack:
        with capture_logs() as lines:
            opened = await open_authorities(config, stack)
            assert await opened.known_issuers() == []
        with pytest.raises(AuthorityUnavailable):
            await opened.by_use["station"].health()
    reason = next(line["reason"] for line in lines if line["event"] == "authority_away")
    assert ("the login (token) is refused" if is_there else "can't be reached") in reason
    assert "wrong" not in str(lines)


async def test_uses_with_the_same_credentials_share_a_connection(
    configured: Callable[..., Config], vault: Vault
) -> None:
    sections = {"station": vault(), "v2g": vault(mount="v2g", role="secc"), "server": vault(namespace="team")}
    config = configured(authority={use: {"vault": section} for use, section in sections.items()})
    async with AsyncExitStack() as stack:
        opened = await open_authorities(config, stack)
        roles = [opened.by_use[use] for use in ("station", "v2g", "server")]
        station, v2g, server = (role._connection for role in roles if isinstance(role, VaultRole))
        keepers = [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("token of")]
    assert station is v2g
    assert station is not server
    assert sorted(keepers) == ["token of authority.server.vault", "token of authority.station.vault"]
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("token of")]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"auth": {"token": "env:VOLTGATE_TEST_NOTHING"}}, "VOLTGATE_TEST_NOTHING is unset"),
        ({"auth": {"approle": {"role_id": "r", "secret_id": "file:nowhere"}}}, "file:nowhere: there is no file"),
        ({"auth": {"jwt": {"role": "r", "token": "file:nowhere"}}}, "file:nowhere: there is no file"),
        ({"auth": {"kubernetes": {"role": "r", "token_file": "nowhere"}}}, "nowhere can't be read: No such file"),
        ({"auth": {"tls": {"chain": "nowhere.pem", "key": "file:nowhere"}}}, "nowhere"),
        ({"auth": {"tls": {"chain": "nowhere.pem", "key": "env:VOLTGATE_TEST_NOTHING"}}}, "is unset"),
        ({"roots": "nowhere.pem"}, "nowhere.pem can't be read: No such file"),
    ],
)
async def test_what_can_not_be_read_ends_the_start(
    configured: Callable[..., Config], vault: Vault, keys: dict[str, Any], words: str
) -> None:
    config = configured(authority={"station": {"vault": vault(**keys)}})
    async with AsyncExitStack() as stack:
        with pytest.raises(StartFailed, match=r"^authority\.station\.vault: ") as caught:
            await open_authorities(config, stack)
    assert words in str(caught.value)


async def test_a_client_certificate_out_of_memory(
    configured: Callable[..., Config], vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = trustme.CA().issue_cert("gateway.example.com")
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "client.pem"))
    monkeypatch.setenv("VOLTGATE_TEST_KEY", certificate.private_key_pem.bytes().decode())
    auth = {"tls": {"chain": "client.pem", "key": "env:VOLTGATE_TEST_KEY", "role": "gateway"}}
    section = configured(authority={"station": {"vault": vault(auth=auth)}}).authority.station.vault
    assert section is not None
    async with AsyncExitStack() as stack:
        connection = await VaultConnections(stack).connect("authority.station.vault", section)
    assert repr(connection) == "VaultConnection(https://127.0.0.1:1, tls)"


def test_no_login_at_all() -> None:
    with pytest.raises(ValueError, match="no way to log in"):
        login_of(VaultAuth())


def test_a_section_names_nothing_secret(configured: Callable[..., Config], vault: Vault) -> None:
    section = configured(authority={"station": {"vault": vault()}}).authority.station.vault
    assert isinstance(section, VaultAuthority)

    assert "wrong" not in repr((section, login_of(section.auth)))


class Nothing:
    """An inventory in which nothing was ever revoked."""

    async def revoked_fingerprints(self) -> frozenset[str]:
        return frozenset()


async def test_what_vault_itself_has_revoked_is_out_though_its_ca_was_rotated_and_vault_is_sealed(
    configured: Callable[..., Config], vault: Vault, bao: Bao
) -> None:
    """The CRL at the door: of the issuing CA, and of the one before it, whose stations still come."""

    def post(path: str, **body: Any) -> Any:
        return bao.ask("POST", path, body).get("data")

    post("sys/mounts/rotated", type="pki")
    former = post("rotated/root/generate/internal", common_name="Former", key_type="ec")
    post("rotated/roles/station", allow_any_name=True, enforce_hostnames=False, key_type="ec", ttl="24h")
    leaves = [post("rotated/issue/station", common_name=name) for name in ("SN1", "SN2")]
    newer = post("rotated/root/rotate/internal", common_name="Newer", key_type="ec", issuer_name="newer")
    post("rotated/root/replace", default=newer["issuer_id"])
    root = x509.load_pem_x509_certificate(former["certificate"].encode())
    paths = [(x509.load_pem_x509_certificate(each["certificate"].encode()), root) for each in leaves]

    config = configured(authority={"station": {"vault": vault(bao, mount="rotated")}})
    async with AsyncExitStack() as stack:
        opened = await open_authorities(config, stack)
        (ca, *_) = await opened.known_issuers()
        assert ca.subject.rfc4514_string() == "CN=Newer"
        revocations = Revocations(Nothing(), opened.crls(), (), CrlStore())
        assert await revocations.refresh("authority.station")
        assert [revocations.crls.known(path).status for path in paths] == [Status.GOOD, Status.GOOD]

        post("rotated/revoke", serial_number=leaves[0]["serial_number"])
        assert await revocations.refresh("authority.station")
        assert [revocations.crls.known(path).status for path in paths] == [Status.REVOKED, Status.GOOD]

        bao.seal()
        try:
            with capture_logs() as lines:
                assert not await revocations.refresh("authority.station")
        finally:
            bao.unseal()
        (line,) = (each for each in lines if each["event"] == "crl_unavailable")
        assert line["holds"] == "what it said last"
        assert [revocations.crls.known(path).status for path in paths] == [Status.REVOKED, Status.GOOD]
