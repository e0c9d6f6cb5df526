"""The whole of our own provisioning: what a vehicle verifies and opens, by an embedded CA and by a real OpenBao."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from structlog.testing import capture_logs

from pki.authority import RevocationUnsupported
from pki.authority.local import LocalAuthority
from pki.authority.vault import VaultAuthority
from pki.crl import parse_crls
from pki.iso15118.answers import AnswerVerifier
from pki.iso15118.cps import CpsChain, CpsSigner
from pki.iso15118.exi import Schema
from pki.iso15118.messages import (
    Action,
    CertificateInstallationRes,
    CertificateInstallationRes20,
    CertificateUpdateRes,
    RootCertificateId,
)
from pki.iso15118.native import NativeProvider, root_warnings
from pki.iso15118.provisioning import ContractProvider, ProvisioningRefused, Refusal
from pki.iso15118.reading import read_message
from pki.iso15118.transit import TransitCps
from pki.iso15118.trust import TrustedPaths
from pki.vault.bootstrap_plan import BOUNDED_SETTINGS
from pki.vault.connection import VaultConnection
from pki.vault_roles import role_settings
from tests import lint
from tests.bao import Bao
from tests.pki.iso15118.provisioning_parts import (
    EMAID,
    MO,
    SESSION,
    SUITES,
    Kept,
    Vehicle,
    contract,
    file_cps,
    issuer_of,
    mo_hierarchy,
    profile_of,
    v2g_pki,
)
from tests.vault_standin import Reply, StandIn

NOW = datetime.now(UTC)
SCHEMAS = (Schema.ISO_2, Schema.ISO_20)
HIERARCHIES = {schema: mo_hierarchy(schema, NOW) for schema in SCHEMAS}
V2G = {schema: v2g_pki(schema, NOW - timedelta(hours=2)) for schema in SCHEMAS}
BOTH = pytest.mark.parametrize("schema", SCHEMAS)
CASES = pytest.mark.parametrize(
    ("schema", "action", "kind"),
    [
        (Schema.ISO_2, Action.INSTALL, CertificateInstallationRes),
        (Schema.ISO_2, Action.UPDATE, CertificateUpdateRes),
        (Schema.ISO_20, Action.INSTALL, CertificateInstallationRes20),
    ],
)
Connect = Callable[..., VaultConnection]


def authority_of(schema: Schema, folder: Path) -> Kept:
    return Kept(LocalAuthority(folder, HIERARCHIES[schema], lambda: NOW))


def provider_of(schema: Schema, authority: object, signer: CpsSigner | None = None) -> NativeProvider:
    issuers = {schema: issuer_of(schema, authority, NOW)}
    return NativeProvider(issuers, {schema: signer or file_cps(schema, V2G[schema], NOW)}, clock=lambda: NOW)


def vehicle_of(schema: Schema) -> Vehicle:
    return Vehicle(schema, V2G[schema].root)


@CASES
async def test_a_vehicle_verifies_it_and_opens_its_key(
    schema: Schema, action: Action, kind: type, tmp_path: Path
) -> None:
    vehicle, authority = vehicle_of(schema), authority_of(schema, tmp_path)
    provider: ContractProvider = provider_of(schema, authority)

    provision = await provider.provide(vehicle.asks(action), contract(), remaining=2)

    certificate, key, answer = vehicle.opens(provision.exi)
    assert isinstance(answer, kind)
    assert certificate == provision.certificate
    assert provision.cps_certificate == V2G[schema].leaf
    assert (provision.emaid, provision.warnings) == (EMAID, ())
    if isinstance(answer, CertificateInstallationRes20):
        assert (answer.remaining_contract_certificate_chains, provision.remaining) == (2, 2)
        assert (answer.evse_processing, answer.header.timestamp) == ("Finished", int(NOW.timestamp()))
    else:
        assert (answer.contract.emaid, provision.remaining) == (EMAID, None)
    scalar = key.private_numbers().private_value
    assert scalar.to_bytes(66 if schema is Schema.ISO_20 else 32) not in provision.exi
    assert str(scalar) not in repr(provision) + repr(provider)
    assert authority.revoked == []
    await provider.close()


@CASES
async def test_it_stands_up_to_the_check_of_foreign_answers(
    schema: Schema, action: Action, kind: type, tmp_path: Path
) -> None:
    """Path, role, profile, signature, sizes, eMAID: what nobody else may break, we don't either."""
    asked = replace(vehicle_of(schema).asks(action), path=(V2G[schema].leaf,))
    provision = await provider_of(schema, authority_of(schema, tmp_path)).provide(asked, contract(), remaining=1)
    v2g, mo = TrustedPaths([V2G[schema].root]), TrustedPaths([HIERARCHIES[schema].root.certificate])

    checked = AnswerVerifier(v2g, mo, profiles="enforce", clock=lambda: NOW).check(provision.exi, asked, emaid=EMAID)

    assert (checked.certificate, checked.cps_certificate) == (provision.certificate, provision.cps_certificate)
    assert (checked.emaid, checked.remaining, checked.warnings) == (EMAID, provision.remaining, ())
    assert isinstance(read_message(checked.exi, schema), kind)


