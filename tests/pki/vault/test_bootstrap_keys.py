"""Keys that sign for vehicles, and firmware, on a real OpenBao; and what the gateway's login may do with them."""

import base64
import urllib.error
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki.authority.vault import VaultAuthority
from pki.client_tls import TlsTrust
from pki.iso15118.answers import AnswerVerifier
from pki.iso15118.cps import CpsChain
from pki.iso15118.exi import Schema
from pki.iso15118.messages import Action
from pki.iso15118.native import NativeProvider
from pki.iso15118.transit import TransitCps
from pki.iso15118.trust import TrustedPaths
from pki.profiles import load_profile
from pki.vault.bootstrap import Outcome, cps_section
from pki.vault.bootstrap_connection import Administrator, BootstrapFailed
from pki.vault.bootstrap_findings import State
from pki.vault.bootstrap_plan import CpsKey, FirmwareKey, Plan
from pki.vault.connection import VaultConnection
from pki.vault.inspection import role_faults, surplus
from pki.vault.logins import AppRoleLogin
from tests import lint
from tests.bao import Bao
from tests.pki.iso15118.provisioning_parts import MO, SUITES, Vehicle, contract, issuer_of, v2g_pki
from tests.pki.vault.bootstrapped import OPERATOR, changed, looked_at, plan_of, set_up

NOW = datetime.now(UTC)
KEYS = (CpsKey("cps"), CpsKey("cps_20"))
PLAN = plan_of(
    "station", "contract", "contract_20", cps=KEYS, mobility_operator=MO, public_url="http://pki.example.com"
)
ROLES = {
    Schema.ISO_2: ("voltgate-contracts", "contract", "cps"),
    Schema.ISO_20: ("voltgate-contracts-20", "contract_20", "cps_20"),
}
BOTH = pytest.mark.parametrize("schema", [Schema.ISO_2, Schema.ISO_20])


@dataclass
class House:
    """What was set up, and the gateway's own connection to it."""

    bao: Bao
    vault: Administrator
    outcome: Outcome
    connection: VaultConnection
    token: str

    def denied(self, method: str, path: str, body: dict[str, Any] | None = None) -> bool:
        try:
            self.bao.ask(method, path, body, self.vault.namespace or "", self.token)
        except urllib.error.HTTPError as error:
            return error.code == 403
        return False


@pytest.fixture
async def house(bao: Bao, vault: Administrator, tmp_path: Path) -> AsyncIterator[House]:
    outcome = set_up(vault, PLAN, secret_id_file=tmp_path / "secret-id")
    role_id, secret_id = outcome.login.role_id or "", (tmp_path / "secret-id").read_text
    login = {"role_id": role_id, "secret_id": secret_id()}
    token = bao.ask("POST", "auth/approle/login", login, vault.namespace or "")["auth"]["client_token"]
    trust = TlsTrust(bao.cacert)
    connection = VaultConnection(
        [bao.address], AppRoleLogin(role_id, secret_id, "approle"), trust=trust, namespace=vault.namespace
    )
    yield House(bao, vault, outcome, connection, token)
    await connection.close()


def test_the_second_run_finds_everything_right_and_gives_the_csr_again(vault: Administrator) -> None:
    shown = set_up(vault, PLAN, dry_run=True)
    first, second = set_up(vault, PLAN), set_up(vault, PLAN)

    assert {each.subject for each in shown.findings} == {each.subject for each in first.findings}
    assert {"engine voltgate-cps: created: transit", "key voltgate-cps/cps: created: ecdsa-p256"} < set(
        changed(first.findings)
    )
    assert [str(each) for each in second.findings if each.state is not State.RIGHT] == []
    assert shown.papers.requests == {}
    for outcome in (first, second):
        for name, curve in (("cps", ec.SECP256R1), ("cps_20", ec.SECP521R1)):
            csr = x509.load_pem_x509_csr(outcome.papers.requests[name].encode())
            key = csr.public_key()
            assert csr.is_signature_valid
            assert isinstance(key, ec.EllipticCurvePublicKey)
            assert isinstance(key.curve, curve)
            assert csr.subject.rfc4514_string() == f"CN=Voltgate CPS,O={OPERATOR},DC=CPS"


@BOTH
async def test_what_was_set_up_provides_contracts(house: House, schema: Schema) -> None:
    """From the empty Vault to a vehicle that opens its key, with no more rights than the gateway's."""
    mount, role, name = ROLES[schema]
    csr = x509.load_pem_x509_csr(house.outcome.papers.requests[name].encode())
    key = csr.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    v2g = v2g_pki(schema, NOW - timedelta(hours=2), key=key)
    signer = TransitCps(house.connection, CpsChain(v2g.chain_pem, SUITES[schema]), mount="voltgate-cps", key=name)
    authority = VaultAuthority(house.connection, mount=mount, role=role)
    provider = NativeProvider({schema: issuer_of(schema, authority, NOW)}, {schema: signer})
    vehicle = Vehicle(schema, v2g.root)
    await authority.health()
    await signer.health()

    for action in (Action.INSTALL, Action.UPDATE)[: 2 if schema is Schema.ISO_2 else 1]:
        provision = await provider.provide(vehicle.asks(action), contract(), remaining=0)
        certificate, _, _ = vehicle.opens(provision.exi)

        kinds = {type(each.value) for each in certificate.extensions}
        assert {x509.CRLDistributionPoints, x509.AuthorityInformationAccess} <= kinds
        assert len(certificate.public_bytes(Encoding.DER)) < (730 if schema is Schema.ISO_2 else 1000)
        assert lint.errors(lint.of_certificate(certificate)) == []
        assert certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == MO
        mo = TrustedPaths([x509.load_pem_x509_certificate(house.outcome.papers.roots[role].encode())])
        asked = replace(vehicle.asks(action), path=(v2g.leaf,))
        AnswerVerifier(TrustedPaths([v2g.root]), mo, profiles="enforce").check(provision.exi, asked)
        chain = await authority.chain()
        assert all(f"O={MO}" in ca.subject.rfc4514_string() for ca in chain)
        await provider.revoke(certificate)


