"""What OPCP says, read and written."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.iso15118.exi import Schema
from pki.iso15118.identifiers import Emaid
from pki.iso15118.messages import CertificateInstallationRes
from pki.iso15118.opcp.messages import (
    EXI_MAX,
    OFFERS_MAX,
    Malformed,
    Offer,
    check_success,
    contract_request,
    read_offers,
    read_signed,
    signing_request,
)
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from pki.iso15118.reading import read_message
from tests.opcp_server import offer
from tests.pki.iso15118.opcp.conftest import vector


def content(*messages: Any) -> dict[str, Any]:
    return {"CCPResponse": {"emaidContent": [{"messageDef": each} for each in messages]}}


def test_a_vehicles_request() -> None:
    assert contract_request(b"\x80\x01", Schema.ISO_20) == {
        "certificateInstallationReq": "gAE=",
        "xsdMsgDefNamespace": "urn:iso:std:iso:15118:-20:CommonMessages",
    }


def test_offers_with_and_without_an_emaid() -> None:
    messages = [offer(b"\x80"), offer(b"\x81", "de-8ex-c12345678"), {**offer(b"\x82"), "emaid": None, "metaData": "x"}]
    assert read_offers(content(*messages) | {"xsdMsgDefNamespace": "x"}) == (
        Offer(b"\x80", None),
        Offer(b"\x81", Emaid.of_peer("DE8EXC12345678")),
        Offer(b"\x82", None),
    )
    assert len(read_offers(content(*[offer(bytes(EXI_MAX))] * OFFERS_MAX))) == OFFERS_MAX


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({}, "CCPResponse is missing"),
        ({"CCPResponse": []}, "CCPResponse is missing, or isn't of its type"),
        ({"CCPResponse": {"emaidContent": {}}}, "emaidContent is missing"),
        (content(), "emaidContent has 0 messages, 1 to 32 are taken"),
        (content(*[offer(b"\x80")] * (OFFERS_MAX + 1)), "has 33 messages"),
        ({"CCPResponse": {"emaidContent": ["x"]}}, "messageDef is missing"),
        (content("x"), "messageDef is missing"),
        (content({}), "certificateInstallationRes is missing"),
        (content({"certificateInstallationRes": ""}), "certificateInstallationRes is empty"),
        (content({"certificateInstallationRes": "gA"}), "isn't base64"),
        (content({"certificateInstallationRes": "gA==\n"}), "isn't base64"),
        (content({"certificateInstallationRes": "gÄ=="}), "isn't base64"),
        (content(offer(bytes(EXI_MAX + 3))), "certificateInstallationRes has more than 12750 octets"),
        (content(offer(b"\x80", "DE8EX")), "emaid isn't an eMAID"),
        (content(offer(b"\x80") | {"emaid": 7}), "emaid isn't an eMAID"),
    ],
)
def test_offers_that_are_none(answer: dict[str, Any], words: str) -> None:
    with pytest.raises(Malformed, match=words):
        read_offers(answer)


def test_what_is_to_be_signed() -> None:
    body = signing_request([b"leaf", b"sub2", b"sub1"], b"key", b"dh", v2g_root="ab" * 32)
    assert body == {
        "contractData": {
            "contractCertificate": "bGVhZg==",
            "contractSubCa2Certificate": "c3ViMg==",
            "contractSubCa1Certificate": "c3ViMQ==",
            "contractSignatureEncryptedPrivateKey": "a2V5",
            "dHpublickey": "ZGg=",
        },
        "xsdMsgDefNamespace": "urn:iso:15118:2:2013:MsgDef",
        "cpsV2GRootCertificateFingerprint": "ab" * 32,
    }


def test_one_ca_is_the_one_below_the_root_and_no_root_is_named_unasked() -> None:
    body = signing_request([b"leaf", b"sub1"], b"key", b"dh", v2g_root=None)
    assert "contractSubCa2Certificate" not in body["contractData"]
    assert body["contractData"]["contractSubCa1Certificate"] == "c3ViMQ=="
    assert set(body) == {"contractData", "xsdMsgDefNamespace"}


@pytest.mark.parametrize("count", [0, 3])
def test_chains_that_have_no_place(count: int) -> None:
    with pytest.raises(ValueError, match=f"one or two CAs below its root, and not {count}"):
        signing_request([b"x"] * (count + 1), b"key", b"dh", v2g_root=None)


def test_what_was_signed() -> None:
    assert read_signed({"signedData": "PD94", "emaid": "x"}) == b"<?x"
    assert read_signed({"signedData": "PD94", "xsdMsgDefNamespace": Schema.ISO_2.value}) == b"<?x"
    with pytest.raises(Malformed, match="xsdMsgDefNamespace is another"):
        read_signed({"signedData": "PD94", "xsdMsgDefNamespace": Schema.ISO_20.value})
    with pytest.raises(Malformed, match="signedData is missing"):
        read_signed({})


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        ("OK", None),
        ("OK_CertificateExpiresSoon", None),
        ("FAILED_NoCertificateAvailable", Refusal.NO_CONTRACT),
        ("FAILED_ContractCanceled", Refusal.NO_CONTRACT),
        ("WARNING_NoContractMatchingPCIDFound", Refusal.NO_CONTRACT),
        ("FAILED_CertChainError", Refusal.PROVIDER_REFUSED),
        ("WARNING_eMSPUnknown", Refusal.PROVIDER_REFUSED),
    ],
)
def test_response_codes(code: str, refusal: Refusal | None) -> None:
    message = read_message(vector("iso2_cert_install_res.exi"), Schema.ISO_2)
    assert isinstance(message, CertificateInstallationRes)
    object.__setattr__(message, "response_code", code)
    if refusal is None:
        check_success(message)
        return
    with pytest.raises(ProvisioningRefused, match=f"answers the vehicle with {code}$") as caught:
        check_success(message)
    assert caught.value.refusal is refusal


MEMBERS = ["CCPResponse", "emaidContent", "messageDef", "certificateInstallationRes", "emaid", "signedData"]
json = st.recursive(
    st.sampled_from([None, True, 7, 1.5, "", "x", "gA==", "DE8EXC12345678", base64.b64encode(bytes(99)).decode()]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(MEMBERS),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(answer=st.dictionaries(st.sampled_from(["CCPResponse", "signedData"]), json, max_size=3))
def test_whatever_comes_nothing_else_is_raised(answer: dict[str, Any]) -> None:
    for read in (read_offers, read_signed):
        try:
            read(answer)
        except Malformed:
            continue