async def test_more_contracts_than_can_be_said(tmp_path: Path) -> None:
    vehicle = vehicle_of(Schema.ISO_20)
    provider = provider_of(Schema.ISO_20, authority_of(Schema.ISO_20, tmp_path))
    provision = await provider.provide(vehicle.asks(), contract(), remaining=1000)
    answer = vehicle.opens(provision.exi)[2]
    assert isinstance(answer, CertificateInstallationRes20)
    assert answer.remaining_contract_certificate_chains == 255


@BOTH
async def test_no_contract(schema: Schema, tmp_path: Path) -> None:
    authority = authority_of(schema, tmp_path)
    with pytest.raises(ProvisioningRefused, match="there is no contract for this vehicle") as refused:
        await provider_of(schema, authority).provide(vehicle_of(schema).asks(), None, remaining=0)
    assert (refused.value.refusal, authority.issued) == (Refusal.NO_CONTRACT, [])


async def test_an_update_for_another_contract(tmp_path: Path) -> None:
    authority = authority_of(Schema.ISO_2, tmp_path)
    asked = vehicle_of(Schema.ISO_2).asks(Action.UPDATE)
    with pytest.raises(ProvisioningRefused, match=f"the vehicle has {EMAID}, not DE8EXC99999999") as refused:
        await provider_of(Schema.ISO_2, authority).provide(asked, contract("DE8EXC99999999"), remaining=0)
    assert (refused.value.refusal, authority.issued) == (Refusal.NO_CONTRACT, [])


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (Schema.ISO_2, r"ISO 15118-2 isn't set up: configure authority\.contract and the provider's native\.cps$"),
        (Schema.ISO_20, r"authority\.contract_20 and the provider's native\.cps_20"),
    ],
)
async def test_a_generation_that_is_not_set_up(schema: Schema, words: str, tmp_path: Path) -> None:
    issuer = issuer_of(schema, authority_of(schema, tmp_path), NOW)
    signer = file_cps(schema, V2G[schema], NOW)
    for provider in (NativeProvider({schema: issuer}, {}), NativeProvider({}, {schema: signer})):
        with pytest.raises(ProvisioningRefused, match=words) as refused:
            await provider.provide(vehicle_of(schema).asks(), contract(), remaining=0)
        assert refused.value.refusal is Refusal.NOT_CONFIGURED


@BOTH
async def test_a_cps_that_is_over_costs_no_certificate(schema: Schema, tmp_path: Path) -> None:
    authority, signer = authority_of(schema, tmp_path), file_cps(schema, V2G[schema], NOW)
    late = NOW + timedelta(days=100)
    provider = NativeProvider({schema: issuer_of(schema, authority, late)}, {schema: signer}, clock=lambda: late)

    with pytest.raises(ProvisioningRefused, match="put a new one in its place") as refused:
        await provider.provide(vehicle_of(schema).asks(), contract(), remaining=0)
    assert (refused.value.refusal, authority.issued) == (Refusal.PROVIDER_UNAVAILABLE, [])


