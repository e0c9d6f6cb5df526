"""Manufacturers of the configuration: whose image each one's verifier takes, and what it asks whom."""

import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.app.ca_files import FILE_MAX
from gateway.app.firmware_manufacturers import Manufacturers
from gateway.app.problems import StartFailed
from gateway.config import Config
from pki.firmware import Algorithm, FirmwareRefused, ImageDigest, Refusal
from pki.issuing import Hierarchy, Issuer
from tests.firmware_pki import DAY, crl_of, make_signer, manufacturer, pointers
from tests.iso15118_pki import authority
from tests.responders import GOOD, REVOKED, responding

IMAGE: Final = b"firmware 1.2.3"
DIGEST: Final = ImageDigest(len(IMAGE), hashlib.sha256(IMAGE).digest(), b"")
ACME: Final = manufacturer("Acme")
OTHER: Final = manufacturer("Other")


class World:
    """Two manufacturers and the files of their PKIs, and a clock for when CRLs are read."""

    def __init__(self, configured: Callable[..., Config], folder: Path) -> None:
        self._configured = configured
        self.folder = folder
        self.passed = 0.0
        self.made: list[Manufacturers] = []
        ACME.write(folder / "acme")
        OTHER.write(folder / "other")

    def manufacturers(self, *, tree: dict[str, Any] | None = None, **acme: Any) -> Manufacturers:
        section: dict[str, dict[str, Any]] = {
            name: {
                "roots": f"{name}/roots.pem",
                "intermediates": f"{name}/intermediates.pem",
                "crls": [f"{name}/signers.crl"],
            }
            for name in ("acme", "other")
        }
        section["acme"] |= acme
        config = self._configured(firmware={"manufacturers": section}, **(tree or {}))
        made = Manufacturers(config, monotonic=lambda: self.passed)
        self.made.append(made)
        return made


@pytest.fixture
async def world(configured: Callable[..., Config], tmp_path: Path) -> AsyncIterator[World]:
    made = World(configured, tmp_path)
    yield made
    for each in made.made:
        await each.close()


async def refused(made: Manufacturers, pem: str, name: str = "acme") -> Refusal:
    with pytest.raises(FirmwareRefused) as caught:
        await (await made.verifier(name)).check_signer(pem)
    return caught.value.refusal


async def test_each_takes_its_own_signers(world: World) -> None:
    made = world.manufacturers()
    for name, pki in (("acme", ACME), ("other", OTHER)):
        verifier = await made.verifier(name)
        assert (await verifier.verify(DIGEST, pki.ec.sign(IMAGE))).algorithm is Algorithm.ECDSA
        assert await refused(made, pki.revoked.pem, name) is Refusal.CERTIFICATE_REVOKED
    assert await refused(made, OTHER.ec.pem) is Refusal.CERTIFICATE_UNTRUSTED


async def test_which_of_them_has_made_a_station(world: World) -> None:
    made = world.manufacturers(vendors=["Acme Inc.", "Acme EV"])
    assert [made.of_vendor(each) for each in ("Acme Inc.", "Acme EV", "acme", "other", "Other")] == [
        "acme",
        "acme",
        None,
        "other",
        None,
    ]
    assert ("acme" in made, "Acme Inc." in made) == (True, False)
    with pytest.raises(FirmwareRefused, match=r"firmware\.manufacturers") as caught:
        await made.verifier("Acme Inc.")
    assert caught.value.refusal is Refusal.MANUFACTURER_UNKNOWN


async def test_its_settings(world: World) -> None:
    raw, pkcs1 = ACME.ec.sign(IMAGE, encoding="raw"), ACME.rsa.sign(IMAGE, Algorithm.RSA_PKCS1)
    usual = await world.manufacturers().verifier("acme")
    own = await world.manufacturers(
        algorithms=["ecdsa-sha256", "rsa-pkcs1v15-sha256"],
        ecdsa_encoding="raw",
        validity="signing",
        revocation="off",
        crls=[],
    ).verifier("acme")
    for signed in (raw, pkcs1):
        with pytest.raises(FirmwareRefused):
            await usual.verify(DIGEST, signed)
        await own.verify(DIGEST, signed)
    await own.check_signer(ACME.expired.pem, signed_at=ACME.now - 9 * DAY)
    await own.check_signer(ACME.revoked.pem)


async def test_a_root_that_is_replaced(world: World) -> None:
    made = world.manufacturers()
    OTHER.write(world.folder / "acme")
    assert await refused(made, ACME.ec.pem) is Refusal.CERTIFICATE_UNTRUSTED


