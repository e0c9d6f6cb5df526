"""The pairs of C07.FR.13 to FR.17, all of them."""

import pytest

from gateway.bridge.books import Json
from gateway.services.contract_words import for_the_note, of_id_tag_info, paired, refused, refused_for
from gateway.wire.schemas import operation
from gateway.wire.versions import Version
from pki.iso15118.contract_status import Fault

CANCELLED = ["Blocked", "Expired", "Invalid", "Unknown"]
OTHERS = ["Accepted", "ConcurrentTx", "NoCredit", "NotAllowedTypeEVSE", "NotAtThisLocation", "NotAtThisTime"]


def pair(answer: Json) -> tuple[str, str]:
    operation(Version.V201, "Authorize").response.check(answer)
    return answer["certificateStatus"], answer["idTokenInfo"]["status"]


@pytest.mark.parametrize("status", CANCELLED)
def test_fr_13_a_good_certificate_of_a_contract_that_is_over(status: str) -> None:
    assert pair(paired({"idTokenInfo": {"status": status}})) == ("ContractCancelled", status)


@pytest.mark.parametrize("status", OTHERS)
def test_fr_14_a_good_certificate(status: str) -> None:
    answer = paired({"idTokenInfo": {"status": status, "chargingPriority": 1}, "certificateStatus": "Accepted"})
    assert pair(answer) == ("Accepted", status)
    assert answer["idTokenInfo"]["chargingPriority"] == 1


@pytest.mark.parametrize("fault", Fault)
def test_fr_15_to_17_a_certificate_that_is_not_good(fault: Fault) -> None:
    expected = {
        Fault.EXPIRED: ("CertificateExpired", "Expired"),
        Fault.REVOKED: ("CertificateRevoked", "Invalid"),
    }
    assert pair(refused_for(fault)) == expected.get(fault, ("CertChainError", "Invalid"))


@pytest.mark.parametrize(
    ("theirs", "status"),
    [("CertificateExpired", "Expired"), ("CertificateRevoked", "Invalid"), ("SignatureError", "Invalid")],
)
def test_what_a_backend_finds_wrong_stands(theirs: str, status: str) -> None:
    answer = {"idTokenInfo": {"status": "Accepted"}, "certificateStatus": theirs}
    assert pair(paired(answer)) == (theirs, status)


def test_a_backend_that_calls_a_contract_cancelled_and_its_token_good() -> None:
    assert pair(paired({"idTokenInfo": {"status": "Accepted"}, "certificateStatus": "ContractCancelled"})) == (
        "Accepted",
        "Accepted",
    )


def test_the_words_of_a_1_6_backend() -> None:
    info = {"status": "Accepted", "expiryDate": "2026-01-01T00:00:00Z", "parentIdTag": "FAMILY"}
    assert of_id_tag_info(info) == {
        "idTokenInfo": {"status": "Accepted", "cacheExpiryDateTime": "2026-01-01T00:00:00Z"}
    }
    assert of_id_tag_info({"status": "Blocked"}) == {"idTokenInfo": {"status": "Blocked"}}


@pytest.mark.parametrize(
    ("status", "told"),
    [("Unknown", "Invalid"), ("NoCredit", "Blocked"), ("NotAtThisTime", "Blocked"), ("ConcurrentTx", "ConcurrentTx")],
)
def test_the_words_of_the_note(status: str, told: str) -> None:
    info = {"status": status, "cacheExpiryDateTime": "2026-01-01T00:00:00Z", "chargingPriority": 1}
    assert for_the_note({"idTokenInfo": info, "certificateStatus": "Accepted"}) == {
        "idTokenInfo": {"status": told, "cacheExpiryDateTime": "2026-01-01T00:00:00Z"},
        "certificateStatus": "Accepted",
    }
    assert for_the_note({"idTokenInfo": {"status": status}}) == {"idTokenInfo": {"status": told}}


def test_no_certificate_at_all() -> None:
    assert pair(refused("NoCertificateAvailable")) == ("NoCertificateAvailable", "Invalid")
