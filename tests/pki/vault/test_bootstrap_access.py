"""The token that the gateway gets, against a real OpenBao: what it can do, and that it can do nothing else."""

import urllib.error
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pki.authority import IssuedCertificate, SigningRequest
from pki.issued import verify_issued
from pki.pem_files import certificates_pem
from pki.profiles import charging_station
from pki.vault.bootstrap_connection import Administrator, BootstrapFailed
from pki.vault.bootstrap_plan import AppRolePlan, Plan
from tests.bao import Bao
from tests.pki.vault.bootstrapped import OPERATOR, administrator, changed, csr_of, plan_of, set_up

PLAN = plan_of("station", "v2g", "server")
MOUNTS = ("voltgate-stations", "voltgate-v2g", "voltgate-server")
SIGN = "voltgate-stations/sign/charging_station"

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def house(bao: Bao, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Administrator, Path]]:
    """Return what was set up once for all tests that only use it, and the file of the secret_id."""
    file = tmp_path_factory.mktemp("login") / "secret-id"
    with administrator(bao) as vault:
        set_up(vault, PLAN, secret_id_file=file)
        for mount in MOUNTS:
            vault.write(f"{mount}/roles/another", {"allow_any_name": True})
        yield vault, file


@pytest.fixture(scope="module")
def as_gateway(bao: Bao, house: tuple[Administrator, Path]) -> Ask:
    """Return a way to ask as the gateway does: logged in by its AppRole."""
    vault, file = house
    role_id = (vault.read("auth/approle/role/voltgate/role-id") or {})["role_id"]
    login = {"role_id": role_id, "secret_id": file.read_text()}
    assert vault.namespace is not None
    token = bao.ask("POST", "auth/approle/login", login, vault.namespace)["auth"]["client_token"]

    def ask(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return bao.ask(method, path, body, vault.namespace or "", token)

    return ask


def asked(csr: str, **others: Any) -> dict[str, Any]:
    """Return what the gateway sends to have a station's certificate signed."""
    body = {"csr": csr, "common_name": "SN-1", "ttl": "31536000s", "format": "pem", "alt_names": "", "ip_sans": ""}
    return {**body, "exclude_cn_from_sans": True, **others}


def denied(ask: Ask, method: str, path: str, body: dict[str, Any] | None = None) -> bool:
    try:
        ask(method, path, body)
    except urllib.error.HTTPError as error:
        return error.code == 403
    return False


def test_what_it_signs_is_a_station_certificate(as_gateway: Ask) -> None:
    csr = csr_of("SN-1")

    data = as_gateway("POST", SIGN, asked(csr))["data"]

    leaf, *above = (x509.load_pem_x509_certificate(pem.encode()) for pem in (data["certificate"], *data["ca_chain"]))
    issued = IssuedCertificate(leaf, certificates_pem([leaf, above[0]]))
    request = SigningRequest(x509.load_pem_x509_csr(csr.encode()), "SN-1", OPERATOR, charging_station())
    verify_issued(issued, request, now=datetime.now(UTC))
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(days=365, hours=1)
    assert [ca.subject == ca.issuer for ca in above] == [False, True]


@pytest.mark.parametrize(
    ("name", "attributes", "extensions"),
    [
        ("SN-2", (), ()),
        ("SN-2", (x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Another CPO"),), ()),
        ("SN-1", (), (x509.SubjectAlternativeName([x509.DNSName("csms.example.com")]),)),
        ("SN-1", (), (x509.BasicConstraints(ca=True, path_length=None),)),
        ("SN-1", (), (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),)),
    ],
    ids=["another CN", "another O", "SAN", "CA:TRUE", "EKU"],
)
def test_a_csr_that_asks_for_something_else_gets_the_fixed_subject(
    as_gateway: Ask,
    name: str,
    attributes: tuple[Any, ...],
    extensions: tuple[x509.ExtensionType, ...],
) -> None:
    """Attack B1, were the review not there: the role alone fixes what is signed."""
    csr = csr_of(name, *attributes, extensions=extensions)

    leaf = x509.load_pem_x509_certificate(as_gateway("POST", SIGN, asked(csr))["data"]["certificate"].encode())

    assert leaf.subject.rfc4514_string() == f"CN=SN-1,O={OPERATOR}"
    kinds = {type(extension.value) for extension in leaf.extensions}
    assert x509.SubjectAlternativeName not in kinds
    assert x509.ExtendedKeyUsage not in kinds
    assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False


@pytest.mark.parametrize(
    "more",
    [
        {"not_after": "2049-01-01T00:00:00Z"},
        {"not_before": "2000-01-01T00:00:00Z"},
        {"not_before_duration": "80000h"},
        {"alt_names": "csms.example.com"},
        {"ip_sans": "192.0.2.1"},
        {"uri_sans": "urn:x"},
        {"other_sans": "1.2.3;UTF8:x"},
        {"exclude_cn_from_sans": False},
        {"serial_number": "x"},
        {"user_ids": "x"},
        {"remove_roots_from_chain": True},
        {"issuer_ref": "default"},
    ],
    ids=lambda more: next(iter(more)),
)
def test_what_would_make_another_certificate_isnt_allowed(as_gateway: Ask, more: dict[str, Any]) -> None:
    """A request's not_after passes over the role's max_ttl: a stolen token would make certificates for 30 years."""
    assert denied(as_gateway, "POST", SIGN, asked(csr_of("SN-1"), **more))


def test_the_common_name_never_becomes_an_alternative_name(as_gateway: Ask) -> None:
    """It does where nothing is said: a stolen token would make certificates for any host name."""
    body = asked(csr_of("csms.example.com"), common_name="csms.example.com")
    del body["exclude_cn_from_sans"]

    assert denied(as_gateway, "POST", SIGN, body)


def test_a_certificate_never_lives_longer_than_the_role_says(as_gateway: Ask) -> None:
    leaf = as_gateway("POST", SIGN, asked(csr_of("SN-1"), ttl="87600h"))["data"]["certificate"]

    ends = x509.load_pem_x509_certificate(leaf.encode()).not_valid_after_utc
    assert ends <= datetime.now(UTC) + timedelta(days=365, minutes=1)


@pytest.mark.parametrize("mount", [*MOUNTS, "voltgate-root"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "sign/another"),
        ("POST", "issue/charging_station"),
        ("POST", "issue/another"),
        ("POST", "sign-verbatim"),
        ("POST", "sign-verbatim/charging_station"),
        ("POST", "sign-verbatim/csms_server"),
        ("POST", "issuer/default/sign-verbatim"),
        ("POST", "issuer/default/sign/charging_station"),
        ("POST", "issuer/default/sign-intermediate"),
        ("POST", "root/sign-intermediate"),
        ("POST", "root/sign-self-issued"),
        ("POST", "root/generate/exported"),
        ("POST", "root/generate/internal"),
        ("POST", "intermediate/generate/exported"),
        ("POST", "intermediate/set-signed"),
        ("POST", "intermediate/cross-sign"),
        ("POST", "issuers/import/bundle"),
        ("POST", "keys/import"),
        ("POST", "keys/generate/exported"),
        ("POST", "config/ca"),
        ("POST", "config/crl"),
        ("POST", "config/urls"),
        ("POST", "config/issuers"),
        ("POST", "roles/charging_station"),
        ("DELETE", "roles/charging_station"),
        ("DELETE", "issuer/default"),
        ("DELETE", "root"),
        ("POST", "revoke-with-key"),
        ("POST", "tidy"),
        ("GET", "crl/rotate"),
        ("LIST", "keys"),
        ("GET", "key/default"),
        ("DELETE", "key/default"),
        ("LIST", "issuers/detailed"),
        ("LIST", "certs"),
        ("LIST", "certs/revoked"),
        ("LIST", "roles"),
        ("GET", "roles/another"),
        ("GET", "config/keys"),
        ("GET", "issuer/default"),
    ],
)
def test_what_it_may_not_do_in_any_engine(as_gateway: Ask, mount: str, method: str, path: str) -> None:
    assert denied(as_gateway, method, f"{mount}/{path}", {"csr": csr_of("SN-1"), "common_name": "SN-1"})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "voltgate-v2g/sign/charging_station"),
        ("POST", "voltgate-server/sign/charging_station"),
        ("POST", "voltgate-stations/sign-verbatim/secc"),
        ("POST", "voltgate-root/sign/charging_station"),
        ("POST", "voltgate-root/revoke"),
        ("POST", "auth/token/create"),
        ("POST", "auth/token/create-orphan"),
        ("POST", "auth/token/lookup"),
        ("POST", "auth/token/revoke"),
        ("LIST", "auth/token/accessors"),
        ("GET", "auth/approle/role/voltgate"),
        ("POST", "auth/approle/role/voltgate/secret-id"),
        ("POST", "auth/approle/role/voltgate"),
        ("GET", "auth/approle/role/voltgate/role-id"),
        ("LIST", "sys/policies/acl"),
        ("GET", "sys/policies/acl/voltgate-station"),
        ("POST", "sys/policies/acl/voltgate-station"),
        ("GET", "sys/mounts"),
        ("POST", "sys/mounts/another"),
        ("DELETE", "sys/mounts/voltgate-stations"),
        ("POST", "sys/mounts/voltgate-stations/tune"),
        ("GET", "sys/auth"),
        ("LIST", "sys/leases/lookup"),
        ("GET", "cubbyhole/x"),
        ("POST", "cubbyhole/x"),
        ("POST", "sys/capabilities"),
        ("POST", "sys/wrapping/wrap"),
        ("LIST", "identity/entity/id"),
    ],
)
def test_what_it_may_not_do_besides(as_gateway: Ask, method: str, path: str) -> None:
    assert denied(as_gateway, method, path, {"csr": csr_of("SN-1"), "common_name": "SN-1", "policies": ["root"]})


