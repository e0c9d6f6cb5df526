"""Why a TLS peer was refused, as `openssl s_client` tells its user: the fatal alert is really sent (cpython #98078)."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from gateway.transport import HandshakePool, Stage

if TYPE_CHECKING:
    from pathlib import Path

    import trustme

    from tests.transport.conftest import Authority, Listen, Port

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="the openssl command, which plays the client, isn't installed")

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
FLAGS = {V12: "-tls1_2", V13: "-tls1_3"}


@dataclass
class Case:
    """A client that is refused: its certificate, its options, the alert that it must see, the code that we note."""

    alert: str
    code: str
    certificate: str = "station"
    options: list[str] = field(default_factory=list)
    number: int = 0


CASES = {
    "unknown ca": Case("unknown ca", "CERTIFICATE_VERIFY_FAILED", "foreign", number=48),
    "expired": Case("certificate expired", "CERTIFICATE_VERIFY_FAILED", "expired", number=45),
    "not yet valid": Case("bad certificate", "CERTIFICATE_VERIFY_FAILED", "early", number=42),
    "nothing in common": Case(
        "handshake failure", "NO_SHARED_CIPHER", options=["-cipher", "AES128-SHA256", "-groups", "P-521"], number=40
    ),
}


def context_of(authority: Authority, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = authority.server(clients=ssl.CERT_OPTIONAL, version=version)
    context.set_ciphers("ECDHE+AESGCM")
    context.set_ecdh_curve("prime256v1")
    return context


def certificate_of(authority: Authority, kind: str) -> trustme.LeafCert:
    if kind == "early":
        future = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
        return authority.ca.issue_cert("SN123", not_before=future, not_after=future + dt.timedelta(days=1))
    found: trustme.LeafCert = getattr(authority, kind)()
    return found


async def s_client(port: Port, leaf: trustme.LeafCert, folder: Path, *options: str) -> str:
    """What the command prints. It is kept from hanging up by itself: it only leaves when the server ends it."""
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    key.write_bytes(leaf.private_key_pem.bytes())
    host, number = port.address
    process = await asyncio.create_subprocess_exec(
        *(OPENSSL or "", "s_client", "-connect", f"{host}:{number}", "-cert", str(chain), "-key", str(key), *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(10):
            printed = await process.stdout.read()
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    finally:
        process.stdin.close()
    return printed.decode(errors="replace")


@pytest.fixture(params=["threads", "loop"])
def any_pool(request: pytest.FixtureRequest) -> HandshakePool | None:
    """Handshakes in threads, and on the loop."""
    return request.getfixturevalue("pool") if request.param == "threads" else None


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("name", CASES)
async def test_the_alert_is_sent(
    name: str,
    version: ssl.TLSVersion,
    listen: Listen,
    authority: Authority,
    any_pool: HandshakePool | None,
    tmp_path: Path,
) -> None:
    case = CASES[name]
    context = context_of(authority, version)
    port = await listen(tls=lambda _: context, pool=any_pool)
    leaf = certificate_of(authority, case.certificate)
    printed = await s_client(port, leaf, tmp_path, FLAGS[version], *case.options)
    assert f"alert {case.alert}" in printed
    assert f"SSL alert number {case.number}" in printed
    refused = await port.refusal()
    assert refused.stage is Stage.TLS
    if name == "nothing in common" and version is V13:
        assert refused.code == "NO_SUITABLE_KEY_SHARE"
    else:
        assert refused.code == case.code
    await port.emptied()


@pytest.mark.parametrize(("served", "spoken"), [(V13, ["-tls1_2"]), (V12, ["-tls1_3"]), (V12, ["-tls1_1"])])
async def test_a_version_that_is_not_served(
    served: ssl.TLSVersion, spoken: list[str], listen: Listen, authority: Authority, tmp_path: Path
) -> None:
    context = context_of(authority, served)
    port = await listen(tls=lambda _: context)
    printed = await s_client(port, authority.station(), tmp_path, *spoken, "-cipher", "ALL:@SECLEVEL=0")
    assert "alert protocol version" in printed
    assert "SSL alert number 70" in printed
    assert (await port.refusal()).code == "UNSUPPORTED_PROTOCOL"


@pytest.mark.parametrize("groups", ["ffdhe8192", "ffdhe4096", "ffdhe6144:X25519"])
async def test_a_group_that_costs_too_much(
    groups: str, listen: Listen, authority: Authority, any_pool: HandshakePool | None, tmp_path: Path
) -> None:
    context = context_of(authority, V13)
    port = await listen(tls=lambda _: context, pool=any_pool)
    printed = await s_client(port, authority.station(), tmp_path, "-groups", groups)
    assert "SSL alert number 40" in printed
    refused = await port.refusal()
    assert (refused.stage, refused.code) == (Stage.TLS, "COSTLY_KEY_SHARE")
    await port.emptied()
