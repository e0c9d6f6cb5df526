"""What a refusal says to whom."""

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.edge.refusals import (
    CHALLENGE,
    RETRY_SPREAD,
    SHOWN_MAX,
    CertificateRejected,
    NoCommonVersion,
    NotAdmitted,
    Reason,
    presented,
)
from gateway.session.security import KIND_MAX
from gateway.transport import AcceptThenClose, Headers, Refuse, TlsPeer, UpgradeRequest


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_label_an_answer_and_a_kind_that_fits(reason: Reason) -> None:
    answer = NotAdmitted(reason, "the reason").answer
    assert answer == Refuse(reason.status, CHALLENGE if reason.status == 401 else {})
    assert reason.label.isidentifier()
    assert reason.kind is None or 0 < len(reason.kind) <= KIND_MAX


def test_labels_are_unique() -> None:
    assert len({reason.label for reason in Reason}) == len(Reason)


def test_404_has_no_challenge() -> None:
    assert NotAdmitted(Reason.UNKNOWN_STATION, "x", status=404).answer == Refuse(404)
    assert NotAdmitted(Reason.UNKNOWN_STATION, "x", status=401).answer == Refuse(401, CHALLENGE)


def test_come_back_later_is_not_the_same_moment_for_all() -> None:
    waits = set()
    for _ in range(100):
        answer = NotAdmitted(Reason.LIMITED, "x", retry_after=2.9).answer
        assert isinstance(answer, Refuse)
        waits.add(int(answer.headers["Retry-After"]))
    assert len(waits) > 5
    assert min(waits) >= 3
    assert max(waits) < 3 + RETRY_SPREAD


def test_no_common_version_closes_or_refuses() -> None:
    assert NoCommonVersion(Reason.SUBPROTOCOL, "x", close=False).answer == Refuse(400)
    assert NoCommonVersion(Reason.SUBPROTOCOL, "x", close=True).answer == AcceptThenClose(
        1002, "no supported OCPP version offered"
    )


def test_a_rejected_certificate_is_a_value_error_with_a_reason() -> None:
    assert isinstance(CertificateRejected("x"), ValueError)
    assert CertificateRejected("x").reason is Reason.CERTIFICATE
    assert CertificateRejected("x", Reason.REVOKED).reason is Reason.REVOKED


def _request(certificate: bytes | None, **headers: str) -> UpgradeRequest:
    sent = Headers({"Host": "csms.example.com", "Authorization": "Basic Q1MxOlMzQ1JFVA=="} | headers)
    sent["Sec-WebSocket-Protocol"] = "ocpp1.6, OCPP2.0.1, S3CRET"
    tls = TlsPeer("TLSv1.2", "ECDHE", certificate, (), resumed=False, server_name="csms.example.com")
    return UpgradeRequest("/ocpp/CS1", sent, ("10.1.2.3", 4711), tls)


def test_what_was_presented_names_the_certificate_and_no_password() -> None:
    issued = trustme.CA().issue_cert(common_name="SN1")
    leaf = x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())
    shown = presented(_request(leaf.public_bytes(Encoding.DER), Origin="https://evil.example"))
    assert shown == {
        "offered": "ocpp1.6, OCPP2.0.1, (other)",
        "host": "csms.example.com",
        "origin": "https://evil.example",
        "tls": "TLSv1.2 ECDHE",
        "server_name": "csms.example.com",
        "certificate_subject": leaf.subject.rfc4514_string(),
        "certificate_name": "SN1",
        "certificate_fingerprint": leaf.fingerprint(hashes.SHA256()).hex(),
        "certificate_serial": f"{leaf.serial_number:x}",
        "certificate_issuer": leaf.issuer.rfc4514_string(),
    }
    assert "S3CRET" not in str(shown)
    assert "CN=SN1" in shown["certificate_subject"]


def test_it_is_bounded_and_survives_rubbish() -> None:
    shown = presented(_request(b"\x30\x03rubbish", Origin="x" * 5_000))
    assert shown["certificate_subject"] == "(can't be decoded)"
    assert len(shown["origin"]) == SHOWN_MAX
    in_clear = UpgradeRequest("/ocpp/CS1", Headers({"Host": "a"}), ("10.1.2.3", 4711), None)
    assert presented(in_clear) == {"host": "a"}
