"""The authorities of a gateway, opened from its configuration."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from structlog.testing import capture_logs

from gateway.app import authorities as authorities_module
from gateway.app.authorities import Authorities, open_authorities, owner
from gateway.app.problems import StartFailed
from gateway.config import Config
from pki.authority import AuthorityUnavailable, CertificateAuthority
from pki.authority.local import LocalAuthority
from pki.keys import curve_name
from pki.profiles import load_profile


async def test_each_use_has_its_own(configured: Callable[..., Config], tmp_path: Path) -> None:
    config = configured(authority={"station": {"lifetime": "90d"}, "v2g": {"local": {"dir": str(tmp_path / "v2g")}}})
    async with AsyncExitStack() as stack:
        opened = await open_authorities(config, stack)
        issuers = await opened.known_issuers()
    assert sorted(opened.by_use) == ["station", "v2g"]
    assert opened.profile("station").validity.lifetime == timedelta(days=90)
    assert opened.profile("v2g") is load_profile("secc")
    assert opened.profile("v2g", "secc_20") is load_profile("secc_20")
    names = [issuer.subject.rfc4514_string() for issuer in issuers]
    assert [("station" in name, "v2g" in name) for name in names] == [(True, False)] * 2 + [(False, True)] * 2


async def test_those_of_some_uses_alone(configured: Callable[..., Config], tmp_path: Path) -> None:
    config = configured(authority={"contract": {"local": {"dir": str(tmp_path / "mo")}}})
    async with AsyncExitStack() as stack:
        opened = await open_authorities(config, stack)
        assert await opened.known_issuers({"contract", "contract_20"}) == await opened.by_use["contract"].chain()
    assert list(opened.crls()) == ["authority.station"]
    assert list(opened.crls({"contract"})) == ["authority.contract"]


async def test_a_ca_that_can_not_be_used_ends_the_start(configured: Callable[..., Config]) -> None:
    config = configured()
    local = config.authority.station.local
    assert local is not None
    LocalAuthority.open(local.dir)
    (local.dir / "issuing.key").unlink()
    async with AsyncExitStack() as stack:
        with pytest.raises(StartFailed, match=r"authority.station.local.dir: .*holds half a CA"):
            await open_authorities(config, stack)


class Away:
    async def chain(self) -> list[x509.Certificate]:
        raise AuthorityUnavailable("Vault is sealed; unseal it")


async def test_one_that_is_away_is_learned_of_later() -> None:
    authorities = Authorities({"station": cast("CertificateAuthority", Away())})
    with capture_logs() as lines:
        assert await authorities.known_issuers() == []
    assert [(line["event"], line["use"], line["reason"]) for line in lines] == [
        ("authority_away", "station", "Vault is sealed; unseal it")
    ]


class Answers:
    """An authority as far as its chain and its CRL go."""

    def __init__(self, chain: Any) -> None:
        self.says = chain

    async def chain(self) -> Any:
        if isinstance(self.says, Exception):
            raise self.says
        if self.says is None:
            await asyncio.Event().wait()
        return self.says

    async def crl(self) -> bytes:
        return repr(self.says).encode()


async def test_one_that_hangs_or_is_away_is_said_and_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorities_module, "CHAIN_WAIT", 0.01)
    by_use: Any = {"station": Answers(None), "v2g": Answers(AuthorityUnavailable("sealed")), "server": Answers([1, 2])}
    with capture_logs() as lines:
        assert await Authorities(by_use).known_issuers() == [1, 2]
    assert {line["use"]: line["reason"] for line in lines} == {"station": "no answer within 0.01 s", "v2g": "sealed"}


async def test_one_that_goes_away_is_known_as_it_was() -> None:
    """A sealed Vault is no reason to refuse what it has issued."""
    answers = Answers(["issuing", "root"])
    authorities = Authorities({"contract": cast("CertificateAuthority", answers)})
    assert await authorities.known_issuers() == ["issuing", "root"]
    answers.says = AuthorityUnavailable("sealed")
    assert await authorities.known_issuers() == ["issuing", "root"]
    answers.says = ["another", "root"]
    assert await authorities.known_issuers() == ["another", "root"]


async def test_whose_crls_count_at_a_door() -> None:
    by_use: Any = {"station": Answers("s"), "v2g": Answers("v"), "server": Answers("g")}
    crls = Authorities(by_use).crls()
    assert {name: await crl() for name, crl in crls.items()} == {"authority.station": b"'s'", "authority.v2g": b"'v'"}


async def test_the_ca_of_contracts_is_the_mobility_operators(configured: Callable[..., Config], tmp_path: Path) -> None:
    """That of ISO 15118-20 on its curve."""
    uses = {name: {"local": {"dir": str(tmp_path / name)}} for name in ("station", "contract", "contract_20")}
    cps = {"chain": "cps.pem", "key": "file:cps.key"}
    pnc = {"providers": {"own": {"native": {"cps": cps}}}, "mobility_operator": "Example MO", "oem_roots": "oem.pem"}
    for section, organization in (({"plug_and_charge": pnc}, "Example MO"), ({}, "Example CPO")):
        config = configured(operator="Example CPO", authority=uses, **section)
        assert (owner(config, "station"), owner(config, "contract_20")) == ("Example CPO", organization)
    config = configured(operator="Example CPO", authority=uses, plug_and_charge=pnc)

    async with AsyncExitStack() as stack:
        opened = (await open_authorities(config, stack)).by_use
        roots = {use: (await authority.chain())[-1] for use, authority in opened.items()}

    assert {use: curve_name(root.public_key()) for use, root in roots.items()} == {
        "station": "P-256",
        "contract": "P-256",
        "contract_20": "P-521",
    }
    assert "O=Example MO" in roots["contract_20"].subject.rfc4514_string()
    assert "O=Example CPO" in roots["station"].subject.rfc4514_string()
