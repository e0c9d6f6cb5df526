"""A contract certificate with its sealed key: what a vehicle can open, how long it lasts, and what is taken back."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs

from pki.authority import (
    AuthorityUnavailable,
    IssuedCertificate,
    IssuedMismatch,
    OutcomeUnknown,
    RevocationUnsupported,
    SigningRefused,
    SigningRequest,
)
from pki.authority.local import LocalAuthority
from pki.iso15118 import contract_issuing
from pki.iso15118.contract_issuing import CLOCKS_DIFFER, LIFETIME_MAX, LIFETIME_MIN, ContractIssuer, IssuedContract
from pki.iso15118.envelope import open_2, open_20
from pki.iso15118.exi import Schema
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from pki.issuing import Hierarchy
from pki.profiles import with_lifetime
from tests import lint
from tests.pki.iso15118.provisioning_parts import (
    EMAID,
    MO,
    Kept,
    Vehicle,
    contract,
    issuer_of,
    mo_hierarchy,
    profile_of,
    v2g_pki,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HIERARCHIES = {schema: mo_hierarchy(schema, NOW) for schema in (Schema.ISO_2, Schema.ISO_20)}
V2G = v2g_pki(Schema.ISO_2, NOW)
BOTH = pytest.mark.parametrize("schema", [Schema.ISO_2, Schema.ISO_20])


def authority_of(schema: Schema, folder: Path, hierarchy: Hierarchy | None = None) -> Kept:
    return Kept(LocalAuthority(folder, hierarchy or HIERARCHIES[schema], lambda: NOW))


def vehicle_of(schema: Schema, **how: Any) -> Vehicle:
    return Vehicle(schema, V2G.root, **how)


def opened(issued: IssuedContract, vehicle: Vehicle) -> ec.EllipticCurvePrivateKey:
    if vehicle.schema is Schema.ISO_2:
        return open_2(issued.sealed, vehicle.key)
    identifier = issued.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    return open_20(issued.sealed, vehicle.key, vehicle.pcid, identifier)


async def settled(issuer: ContractIssuer) -> None:
    await issuer.close()


@BOTH
async def test_the_vehicle_opens_the_key_of_its_certificate(schema: Schema, tmp_path: Path) -> None:
    authority, vehicle = authority_of(schema, tmp_path), vehicle_of(schema)

    issued = await issuer_of(schema, authority, NOW).issue(vehicle.asks(), contract())

    leaf = x509.load_der_x509_certificate(issued.chain.certificate)
    (above,) = map(x509.load_der_x509_certificate, issued.chain.sub_certificates)
    assert leaf == issued.certificate
    leaf.verify_directly_issued_by(above)
    assert opened(issued, vehicle).public_key() == leaf.public_key()
    assert leaf.subject.rfc4514_string() == f"CN={EMAID},O={MO},DC=MO"
    assert issued.emaid == EMAID
    assert lint.errors(lint.of_certificate(leaf)) == []
    assert authority.revoked == []
    algorithm = leaf.signature_hash_algorithm
    assert algorithm is not None
    assert algorithm.name == ("sha256" if schema is Schema.ISO_2 else "sha512")


@BOTH
async def test_nothing_of_the_key_stays(schema: Schema, tmp_path: Path) -> None:
    vehicle = vehicle_of(schema)
    issuer = issuer_of(schema, authority_of(schema, tmp_path), NOW)

    with capture_logs() as logs:
        issued = await issuer.issue(vehicle.asks(), contract())

    scalar = opened(issued, vehicle).private_numbers().private_value
    for text in (repr(issued), repr(issuer), repr(vars(issuer)), repr(logs)):
        assert str(scalar) not in text
        assert format(scalar, "x") not in text


@pytest.mark.parametrize(
    ("left", "lasts"),
    [
        (None, timedelta(days=365)),
        (timedelta(days=1000), timedelta(days=365)),
        (timedelta(days=30), timedelta(days=30) - CLOCKS_DIFFER),
        (LIFETIME_MIN + CLOCKS_DIFFER, LIFETIME_MIN),
    ],
)
async def test_it_ends_with_its_contract(left: timedelta | None, lasts: timedelta, tmp_path: Path) -> None:
    until = None if left is None else NOW + left
    issuer = issuer_of(Schema.ISO_2, authority_of(Schema.ISO_2, tmp_path), NOW)

    issued = await issuer.issue(vehicle_of(Schema.ISO_2).asks(), contract(valid_until=until))

    assert issued.certificate.not_valid_after_utc == NOW + lasts


async def test_it_never_lasts_longer_than_two_years(tmp_path: Path) -> None:
    profile = with_lifetime(profile_of(Schema.ISO_2), timedelta(days=3650))
    issuer = ContractIssuer(authority_of(Schema.ISO_2, tmp_path), profile, MO, clock=lambda: NOW)  # type: ignore[arg-type]  # no CRL is asked for

    issued = (await issuer.issue(vehicle_of(Schema.ISO_2).asks(), contract())).certificate

    assert issued.not_valid_after_utc - issued.not_valid_before_utc == LIFETIME_MAX


@pytest.mark.parametrize(
    "left", [LIFETIME_MIN + CLOCKS_DIFFER - timedelta(seconds=1), timedelta(0), timedelta(days=-1)]
)
async def test_a_contract_that_has_ended_or_is_about_to(left: timedelta, tmp_path: Path) -> None:
    authority = authority_of(Schema.ISO_2, tmp_path)

    with pytest.raises(ProvisioningRefused, match="ends on") as refused:
        await issuer_of(Schema.ISO_2, authority, NOW).issue(
            vehicle_of(Schema.ISO_2).asks(), contract(valid_until=NOW + left)
        )

    assert (refused.value.refusal, authority.issued) == (Refusal.NO_CONTRACT, [])


async def test_what_is_no_emaid_is_no_contract(tmp_path: Path) -> None:
    authority = authority_of(Schema.ISO_2, tmp_path)
    with pytest.raises(ProvisioningRefused, match="without hyphens") as refused:
        await issuer_of(Schema.ISO_2, authority, NOW).issue(vehicle_of(Schema.ISO_2).asks(), contract("DE-8EX-C1"))
    assert (refused.value.refusal, authority.issued) == (Refusal.NO_CONTRACT, [])


@pytest.mark.parametrize(
    ("schema", "change", "words"),
    [
        (Schema.ISO_2, {"key": ec.generate_private_key(ec.SECP521R1()).public_key()}, "isn't one of secp256r1"),
        (Schema.ISO_20, {"key": ec.generate_private_key(ec.SECP256R1()).public_key()}, "isn't one of secp521r1"),
        (Schema.ISO_20, {"pcid": None}, "the PCID isn't 17 or 18"),
        (Schema.ISO_20, {"pcid": "SOME VEHICLE"}, "the PCID isn't 17 or 18"),
    ],
)
async def test_a_vehicle_that_nothing_can_be_sealed_to(
    schema: Schema, change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    """Found out before a certificate is there."""
    authority = authority_of(schema, tmp_path)
    with pytest.raises(ProvisioningRefused, match=words) as refused:
        await issuer_of(schema, authority, NOW).issue(replace(vehicle_of(schema).asks(), **change), contract())
    assert (refused.value.refusal, authority.issued) == (Refusal.CERTIFICATE_PROFILE, [])


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (AuthorityUnavailable("sealed"), Refusal.PROVIDER_UNAVAILABLE),
        (OutcomeUnknown("no answer"), Refusal.PROVIDER_UNAVAILABLE),
        (SigningRefused("no"), Refusal.PROVIDER_REFUSED),
        (IssuedMismatch("another key"), Refusal.PROVIDER_ANSWER),
    ],
)
async def test_an_authority_that_does_not(error: Exception, refusal: Refusal) -> None:
    class Failing:
        async def sign(self, _: SigningRequest) -> IssuedCertificate:
            raise error

    with (
        capture_logs() as logs,
        pytest.raises(ProvisioningRefused, match=f"no contract certificate: {error}") as refused,
    ):
        await issuer_of(Schema.ISO_2, Failing(), NOW).issue(vehicle_of(Schema.ISO_2).asks(), contract())
    assert refused.value.refusal is refusal
    perhaps = [{"event": "contract_perhaps_issued", "log_level": "error", "emaid": EMAID, "reason": str(error)}]
    assert logs == (perhaps if isinstance(error, OutcomeUnknown) else [])


class Lying(Kept):
    """Gives another certificate than the one that was asked for, and says that it is right."""

    def __init__(self, authority: LocalAuthority, change: Any) -> None:
        super().__init__(authority)
        self._change = change

    async def sign(self, request: SigningRequest) -> IssuedCertificate:
        return await super().sign(self._change(request))


async def test_a_certificate_for_another_key_is_taken_back(tmp_path: Path) -> None:
    """[V2G2-823]: the vehicle would refuse it."""
    other = issuer_of(Schema.ISO_2, authority_of(Schema.ISO_2, tmp_path), NOW)
    stolen = await other.issue(vehicle_of(Schema.ISO_2).asks(), contract())

    class Stale(Kept):
        async def sign(self, request: SigningRequest) -> IssuedCertificate:
            issued = await super().sign(request)
            return IssuedCertificate(stolen.certificate, issued.chain_pem)

    authority = Stale(LocalAuthority(tmp_path, HIERARCHIES[Schema.ISO_2], lambda: NOW))
    issuer = issuer_of(Schema.ISO_2, authority, NOW)
    with pytest.raises(ProvisioningRefused, match="for another key") as refused:
        await issuer.issue(vehicle_of(Schema.ISO_2).asks(), contract())
    await settled(issuer)
    assert refused.value.refusal is Refusal.PROVIDER_ANSWER
    assert authority.revoked == [format(stolen.certificate.serial_number, "x")]


async def test_a_certificate_that_outlives_its_contract_is_taken_back(tmp_path: Path) -> None:
    authority = Lying(
        LocalAuthority(tmp_path, HIERARCHIES[Schema.ISO_2], lambda: NOW),
        lambda request: replace(request, profile=with_lifetime(request.profile, timedelta(days=31))),
    )
    issuer = issuer_of(Schema.ISO_2, authority, NOW)
    with pytest.raises(ProvisioningRefused, match="that is too late"):
        await issuer.issue(vehicle_of(Schema.ISO_2).asks(), contract(valid_until=NOW + timedelta(days=30)))
    await settled(issuer)
    assert authority.revoked == authority.issued != []


async def test_a_certificate_without_basic_constraints_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a role of Vault gives unless it is told otherwise."""

    def without(builder: x509.CertificateBuilder, value: x509.ExtensionType, critical: bool) -> Any:
        return builder if isinstance(value, x509.BasicConstraints) else added(builder, value, critical)

    added = x509.CertificateBuilder.add_extension
    monkeypatch.setattr(x509.CertificateBuilder, "add_extension", without)
    authority = authority_of(Schema.ISO_2, tmp_path)
    issuer = issuer_of(Schema.ISO_2, authority, NOW)
    with pytest.raises(ProvisioningRefused, match="set the role's basic_constraints_valid_for_non_ca to true"):
        await issuer.issue(vehicle_of(Schema.ISO_2).asks(), contract())
    await settled(issuer)
    assert authority.revoked == authority.issued != []


