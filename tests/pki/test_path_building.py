"""Paths to roots: the ones that hold, and a table of those that don't, each refused for its own reason."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.path_building import (
    NAME_SHOWN_MAX,
    PRESENTED_MAX,
    PathBuilder,
    PathFault,
    PathRefused,
    build_chain,
    name_of,
    read_leaf,
)
from pki.presented import CERTIFICATE_SIZE_MAX
from tests.iso15118_pki import (
    CA_USAGE,
    DAY,
    ENCODED_DEFAULT,
    LEAF_USAGE,
    NOW,
    PCID,
    Issued,
    authority,
    branch,
    issued,
    leaf,
    named,
    usage,
)

TWO, THREE = 2, 3
"""Sub-CAs at most, as ISO 15118's generations have them."""
OEM = branch("OEM", PCID)
OTHER = branch("OEM", PCID)
RSA_KEY = rsa.generate_private_key(65537, 2048)
WEAK_RSA_KEY = rsa.generate_private_key(65537, 1024)  # noqa: S505 - which is the point


def trusting(*roots: Issued, intermediates: Sequence[Issued] = ()) -> PathBuilder:
    return PathBuilder([each.certificate for each in roots], [each.certificate for each in intermediates])


TRUST = trusting(OEM.root)


def found(trust: PathBuilder, end: Issued, *subs: bytes, at: datetime = NOW) -> list[x509.Certificate]:
    return list(trust.path(end.der, subs, at=at, longest=TWO))


def refused(
    trust: PathBuilder, end: bytes | Issued, *subs: bytes, at: datetime = NOW, longest: int = TWO
) -> tuple[PathFault, str]:
    with pytest.raises(PathRefused) as caught:
        trust.path(end if isinstance(end, bytes) else end.der, subs, at=at, longest=longest)
    return caught.value.fault, str(caught.value)


# --- what holds ------------------------------------------------------------------------------------------------------


def test_a_leaf_with_its_sub_cas() -> None:
    whole = [each.certificate for each in (OEM.leaf, OEM.sub2, OEM.sub1, OEM.root)]
    assert found(TRUST, OEM.leaf, *OEM.subs) == whole
    assert found(TRUST, OEM.leaf, *reversed(OEM.subs)) == whole, "in any order"
    assert found(TRUST, OEM.leaf, *OEM.subs, OEM.root.der) == whole, "a root that comes along is passed over"
    assert found(TRUST, OEM.leaf, *OEM.subs, OTHER.sub1.der) == whole, "so is what has nothing to do with it"


def test_a_leaf_alone_with_sub_cas_of_the_configuration() -> None:
    trust = trusting(OEM.root, OTHER.root, intermediates=(OTHER.sub1, OTHER.sub2, OEM.sub2, OEM.sub1))
    assert found(trust, OEM.leaf)[-1] == OEM.root.certificate
    assert found(trust, OTHER.leaf)[-1] == OTHER.root.certificate


def test_one_that_a_root_has_issued_itself() -> None:
    end = leaf(PCID, OEM.root)
    assert found(TRUST, end) == [end.certificate, OEM.root.certificate]


def test_a_leaf_whose_extensions_pyca_cannot_read() -> None:
    odd = leaf(PCID, OEM.sub2, basic_constraints=ENCODED_DEFAULT)
    with pytest.raises(ValueError, match="EncodedDefault"):
        _ = odd.certificate.extensions
    assert found(TRUST, odd, *OEM.subs)[0] == odd.certificate


def test_leaves_without_extensions_and_roots_without_key_usage() -> None:
    root = authority("Root", key_usage=None)
    assert found(trusting(root), leaf(PCID, root, key_usage=None, basic_constraints=None))


def test_rsa_above_an_ec_leaf() -> None:
    root = authority("Root", key=RSA_KEY)
    assert found(trusting(root), leaf(PCID, root))


def test_the_path_that_holds_today_is_found_beside_one_that_has_ended() -> None:
    """Two certificates of one CA: the old one, and its successor with the same key."""
    sub = authority("Sub", OEM.root, path_length=0, ends=NOW - DAY / 2)
    renewed = authority("Sub", OEM.root, path_length=0, key=sub.key)
    end = leaf(PCID, sub)
    assert found(TRUST, end, sub.der, renewed.der)[1] == renewed.certificate
    assert found(TRUST, end, renewed.der, sub.der)[1] == renewed.certificate
    assert refused(TRUST, end, sub.der)[0] is PathFault.EXPIRED