def test_what_it_may_do_besides_signing(as_gateway: Ask) -> None:
    serial = as_gateway("POST", SIGN, asked(csr_of("SN-1")))["data"]["serial_number"]

    assert as_gateway("POST", "voltgate-stations/revoke", {"serial_number": serial})["data"]["state"] == "revoked"
    assert as_gateway("GET", "voltgate-stations/roles/charging_station")["data"]["organization"] == [OPERATOR]
    assert len(as_gateway("GET", "voltgate-stations/issuer/default/json")["data"]["ca_chain"]) == 2
    assert "BEGIN X509 CRL" in as_gateway("GET", "voltgate-stations/cert/crl")["data"]["certificate"]
    assert as_gateway("POST", "sys/capabilities-self", {"paths": [SIGN]})["data"][SIGN] == ["update"]
    token = as_gateway("GET", "auth/token/lookup-self")["data"]
    assert (token["policies"], token["renewable"], token["creation_ttl"]) == (
        ["voltgate-server", "voltgate-station", "voltgate-token", "voltgate-v2g"],
        True,
        3600,
    )
    assert as_gateway("POST", "auth/token/renew-self")["auth"]["renewable"]


def test_an_ev_facing_certificate_keeps_the_subject_of_its_csr(as_gateway: Ask) -> None:
    """[V2G2-925] wants a DC, which sign drops; nothing else of a CSR makes it more than an end entity."""
    component = x509.NameAttribute(NameOID.DOMAIN_COMPONENT, "CPO")
    csr = csr_of("SECC-1", component, extensions=(x509.BasicConstraints(ca=True, path_length=None),))
    body = {"csr": csr, "ttl": "90d", "key_usage": "DigitalSignature,KeyAgreement", "ext_key_usage": []}

    pem = as_gateway("POST", "voltgate-v2g/sign-verbatim/secc", body)["data"]["certificate"]

    leaf = x509.load_pem_x509_certificate(pem.encode())
    assert leaf.subject.rfc4514_string() == "DC=CPO,CN=SECC-1"
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    late = body | {"not_after": "2049-01-01T00:00:00Z"}
    assert denied(as_gateway, "POST", "voltgate-v2g/sign-verbatim/secc", late)


