"""What is told of trust anchors out of a real store, and how a rotation begins."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.app.trust_files import TrustFiles
from gateway.app.trust_overview import TrustOverview, configured_chains, rotation_problems
from gateway.config import Config
from gateway.session.trust import AnchorType, Installed, NoRotation, RotationState, RotationUnderWay, StationTrust
from gateway.store.database import Database
from pki.anchors import RotationRefused
from pki.certificate_hash import certificate_hash
from pki.pair_folder import PairFolder, PairKind
from tests.roots import Authority, pem

YESTERDAY = datetime.now(UTC) - timedelta(days=1)
OLD, NEW = Authority("old", since=YESTERDAY), Authority("new", since=YESTERDAY)
OLD_PEM, NEW_PEM = OLD.pem.encode(), NEW.pem.encode()


def trusts(identity: str, *roots: Authority) -> StationTrust:
    names = [certificate_hash(each.certificate, each.certificate).payload for each in roots]
    return StationTrust(identity, tuple(Installed(AnchorType.CSMS, each) for each in names), seen_at=YESTERDAY)


@pytest.fixture
def config(configured: Callable[..., Config], tmp_path: Path) -> Config:
    (tmp_path / "csms.pem").write_text(OLD.pem)
    (tmp_path / "chain.pem").write_text(pem(*NEW.chain()))
    listener = {
        "security_profiles": [2],
        "tls": {"certificates": [{"chain": name, "key": "file:x"} for name in ("chain.pem", "missing.pem")]},
    }
    anchors = [{"type": "CSMSRootCertificate", "file": "csms.pem", "identity": "CS1"}]
    return configured(listeners=[listener], trust_anchors=anchors)


@pytest.fixture
async def overview(config: Config, tmp_path: Path) -> AsyncIterator[TrustOverview]:
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/voltgate.db", exclusive=False)
    made = TrustOverview(lambda: TrustFiles(config), database)
    for identity in ("CS1", "CS2"):
        await made.stations.add(identity, profile=2, serial=None, backend=None, password_hash=None)
    yield made
    await database.close()


async def test_what_is_told(overview: TrustOverview) -> None:
    await overview.book.save(trusts("CS1", OLD))
    (declared,) = await overview.declared()
    assert (declared["subject"], declared["stations"]["has"]) == ("CN=old", 1)
    assert [each["identity"] for each in await overview.all()] == ["CS1"]
    assert (await overview.of("CS2"))["seen_at"] is None
    with pytest.raises(LookupError, match="'CS3' is not registered"):
        await overview.of("CS3")


async def test_a_rotation_from_its_beginning_to_its_end(overview: TrustOverview) -> None:
    with pytest.raises(NoRotation):
        await overview.rotation([])
    begun = await overview.begin(OLD_PEM, NEW_PEM, pem(OLD.signs(NEW)).encode(), identity=None, group=None)
    with pytest.raises(RotationUnderWay):
        await overview.begin(OLD_PEM, NEW_PEM, None, identity=None, group=None)
    shown = await overview.rotation([OLD.chain()])
    assert (shown["id"], shown["cross_signed"], shown["safe_to_switch"]) == (begun.id, True, False)
    await overview.book.save(trusts("CS1", OLD, NEW))
    with pytest.raises(LookupError, match="not registered"):
        await overview.exclude("CS9")
    await overview.exclude("CS2")
    shown = await overview.rotation([OLD.chain()])
    standings = [each["standing"] for each in shown["stations"]]
    assert (standings, shown["safe_to_switch"]) == (
        ["has the new root only", "excluded by the operator"],
        True,
    ), "the old one of CS1 is declared"
    assert (await overview.abort()).state is RotationState.ABORTED
    assert (await overview.rotation([]))["state"] == "aborted"


@pytest.mark.parametrize(
    ("old", "new", "group", "identity", "words"),
    [
        (OLD_PEM, OLD_PEM, None, None, "the same key"),
        (OLD_PEM, NEW_PEM, "nowhere", None, "no registered station is selected"),
        (OLD_PEM, NEW_PEM, "a b", None, "isn't one"),
        (OLD_PEM, NEW_PEM, None, "CS[", "isn't one"),
    ],
)
async def test_what_does_not_begin(
    overview: TrustOverview, old: bytes, new: bytes, group: str | None, identity: str | None, words: str
) -> None:
    with pytest.raises(RotationRefused, match=words):
        await overview.begin(old, new, None, identity=identity, group=group)
    assert await overview.rotations.last() is None


async def test_check_names_those_who_would_be_locked_out(overview: TrustOverview, config: Config) -> None:
    assert [len(each) for each in configured_chains(config)] == [2], "what can't be read is left out"
    assert await rotation_problems(config) == []
    await overview.begin(OLD_PEM, NEW_PEM, None, identity=None, group=None)
    await overview.book.save(trusts("CS1", OLD, NEW))
    (problem,) = await rotation_problems(config)
    assert not problem.is_error
    assert "which CS2 can't be said to have: they would be locked out" in str(problem)
    await overview.book.save(replace(trusts("CS1", OLD, NEW), identity="CS2"))
    assert await rotation_problems(config) == []


async def test_certificates_that_are_issued_to_the_gateway_are_configured_too(
    overview: TrustOverview, configured: Callable[..., Config], tmp_path: Path
) -> None:
    """``trust rotation`` and ``check`` were silent about those, whomever they locked out."""
    issued = {"dir": "own", "names": ["csms.example.com"]}
    listeners = [{"security_profiles": [2], "tls": {"issued": issued}}]
    config = configured(listeners=listeners, authority={"server": {"local": {"dir": "ca"}}})
    assert configured_chains(config) == [], "there is none yet"
    server, between = Authority("csms.example.com", since=YESTERDAY), Authority("between", since=YESTERDAY)
    chain = between.signs(server, is_ca=False), NEW.signs(between)
    folder = PairFolder(tmp_path / "own")
    folder.make()
    folder.write(PairKind.ECDSA, server.key, pem(*chain))
    assert configured_chains(config) == [chain]
    await overview.begin(OLD_PEM, NEW_PEM, None, identity=None, group=None)
    await overview.book.save(trusts("CS1", OLD, NEW))
    (problem,) = await rotation_problems(config)
    assert "which CS2 can't be said to have" in str(problem)
    folder.write(PairKind.RSA, OLD.key, "x")
    assert configured_chains(config) == []


async def test_check_makes_no_store(config: Config, tmp_path: Path) -> None:
    assert await rotation_problems(config) == []
    assert not (tmp_path / "voltgate.db").exists()
    (tmp_path / "voltgate.db").touch()
    assert await rotation_problems(config) == []
    assert (tmp_path / "voltgate.db").stat().st_size == 0, "it isn't filled, either"