class Broken:
    """A signer that doesn't."""

    def __init__(self, schema: Schema, what: Any) -> None:
        self.cps = CpsChain(V2G[schema].chain_pem, SUITES[schema])
        self._what = what

    async def sign(self, _: bytes) -> bytes:
        if isinstance(self._what, Exception):
            raise self._what
        return bytes(self._what)

    async def health(self) -> None:
        """Never well."""


@BOTH
@pytest.mark.parametrize(
    ("what", "refusal"),
    [
        (ProvisioningRefused(Refusal.PROVIDER_UNAVAILABLE, "sealed"), Refusal.PROVIDER_UNAVAILABLE),
        (b"DER, not r||s", Refusal.PROVIDER_ANSWER),
        (b"", Refusal.PROVIDER_ANSWER),
    ],
)
async def test_a_certificate_that_nobody_vouches_for_is_revoked(
    schema: Schema, what: Any, refusal: Refusal, tmp_path: Path
) -> None:
    authority = authority_of(schema, tmp_path)
    provider = provider_of(schema, authority, Broken(schema, what))
    with pytest.raises(ProvisioningRefused) as refused:
        await provider.provide(vehicle_of(schema).asks(), contract(), remaining=0)
    await provider.close()
    assert refused.value.refusal is refusal
    assert authority.revoked == authority.issued != []
    assert refused.value.withdrawn is not None  # the audit names it
    assert [format(refused.value.withdrawn.serial_number, "x")] == authority.revoked


async def test_a_fault_of_ours_revokes_too(tmp_path: Path) -> None:
    authority = authority_of(Schema.ISO_2, tmp_path)
    provider = provider_of(Schema.ISO_2, authority, Broken(Schema.ISO_2, ZeroDivisionError("ours")))
    with pytest.raises(ZeroDivisionError):
        await provider.provide(vehicle_of(Schema.ISO_2).asks(), contract(), remaining=0)
    await provider.close()
    assert authority.revoked == authority.issued != []


async def test_who_gives_up_while_the_cps_signs_leaves_nothing_behind(tmp_path: Path) -> None:
    asked = asyncio.Event()

    class Slow(Broken):
        async def sign(self, _: bytes) -> bytes:
            asked.set()
            return await asyncio.Future()

    authority = authority_of(Schema.ISO_2, tmp_path)
    provider = provider_of(Schema.ISO_2, authority, Slow(Schema.ISO_2, b""))
    providing = asyncio.create_task(provider.provide(vehicle_of(Schema.ISO_2).asks(), contract(), remaining=0))
    await asked.wait()
    providing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await providing
    await provider.close()
    assert authority.revoked == authority.issued != []


@pytest.mark.parametrize(
    "name",
    [
        "CN=Test root,O=Example,DC=V2G",
        "DC=V2G,O=Example,CN=Test root",
        "cn=test ROOT, o = Example,dc=V2G",
    ],
)
def test_a_root_by_any_order_of_its_name(name: str) -> None:
    vehicle = vehicle_of(Schema.ISO_2)
    vehicle.roots = (RootCertificateId("CN=Another", 1), RootCertificateId(name, 1))
    root = x509.Name.from_rfc4514_string("CN=Test root,O=Example,DC=V2G")
    assert root_warnings(vehicle.asks().message, root) == ()


@pytest.mark.parametrize("name", ["", "CN=Another", "not a name", "CN=Test root,O=Example", "=,\\", "x" * 5000])
async def test_a_vehicle_that_does_not_list_our_root_is_told_of(name: str, tmp_path: Path) -> None:
    """A warning: what vehicles list is not to be relied on."""
    vehicle = vehicle_of(Schema.ISO_2)
    vehicle.roots = (RootCertificateId(name, 1),)
    provider = provider_of(Schema.ISO_2, authority_of(Schema.ISO_2, tmp_path))

    with capture_logs() as logs:
        provision = await provider.provide(vehicle.asks(), contract(), remaining=0)

    vehicle.opens(provision.exi)
    (warning,) = provision.warnings
    assert "the vehicle doesn't list the V2G root of the CPS, CN=Test V2G root" in warning
    assert [(each["event"], each["emaid"]) for each in logs] == [("contract_may_be_refused", EMAID)]
    assert name[:20] not in warning or not name


