"""Roles made from certificate profiles, and what a real OpenBao issues under them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from pki.authority import IssuedCertificate, SigningRequest
from pki.issued import verify_issued
from pki.pem_files import certificates_pem
from pki.profiles import charging_station, csms_server, load_profile, secc, with_lifetime
from pki.vault_roles import key_usages, role_settings
from tests import lint
from tests.bao import Bao, running_bao


def test_a_profile_of_one_kind_of_key() -> None:
    settings = role_settings(secc(), "Example CPO")

    assert (settings["key_type"], settings["key_bits"]) == ("ec", 256)
    assert settings["key_usage"] == ["DigitalSignature", "KeyAgreement"]
    assert (settings["ttl"], settings["max_ttl"], settings["not_before_duration"]) == ("7776000s", "7776000s", "3600s")
    assert settings["organization"] == ["Example CPO"]
    assert not any(settings[flag] for flag in ("use_csr_common_name", "use_csr_sans", "server_flag", "client_flag"))


def test_usages_that_fit_every_kind_of_key() -> None:
    both = role_settings(charging_station(), "Example CPO")
    ecdsa = role_settings(charging_station(), "Example CPO", kinds=["ec"])
    rsa_alone = role_settings(charging_station(), "Example CPO", kinds=["rsa"])

    assert (both["key_type"], both["key_bits"], both["key_usage"]) == ("any", 0, ["DigitalSignature"])
    assert (ecdsa["key_type"], ecdsa["key_usage"]) == ("ec", ["DigitalSignature", "KeyAgreement"])
    assert (rsa_alone["key_type"], rsa_alone["key_bits"]) == ("rsa", 2048)
    assert key_usages(load_profile("contract"), ["ec"]) == [
        "DigitalSignature",
        "ContentCommitment",
        "KeyAgreement",
    ]


def test_host_names_of_the_operator_alone() -> None:
    settings = role_settings(csms_server(), "Example CPO", domains=["csms.example.com"])

    assert (settings["allowed_domains"], settings["allow_any_name"]) == (["csms.example.com"], False)
    assert settings["allow_bare_domains"]
    assert settings["enforce_hostnames"]
    assert settings["ttl"] == "79200s"


def test_what_no_role_can_be_made_of() -> None:
    with pytest.raises(ValueError, match="the profile secc takes no rsa keys"):
        role_settings(secc(), "Example CPO", kinds=["rsa"])
    with pytest.raises(ValueError, match="has no host names"):
        role_settings(charging_station(), "Example CPO", domains=["csms.example.com"])


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running_bao(tmp_path_factory.mktemp("bao")) as running:
        running.ask("POST", "sys/mounts/pki", {"type": "pki", "config": {"max_lease_ttl": "87600h"}})
        root = {"common_name": "Example root", "key_type": "ec", "ttl": "87600h"}
        running.ask("POST", "pki/root/generate/internal", root)
        yield running


@pytest.mark.parametrize(
    ("settings", "call"),
    [
        (role_settings(charging_station(), "Example CPO"), {"common_name": "SN-1"}),
        (role_settings(charging_station(), "Example CPO", kinds=["ec"]), {"common_name": "SN-1"}),
        (
            role_settings(csms_server(), "Example CPO", domains=["csms.example.com"]),
            {"common_name": "csms.example.com", "ip_sans": "192.0.2.7"},
        ),
        (
            role_settings(with_lifetime(charging_station(), timedelta(days=30)), "Example CPO"),
            {"common_name": "SN-1"},
        ),
    ],
    ids=["station", "station, EC alone", "server", "station, 30 days"],
)
def test_a_real_openbao_issues_by_the_role(
    bao: Bao, make_csr: Any, rsa_key: rsa.RSAPrivateKey, settings: dict[str, Any], call: dict[str, str]
) -> None:
    bao.ask("POST", "pki/roles/under-test", settings)
    is_server = call["common_name"] != "SN-1"
    profile = csms_server() if is_server else charging_station()
    for pem in (make_csr(), make_csr(key=rsa_key)):
        csr = x509.load_pem_x509_csr(pem.encode())
        if isinstance(csr.public_key(), rsa.RSAPublicKey) and settings["key_type"] == "ec":
            continue
        body = {**call, "csr": pem, "exclude_cn_from_sans": not is_server}
        leaf = x509.load_pem_x509_certificate(
            bao.ask("POST", "pki/sign/under-test", body)["data"]["certificate"].encode()
        )
        names = ("csms.example.com", "192.0.2.7") if is_server else ()
        request = SigningRequest(csr, call["common_name"], "Example CPO", profile, names)
        verify_issued(IssuedCertificate(leaf, certificates_pem([leaf])), request, now=datetime.now(UTC))

        assert lint.errors(lint.of_certificate(leaf)) == []
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
        wants_agreement = "KeyAgreement" in settings["key_usage"]
        assert (usage.digital_signature, usage.key_agreement) == (True, wants_agreement)
        assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(
            seconds=int(settings["ttl"][:-1]) + int(settings["not_before_duration"][:-1])
        )


def test_a_real_openbaos_own_certificate_and_list(bao: Bao) -> None:
    ca = bao.ask("GET", "pki/cert/ca")["data"]["certificate"]
    crl = bao.ask("GET", "pki/cert/crl")["data"]["certificate"]

    assert lint.errors(lint.of_certificate(x509.load_pem_x509_certificate(ca.encode()))) == []
    assert lint.errors(lint.of_crl(x509.load_pem_x509_crl(crl.encode()))) == []
