"""What of the application note a backend may say to a station in DataTransfer."""

import pytest

from gateway.bridge.books import Json
from gateway.bridge.plug_and_charge_16 import refusal, unwrapped_authorize, vendor_of, wrapped_authorize
from gateway.bridge.ports import RECONFIGURATION
from gateway.wire.schemas import operation
from gateway.wire.versions import Version

OCA = "org.openchargealliance.iso15118pnc"


def judged(payload: Json) -> tuple[Json | None, list[str]]:
    operation(Version.V16, "DataTransfer").request.check(payload)
    reported: list[str] = []
    answer = refusal(lambda kind, _: reported.append(kind), payload)
    if answer is not None:
        operation(Version.V16, "DataTransfer").response.check(answer)
    return answer, reported


@pytest.mark.parametrize("vendor", [OCA, OCA.upper(), "iso15118", "ISO15118", f" {OCA} "])
@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("CertificateSigned", "Rejected"),
        ("InstallCertificate", "Rejected"),
        ("installcertificate", "Rejected"),
        ("INSTALLCERTIFICATE", "Rejected"),
        (" InstallCertificate", "Rejected"),
        ("DeleteCertificate", "Failed"),
        ("dELETEcERTIFICATE", "Failed"),
        ("TriggerMessage", "Rejected"),
        ("SignCertificate", "Rejected"),
        ("Whatever", "Rejected"),
    ],
)
def test_what_reaches_for_certificates_is_refused(vendor: str, message: str, status: str) -> None:
    answer, reported = judged({"vendorId": vendor, "messageId": message, "data": "{}"})
    assert answer == {"status": "Accepted", "data": f'{{"status":"{status}"}}'}
    assert reported == [RECONFIGURATION]


def test_a_message_without_a_name_is_refused_too() -> None:
    assert judged({"vendorId": OCA})[1] == [RECONFIGURATION]


@pytest.mark.parametrize(
    "payload",
    [
        {"vendorId": "acme", "messageId": "InstallCertificate", "data": "{}"},
        {"vendorId": "acme"},
        {"vendorId": OCA, "messageId": "GetInstalledCertificateIds", "data": "{}"},
        {"vendorId": OCA, "messageId": "GETINSTALLEDCERTIFICATEIDS", "data": "{}"},
    ],
)
def test_what_may_pass(payload: Json) -> None:
    assert judged(payload) == (None, [])


def test_whose_vendor_it_is() -> None:
    assert vendor_of({"vendorId": "Iso15118"}) == "Iso15118"
    assert vendor_of({"vendorId": "iso15118x"}) is None


def test_authorize_is_wrapped_with_what_proves_it_alone() -> None:
    payload = {"idToken": {"idToken": "x", "type": "eMAID"}, "certificate": "PEM", "customData": {"vendorId": "acme"}}
    assert wrapped_authorize("TAG", payload) == {
        "vendorId": OCA,
        "messageId": "Authorize",
        "data": '{"idToken":"TAG","certificate":"PEM"}',
    }
    assert wrapped_authorize("TAG", {}, "iso15118")["vendorId"] == "iso15118"


def test_a_verdict_is_unwrapped() -> None:
    data = '{"idTokenInfo":{"status":"Accepted"},"certificateStatus":"Accepted"}'
    assert unwrapped_authorize({"status": "Accepted", "data": data}) == {
        "idTokenInfo": {"status": "Accepted"},
        "certificateStatus": "Accepted",
    }


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "Rejected", "data": '{"idTokenInfo":{"status":"Accepted"}}'},
        {"status": "UnknownMessageId"},
        {"status": "Accepted"},
        {"status": "Accepted", "data": "[]"},
        {"status": "Accepted", "data": '{"idTokenInfo":{"status":"Perhaps"}}'},
        {"status": "Accepted", "data": '{"idTokenInfo":{"status":"Accepted"},"certificateStatus":"Fine"}'},
    ],
)
def test_what_is_no_verdict(answer: Json) -> None:
    assert unwrapped_authorize(answer) is None
