"""Extensions as certificates in the field have them: what pyca reads is read the same, and one spelling more."""

import contextlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
from hypothesis import given
from hypothesis import strategies as st

from pki.extensions import EXTENSIONS_MAX, Extensions, ExtensionsUnreadable, Usage, read_extensions
from tests.iso15118_pki import BASIC_CONSTRAINTS, CA_USAGE, ENCODED_DEFAULT, Extension, issued, named, usage

KEY = ec.generate_private_key(ec.SECP256R1())
BASIC, USAGE = "2.5.29.19", "2.5.29.15"


def certificate(*extensions: Extension) -> x509.Certificate:
    return issued(named("x"), None, extensions, key=KEY).certificate


def raw(oid: str, value: str, *, critical: bool = False) -> Extension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), bytes.fromhex(value)), critical


def test_no_extensions_at_all() -> None:
    assert read_extensions(certificate()) == Extensions()


def test_a_default_that_is_written_out() -> None:
    """pyca reads none of this certificate's extensions."""
    odd = certificate((ENCODED_DEFAULT, False), raw(USAGE, "03020780"))
    with pytest.raises(ValueError, match="EncodedDefault"):
        _ = odd.extensions

    found = read_extensions(odd)
    assert (found.is_ca, found.key_usage) == (False, frozenset({Usage.DIGITAL_SIGNATURE}))


@pytest.mark.parametrize("path_length", [None, 0, 1, 127, 128, 255])
def test_a_ca(path_length: int | None) -> None:
    found = read_extensions(certificate((x509.BasicConstraints(ca=True, path_length=path_length), True)))
    assert found == Extensions(True, path_length, None, None, frozenset({BASIC}), frozenset({BASIC}))


@given(bits=st.sets(st.sampled_from(list(Usage)), min_size=1), critical=st.booleans())
def test_key_usage_as_pyca_reads_it(bits: set[Usage], critical: bool) -> None:
    if bits & {Usage.ENCIPHER_ONLY, Usage.DECIPHER_ONLY}:
        bits.add(Usage.KEY_AGREEMENT)  # pyca reads them as undefined otherwise
    found = read_extensions(certificate((usage(*(each.name.lower() for each in bits)), critical)))
    assert found.key_usage == frozenset(bits)
    assert found.critical == (frozenset({USAGE}) if critical else frozenset())


@given(st.sets(st.sampled_from([ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.CLIENT_AUTH]), min_size=1))
def test_extended_key_usage_as_pyca_reads_it(purposes: set[x509.ObjectIdentifier]) -> None:
    found = read_extensions(certificate((x509.ExtendedKeyUsage(purposes), True)))
    assert found.extended_key_usage == frozenset(each.dotted_string for each in purposes)


@pytest.mark.parametrize("value", ["", "0500", "3000", "30020500", "3003060180", "0603550403", "30050603550403ff"])
def test_extended_key_usage_that_is_none(value: str) -> None:
    with pytest.raises(ExtensionsUnreadable):
        read_extensions(certificate(raw(ExtensionOID.EXTENDED_KEY_USAGE.dotted_string, value)))


def test_what_it_does_not_know_is_named() -> None:
    long_oid = "2.999.1.16384.5"
    found = read_extensions(certificate(raw("1.3.6.1.4.1.99999.1", "0500"), raw(long_oid, "", critical=True)))
    assert found.oids == {"1.3.6.1.4.1.99999.1", long_oid}
    assert found.critical == {long_oid}


@pytest.mark.parametrize(
    ("oid", "value"),
    [
        (BASIC, ""),
        (BASIC, "30003000"),
        (BASIC, "30030101fe"),  # TRUE that DER doesn't have
        (BASIC, "3003020101"),  # a path length without cA
        (BASIC, "30060101ff0201ff"),  # a negative one
        (BASIC, "30070101ff02020001"),  # not as short as it can be
        (BASIC, "30070101ff02020100"),  # 256
        (BASIC, "30060101ff02010000"),
        (BASIC, "30090101ff020100020100"),
        (BASIC, "3080"),  # a length that isn't known
        (BASIC, "308100"),  # a length that isn't as short as it can be
        (BASIC, "3005"),
        (BASIC, "1f00"),
        (USAGE, "0301"),
        (USAGE, "030100"),  # no bits
        (USAGE, "03020080"),  # unused bits that aren't said to be unused
        (USAGE, "030207ff"),  # unused bits that are set
        (USAGE, "03020880"),
        (USAGE, "0304050000e0"),
        (USAGE, "04020780"),
    ],
)
def test_what_is_not_der_of_rfc_5280(oid: str, value: str) -> None:
    with pytest.raises(ExtensionsUnreadable):
        read_extensions(certificate(raw(oid, value)))


def test_as_many_as_a_certificate_may_have() -> None:
    every = [raw(f"1.2.3.{number}", "0500") for number in range(EXTENSIONS_MAX + 1)]
    assert len(read_extensions(certificate(*every[1:])).oids) == EXTENSIONS_MAX
    with pytest.raises(ExtensionsUnreadable):
        read_extensions(certificate(*every))


def test_one_extension_twice() -> None:
    """pyca writes no such certificate, so it is put together by hand: two OIDs of one length, made the same."""
    twice = certificate(raw("1.2.3.1", "0500"), raw("1.2.3.2", "0500"))
    tbs = twice.tbs_certificate_bytes.replace(bytes.fromhex("06032a0302"), bytes.fromhex("06032a0301"))
    with pytest.raises(ExtensionsUnreadable, match="twice"):
        read_extensions(_Stub(tbs))  # type: ignore[arg-type]  # only these octets are asked for


class _Stub:
    def __init__(self, tbs: bytes) -> None:
        self.tbs_certificate_bytes = tbs


@given(at=st.integers(min_value=0, max_value=400), bit=st.integers(min_value=0, max_value=7), cut=st.booleans())
def test_whatever_the_octets(at: int, bit: int, cut: bool) -> None:
    tbs = bytearray(WHOLE)
    at %= len(tbs)
    tbs[at] ^= 1 << bit
    with contextlib.suppress(ExtensionsUnreadable):
        read_extensions(_Stub(bytes(tbs[:at] if cut else tbs)))  # type: ignore[arg-type]  # as above


WHOLE = certificate(
    (x509.BasicConstraints(ca=True, path_length=1), True),
    (CA_USAGE, True),
    (x509.SubjectKeyIdentifier(bytes(20)), False),
).tbs_certificate_bytes


def test_the_oids_are_pycas() -> None:
    assert ExtensionOID.BASIC_CONSTRAINTS.dotted_string == BASIC == BASIC_CONSTRAINTS.dotted_string
    assert ExtensionOID.KEY_USAGE.dotted_string == USAGE