@BOTH
async def test_its_role_has_no_fault_and_its_token_no_surplus(house: House, schema: Schema) -> None:
    mount, role, _ = ROLES[schema]
    assert await role_faults(house.connection, mount, role, load_profile(role), MO) == []
    assert await surplus(house.connection, mount, role, load_profile(role)) == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "sign/cps", {"hash_algorithm": "sha2-512"}),
        ("POST", "sign/cps", {"prehashed": True}),
        ("POST", "sign/cps", {"marshaling_algorithm": "asn1"}),
        ("POST", "sign/cps", {"batch_input": [{"input": "eA=="}]}),
        ("POST", "sign/cps/sha2-256", {}),
        ("POST", "sign/cps_20", {"hash_algorithm": "sha2-256"}),
        ("POST", "sign/another", {}),
        ("POST", "keys/cps", {"type": "ecdsa-p256"}),
        ("POST", "keys/another", {"type": "ecdsa-p256"}),
        ("POST", "keys/cps/rotate", {}),
        ("POST", "keys/cps/config", {"exportable": True}),
        ("POST", "keys/cps/csr", {}),
        ("POST", "keys/cps/import", {}),
        ("DELETE", "keys/cps", None),
        ("GET", "export/signing-key/cps", None),
        ("GET", "backup/cps", None),
        ("LIST", "keys", None),
        ("GET", "keys/another", None),
    ],
)
async def test_what_it_may_not_do_with_the_key(house: House, method: str, path: str, body: Any) -> None:
    asked = None if body is None else {"input": base64.b64encode(b"x").decode(), **body}
    assert house.denied(method, f"voltgate-cps/{path}", asked)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("voltgate-contracts/sign-verbatim/contract", {"not_after": "2049-01-01T00:00:00Z"}),
        ("voltgate-contracts/sign-verbatim/contract", {"basic_constraints_valid_for_non_ca": False}),
        ("voltgate-contracts/sign-verbatim", {}),
        ("voltgate-contracts/sign-verbatim/contract_20", {}),
        ("voltgate-contracts/sign/contract", {}),
        ("voltgate-contracts-20/sign-verbatim/contract", {}),
        ("voltgate-contracts-20/issuer/default/sign-verbatim", {}),
        ("voltgate-stations/sign-verbatim/contract", {}),
    ],
)
async def test_what_it_may_not_have_signed(house: House, path: str, body: dict[str, Any]) -> None:
    assert house.denied("POST", path, {"csr": "x", **body})


def test_the_csr_is_by_the_newest_version(vault: Administrator) -> None:
    first = set_up(vault, PLAN).papers.requests["cps"]
    vault.write("voltgate-cps/keys/cps/rotate", {})

    second = set_up(vault, PLAN).papers.requests["cps"]

    keys = [x509.load_pem_x509_csr(csr.encode()).public_key() for csr in (first, second)]
    assert keys[0] != keys[1]


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ecdsa-p521", "rsa-3072"])
def test_the_key_that_signs_firmware_is_not_for_the_gateways_login(vault: Administrator, kind: str) -> None:
    plan = plan_of("station", firmware=FirmwareKey(kind))

    outcome, second = set_up(vault, plan), set_up(vault, plan)

    told = changed(outcome.findings)
    assert {f"key voltgate-firmware/firmware: created: {kind}", "policy voltgate-firmware: created"} < set(told)
    assert [str(each) for each in second.findings if each.state is not State.RIGHT] == []
    csr = x509.load_pem_x509_csr(second.papers.requests["firmware"].encode())
    assert csr.is_signature_valid
    assert csr.subject.rfc4514_string() == f"CN={OPERATOR} firmware,O={OPERATOR}"
    role = vault.read("auth/approle/role/voltgate")
    assert role is not None
    assert role["token_policies"] == ["voltgate-token", "voltgate-station"]


def test_a_key_that_can_leave_is_looked_at(vault: Administrator) -> None:
    vault.write("sys/mounts/voltgate-cps", {"type": "transit"})
    vault.write("voltgate-cps/keys/cps", {"type": "ecdsa-p256", "exportable": True})

    found = set_up(vault, PLAN).findings

    (told,) = looked_at(found)
    assert told.startswith("key voltgate-cps/cps: exportable: true; make a new key")


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("sys/mounts/voltgate-cps", {"type": "pki"}, "voltgate-cps is an engine of type pki"),
        ("voltgate-cps/keys/cps", {"type": "ed25519"}, "keys/cps is of type ed25519, must be ecdsa-p256"),
    ],
)
def test_something_else_under_its_name(vault: Administrator, path: str, body: dict[str, Any], words: str) -> None:
    if path.startswith("voltgate"):
        vault.write("sys/mounts/voltgate-cps", {"type": "transit"})
    vault.write(path, body)
    with pytest.raises(BootstrapFailed, match=words):
        set_up(vault, PLAN)


def test_the_section_for_the_configuration(vault: Administrator) -> None:
    plan = Plan(OPERATOR, PLAN.uses, cps=(CpsKey("cps_20", "transit"),))
    section = cps_section(vault, plan, Outcome(), None)

    assert sorted(section["cps_20"]["transit"]) == ["address", "key", "mount", "namespace", "roots"]
    assert (section["cps_20"]["chain"], section["cps_20"]["transit"]["mount"]) == ("certs/cps_20.pem", "transit")
    assert "cps" not in section
