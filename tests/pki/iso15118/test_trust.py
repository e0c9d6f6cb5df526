"""Paths of Plug & Charge: as long as each generation has them, and refused in the words of provisioning."""

from pathlib import Path as File

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.iso15118.exi import Schema
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from pki.iso15118.trust import LIMITS, TrustedPaths, chain_path
from tests.iso15118_pki import CA_USAGE, DAY, NOW, PCID, authority, branch, leaf

VECTORS = File(__file__).parent / "vectors"
OEM = branch("OEM", PCID)
TRUST = TrustedPaths([OEM.root.certificate], [OEM.sub1.certificate])
TWO, TWENTY = LIMITS[Schema.ISO_2], LIMITS[Schema.ISO_20]


@pytest.mark.parametrize(("folder", "schema"), [("pki_iso2", Schema.ISO_2), ("pki_iso20", Schema.ISO_20)])
@pytest.mark.parametrize(
    ("end", "subs", "root"),
    [("oemLeaf", "oemSub", "oemRoot"), ("contract", "moSub", "moRoot"), ("cpsLeaf", "cpsSub", "v2gRoot")],
)
def test_the_hierarchies_of_the_vectors(folder: str, schema: Schema, end: str, subs: str, root: str) -> None:
    def read(name: str) -> x509.Certificate:
        return x509.load_pem_x509_certificate((VECTORS / folder / f"{name}.cert.pem").read_bytes())

    trust = TrustedPaths([read(root)])
    chain = [read(f"{subs}{number}").public_bytes(Encoding.DER) for number in (2, 1)]
    path = trust.path(read(end).public_bytes(Encoding.DER), chain, at=NOW, limits=LIMITS[schema])
    assert path == (read(end), read(f"{subs}2"), read(f"{subs}1"), read(root))


def test_as_many_sub_cas_as_a_generation_has() -> None:
    top = authority("Root")
    subs = [authority("A", top)]
    for name in "BC":
        subs.insert(0, authority(name, subs[0]))
    end, trust = leaf(PCID, subs[0]), TrustedPaths([top.certificate])
    ders = [each.der for each in subs]
    assert len(trust.path(end.der, ders, at=NOW, limits=TWENTY)) == 5
    with pytest.raises(ProvisioningRefused, match="more than 2 sub-CAs") as caught:
        trust.path(end.der, ders, at=NOW, limits=TWO)
    assert caught.value.refusal is Refusal.CHAIN_UNTRUSTED


@pytest.mark.parametrize(
    ("der", "days", "refusal"),
    [
        (OEM.leaf.der, 0, None),
        (b"\x30", 0, Refusal.MALFORMED),
        (leaf(PCID, OEM.sub2, key_usage=CA_USAGE).der, 0, Refusal.CERTIFICATE_PROFILE),
        (leaf(PCID, authority("Foreign")).der, 0, Refusal.CHAIN_UNTRUSTED),
        (OEM.leaf.der, 31, Refusal.CERTIFICATE_EXPIRED),
        (OEM.leaf.der, -2, Refusal.CERTIFICATE_NOT_YET_VALID),
    ],
    ids=["good", "malformed", "a CA's", "foreign", "expired", "to come"],
)
def test_in_the_words_of_provisioning(der: bytes, days: int, refusal: Refusal | None) -> None:
    def refused() -> Refusal | None:
        try:
            TRUST.path(der, OEM.subs[:1], at=NOW + days * DAY, limits=TWO)
        except ProvisioningRefused as refused:
            return refused.refusal
        return None

    assert refused() is refusal


def test_a_chain_without_a_root() -> None:
    path = chain_path(OEM.leaf.der, OEM.subs, at=NOW, limits=TWO)
    assert path == (OEM.leaf.certificate, OEM.sub2.certificate, OEM.sub1.certificate)
    with pytest.raises(ProvisioningRefused) as caught:
        chain_path(OEM.leaf.der, (*OEM.subs, OEM.root.der), at=NOW, limits=TWO)
    assert caught.value.refusal is Refusal.CHAIN_UNTRUSTED
