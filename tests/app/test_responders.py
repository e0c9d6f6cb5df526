"""OCSP put together: whom the gateway may ask, and which CA certificates it verifies answers with."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from structlog.testing import capture_logs

from gateway.app.problems import StartFailed
from gateway.app.responders import ISSUERS_AGAIN_AFTER, Responders
from gateway.config import Config
from pki.certificate_hash import certificate_hash
from pki.issuing import Hierarchy, new_hierarchy
from pki.ocsp.client import Cause, OcspUnavailable
from pki.revocation import Status
from tests.responders import Responder, leaf_of, responding

NOW = datetime.now(UTC).replace(microsecond=0)
Make = Callable[..., Responders]


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    return new_hierarchy("V2G", "CPO", NOW)


@pytest.fixture
async def responder(hierarchy: Hierarchy) -> AsyncIterator[Responder]:
    async with responding(hierarchy) as made:
        yield made


@pytest.fixture
async def make(configured: Callable[..., Config], hierarchy: Hierarchy) -> AsyncIterator[Make]:
    """``make(ocsp={...})`` puts them together; the authority's chain is the hierarchy's, unless told otherwise."""
    made: list[Responders] = []
    chain = [hierarchy.issuing.certificate, hierarchy.root.certificate]

    def making(authorities: Sequence[x509.Certificate] = chain, **keys: Any) -> Responders:
        async def asked() -> list[x509.Certificate]:
            return list(authorities)

        made.append(Responders(configured(**keys), asked))
        return made[-1]

    yield making
    for each in made:
        await each.close()


def paths(hierarchy: Hierarchy, responder: Responder) -> tuple[x509.Certificate, ...]:
    leaf = leaf_of(hierarchy.issuing, NOW, responder=responder.url)
    return leaf, hierarchy.issuing.certificate, hierarchy.root.certificate


LOCAL = {"networks": ["127.0.0.0/8"]}


def listed(responder: Responder) -> dict[str, Any]:
    return {**LOCAL, "responders": [responder.url]}


async def ask(responders: Responders, responder: Responder, leaf: x509.Certificate, ca: x509.Certificate) -> Status:
    return (await responders.client.ask(responder.url, certificate_hash(leaf, ca), ca)).status


async def test_one_that_is_listed_is_asked(make: Make, hierarchy: Hierarchy, responder: Responder) -> None:
    leaf, ca, _ = paths(hierarchy, responder)
    assert await ask(make(ocsp=listed(responder)), responder, leaf, ca) is Status.GOOD


@pytest.mark.parametrize("ocsp", [{}, LOCAL, {**LOCAL, "responders": ["ocsp.example.com"]}])
async def test_one_that_is_not_listed_is_not(
    make: Make, hierarchy: Hierarchy, responder: Responder, ocsp: dict[str, Any]
) -> None:
    leaf, ca, _ = paths(hierarchy, responder)
    responders = make(ocsp=ocsp)
    await responders.look()
    with pytest.raises(OcspUnavailable) as unavailable:
        await ask(responders, responder, leaf, ca)
    assert unavailable.value.cause is Cause.NOT_ALLOWED
    assert responder.asked == []


async def test_without_a_list_those_that_our_own_cas_name_are_asked(
    make: Make, hierarchy: Hierarchy, responder: Responder
) -> None:
    leaf, ca, _ = paths(hierarchy, responder)
    sub_ca = leaf_of(hierarchy.root, NOW, responder=responder.url)
    responders = make(authorities=[ca, sub_ca], ocsp=LOCAL)
    await responders.look()
    assert await ask(responders, responder, leaf, ca) is Status.GOOD
    narrow = make(authorities=[ca, sub_ca], ocsp={**LOCAL, "responders": []})
    await narrow.look()
    with pytest.raises(OcspUnavailable):
        await ask(narrow, responder, leaf, ca)


async def test_a_private_address_needs_its_network(make: Make, hierarchy: Hierarchy, responder: Responder) -> None:
    leaf, ca, _ = paths(hierarchy, responder)
    with pytest.raises(OcspUnavailable, match="isn't a public address"):
        await ask(make(ocsp={"responders": [responder.url]}), responder, leaf, ca)
    assert responder.asked == []


@pytest.mark.parametrize("fixed", [True, False])
async def test_the_door_asks(make: Make, hierarchy: Hierarchy, responder: Responder, *, fixed: bool) -> None:
    path = paths(hierarchy, responder)
    if fixed:
        responders = make(ocsp=LOCAL, revocation={"ocsp": responder.url})
    else:
        responders = make(ocsp=listed(responder), revocation={"ocsp": "certificate"})
    source = responders.source
    assert source is not None
    assert (await source.status(path)).status is Status.GOOD
    assert len(responder.asked) == 1


async def test_the_door_asks_nobody_by_default(make: Make) -> None:
    assert make().source is None


async def test_the_issuer_is_an_authoritys_or_a_files_or_a_root_of_stations(
    make: Make, hierarchy: Hierarchy, tmp_path: Path, responder: Responder
) -> None:
    leaf, ca, _ = paths(hierarchy, responder)
    named = certificate_hash(leaf, ca)
    assert await make().find(named) == ca
    (tmp_path / "sub.pem").write_bytes(ca.public_bytes(Encoding.PEM))
    assert await make(authorities=[], ocsp={"issuers": ["sub.pem"]}).find(named) == ca
    anchor = {"type": "V2GRootCertificate", "file": "sub.pem"}
    assert await make(authorities=[], trust_anchors=[anchor]).find(named) == ca
    assert await make(authorities=[], trust_anchors=[{**anchor, "remove": True}]).find(named) is None
    assert await make(authorities=[]).find(named) is None


async def test_the_roots_of_contracts_are_known_too(make: Make, hierarchy: Hierarchy, tmp_path: Path) -> None:
    root = hierarchy.root.certificate
    (tmp_path / "mo.pem").write_bytes(root.public_bytes(Encoding.PEM))
    section = {"providers": {"csms": {"backend": {}}}, "oem_roots": "mo.pem", "mo_roots": "mo.pem"}
    backends = {"legacy": {"url": "wss://csms.example.com/{identity}", "plug_and_charge": True}}
    responders = make(authorities=[], backends=backends, plug_and_charge=section)
    assert await responders.find(certificate_hash(hierarchy.issuing.certificate, root)) == root


async def test_a_file_that_can_not_be_read_is_named_and_the_others_are_read(
    make: Make, hierarchy: Hierarchy, tmp_path: Path, responder: Responder
) -> None:
    leaf, ca, _ = paths(hierarchy, responder)
    (tmp_path / "sub.pem").write_bytes(ca.public_bytes(Encoding.PEM))
    (tmp_path / "bad.pem").write_text("nothing")
    responders = make(authorities=[], ocsp={"issuers": ["missing.pem", "bad.pem", "sub.pem"]})
    with capture_logs() as lines:
        assert await responders.find(certificate_hash(leaf, ca)) == ca
    assert [Path(line["path"]).name for line in lines] == ["missing.pem", "bad.pem"]


async def test_what_is_not_known_is_looked_for_again_but_not_at_once(
    make: Make, hierarchy: Hierarchy, responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An authority may have been away at the start; and nobody may make us read files all day."""
    leaf, ca, _ = paths(hierarchy, responder)
    known: list[x509.Certificate] = []
    responders = make(authorities=known)
    named = certificate_hash(leaf, ca)
    at = 1000.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: at)
    assert await responders.find(named) is None
    known.append(ca)
    at += ISSUERS_AGAIN_AFTER - 1
    assert await responders.find(named) is None
    at += 1
    assert await responders.find(named) == ca


async def test_roots_that_can_not_be_read(make: Make) -> None:
    with pytest.raises(StartFailed, match=r"ocsp\.roots"):
        make(ocsp={"roots": "missing.pem"})
