"""Provisioning services as they are configured, opened with what their files hold."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gateway.app.cps_signers import CHAIN_SIZE_MAX, CpsOpening, open_signers
from gateway.app.problems import StartFailed
from gateway.config import Config
from gateway.config.plug_and_charge import Cps, NativeProvider
from pki.iso15118.exi import Schema
from pki.issuing import new_ec_key
from pki.pem_files import key_pem
from tests.bao import Bao
from tests.pki.iso15118.provisioning_parts import v2g_pki

Configured = Callable[..., Config]
BEFORE = datetime.now(UTC) - timedelta(hours=2)


def native_of(configured: Configured, native: dict[str, Any]) -> NativeProvider:
    authority = {use: {"local": {"dir": use}} for use in ("contract", "contract_20")}
    pnc = {"providers": {"own": {"native": native}}, "oem_roots": "oem-roots.pem"}
    config = configured(authority=authority, plug_and_charge=pnc)
    assert config.plug_and_charge is not None
    found = config.plug_and_charge.providers["own"].native
    assert found is not None
    return found


def written(folder: Path, schema: Schema) -> dict[str, str]:
    """Write a chain and its key; return the section that names them."""
    v2g = v2g_pki(schema, BEFORE)
    chain, key = folder / f"{schema.name}.pem", folder / f"{schema.name}.key"
    chain.write_text(v2g.chain_pem)
    key.write_bytes(v2g.key_pem)
    key.chmod(0o600)
    return {"chain": str(chain), "key": f"file:{key}"}


async def test_one_for_each_generation(configured: Configured, tmp_path: Path) -> None:
    native = native_of(configured, {"cps": written(tmp_path, Schema.ISO_2), "cps_20": written(tmp_path, Schema.ISO_20)})

    async with AsyncExitStack() as stack:
        signers = await open_signers("plug_and_charge.providers.own.native", native, stack)

    assert sorted(schema.name for schema in signers) == ["ISO_2", "ISO_20"]
    for signer in signers.values():
        await signer.health()
        signer.cps.check_signature(b"x", await signer.sign(b"x"))


async def test_none_is_configured() -> None:
    async with AsyncExitStack() as stack:
        assert await open_signers("x", NativeProvider(), stack) == {}


@pytest.mark.parametrize(
    ("chain", "key", "words"),
    [
        (None, b"", r"own\.native\.cps\.chain: .*ISO_2\.pem can't be read: No such file"),
        (b"nothing", b"", r"cps\.chain: .*ISO_2\.pem isn't a chain of certificates"),
        (b"\xff" * 100, b"", r"isn't a chain of certificates"),
        (b"x" * (CHAIN_SIZE_MAX + 1), b"", f"is larger than {CHAIN_SIZE_MAX} bytes"),
        (b"", None, r"own\.native\.cps\.key: .*ISO_2\.key"),
        (b"", b"nothing", r"own\.native\.cps\.key: its key: isn't a private key in PEM"),
        (b"", key_pem(new_ec_key("P-256")), r"cps\.key: the key isn't that of the leaf CN=Test CPS"),
    ],
    ids=["no chain", "no PEM", "no ASCII", "too large", "no key", "no key in PEM", "another key"],
)
async def test_what_cant_be_used(
    configured: Configured, tmp_path: Path, chain: bytes | None, key: bytes | None, words: str
) -> None:
    section = written(tmp_path, Schema.ISO_2)
    for name, content in (("ISO_2.pem", chain), ("ISO_2.key", key)):
        if content is None:
            (tmp_path / name).unlink()
        elif content:
            (tmp_path / name).write_bytes(content)

    async with AsyncExitStack() as stack:
        with pytest.raises(StartFailed, match=words):
            await open_signers("own.native", native_of(configured, {"cps": section}), stack)


async def test_a_section_that_names_no_key(tmp_path: Path) -> None:
    cps = Cps.model_construct(chain=Path(written(tmp_path, Schema.ISO_2)["chain"]), key=None, transit=None)
    async with AsyncExitStack() as stack:
        with pytest.raises(StartFailed, match="names neither key nor transit"):
            await CpsOpening(stack).open("x", cps, Schema.ISO_2)


async def test_a_key_in_a_transit_engine(configured: Configured, bao: Bao, tmp_path: Path) -> None:
    bao.ask("POST", "sys/mounts/transit", {"type": "transit"})
    bao.ask("POST", "transit/keys/cps", {"type": "ecdsa-p256"})
    public = load_pem_public_key(bao.ask("GET", "transit/keys/cps")["data"]["keys"]["1"]["public_key"].encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    (tmp_path / "cps.pem").write_text(v2g_pki(Schema.ISO_2, BEFORE, key=public).chain_pem)
    (tmp_path / "token").write_text("root")
    (tmp_path / "token").chmod(0o600)
    transit = {"address": bao.address, "roots": str(bao.cacert), "auth": {"token": "file:token"}, "key": "cps"}
    native = native_of(configured, {"cps": {"chain": str(tmp_path / "cps.pem"), "transit": transit}})

    async with AsyncExitStack() as stack:
        signer = (await open_signers("x", native, stack))[Schema.ISO_2]
        await signer.health()
        signer.cps.check_signature(b"x", await signer.sign(b"x"))


async def test_a_vault_whose_credential_is_missing(configured: Configured, tmp_path: Path) -> None:
    chain = written(tmp_path, Schema.ISO_2)["chain"]
    transit = {"address": "https://127.0.0.1:1", "auth": {"token": "file:missing"}, "key": "cps"}
    native = native_of(configured, {"cps": {"chain": chain, "transit": transit}})
    async with AsyncExitStack() as stack:
        with pytest.raises(StartFailed, match=r"x\.cps\.transit: .*missing"):
            await open_signers("x", native, stack)