async def test_a_certificate_without_the_short_identifier_is_taken_back(tmp_path: Path) -> None:
    """Were the authority's own check not there: nothing could be sealed."""
    authority = Lying(
        LocalAuthority(tmp_path, HIERARCHIES[Schema.ISO_20], lambda: NOW),
        lambda request: replace(request, profile=request.profile.model_copy(update={"short_key_identifier": False})),
    )
    issuer = issuer_of(Schema.ISO_20, authority, NOW)
    with pytest.raises(ProvisioningRefused, match="SubjectKeyIdentifier has 20 octets"):
        await issuer.issue(vehicle_of(Schema.ISO_20).asks(), contract())
    await settled(issuer)
    assert authority.revoked == authority.issued != []


async def test_a_certificate_that_comes_after_the_vehicle_has_gone_is_revoked(tmp_path: Path) -> None:
    arrived, gate = asyncio.Event(), asyncio.Event()

    class Slow(Kept):
        async def sign(self, request: SigningRequest) -> IssuedCertificate:
            arrived.set()
            await gate.wait()
            return await super().sign(request)

    authority = Slow(LocalAuthority(tmp_path, HIERARCHIES[Schema.ISO_2], lambda: NOW))
    issuer = issuer_of(Schema.ISO_2, authority, NOW)
    asking = asyncio.create_task(issuer.issue(vehicle_of(Schema.ISO_2).asks(), contract()))
    await arrived.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    gate.set()
    with capture_logs() as logs:
        await settled(issuer)
    assert authority.revoked == authority.issued != []
    assert logs == [{"event": "undelivered_contract_revoked", "serial": authority.issued[0], "log_level": "info"}]


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (AuthorityUnavailable("sealed"), "contract_not_issued"),
        (OutcomeUnknown("no answer"), "contract_perhaps_issued"),
    ],
)
async def test_an_authority_that_fails_after_the_vehicle_has_gone(error: Exception, event: str, tmp_path: Path) -> None:
    arrived, gate = asyncio.Event(), asyncio.Event()

    class Slow(Kept):
        async def sign(self, _: SigningRequest) -> IssuedCertificate:
            arrived.set()
            await gate.wait()
            raise error

    issuer = issuer_of(Schema.ISO_2, Slow(LocalAuthority(tmp_path, HIERARCHIES[Schema.ISO_2], lambda: NOW)), NOW)
    asking = asyncio.create_task(issuer.issue(vehicle_of(Schema.ISO_2).asks(), contract()))
    await arrived.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    gate.set()
    with capture_logs() as logs:
        await settled(issuer)
    assert [(each["event"], each["reason"]) for each in logs] == [(event, str(error))]