@pytest.mark.parametrize(
    "content",
    [None, b"x", ACME.ec.pem.encode(), b" " * (FILE_MAX + 1)],
    ids=["missing", "no PEM", "no CA", "too large"],
)
async def test_a_file_that_cant_be_used(world: World, content: bytes | None) -> None:
    file = world.folder / "acme" / "roots.pem"
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(FirmwareRefused, match=r"firmware\.manufacturers\.acme\.roots") as caught:
        await world.manufacturers().verifier("acme")
    assert caught.value.refusal is Refusal.CERTIFICATE_UNTRUSTED


async def test_crls_are_read_again_in_time(world: World) -> None:
    made = world.manufacturers()
    await (await made.verifier("acme")).check_signer(ACME.ec.pem)
    newer = crl_of(ACME.sub, [ACME.ec.certificate], now=ACME.now, number=2)
    (world.folder / "acme" / "signers.crl").write_bytes(newer)
    await (await made.verifier("acme")).check_signer(ACME.ec.pem)
    world.passed += 60.0
    assert await refused(made, ACME.ec.pem) is Refusal.CERTIFICATE_REVOKED


class Named:
    """A manufacturer whose certificates name a place of its CRL on this machine; and what is there."""

    def __init__(self, url: str) -> None:
        self.url = url
        now = ACME.now
        self.root = authority(
            "Named Root", begins=now - DAY, ends=now + 9 * DAY, extensions=[*pointers(crl_url=self.url)[1:]]
        )
        self.signer = make_signer(
            "Signer", self.root, begins=now - DAY, ends=now + DAY, extensions=pointers(crl_url=self.url)
        )
        self.crl = crl_of(self.root, now=now)

    def write(self, folder: Path) -> None:
        (folder / "acme" / "roots.pem").write_bytes(self.root.certificate.public_bytes(Encoding.PEM))


@pytest.fixture
async def named() -> AsyncIterator[Named]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=found.crl, content_type="application/pkix-crl")

    app = web.Application()
    app.router.add_get("/signers.crl", answer)
    async with TestServer(app) as server:
        found = Named(str(server.make_url("/signers.crl")))
        yield found


HERE: Final = {"networks": ["127.0.0.0/8"]}


async def test_a_crl_that_the_certificate_names(world: World, named: Named) -> None:
    named.write(world.folder)
    made = world.manufacturers(tree={"ocsp": HERE}, crls=[], intermediates=None)
    await (await made.verifier("acme")).check_signer(named.signer.pem)
    named.crl = crl_of(named.root, [named.signer.certificate], now=ACME.now, number=2)
    again = world.manufacturers(tree={"ocsp": HERE}, crls=[], intermediates=None)
    assert await refused(again, named.signer.pem) is Refusal.CERTIFICATE_REVOKED


async def test_the_responder_that_the_certificate_names(world: World) -> None:
    root, issuing = (Issuer(each.certificate, each.key) for each in (ACME.root, ACME.sub))
    async with responding(Hierarchy(root, issuing)) as responder:
        place = responder.url.removeprefix("http://").removesuffix("/ocsp")
        tree = {"ocsp": HERE | {"responders": [place]}}
        for status, expected in ((GOOD, None), (REVOKED, Refusal.CERTIFICATE_REVOKED)):
            signer = make_signer(
                "Signer",
                ACME.sub,
                begins=ACME.now - DAY,
                ends=ACME.now + DAY,
                extensions=pointers(responder=responder.url),
            )
            responder.says = {"status": status}
            made = world.manufacturers(tree=tree, crls=[])
            if expected is None:
                await (await made.verifier("acme")).check_signer(signer.pem)
            else:
                assert await refused(made, signer.pem) is expected
        assert len(responder.asked) == 2


@pytest.mark.parametrize("ocsp", [{}, HERE | {"responders": ["ocsp.example.com"]}], ids=["network", "place"])
async def test_it_is_asked_only_where_it_may_be(world: World, named: Named, ocsp: dict[str, Any]) -> None:
    named.write(world.folder)
    made = world.manufacturers(tree={"ocsp": ocsp}, crls=[], intermediates=None)
    assert await refused(made, named.signer.pem) is Refusal.REVOCATION_UNKNOWN


async def test_roots_of_responders_that_are_none(world: World) -> None:
    with pytest.raises(StartFailed, match=r"ocsp\.roots"):
        world.manufacturers(tree={"ocsp": {"roots": str(world.folder / "none.pem")}})


async def test_without_the_section(configured: Callable[..., Config]) -> None:
    made = Manufacturers(configured())
    assert made.of_vendor("Acme") is None
    await made.close()
