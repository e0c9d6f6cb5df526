"""What the gateway's own credentials say of its role and of themselves, on a real OpenBao."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from pki.authority import SigningRequest
from pki.authority.vault import VaultAuthority
from pki.client_tls import TlsTrust
from pki.profiles import charging_station, secc, with_lifetime
from pki.vault.bootstrap_connection import Administrator
from pki.vault.bootstrap_plan import CpsKey
from pki.vault.connection import VaultConnection
from pki.vault.failures import VaultRefused
from pki.vault.inspection import key_faults, lacking, role_faults, surplus
from pki.vault.logins import AppRoleLogin, TokenLogin
from tests.bao import ROOT_TOKEN, Bao
from tests.pki.vault.bootstrapped import OPERATOR, csr_of, plan_of, set_up

MOUNT, ROLE = "voltgate-stations", "charging_station"


@pytest.fixture
async def connection(bao: Bao, vault: Administrator, tmp_path: Path) -> AsyncIterator[VaultConnection]:
    """Return the gateway's own, by AppRole."""
    plan = plan_of("station", "v2g", cps=(CpsKey("cps"),))
    role_id = set_up(vault, plan, secret_id_file=tmp_path / "secret-id").login.role_id
    login = AppRoleLogin(role_id or "", (tmp_path / "secret-id").read_text, "approle")
    opened = VaultConnection([bao.address], login, trust=TlsTrust(bao.cacert), namespace=vault.namespace)
    yield opened
    await opened.close()


async def test_what_was_set_up_has_no_fault_and_no_surplus(connection: VaultConnection) -> None:
    assert await role_faults(connection, MOUNT, ROLE, charging_station(), OPERATOR) == []
    assert await surplus(connection, MOUNT, ROLE, charging_station()) == []
    assert await role_faults(connection, "voltgate-v2g", "secc", secc(), OPERATOR) == []
    assert await surplus(connection, "voltgate-v2g", "secc", secc()) == []
    assert await lacking(connection, MOUNT, ROLE, charging_station()) == []
    assert await lacking(connection, "voltgate-v2g", "secc", secc()) == []
    assert await key_faults(connection, "voltgate-cps", "cps") == []


async def test_the_gateways_authority_works_with_what_was_set_up(connection: VaultConnection) -> None:
    """Every parameter that it sends is one that the policy allows."""
    authority = VaultAuthority(connection, mount=MOUNT, role=ROLE)
    csr = x509.load_pem_x509_csr(csr_of("SN-1").encode())

    await authority.health()
    issued = await authority.sign(SigningRequest(csr, "SN-1", OPERATOR, charging_station()))
    await authority.revoke(issued.serial)

    assert len(await authority.chain()) == 2
    assert x509.load_pem_x509_crl(await authority.crl()).issuer == (await authority.chain())[0].subject


async def test_it_works_for_what_vehicles_are_shown(connection: VaultConnection) -> None:
    """By sign-verbatim: role and policy let its subject through, with the DC."""
    authority = VaultAuthority(connection, mount="voltgate-v2g", role="secc")
    names = {NameOID.DOMAIN_COMPONENT: "CPO", NameOID.ORGANIZATION_NAME: OPERATOR}
    pem = csr_of("SECC-1", *(x509.NameAttribute(oid, text) for oid, text in names.items()))

    await authority.health()
    issued = await authority.sign(SigningRequest(x509.load_pem_x509_csr(pem.encode()), "SECC-1", OPERATOR, secc()))

    assert "DC=CPO" in issued.certificate.subject.rfc4514_string()


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"use_csr_common_name": True}, "use_csr_common_name is true, must be false"),
        ({"use_csr_sans": True}, "use_csr_sans is true, must be false"),
        ({"organization": ["Another CPO"]}, f"organization is [Another CPO], must be [{OPERATOR}]"),
        ({"client_flag": True}, "client_flag is true, must be false"),
        ({"max_ttl": "24h"}, "max_ttl is 1 day, 0:00:00, which cuts certificates of 365 days, 0:00:00 short"),
        ({"not_after_bound": "permit"}, "not_after_bound is permit, must be forbid"),
        ({"not_after": "2049-01-01T00:00:00Z"}, "not_after is 2049-01-01T00:00:00Z, must be none"),
        ({"not_before": "2000-01-01T00:00:00Z"}, "not_before is 2000-01-01T00:00:00Z, must be none"),
        ({"ou": ["EV"]}, "ou is [EV], must be []"),
        ({"street_address": ["Main St"]}, "street_address is [Main St], must be []"),
    ],
    ids=lambda each: next(iter(each)) if isinstance(each, dict) else "",
)
async def test_what_is_wrong_with_a_role(
    vault: Administrator, connection: VaultConnection, setting: dict[str, Any], told: str
) -> None:
    vault.patch(f"{MOUNT}/roles/{ROLE}", setting | ({"ttl": "24h"} if "max_ttl" in setting else {}))

    assert await role_faults(connection, MOUNT, ROLE, charging_station(), OPERATOR) == [told]