def test_a_new_root_that_the_old_one_has_signed() -> None:
    new = authority("New Root")
    cross = authority("New Root", OEM.root, key=new.key)
    end = leaf(PCID, new)
    assert found(TRUST, end, cross.der) == [end.certificate, cross.certificate, OEM.root.certificate]
    assert found(trusting(new), end, cross.der) == [end.certificate, new.certificate]


# --- what doesn't, each for its own reason ---------------------------------------------------------------------------


def sub_of(**how: object) -> tuple[Issued, bytes]:
    """Return a leaf below a sub-CA that is made differently, and that sub-CA."""
    sub = authority("Sub", OEM.root, **how)  # type: ignore[arg-type]  # as the table has them
    return leaf(PCID, sub), sub.der


A_CA = x509.BasicConstraints(ca=True, path_length=None)
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
CONSTRAINED = x509.NameConstraints([x509.DirectoryName(named("x"))], None)
REQUIRES_POLICY = x509.PolicyConstraints(0, None)
ANY_POLICY = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("2.5.29.32.0"), None)])


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"key_usage": None}, "without key usage"),
        ({"key_usage": usage("digital_signature", "crl_sign")}, "isn't signing certificates"),
        ({"extensions": [(CONSTRAINED, True)]}, "name constraints"),
        ({"extensions": [(CONSTRAINED, False)]}, "name constraints"),
        ({"extensions": [(UNKNOWN, True)]}, "1.2.3.4"),
        ({"extensions": [(REQUIRES_POLICY, True)]}, "2.5.29.36"),
        ({"key": WEAK_RSA_KEY}, "2048 to 4096 bits"),
        ({"key": ec.generate_private_key(ec.SECP256K1())}, "secp256k1"),
    ],
)
def test_a_ca_that_may_not_issue(how: dict[str, object], why: str) -> None:
    end, sub = sub_of(**how)
    refusal, text = refused(TRUST, end, sub)
    assert (refusal, why in text) == (PathFault.UNTRUSTED, True), text


def test_what_a_ca_may_have() -> None:
    end, sub = sub_of(extensions=[(UNKNOWN, False), (ANY_POLICY, True)])
    assert found(TRUST, end, sub)


def test_a_leaf_as_issuer() -> None:
    """Every vehicle could be its own manufacturer otherwise."""
    end = leaf("WEXAMPLE000000002", OEM.leaf)
    refusal, text = refused(TRUST, end, OEM.leaf.der, OEM.sub2.der, OEM.sub1.der)
    assert (refusal, "isn't a CA" in text) == (PathFault.UNTRUSTED, True)


def test_one_that_writes_out_that_it_is_no_ca() -> None:
    odd = leaf("Odd", OEM.sub2, basic_constraints=ENCODED_DEFAULT, key_usage=CA_USAGE)
    assert "isn't a CA" in refused(TRUST, leaf(PCID, odd), odd.der, *OEM.subs)[1]


def test_longer_than_a_ca_allows() -> None:
    sub3 = authority("Sub 3", OEM.sub2)
    text = refused(TRUST, leaf(PCID, sub3), sub3.der, *OEM.subs, longest=THREE)[1]
    assert "allows 0 sub-CAs below it, not 1" in text

    narrow = authority("Narrow", path_length=0)
    sub = authority("Sub", narrow)
    assert "allows 0 sub-CAs" in refused(trusting(narrow), leaf(PCID, sub), sub.der)[1], "a root's word counts, too"


def chain_of(length: int, root: Issued) -> tuple[Issued, list[bytes]]:
    """Return a leaf and the sub-CAs above it, next to it first."""
    subs: list[Issued] = []
    for number in range(length):
        subs.insert(0, authority(f"Sub {number}", subs[0] if subs else root))
    return leaf(PCID, subs[0]), [each.der for each in subs]


@pytest.mark.parametrize("longest", [TWO, THREE])
def test_as_many_sub_cas_as_are_allowed(longest: int) -> None:
    end, subs = chain_of(longest, OEM.root)
    assert len(TRUST.path(end.der, subs, at=NOW, longest=longest)) == longest + 2
    end, subs = chain_of(longest + 1, OEM.root)
    assert refused(TRUST, end, *subs, longest=longest) == (
        PathFault.UNTRUSTED,
        f"no path from {name_of(end.certificate)} to a trusted root: more than {longest} sub-CAs",
    )


