"""What 1.6 stations say by the note, and by the extension that was there before it, in 2.0.1's fields."""

import pytest

from gateway.bridge.books import Json
from gateway.services.note_words import for_station, from_station, is_of_the_extension
from gateway.wire.schemas import operation
from gateway.wire.versions import Version

HASHES = {"hashAlgorithm": "SHA256", "issuerNameHash": "aa", "issuerKeyHash": "bb", "serialNumber": "1"}
WITH_URL = {**HASHES, "responderURL": "http://ocsp.example"}
EMAID = {"idToken": "DE8EXC12345678O", "type": "eMAID"}
ISO_2 = "urn:iso:15118:2:2013:MsgDef"


@pytest.mark.parametrize(
    ("action", "said", "means"),
    [
        ("Authorize", {"idToken": EMAID["idToken"]}, {"idToken": EMAID}),
        (
            "Authorize",
            {"idToken": EMAID["idToken"], "certificate": "PEM", "iso15118CertificateHashData": []},
            {"idToken": EMAID, "certificate": "PEM"},
        ),
        (
            "Authorize",
            {"idToken": EMAID, "15118CertificateHashData": [HASHES, WITH_URL]},
            {"idToken": EMAID, "iso15118CertificateHashData": [{**HASHES, "responderURL": ""}, WITH_URL]},
        ),
        (
            "Get15118EVCertificate",
            {"exiRequest": "gA=="},
            {"iso15118SchemaVersion": ISO_2, "action": "Install", "exiRequest": "gA=="},
        ),
        (
            "Get15118EVCertificate",
            {"15118SchemaVersion": "urn:x", "action": "Update", "exiRequest": "gA=="},
            {"iso15118SchemaVersion": "urn:x", "action": "Update", "exiRequest": "gA=="},
        ),
        (
            "SignCertificate",
            {"csr": "PEM", "typeOfCertificate": "V2GCertificate"},
            {"csr": "PEM", "certificateType": "V2GCertificate"},
        ),
        ("SignCertificate", {"csr": "PEM"}, {"csr": "PEM"}),
        (
            "GetCertificateStatus",
            {"ocspRequestData": HASHES},
            {"ocspRequestData": {**HASHES, "responderURL": ""}},
        ),
        ("GetCertificateStatus", {"ocspRequestData": WITH_URL}, {"ocspRequestData": WITH_URL}),
    ],
)
def test_what_a_station_says(action: str, said: Json, means: Json) -> None:
    before = repr(said)
    assert from_station(action, said) == means
    assert repr(said) == before
    operation(Version.V201, action).request.check(means)


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("Authorize", {}),
        ("Authorize", {"idToken": 1}),
        ("Authorize", {"idToken": "x", "iso15118CertificateHashData": [1]}),
        (
            "Authorize",
            {"idToken": "x", "15118CertificateHashData": [WITH_URL], "iso15118CertificateHashData": [WITH_URL]},
        ),
        ("GetCertificateStatus", {"ocspRequestData": []}),
        ("SignCertificate", {"certificateType": "V2GCertificate", "typeOfCertificate": "V2GCertificate", "csr": "x"}),
    ],
)
def test_what_is_none_of_it_is_left_for_the_schema(action: str, said: Json) -> None:
    with pytest.raises(Exception, match=action):
        operation(Version.V201, action).request.check(from_station(action, said))


def test_who_speaks_the_extension() -> None:
    assert is_of_the_extension("Authorize", {"idToken": EMAID})
    assert not is_of_the_extension("Authorize", {"idToken": "DE8EXC12345678O"})
    assert not is_of_the_extension("SignCertificate", {"csr": "x"})


@pytest.mark.parametrize("status", ["Accepted", "CertificateRevoked", "CertChainError", "ContractCancelled"])
def test_what_a_station_hears(status: str) -> None:
    answer = {"idTokenInfo": {"status": "Invalid"}, "certificateStatus": status, "statusInfo": {"reasonCode": "x"}}
    note = {"idTokenInfo": {"status": "Invalid"}, "certificateStatus": status}
    assert for_station(answer, is_of_extension=False) == note
    known = status if status == "Accepted" else "CertificateRevoked"
    assert for_station(answer, is_of_extension=True) == {**note, "certificateStatus": known}
