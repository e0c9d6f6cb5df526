"""Answers that say no, to each request, for each reason."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pki.iso15118.exi import ExiError, Schema
from pki.iso15118.failures import failed_response, refused_response, response_code
from pki.iso15118.messages import (
    CertificateInstallationReq,
    CertificateInstallationRes,
    CertificateInstallationRes20,
    CertificateUpdateReq,
    CertificateUpdateRes,
    Request,
    Response,
)
from pki.iso15118.provisioning import Refusal
from pki.iso15118.reading import read_message

VECTORS = Path(__file__).parent / "vectors"
PAGE = Path(__file__).parents[3] / "docs/plug-and-charge.md"
SESSION_ID = bytes.fromhex("3031323334353637")
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
REQUESTS = {
    "iso2_cert_install_req": CertificateInstallationRes,
    "iso2_cert_install_req_unsigned": CertificateInstallationRes,
    "iso2_cert_update_req": CertificateUpdateRes,
    "iso20_cert_install_req": CertificateInstallationRes20,
}


def octets(name: str) -> bytes:
    return (VECTORS / f"{name}.exi").read_bytes()


def schema_of(name: str) -> Schema:
    return Schema.ISO_20 if name.startswith("iso20") else Schema.ISO_2


def request(name: str) -> Request:
    message = read_message(octets(name), schema_of(name))
    assert isinstance(message, Request)
    return message


def refused(name: str, refusal: Refusal) -> Response:
    exi = refused_response(octets(name), schema_of(name), refusal, clock=lambda: NOW)
    assert exi is not None
    message = read_message(exi, schema_of(name))
    assert isinstance(message, Response)
    return message


@pytest.mark.parametrize("refusal", Refusal)
@pytest.mark.parametrize(("name", "kind"), REQUESTS.items())
def test_an_answer_to_each_request_for_each_reason(name: str, kind: type[Response], refusal: Refusal) -> None:
    answer = refused(name, refusal)

    assert type(answer) is kind
    assert answer.response_code == response_code(refusal, schema_of(name))
    assert answer.response_code.startswith(("FAILED", "WARNING"))
    assert answer.header.session_id == SESSION_ID
    assert answer.header.signature is None


@pytest.mark.parametrize(
    ("refusal", "code_2", "code_20"),
    [
        (Refusal.SIGNATURE_INVALID, "FAILED_SignatureError", "FAILED_SignatureError"),
        (Refusal.DIGEST_MISMATCH, "FAILED_SignatureError", "FAILED_SignatureError"),
        (Refusal.CERTIFICATE_EXPIRED, "FAILED_CertificateExpired", "WARNING_CertificateExpired"),
        (Refusal.CERTIFICATE_REVOKED, "FAILED_CertificateRevoked", "WARNING_CertificateRevoked"),
        (Refusal.CERTIFICATE_NOT_YET_VALID, "FAILED_CertChainError", "WARNING_CertificateNotYetValid"),
        (Refusal.CHAIN_UNTRUSTED, "FAILED_CertChainError", "WARNING_CertificateValidationError"),
        (Refusal.NO_CONTRACT, "FAILED_NoCertificateAvailable", "WARNING_NoContractMatchingPCIDFound"),
        (Refusal.PROVIDER_TIMEOUT, "FAILED_NoCertificateAvailable", "WARNING_NoCertificateAvailable"),
        (Refusal.REPLAYED, "FAILED", "FAILED"),
    ],
)
def test_what_each_generation_calls_it(refusal: Refusal, code_2: str, code_20: str) -> None:
    assert response_code(refusal, Schema.ISO_2) == code_2
    assert response_code(refusal, Schema.ISO_20) == code_20


@pytest.mark.parametrize(
    ("refusal", "days"),
    [
        (Refusal.PROVIDER_TIMEOUT, 0),
        (Refusal.PROVIDER_UNAVAILABLE, 0),
        (Refusal.NO_CONTRACT, 1),
        (Refusal.RATE_LIMIT, 1),
        (Refusal.SIGNATURE_INVALID, None),
        (Refusal.CERTIFICATE_EXPIRED, None),
    ],
)
def test_when_an_update_may_be_asked_for_again(refusal: Refusal, days: int | None) -> None:
    answer = refused("iso2_cert_update_req", refusal)

    assert isinstance(answer, CertificateUpdateRes)
    assert answer.retry_counter == days


def test_nothing_of_value_is_in_it() -> None:
    answer = refused("iso2_cert_install_req", Refusal.NO_CONTRACT)

    assert isinstance(answer, CertificateInstallationRes)
    contract = answer.contract
    assert answer.cps_chain.certificate == contract.chain.certificate == b"\0"
    assert contract.encrypted_private_key == contract.dh_public_key == b"\0"
    assert contract.emaid == "XX000000000000"


def test_an_update_hears_of_its_own_emaid() -> None:
    asked, answer = request("iso2_cert_update_req"), refused("iso2_cert_update_req", Refusal.NO_CONTRACT)

    assert isinstance(asked, CertificateUpdateReq)
    assert isinstance(answer, CertificateUpdateRes)
    assert answer.contract.emaid == asked.emaid


def test_the_answer_of_20_bears_the_time_and_is_the_last() -> None:
    answer = refused("iso20_cert_install_req", Refusal.NO_CONTRACT)

    assert isinstance(answer, CertificateInstallationRes20)
    assert answer.header.timestamp == int(NOW.timestamp())
    assert (answer.evse_processing, answer.remaining_contract_certificate_chains) == ("Finished", 0)
    assert not any(answer.installation_data.dh_public_key + answer.installation_data.encrypted_private_key)


@pytest.mark.parametrize("name", ["negative/iso2_cert_install_req.with_KeyInfo", "iso2_cert_install_req_unsigned"])
def test_a_request_needs_no_signature_to_be_answered(name: str) -> None:
    assert refused(name, Refusal.SIGNATURE_PROFILE).response_code == "FAILED_SignatureError"


@pytest.mark.parametrize(
    "exi",
    [
        b"",
        b"\x80",
        octets("iso2_cert_install_req")[:-1],
        octets("negative/iso2_wrong_namespace_root"),
        octets("iso20_cert_install_req"),
        octets("iso2_cert_install_res"),
    ],
    ids=["nothing", "a header", "cut off", "another message", "another generation", "an answer"],
)
def test_what_no_answer_can_be_made_to(exi: bytes) -> None:
    assert refused_response(exi, Schema.ISO_2, Refusal.MALFORMED) is None


def test_a_code_of_the_other_generation() -> None:
    asked = request("iso2_cert_install_req")
    assert isinstance(asked, CertificateInstallationReq)

    with pytest.raises(ExiError, match="is wanted"):
        failed_response(asked, "WARNING_NoCertificateAvailable")


def test_the_page_says_what_vehicles_hear_for_every_reason() -> None:
    rows = [line.split("|")[1:4] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    table = [[re.findall(r"`(\w+)`", cell) for cell in row] for row in rows]
    by_name = {refusal.value: refusal for refusal in Refusal}
    told = []
    for names, heard_2, heard_20 in table:
        refusals = [by_name[name] for name in names if name in by_name]
        if not refusals:
            continue  # another table's row, such as the kinds of providers
        told += refusals
        codes_2 = {f"FAILED{code}" if code.startswith("_") else code for code in heard_2}
        assert {response_code(refusal, Schema.ISO_2) for refusal in refusals} == codes_2
        assert {response_code(refusal, Schema.ISO_20) for refusal in refusals} == set(heard_20)
    assert sorted(told, key=lambda each: each.value) == sorted(Refusal, key=lambda each: each.value)
