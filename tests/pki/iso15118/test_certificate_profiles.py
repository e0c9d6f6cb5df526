"""Roles and profiles: a table of what sets the roles apart, and one of what breaks in the field."""

from collections.abc import Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pki.iso15118.certificate_profiles import CONTRACT, CPS, OEM, Role, check_profile, check_role, common_name
from pki.iso15118.exi import Schema
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from tests.iso15118_pki import (
    DAY,
    EMAID,
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

NAMES = {"OEM": PCID, "MO": EMAID, "CPS": "Example CPS"}
ROLES = {"OEM": OEM, "MO": CONTRACT, "CPS": CPS}
TOP = {name: branch(name, common) for name, common in NAMES.items()}
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(600))


def path_of(*members: Issued) -> tuple[x509.Certificate, ...]:
    return tuple(each.certificate for each in members)


def below(role: str, end: Issued) -> tuple[x509.Certificate, ...]:
    top = TOP[role]
    return path_of(end, top.sub2, top.sub1, top.root)


def findings(role: str, *members: Issued, schema: Schema = Schema.ISO_2) -> Sequence[str]:
    path = path_of(*members) if len(members) > 1 else below(role, *members)
    return check_profile(path, ROLES[role], schema)


def role_refused(path: tuple[x509.Certificate, ...], role: Role, schema: Schema = Schema.ISO_2) -> str:
    with pytest.raises(ProvisioningRefused) as caught:
        check_role(path, role, schema)
    assert caught.value.refusal is Refusal.CERTIFICATE_PROFILE
    return str(caught.value)


@pytest.mark.parametrize("schema", [Schema.ISO_2, Schema.ISO_20], ids=["-2", "-20"])
@pytest.mark.parametrize("role", list(ROLES))
def test_what_each_role_looks_like(role: str, schema: Schema) -> None:
    top = branch(role, NAMES[role], schema=schema)
    path = path_of(top.leaf, top.sub2, top.sub1, top.root)
    assert check_role(path, ROLES[role], schema) == top.leaf.key.public_key()
    assert check_profile(path, ROLES[role], schema) == []


# --- what tells the roles apart --------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", list(ROLES))
@pytest.mark.parametrize("component", ["CPO", "CPS", "MO", "OEM", "V2G", "cpo"])
def test_no_role_speaks_for_another(role: str, component: str) -> None:
    end = leaf(NAMES[role], TOP[role].sub2, component=component)
    if component == role:
        check_role(below(role, end), ROLES[role], Schema.ISO_2)
    else:
        assert f"DC={component.upper()}" in role_refused(below(role, end), ROLES[role])


def test_a_charge_point_operators_sub_ca_makes_no_provisioning_service() -> None:
    """It stands under the same V2G root, and may write whatever DC it likes below itself."""
    root = TOP["CPS"].root
    operator = authority("CPO Sub 1", root, component="CPO")
    below_it = authority("CPO Sub 2", operator, component="CPS")
    end = leaf("Example CPS", below_it, component="CPS")
    assert "DC=CPO" in role_refused(path_of(end, below_it, operator, root), CPS)


def test_sub_cas_that_the_roles_share() -> None:
    shared = authority("V2G Sub", TOP["CPS"].root, component="V2G")
    check_role(path_of(leaf("Example CPS", shared, component="CPS"), shared), CPS, Schema.ISO_2)


def test_the_root_may_have_any_component() -> None:
    root = authority("Root", component="CPO")
    check_role(path_of(leaf(PCID, root, component="OEM"), root), OEM, Schema.ISO_2)


def test_a_dc_that_is_no_role() -> None:
    check_role(below("OEM", leaf(PCID, TOP["OEM"].sub2, component="example")), OEM, Schema.ISO_2)


def test_a_provisioning_service_must_say_that_it_is_one() -> None:
    assert "lacks DC=CPS" in role_refused(below("CPS", leaf("Example CPS", TOP["CPS"].sub2)), CPS)
    check_role(below("OEM", leaf(PCID, TOP["OEM"].sub2)), OEM, Schema.ISO_2)
    check_role(below("MO", leaf(EMAID, TOP["MO"].sub2)), CONTRACT, Schema.ISO_2)