@BOTH
async def test_what_could_not_be_delivered_is_revoked(schema: Schema, tmp_path: Path) -> None:
    authority = authority_of(schema, tmp_path)
    provider = provider_of(schema, authority)
    provision = await provider.provide(vehicle_of(schema).asks(), contract(), remaining=0)

    await provider.revoke(provision.certificate, x509.ReasonFlags.superseded)

    (crl,) = parse_crls(await authority.inner.crl())
    assert crl.revoked == {provision.certificate.serial_number: "superseded"}
    others = NativeProvider({}, {})
    with pytest.raises(RevocationUnsupported, match="wasn't issued here"):
        await others.revoke(provision.certificate)
    with pytest.raises(RevocationUnsupported, match="wasn't issued by this authority"):
        await provider.revoke(V2G[schema].leaf)


# --- with a real OpenBao ---------------------------------------------------------------------------------------------

MOUNTS = {
    Schema.ISO_2: ("mo", "contract", 256, "cps", "ecdsa-p256"),
    Schema.ISO_20: ("mo-20", "contract_20", 521, "cps-20", "ecdsa-p521"),
}


@pytest.fixture(scope="module")
def bao(bao: Bao) -> Bao:
    """Hold a CA for contracts of each generation, a transit key for each CPS, and what may use them."""
    bao.ask("POST", "sys/mounts/transit", {"type": "transit"})
    paths = []
    for schema, (mount, role, bits, key, kind) in MOUNTS.items():
        bao.ask("POST", f"sys/mounts/{mount}", {"type": "pki", "config": {"max_lease_ttl": "87600h"}})
        ca = {"common_name": "Test MO", "key_type": "ec", "key_bits": bits, "ttl": "87600h"}
        bao.ask("POST", f"{mount}/root/generate/internal", ca)
        csr = bao.ask("POST", f"{mount}/intermediate/generate/internal", ca)["data"]["csr"]
        signed = bao.ask("POST", f"{mount}/root/sign-intermediate", {"csr": csr, "common_name": "Test MO sub"})["data"]
        told = bao.ask("POST", f"{mount}/intermediate/set-signed", {"certificate": signed["certificate"]})["data"]
        default = next(issuer for issuer, held in told["mapping"].items() if held)
        bao.ask("POST", f"{mount}/config/issuers", {"default": default})
        bao.ask("POST", f"{mount}/roles/{role}", role_settings(profile_of(schema), MO) | BOUNDED_SETTINGS)
        bao.ask("POST", f"transit/keys/{key}", {"type": kind})
        paths += [
            (f"{mount}/sign-verbatim/{role}", "update"),
            (f"{mount}/revoke", "update"),
            (f"{mount}/roles/{role}", "read"),
        ]
        paths += [(f"transit/sign/{key}", "update"), (f"transit/keys/{key}", "read")]
    policy = "\n".join(f'path "{path}" {{ capabilities = ["{capability}"] }}' for path, capability in paths)
    bao.ask("PUT", "sys/policies/acl/contracts", {"policy": policy})
    return bao