async def test_a_role_that_is_stricter_is_right(vault: Administrator, connection: VaultConnection) -> None:
    vault.patch(f"{MOUNT}/roles/{ROLE}", {"key_type": "ec", "key_bits": 256, "max_ttl": "720h", "ttl": "720h"})

    profile = with_lifetime(charging_station(), timedelta(days=30))
    assert await role_faults(connection, MOUNT, ROLE, profile, OPERATOR) == []


async def test_a_role_that_may_not_be_read_or_isnt_there(vault: Administrator, connection: VaultConnection) -> None:
    (told,) = await role_faults(connection, MOUNT, "another", charging_station(), OPERATOR)
    assert told.startswith("the token may not read voltgate-stations/roles/another")

    vault.write("sys/policies/acl/voltgate-token", {"policy": f'path "{MOUNT}/*" {{ capabilities = ["read"] }}'})
    with pytest.raises(VaultRefused):
        await role_faults(connection, MOUNT, "another", charging_station(), OPERATOR)
    assert await surplus(connection, MOUNT, ROLE, charging_station()) == []


async def test_a_token_that_may_do_more_is_told_of(bao: Bao, vault: Administrator) -> None:
    set_up(vault)
    root = VaultConnection(
        [bao.address], TokenLogin(lambda: ROOT_TOKEN), trust=TlsTrust(bao.cacert), namespace=vault.namespace
    )
    try:
        found = await surplus(root, MOUNT, ROLE, charging_station())
    finally:
        await root.close()

    assert f"{MOUNT}/sign-verbatim/{ROLE}" in found
    assert {"auth/token/create", f"{MOUNT}/keys/generate/exported", "sys/mounts/voltgate"} < set(found)


async def test_what_a_token_lacks(vault: Administrator, connection: VaultConnection) -> None:
    """One that may sign, but not as these certificates are asked for, signs none of them."""
    paths = ("voltgate-v2g/sign/secc", "voltgate-v2g/sign-verbatim")
    rules = "".join(f'path "{path}" {{ capabilities = ["update"] }}' for path in paths)
    vault.write("sys/policies/acl/voltgate-v2g", {"policy": rules})

    assert await lacking(connection, "voltgate-v2g", "secc", secc()) == [
        "voltgate-v2g/sign-verbatim/secc",
        "voltgate-v2g/revoke",
    ]
    assert await surplus(connection, "voltgate-v2g", "secc", secc()) == ["voltgate-v2g/sign-verbatim"]


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ('path "voltgate-cps/keys/cps" { capabilities = ["read"] }', ["the token may not sign: add path "]),
        (
            (
                'path "voltgate-cps/keys/cps" { capabilities = ["read", "delete"] }'
                'path "voltgate-cps/keys/cps/+" { capabilities = ["update"] }'
                'path "voltgate-cps/export/*" { capabilities = ["read"] }'
                'path "voltgate-cps/backup/*" { capabilities = ["read"] }'
                'path "voltgate-cps/sign/cps" { capabilities = ["update"] }'
            ),
            [
                f"the token may do more than the gateway needs: voltgate-cps/{path}"
                for path in (
                    "keys/cps",
                    "keys/cps/config",
                    "keys/cps/rotate",
                    "keys/cps/trim",
                    "export/signing-key/cps",
                    "backup/cps",
                )
            ],
        ),
    ],
    ids=["less", "more"],
)
async def test_what_a_token_may_do_with_a_key(
    vault: Administrator, connection: VaultConnection, rule: str, told: list[str]
) -> None:
    vault.write("sys/policies/acl/voltgate-cps", {"policy": rule})

    found = await key_faults(connection, "voltgate-cps", "cps")

    assert len(found) == len(told)
    assert all(text.startswith(words) for text, words in zip(found, told, strict=True))


async def test_a_key_that_can_leave(vault: Administrator, connection: VaultConnection) -> None:
    vault.write("voltgate-cps/keys/cps/config", {"exportable": True, "deletion_allowed": True})

    assert await key_faults(connection, "voltgate-cps", "cps") == [
        "voltgate-cps/keys/cps: exportable is true; make a new key: this can't be taken back",
        "voltgate-cps/keys/cps: deletion_allowed is true; set it to false",
    ]