def test_more_than_can_be_sent() -> None:
    subs = [authority(f"Sub {number}").der for number in range(PRESENTED_MAX + 1)]
    assert refused(TRUST, OEM.leaf, *subs)[0] is PathFault.UNTRUSTED
    assert found(TRUST, OEM.leaf, *OEM.subs, *subs[: PRESENTED_MAX - 2])


def test_without_the_sub_cas() -> None:
    refusal, text = refused(TRUST, OEM.leaf)
    assert (refusal, "OEM Sub 2" in text) == (PathFault.UNTRUSTED, True)


def test_of_another_root() -> None:
    assert refused(TRUST, OTHER.leaf, *OTHER.subs)[0] is PathFault.UNTRUSTED
    refusal, text = refused(trusting(), OEM.leaf, *OEM.subs)
    assert refusal is PathFault.UNTRUSTED
    assert text.endswith("nobody trusted is called 'DC=OEM,O=Example,CN=OEM Root'"), "not what was sent"


def test_a_root_that_the_peer_brings() -> None:
    foreign = authority("Foreign Root")
    refusal, text = refused(TRUST, leaf(PCID, foreign), foreign.der)
    assert (refusal, "nobody trusted is called" in text) == (PathFault.UNTRUSTED, True)
    assert refused(TRUST, OTHER.leaf, *OTHER.subs, OTHER.root.der)[0] is PathFault.UNTRUSTED


def test_a_root_of_the_same_name_with_another_key() -> None:
    impostor = authority("OEM Root", component="OEM")
    refusal, text = refused(TRUST, leaf(PCID, impostor), impostor.der)
    assert (refusal, "isn't signed by the key of" in text) == (PathFault.UNTRUSTED, True)


def test_an_intermediate_of_the_configuration_is_no_root() -> None:
    assert refused(trusting(OTHER.root, intermediates=(OEM.sub2, OEM.sub1)), OEM.leaf)[0] is PathFault.UNTRUSTED


def test_a_signature_that_does_not_hold() -> None:
    der = bytearray(OEM.leaf.der)
    der[-1] ^= 1
    refusal, text = refused(TRUST, bytes(der), *OEM.subs)
    assert (refusal, "isn't signed by the key of" in text) == (PathFault.UNTRUSTED, True)


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (lambda: OEM.root.der, "is a CA's certificate"),
        (lambda: OEM.sub2.der, "is a CA's certificate"),
        (lambda: leaf(PCID, OEM.sub2, basic_constraints=A_CA).der, "is a CA's certificate"),
        (lambda: leaf(PCID, OEM.sub2, key_usage=CA_USAGE).der, "is a CA's certificate"),
        (lambda: leaf(PCID, OEM.sub2, key_usage=usage("digital_signature", "crl_sign")).der, "is a CA's certificate"),
        (lambda: leaf(PCID, OEM.sub2, extensions=[(UNKNOWN, True)]).der, "1.2.3.4"),
        (lambda: leaf(PCID, OEM.sub2, key=WEAK_RSA_KEY).der, "2048 to 4096 bits"),
        (lambda: leaf(PCID, OEM.sub2, key=ec.generate_private_key(ec.SECP224R1())).der, "secp224r1"),
        (lambda: issued(named(PCID), OEM.sub2, [(LEAF_USAGE, True)], digest=hashes.SHA224()).der, "sha224"),
    ],
    ids=["root", "sub-CA", "cA", "signs certificates", "signs CRLs", "critical", "RSA 1024", "P-224", "SHA-224"],
)
def test_what_is_no_leaf_or_a_weak_one(end: Callable[[], bytes], why: str) -> None:
    refusal, text = refused(TRUST, end(), *OEM.subs)
    assert (refusal, why in text) == (PathFault.PROFILE, True), text


VERSION_3 = bytes.fromhex("a003020102")
FIELDS = issued(named(PCID), OEM.sub2, []).certificate.tbs_certificate_bytes.split(VERSION_3, 1)[1]
"""The fields of a certificate behind its version."""


def by_hand(fields: bytes) -> bytes:
    """Return a certificate that pyca wouldn't write, soundly signed."""
    key = OEM.sub2.key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    tbs = sequence(fields)
    signature = key.sign(tbs, ec.ECDSA(hashes.SHA256()))
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")
    return sequence(tbs, algorithm, bytes([0x03, len(signature) + 1, 0]), signature)