@pytest.mark.parametrize(
    ("key", "schema"),
    [
        (ec.generate_private_key(ec.SECP521R1()), Schema.ISO_2),
        (ec.generate_private_key(ec.SECP384R1()), Schema.ISO_2),
        (rsa.generate_private_key(65537, 2048), Schema.ISO_2),
        (ec.generate_private_key(ec.SECP256R1()), Schema.ISO_20),
    ],
    ids=["P-521", "P-384", "RSA", "P-256"],
)
def test_keys_of_another_generation(key: ec.EllipticCurvePrivateKey, schema: Schema) -> None:
    assert "must have a key on" in role_refused(below("OEM", leaf(PCID, TOP["OEM"].sub2, key=key)), OEM, schema)


def test_a_key_that_is_not_for_signatures() -> None:
    end = leaf(PCID, TOP["OEM"].sub2, key_usage=usage("key_agreement"))
    assert "isn't for signatures" in role_refused(below("OEM", end), OEM)


def test_whose_it_is() -> None:
    assert common_name(leaf(PCID, TOP["OEM"].sub2).certificate) == PCID
    twice = x509.Name([*named(PCID), *named("WEXAMPLE000000002")])
    for subject in (named(None), twice, named("\u0131" * 17), named("a\nb"), named("a\x7fb")):
        with pytest.raises(ProvisioningRefused) as caught:
            common_name(issued(subject, TOP["OEM"].sub2, []).certificate)
        assert caught.value.refusal is Refusal.CERTIFICATE_PROFILE


# --- what is a finding -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "how", "why"),
    [
        ("OEM", {"key_usage": None}, "has no key usage"),
        ("OEM", {"key_usage": None, "basic_constraints": ENCODED_DEFAULT}, "has no key usage"),
        ("OEM", {"key_usage": usage("digital_signature")}, "key_agreement"),
        ("MO", {"key_usage": usage("digital_signature", "content_commitment")}, "key_agreement"),
        ("OEM", {"extensions": [(UNKNOWN, False)]}, "more than 800"),
        ("MO", {"ends": NOW + 732 * DAY}, "is valid for 733 days, more than 732"),
    ],
)
def test_what_breaks_the_profile(role: str, how: dict[str, object], why: str) -> None:
    end = leaf(NAMES[role], TOP[role].sub2, component=role, **how)  # type: ignore[arg-type]  # as the table has them
    check_role(below(role, end), ROLES[role], Schema.ISO_2)
    found = findings(role, end)
    assert [why in each for each in found] == [True], found


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("OEM", "a vehicle"),
        ("OEM", PCID[:-1]),
        ("OEM", f"{PCID}00"),
        ("MO", "DE-8EX-C12345678"),
        ("MO", "DE8EXC1234567"),
        ("MO", f"{EMAID}B"),
    ],
)
def test_names_of_another_shape(role: str, name: str) -> None:
    found = findings(role, leaf(name, TOP[role].sub2, component=role))
    assert len(found) == 1
    assert "the CN of" in found[0]


@pytest.mark.parametrize(
    ("role", "name"), [("OEM", f"{PCID}0"), ("OEM", PCID.lower()), ("MO", EMAID[:-1]), ("MO", EMAID.lower())]
)
def test_names_of_their_shape(role: str, name: str) -> None:
    assert findings(role, leaf(name, TOP[role].sub2, component=role)) == []


def test_two_years_are_enough_for_a_contract() -> None:
    end = leaf(EMAID, TOP["MO"].sub2, component="MO", ends=NOW + 731 * DAY)
    assert findings("MO", end) == []


def test_sub_cas_of_another_shape() -> None:
    root = TOP["CPS"].root
    sub = authority("Sub", root, key=ec.generate_private_key(ec.SECP384R1()), extensions=[(UNKNOWN, False)])
    found = findings("CPS", leaf("Example CPS", sub, component="CPS"), sub, root)
    assert [any(part in each for each in found) for part in ("secp256r1", "lacks DC=CPS", "more than 800")] == [
        True
    ] * 3


def test_sizes_by_generation() -> None:
    end = leaf(EMAID, TOP["MO"].sub2, component="MO", extensions=[(UNKNOWN, False)])
    assert "more than 800" in findings("MO", end)[0]
    assert not any("octets" in each for each in findings("MO", end, schema=Schema.ISO_20))


def test_the_v2g_root_issues_no_leaves() -> None:
    root = TOP["CPS"].root
    found = findings("CPS", leaf("Example CPS", root, component="CPS"), root)
    assert [("[V2G2-867]" in each) for each in found] == [True]


def test_the_roots_own_shape_is_nobodys_affair() -> None:
    root = authority("Root", key=ec.generate_private_key(ec.SECP384R1()), extensions=[(UNKNOWN, False)])
    assert findings("OEM", leaf(PCID, root, component="OEM", key_usage=LEAF_USAGE), root) == []
