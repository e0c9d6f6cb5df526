"""OPCP providers, from the configuration to the first question."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509

from gateway.app.opcp import SHARE, open_native_opcp_cps, open_opcp
from gateway.app.problems import StartFailed
from gateway.config.plug_and_charge import NativeOpcpCps, Opcp
from gateway.config.values import FOLDER
from pki.iso15118.contract_issuing import IssuedContract
from pki.iso15118.exi import Schema
from pki.iso15118.provisioning import Contract, Provision, ProvisioningRefused, Refusal, VerifiedRequest
from tests.opcp_server import AUDIENCE, CLIENT_ID, CLIENT_SECRET, OpcpServer, running_opcp
from tests.pki.iso15118.opcp.conftest import request_of, vector

PLACE = "plug_and_charge.providers.hubject.opcp"


class Unasked:
    """An issuer and a check that nothing comes to."""

    async def issue(self, request: VerifiedRequest, contract: Contract) -> IssuedContract:
        raise ProvisioningRefused(Refusal.PROVIDER_UNAVAILABLE, "the authority is away")

    def unwind(self, certificate: x509.Certificate) -> None:
        raise AssertionError

    def check(self, exi: bytes, request: VerifiedRequest, *, emaid: str | None = None) -> Provision:
        raise AssertionError


@pytest.fixture
def ca(tmp_path: Path) -> trustme.CA:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "roots.pem"))
    (tmp_path / "secret").write_text(f"{CLIENT_SECRET}\n")
    (tmp_path / "key").write_text("k3y\n")
    return ca


@pytest.fixture
async def server(ca: trustme.CA) -> AsyncIterator[OpcpServer]:
    async with running_opcp(OpcpServer(), ca) as running:
        yield running


def section(server: OpcpServer, folder: Path, **changes: Any) -> Opcp:
    token = {
        "url": f"{server.url}/oauth/token",
        "client_id": CLIENT_ID,
        "client_secret": "file:secret",
        "audience": AUDIENCE,
        "scope": "ccpservice",
    }
    data = {"url": server.url, "token": token, "headers": {"X-Api-Key": "file:key"}, "roots": "roots.pem"}
    return Opcp.model_validate(data | changes, context={FOLDER: folder})


async def test_a_provider_that_is_asked_with_all_that_the_file_says(server: OpcpServer, tmp_path: Path) -> None:
    request = request_of(vector("iso2_cert_install_req.exi"), Schema.ISO_2)
    async with AsyncExitStack() as stack:
        opcp = section(server, tmp_path, always_return_exi=False)
        provider = await open_opcp(PLACE, opcp, Unasked(), stack, timeout=10.0)
        assert not server.asked
        with pytest.raises(ProvisioningRefused, match="Contract or Vehicle not found") as caught:
            await provider.provide(request, None, remaining=0)
        assert caught.value.refusal is Refusal.NO_CONTRACT
        assert provider._client._timeout == SHARE * 10.0
    assert server.forms[0]["scope"] == "ccpservice"
    headers = server.headers[-1]
    assert headers["Authorization"] == f"Bearer {server.tokens[0]}"
    assert (headers["X-Api-Key"], headers["alwaysReturnEXI"]) == ("k3y", "false")


async def test_a_provider_that_asks_for_no_credentials(server: OpcpServer, tmp_path: Path) -> None:
    request = request_of(vector("iso2_cert_install_req.exi"), Schema.ISO_2)
    async with AsyncExitStack() as stack:
        opcp = section(server, tmp_path, token=None, headers={})
        provider = await open_opcp(PLACE, opcp, Unasked(), stack, timeout=10.0)
        with pytest.raises(ProvisioningRefused, match="Contract or Vehicle not found"):
            await provider.provide(request, None, remaining=0)
    assert len(server.asked) == 1
    assert "Authorization" not in server.headers[0]


async def test_a_provisioning_service(server: OpcpServer, tmp_path: Path) -> None:
    request = request_of(vector("iso2_cert_install_req.exi"), Schema.ISO_2)
    data = {"opcp": section(server, tmp_path), "v2g_root_fingerprint": "ab" * 32}
    async with AsyncExitStack() as stack:
        both = Unasked()
        cps = NativeOpcpCps.model_validate(data)
        provider = await open_native_opcp_cps(PLACE, cps, both, both, stack, timeout=4.0)
        with pytest.raises(ProvisioningRefused, match="the authority is away"):
            await provider.provide(request, Contract("DE8EXC12345678", None), remaining=0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"roots": "none.pem"}, "the roots .*none.pem can't be read"),
        ({"headers": {"X-Api-Key": "env:NO_SUCH_KEY"}}, "NO_SUCH_KEY is unset"),
        ({"headers": {"X-Api-Key": "file:lines"}}, "the value of the header X-Api-Key isn't one line of printable"),
        ({"token": {"url": "https://a", "client_id": "a", "client_secret": "file:none"}}, "there is no file"),
    ],
)
async def test_what_can_not_be_read_ends_the_start(
    server: OpcpServer, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    (tmp_path / "lines").write_text("one\ntwo s3cret\n")
    async with AsyncExitStack() as stack:
        with pytest.raises(StartFailed, match=f"^{PLACE}: .*{words}") as caught:
            await open_opcp(PLACE, section(server, tmp_path, **changes), Unasked(), stack, timeout=4.0)
        assert "s3cret" not in str(caught.value)
    assert not server.asked
