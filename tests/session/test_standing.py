"""May a live session go on? As tables (A00.FR.005, A05.FR.07)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.session.ports import Proof, Provisional, StationRecord
from gateway.session.standing import may_use, why_not_any_more
from gateway.wire.versions import Version
from pki import profiles
from pki.issuing import issue, new_hierarchy

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minimum", "downgrade", "allowed"),
    [
        (1, False, {1, 2, 3}),
        (2, False, {2, 3}),
        (3, False, {3}),
        (3, True, {2, 3}),
        (2, True, {2, 3}),
        (1, True, {1, 2, 3}),
    ],
)
def test_profiles(minimum: int, downgrade: bool, allowed: set[int]) -> None:
    record = StationRecord("CS1", minimum, allow_downgrade=downgrade)
    assert {profile for profile in (1, 2, 3) if may_use(profile, record)} == allowed


@pytest.fixture(scope="module")
def path() -> tuple[Any, ...]:
    station = new_hierarchy("Test", "CPO", NOW)
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    leaf = issue(station.issuing, profiles.charging_station(), key, common_name="SN1", organization="CPO", now=NOW)
    return leaf, station.issuing.certificate, station.root.certificate


GOES_ON: list[tuple[Proof, dict[str, Any]]] = [
    (Proof(2, password_hash="a"), {"password_hash": "a"}),
    (Proof(2, password_hash="b"), {"password_hash": "a", "next_password_hash": "b"}),
    (Proof(2), {"pinned_version": Version.V201}),
    (Proof(3, provisional=Provisional.EXPIRED), {"allow_expired": True}),
    (Proof(3, provisional=Provisional.FACTORY), {}),
]
ENDS: list[tuple[Proof, dict[str, Any], str]] = [
    (Proof(1), {}, "a higher security profile is required"),
    (Proof(2, password_hash="a"), {"password_hash": "b"}, "the password was changed"),
    (Proof(2, password_hash="a"), {"password_hash": None}, "the password was changed"),
    (Proof(3, provisional=Provisional.EXPIRED), {}, "the certificate has expired"),
    (Proof(2), {"pinned_version": Version.V16}, "another OCPP version is required"),
]


@pytest.mark.parametrize(("proof", "fields"), GOES_ON)
def test_goes_on(proof: Proof, fields: dict[str, Any]) -> None:
    assert why_not_any_more(StationRecord("CS1", 2, **fields), proof, Version.V201) is None


@pytest.mark.parametrize(("proof", "fields", "reason"), ENDS)
def test_ends(proof: Proof, fields: dict[str, Any], reason: str) -> None:
    assert why_not_any_more(StationRecord("CS1", 2, **fields), proof, Version.V201) == reason


def test_a_certificate_belongs_to_the_serial_number_that_is_registered(path: tuple[Any, ...]) -> None:
    proof = Proof(3, path=path)
    assert why_not_any_more(StationRecord("CS1", 3, "SN1"), proof, Version.V201) is None
    assert why_not_any_more(StationRecord("SN1", 3), proof, Version.V201) is None
    assert why_not_any_more(StationRecord("CS1", 3, "SN2"), proof, Version.V201) == "the serial number was changed"