def sequence(*parts: bytes) -> bytes:
    """Return a SEQUENCE of 128 to 65535 octets."""
    content = b"".join(parts)
    length = len(content).to_bytes(2).lstrip(b"\0")
    return bytes([0x30, 0x80 + len(length)]) + length + content


def test_a_certificate_of_version_1() -> None:
    """It can't say that it is no CA."""
    refusal, text = refused(TRUST, by_hand(FIELDS), *OEM.subs)
    assert (refusal, "isn't an X.509 v3" in text) == (PathFault.PROFILE, True)


@pytest.mark.parametrize("octets", [21, 100])
def test_a_serial_number_that_nobody_has_room_for(octets: int) -> None:
    rest = FIELDS[2 + FIELDS[1] :]
    serial = bytes([0x02, octets, 0x01]) + bytes(octets - 1)
    refusal, text = refused(TRUST, by_hand(VERSION_3 + serial + rest), *OEM.subs)
    assert (refusal, "serial number" in text) == (PathFault.PROFILE, True)

    widest = bytes([0x02, 20, 0x7F]) + bytes(19)
    assert TRUST.path(by_hand(VERSION_3 + widest + rest), OEM.subs, at=NOW, longest=TWO)


def test_a_leaf_that_is_trusted_as_a_root() -> None:
    """Who puts a vehicle's certificate into the roots hasn't made it a manufacturer, nor the vehicle a root."""
    trust = trusting(OEM.leaf)
    assert refused(trust, OEM.leaf)[0] is PathFault.PROFILE
    assert "isn't a CA" in refused(trust, leaf(PCID, OEM.leaf))[1]


def test_a_leaf_of_an_edwards_curve() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    builder = x509.CertificateBuilder(named("r"), named("r"), key.public_key(), 1, NOW - DAY, NOW + DAY)
    der = builder.sign(key, None).public_bytes(Encoding.DER)
    assert refused(TRUST, der)[0] is PathFault.PROFILE


def test_a_sub_ca_signed_with_a_weak_hash() -> None:
    constraints = (x509.BasicConstraints(ca=True, path_length=None), True)
    sub = issued(named("Sub"), OEM.root, [constraints, (CA_USAGE, True)], digest=hashes.SHA224())
    refusal, text = refused(TRUST, leaf(PCID, sub), sub.der)
    assert (refusal, "sha224" in text) == (PathFault.UNTRUSTED, True)


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("who", ["leaf", "sub", "root"])
def test_the_dates_of_the_whole_path(who: str) -> None:
    dates = {"begins": NOW - DAY, "ends": NOW + DAY}
    root = authority("Root", **(dates if who == "root" else {}))  # type: ignore[arg-type]  # both are dates
    sub = authority("Sub", root, **(dates if who == "sub" else {}))  # type: ignore[arg-type]  # the same
    end = leaf(PCID, sub, **(dates if who == "leaf" else {}))  # type: ignore[arg-type]  # the same
    trust = trusting(root, intermediates=[sub])

    assert found(trust, end, at=NOW + DAY)
    assert refused(trust, end, at=NOW + DAY + SECOND)[0] is PathFault.EXPIRED
    assert found(trust, end, at=NOW - DAY)
    assert refused(trust, end, at=NOW - DAY - SECOND)[0] is PathFault.NOT_YET_VALID


def test_an_expired_one_of_a_foreign_root_is_foreign() -> None:
    end = leaf(PCID, OTHER.root, ends=NOW - DAY / 2)
    assert refused(TRUST, end)[0] is PathFault.UNTRUSTED


@pytest.mark.parametrize("junk", [b"", b"\x30", b"\x00" * 600, b"\x30\x82\xff\xff", bytes(CERTIFICATE_SIZE_MAX + 1)])
def test_what_is_no_certificate(junk: bytes) -> None:
    assert refused(TRUST, junk)[0] is PathFault.MALFORMED
    assert refused(TRUST, OEM.leaf, junk)[0] is PathFault.MALFORMED


def test_extensions_that_nobody_can_read() -> None:
    odd = x509.UnrecognizedExtension(ENCODED_DEFAULT.oid, bytes.fromhex("30030101fe"))
    assert refused(TRUST, leaf(PCID, OEM.sub2, basic_constraints=odd))[0] is PathFault.MALFORMED


