"""A real responder: OpenBao's own, over HTTPS, sealed and unsealed; what it says passes pkilint."""

import ipaddress
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from pki.certificate_hash import HashAlgorithm, certificate_hash
from pki.destinations import AllowList, Destination
from pki.fetching import GuardedHttp
from pki.issuing import new_hierarchy
from pki.ocsp.client import Cause, OcspClient, OcspUnavailable
from pki.ocsp.issuers import responders_of
from pki.ocsp.source import OcspSource
from pki.revocation import Status
from tests import lint
from tests.bao import Bao, running_bao
from tests.responders import leaf_of, response


def errors(der: bytes) -> list[str]:
    """Return what pkilint finds to be wrong with a response."""
    return lint.errors(lint.of_ocsp_response(der))


EMPTY_EXTENSIONS = bytes.fromhex("a1023000")
"""singleExtensions [1] that hold none. RFC 6960 wants one at least (SIZE (1..MAX)); OpenBao 2.7 writes this always."""
CONSTRUCTED = 0x20
OCTET_STRING = 0x04


def mended(der: bytes) -> bytes:
    """Return the elements of ``der`` without EMPTY_EXTENSIONS, with lengths that are right. No signature holds then."""
    parts, rest = [], der
    while rest:
        size, start = rest[1], 2
        if size & 0x80:
            start += size & 0x7F
            size = int.from_bytes(rest[2:start])
        tag, whole, content, rest = rest[0], rest[: start + size], rest[start : start + size], rest[start + size :]
        if tag & CONSTRUCTED or (tag == OCTET_STRING and EMPTY_EXTENSIONS in content):
            content = mended(content)
            length = len(content).to_bytes(2)
            whole = bytes([tag, 0x82]) + length if len(content) > 255 else bytes([tag, 0x81, len(content)])
            whole = (whole if len(content) > 127 else bytes([tag, len(content)])) + content
        parts.append(b"" if whole == EMPTY_EXTENSIONS else whole)
    return b"".join(parts)


class Site:
    """An engine of OpenBao that issues certificates which name its responder."""

    def __init__(self, bao: Bao) -> None:
        self.bao = bao
        self.url = f"{bao.address}/v1/pki/ocsp"
        bao.ask("POST", "sys/mounts/pki", {"type": "pki"})
        made = bao.ask("POST", "pki/root/generate/internal", {"common_name": "Root", "key_type": "ec"})
        self.ca = x509.load_pem_x509_certificate(made["data"]["certificate"].encode())
        bao.ask("POST", "pki/config/urls", {"ocsp_servers": self.url})
        role = {"allow_any_name": True, "enforce_hostnames": False, "key_type": "ec", "ttl": "24h"}
        bao.ask("POST", "pki/roles/station", role)

    def leaf(self) -> x509.Certificate:
        made = self.bao.ask("POST", "pki/issue/station", {"common_name": "SN1"})
        return x509.load_pem_x509_certificate(made["data"]["certificate"].encode())

    def revoke(self, leaf: x509.Certificate) -> None:
        serial = leaf.serial_number.to_bytes(20, "big").lstrip(b"\0").hex(":")
        self.bao.ask("POST", "pki/revoke", {"serial_number": serial})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_bao(tmp_path_factory.mktemp("bao")) as bao:
        yield Site(bao)


@pytest.fixture
async def client(site: Site) -> AsyncIterator[OcspClient]:
    allowed = AllowList([Destination.parse(site.url)], [ipaddress.ip_network("127.0.0.0/8")])
    async with GuardedHttp(allowed, roots=Path(site.bao.cacert)) as http:
        made = OcspClient(http)
        yield made
        await made.close()


@pytest.mark.parametrize("algorithm", list(HashAlgorithm))
async def test_good_and_then_revoked(site: Site, client: OcspClient, algorithm: HashAlgorithm) -> None:
    leaf = site.leaf()
    named = certificate_hash(leaf, site.ca, algorithm)
    good = await client.ask(site.url, named, site.ca)
    site.revoke(leaf)
    assert await client.ask(site.url, named, site.ca) is good
    revoked = await client.ask(site.url, named, site.ca, age_max=-good.this_update.resolution)
    assert (good.status, revoked.status) == (Status.GOOD, Status.REVOKED)
    for answer in (good, revoked):
        assert answer.der.count(EMPTY_EXTENSIONS) == 1
        assert errors(answer.der) == ["FATAL itu.invalid_asn1_syntax"]
        assert errors(mended(answer.der)) == [], "but for that the linter finds nothing"


async def test_at_the_door(site: Site, client: OcspClient) -> None:
    leaf = site.leaf()
    assert responders_of(leaf) == [site.url]
    assert (await OcspSource(client).status((leaf, site.ca))).status is Status.GOOD


async def test_a_certificate_of_another_ca(site: Site, client: OcspClient) -> None:
    """OpenBao answers about one of its own CA's in its place; a serial number that it never issued it calls good."""
    named = certificate_hash(site.leaf(), site.ca)
    with pytest.raises(OcspUnavailable, match="isn't about this certificate"):
        await client.ask(site.url, replace(named, issuer_name="ab" * 32, issuer_key="cd" * 32), site.ca)
    never_issued = replace(named, serial="5")
    assert (await client.ask(site.url, never_issued, site.ca)).status is Status.GOOD


async def test_sealed(site: Site, client: OcspClient) -> None:
    named = certificate_hash(site.leaf(), site.ca)
    site.bao.seal()
    try:
        with pytest.raises(OcspUnavailable) as unavailable:
            await client.ask(site.url, named, site.ca)
    finally:
        site.bao.unseal()
    assert unavailable.value.cause is Cause.AWAY


def test_what_is_in_order_is_left_as_it_is() -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    ca = new_hierarchy("Lint", "CPO", now).issuing
    der = response(certificate_hash(leaf_of(ca, now), ca.certificate), ca, now)
    assert errors(der) == []
    assert mended(der) == der