def test_a_role_that_was_loosened_is_shown_and_mended(vault: Administrator) -> None:
    set_up(vault)
    loose = {"allow_any_name": True, "use_csr_common_name": True, "organization": [], "max_ttl": "87600h"}
    vault.write("voltgate-stations/roles/charging_station", loose)

    shown = changed(set_up(vault, dry_run=True).findings)
    done = changed(set_up(vault).findings)

    assert shown == done
    (told,) = shown
    assert "use_csr_common_name true -> false" in told
    assert f"organization [] -> [{OPERATOR}]" in told
    assert "not_after_bound permit -> forbid" in told
    assert changed(set_up(vault).findings) == []


@pytest.mark.parametrize(
    "setting",
    [
        {"not_after": "2049-01-01T00:00:00Z"},
        {"not_before": "2000-01-01T00:00:00Z"},
        {"country": ["DE"]},
        {"locality": ["Berlin"]},
        {"province": ["BE"]},
        {"street_address": ["Main St"]},
        {"postal_code": ["10115"]},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_a_role_that_puts_more_into_certificates_is_shown_and_mended(
    vault: Administrator, setting: dict[str, Any]
) -> None:
    """A role's not_after makes certificates for decades, whatever its max_ttl is."""
    set_up(vault)
    vault.patch("voltgate-stations/roles/charging_station", setting)

    (told,) = changed(set_up(vault).findings)

    assert told.startswith(f"role voltgate-stations/charging_station: {next(iter(setting))} ")
    assert changed(set_up(vault).findings) == []


def test_a_policy_that_allows_more_is_shown_and_replaced(vault: Administrator) -> None:
    set_up(vault)
    vault.write("sys/policies/acl/voltgate-station", {"policy": 'path "voltgate-root/*" { capabilities = ["sudo"] }'})

    (told,) = changed(set_up(vault).findings)

    assert told.startswith('policy voltgate-station: replaced; what it no longer says: path "voltgate-root/*"')
    assert changed(set_up(vault).findings) == []


def test_a_secret_id_that_works_is_kept_and_one_that_doesnt_is_replaced(vault: Administrator, tmp_path: Path) -> None:
    file = tmp_path / "secret-id"
    set_up(vault, secret_id_file=file)
    kept = file.read_text()
    assert changed(set_up(vault, secret_id_file=file).findings) == []
    assert (file.read_text(), file.stat().st_mode & 0o777) == (kept, 0o600)

    vault.write("auth/approle/role/voltgate/secret-id/destroy", {"secret_id": kept})
    outcome = set_up(vault, secret_id_file=file)

    assert changed(outcome.findings) == [f"secret_id in {file}: replaced: Vault doesn't take the one that was there"]
    assert file.read_text() not in {"", kept}
    assert file.read_text() not in str(outcome)


def test_the_folder_of_the_secret_id_is_made(vault: Administrator, tmp_path: Path) -> None:
    """docs/vault.md names secrets/vault-secret-id, on any machine."""
    file = tmp_path / "secrets" / "secret-id"

    set_up(vault, secret_id_file=file)

    assert (file.parent.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_secret_id_that_cant_be_kept_isnt_made(vault: Administrator, tmp_path: Path) -> None:
    (tmp_path / "occupied").touch()

    with pytest.raises(BootstrapFailed, match="can't be written: File exists"):
        set_up(vault, secret_id_file=tmp_path / "occupied" / "secret-id")

    assert vault.list("auth/approle/role/voltgate/secret-id") == {}


def test_a_secret_id_file_that_cant_be_read_is_named(vault: Administrator, tmp_path: Path) -> None:
    set_up(vault)
    with pytest.raises(BootstrapFailed, match="can't be read \\(IsADirectoryError\\)"):
        set_up(vault, secret_id_file=tmp_path)


def test_a_login_bound_to_a_network_works_from_nowhere_else(bao: Bao, vault: Administrator, tmp_path: Path) -> None:
    file = tmp_path / "secret-id"
    plan = Plan(OPERATOR, plan_of().uses, approle=AppRolePlan(networks=("192.0.2.0/24",)))
    role_id = set_up(vault, plan, secret_id_file=file).login.role_id
    login = {"role_id": role_id, "secret_id": file.read_text()}

    with pytest.raises(urllib.error.HTTPError):
        bao.ask("POST", "auth/approle/login", login, vault.namespace or "")

    assert changed(set_up(vault, plan, secret_id_file=file).findings) == []