# --- chains without a root -------------------------------------------------------------------------------------------


def refused_chain(end: Issued, *subs: bytes, at: datetime = NOW) -> PathFault:
    with pytest.raises(PathRefused) as caught:
        build_chain(end.der, subs, at=at, longest=TWO)
    return caught.value.fault


def test_a_chain_that_hangs_together() -> None:
    path = build_chain(OEM.leaf.der, OEM.subs, at=NOW, longest=TWO)
    assert path == (OEM.leaf.certificate, OEM.sub2.certificate, OEM.sub1.certificate)


def test_a_chain_that_does_not() -> None:
    assert refused_chain(OEM.leaf, *reversed(OEM.subs)) is PathFault.UNTRUSTED
    assert refused_chain(OEM.leaf, *OTHER.subs) is PathFault.UNTRUSTED
    assert refused_chain(OEM.leaf, *OEM.subs, OEM.root.der) is PathFault.UNTRUSTED
    assert refused_chain(leaf(PCID, OEM.leaf), OEM.leaf.der) is PathFault.UNTRUSTED
    assert refused_chain(OEM.leaf, *OEM.subs, at=NOW + 90 * DAY) is PathFault.EXPIRED


# --- attacks ---------------------------------------------------------------------------------------------------------


def test_cas_that_could_all_have_issued_each_other() -> None:
    """Attack B4: thirty cross-certificates of one name and key, none of which leads anywhere."""
    key = ec.generate_private_key(ec.SECP256R1())
    first = authority("Maze", key=key)
    maze = [authority("Maze", first, key=key) for _ in range(30)]
    trust = trusting(OEM.root, intermediates=maze)
    refusal, text = refused(trust, leaf(PCID, first), longest=THREE)
    assert (refusal, "possible issuers" in text) == (PathFault.UNTRUSTED, True)


def test_names_are_printable_and_bounded() -> None:
    hostile = leaf("\u202e\n" + "x" * 50, OEM.sub2).certificate
    assert name_of(hostile).isprintable()
    assert name_of(hostile).isascii()
    parts = [x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, "y" * 60) for _ in range(9)]
    assert len(name_of(issued(x509.Name(parts), OEM.sub2, []).certificate)) == NAME_SHOWN_MAX


@settings(max_examples=300)
@given(
    which=st.integers(min_value=0, max_value=2),
    at=st.integers(min_value=0, max_value=2000),
    octet=st.integers(min_value=0, max_value=255),
)
def test_mutants_are_refused(which: int, at: int, octet: int) -> None:
    """Nothing but PathRefused leaves it, and what was signed can't be changed."""
    ders = [bytearray(each) for each in (OEM.leaf.der, *OEM.subs)]
    mutant = ders[which]
    at %= len(mutant)
    if mutant[at] == octet:
        return
    mutant[at] = octet
    with pytest.raises(PathRefused):
        TRUST.path(bytes(ders[0]), [bytes(each) for each in ders[1:]], at=NOW, longest=TWO)


def test_a_leaf_by_itself() -> None:
    assert read_leaf(OEM.leaf.der) == OEM.leaf.certificate


def test_dates_that_are_none() -> None:
    """The year 0, which DER has and a datetime hasn't: of a stranger's chain the dates are looked at all the same."""
    ends = datetime(2050, 1, 1, tzinfo=NOW.tzinfo)
    odd = leaf(PCID, OTHER.sub2, ends=ends).der.replace(b"20500101000000Z", b"00000101000000Z")
    with pytest.raises(PathRefused) as caught:
        build_chain(odd, (), at=NOW, longest=TWO)
    assert caught.value.fault is PathFault.MALFORMED


def test_extensions_that_the_caller_looks_at_may_be_critical() -> None:
    sub = authority("Sub", OEM.root, extensions=[(UNKNOWN, True)])
    end = leaf(PCID, sub, extensions=[(UNKNOWN, True)])
    assert refused(TRUST, end, sub.der)[0] is PathFault.PROFILE
    trust = PathBuilder([OEM.root.certificate], understood=frozenset({"1.2.3.4"}))
    assert len(found(trust, end, sub.der)) == 3
    assert refused(TRUST, leaf(PCID, sub), sub.der)[0] is PathFault.UNTRUSTED, "nothing is remembered of it"
