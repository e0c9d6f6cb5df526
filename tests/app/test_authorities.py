"""The authorities of a gateway, opened from its configuration."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from cryptography import x509
from structlog.testing import capture_logs

from gateway.app.authorities import Authorities, open_authorities
from gateway.app.problems import StartFailed
from gateway.config import Config
from pki.authority import AuthorityUnavailable, CertificateAuthority
from pki.authority.local import LocalAuthority
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