@pytest.fixture
def on_bao(bao: Bao, connect: Connect) -> Callable[[Schema], tuple[NativeProvider, Vehicle]]:
    """Return our provider with a token that may do no more than is needed, and a vehicle that trusts its CPS."""
    token = bao.ask("POST", "auth/token/create", {"policies": ["contracts", "default"]})["auth"]["client_token"]
    connection = connect(bao, token)

    def make(schema: Schema) -> tuple[NativeProvider, Vehicle]:
        mount, role, _, key, _ = MOUNTS[schema]
        pem = bao.ask("GET", f"transit/keys/{key}")["data"]["keys"]["1"]["public_key"]
        public = load_pem_public_key(pem.encode())
        assert isinstance(public, ec.EllipticCurvePublicKey)
        v2g = v2g_pki(schema, NOW - timedelta(hours=2), key=public)
        signer = TransitCps(connection, CpsChain(v2g.chain_pem, SUITES[schema]), mount="transit", key=key)
        authority = VaultAuthority(connection, mount=mount, role=role)
        # By the clock: Vault has no other, and this module may have been read long before.
        issuer = issuer_of(schema, authority, datetime.now(UTC))
        return NativeProvider({schema: issuer}, {schema: signer}), Vehicle(schema, v2g.root)

    return make


@CASES
async def test_on_openbao(
    on_bao: Callable[[Schema], tuple[NativeProvider, Vehicle]],
    schema: Schema,
    action: Action,
    kind: type,
) -> None:
    provider, vehicle = on_bao(schema)
    until = datetime.now(UTC) + timedelta(days=30)
    first = await provider.provide(vehicle.asks(action), contract(valid_until=until), remaining=0)

    certificate, _, answer = vehicle.opens(first.exi)
    assert isinstance(answer, kind)
    assert answer.header.session_id == SESSION
    assert certificate.subject.rfc4514_string() == f"CN={EMAID},O={MO},DC=MO"
    assert certificate.not_valid_after_utc <= until
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, False)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.content_commitment, usage.key_agreement, usage.key_encipherment) == (
        True,
        True,
        True,
        False,
    )
    assert lint.errors(lint.of_certificate(certificate)) == []
    await provider.revoke(certificate)


async def test_vault_is_sealed_then_nothing_is_there(
    bao: Bao, on_bao: Callable[[Schema], tuple[NativeProvider, Vehicle]]
) -> None:
    provider, vehicle = on_bao(Schema.ISO_2)
    bao.seal()
    try:
        with pytest.raises(ProvisioningRefused) as refused:
            await provider.provide(vehicle.asks(), contract(), remaining=0)
        assert refused.value.refusal is Refusal.PROVIDER_UNAVAILABLE
    finally:
        bao.unseal()


async def test_a_vault_that_gives_no_answer_in_time(standin: StandIn, connect: Connect) -> None:
    standin.say("POST", "/v1/mo/sign-verbatim/contract", Reply(0))
    authority = VaultAuthority(connect(standin, "t", timeout=0.2), mount="mo", role="contract")
    with pytest.raises(ProvisioningRefused, match="no contract certificate") as refused:
        await provider_of(Schema.ISO_2, authority).provide(vehicle_of(Schema.ISO_2).asks(), contract(), remaining=0)
    assert refused.value.refusal is Refusal.PROVIDER_UNAVAILABLE
    assert standin.count("POST", "/v1/mo/sign-verbatim/contract") == 1  # it may have signed


async def test_a_vault_that_signs_something_else(standin: StandIn, connect: Connect, tmp_path: Path) -> None:
    """Another vehicle's certificate, as a cache before Vault would give it: it isn't given out."""
    other = await provider_of(Schema.ISO_2, authority_of(Schema.ISO_2, tmp_path)).provide(
        vehicle_of(Schema.ISO_2).asks(), contract(), remaining=0
    )
    pem = other.certificate.public_bytes(Encoding.PEM).decode()
    issuing = HIERARCHIES[Schema.ISO_2].issuing.certificate.public_bytes(Encoding.PEM).decode()
    standin.say(
        "POST", "/v1/mo/sign-verbatim/contract", Reply(body={"data": {"certificate": pem, "ca_chain": [issuing]}})
    )
    authority = VaultAuthority(connect(standin, "t"), mount="mo", role="contract")
    with pytest.raises(ProvisioningRefused, match="the certificate is for another key") as refused:
        await provider_of(Schema.ISO_2, authority).provide(vehicle_of(Schema.ISO_2).asks(), contract(), remaining=0)
    assert refused.value.refusal is Refusal.PROVIDER_ANSWER