async def test_what_hangs_is_left_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract_issuing, "UNWINDING_PATIENCE", 0.01)
    arrived = asyncio.Event()

    class Hanging(Kept):
        async def sign(self, _: SigningRequest) -> IssuedCertificate:
            arrived.set()
            await asyncio.Event().wait()
            raise AssertionError

    issuer = issuer_of(Schema.ISO_2, Hanging(LocalAuthority(tmp_path, HIERARCHIES[Schema.ISO_2], lambda: NOW)), NOW)
    asking = asyncio.create_task(issuer.issue(vehicle_of(Schema.ISO_2).asks(), contract()))
    await arrived.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    with capture_logs() as logs:
        await settled(issuer)
    assert [(each["event"], each["task"]) for each in logs] == [
        ("contract_left_unrevoked", f"contract certificate of {EMAID}, too late")
    ]
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_a_revocation_that_fails_is_told_and_too_many_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()

    class Sealed(Kept):
        async def revoke(self, serial: str, reason: x509.ReasonFlags = x509.ReasonFlags.unspecified) -> None:
            await gate.wait()
            raise AuthorityUnavailable(f"sealed, {serial} {reason}")

    monkeypatch.setattr(contract_issuing, "UNWINDING_MAX", 1)
    issuer = issuer_of(Schema.ISO_2, Sealed(LocalAuthority(tmp_path, HIERARCHIES[Schema.ISO_2], lambda: NOW)), NOW)
    issued = await issuer.issue(vehicle_of(Schema.ISO_2).asks(), contract())
    serial = format(issued.certificate.serial_number, "x")
    with capture_logs() as logs:
        issuer.unwind(issued.certificate)
        issuer.unwind(issued.certificate)
        gate.set()
        await settled(issuer)
    assert [(each["event"], each["log_level"]) for each in logs] == [
        ("contract_left_unrevoked", "error"),
        ("undelivered_contract_not_revoked", "error"),
    ]
    assert serial in logs[0]["task"]
    assert logs[1]["serial"] == serial


async def test_only_what_it_issued_is_revoked(tmp_path: Path) -> None:
    """A foreign CA could give its certificate the serial number of one of ours."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    authority = authority_of(Schema.ISO_2, tmp_path / "a")
    issuer = issuer_of(Schema.ISO_2, authority, NOW)
    foreign = issuer_of(Schema.ISO_2, authority_of(Schema.ISO_2, tmp_path / "b", mo_hierarchy(Schema.ISO_2, NOW)), NOW)
    asked = vehicle_of(Schema.ISO_2).asks()
    ours, theirs = await issuer.issue(asked, contract()), await foreign.issue(asked, contract())

    await issuer.revoke(ours.certificate, x509.ReasonFlags.superseded)
    with pytest.raises(RevocationUnsupported, match="wasn't issued by this authority"):
        await issuer.revoke(theirs.certificate)
    assert authority.revoked == authority.issued
    await issuer.health()
